//! `copy-artifacts`: brings artifacts of another build into the workspace.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildId, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use crate::files;

/// Most bytes that are copied, as of `archive`.
const MAX_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Most names that become an output.
const MAX_LISTED: usize = 500;

pub(crate) struct CopyArtifacts;

#[async_trait]
impl StepRunner for CopyArtifacts {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Integer, Path, Strings};
        StepSchema {
            name: "copy-artifacts",
            doc: "Copies artifacts of another build into the workspace.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("build", Integer, "Id of the build, as `find-build` tells it."),
                ArgumentSchema::optional("files", Strings, "Globs; default: all."),
                ArgumentSchema::optional("exclude", Strings, "Globs of files to leave out."),
                ArgumentSchema::optional("into", Path, "A folder of the workspace; default: the workspace."),
                ArgumentSchema::optional("flatten", Boolean, "Leaves folders out of the names.").or(false),
                ArgumentSchema::optional("allow-empty", Boolean, "No file at all is no failure.").or(false),
            ],
            outputs: vec![OutputSchema { name: "files", doc: "The names, at most 500." }],
            open_outputs: false,
            cloud: false,
            example: "build: ${{ steps.find.outputs.build }}\nfiles: [\"model/**\"]\ninto: model",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || copy(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn copy(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let build = BuildId(ctx.integer("build").unwrap_or(0));
    // Artifacts of all builds lie beside each other, each build's in a folder named by its id.
    let from = ctx.artifacts.parent().unwrap_or(Path::new("")).join(build.to_string());
    let into = match ctx.text("into").filter(|into| !into.is_empty()) {
        Some(into) => ctx.path(&into)?,
        None => ctx.workspace.clone(),
    };
    files::through_real_folders(&ctx.workspace, &into)?;
    let patterns = match ctx.texts("files") {
        all if all.is_empty() => vec!["**".to_owned()],
        some => some,
    };
    let picked = if from.is_dir() { files::pick(&from, &patterns, &ctx.texts("exclude"))? } else { Vec::new() };
    files::total_size(&picked, MAX_BYTES, "copy-artifacts")?;
    if picked.is_empty() && !ctx.flag("allow-empty") {
        return Ok(StepOutput::failure(format!(
            "Failed to copy artifacts: the build {build} kept no file that matches {}",
            patterns.join(", ")
        )));
    }
    let mut names = Vec::new();
    for file in &picked {
        let name = match ctx.flag("flatten") {
            true => file.relative.rsplit('/').next().unwrap_or(&file.relative),
            false => &file.relative,
        };
        let target = into.join(name);
        files::through_real_folders(&ctx.workspace, &target)?;
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| files::cannot("make", folder, &error))?;
        }
        fs::copy(&file.path, &target).map_err(|error| files::cannot("write", &target, &error))?;
        if names.len() < MAX_LISTED {
            names.push(name.into());
        }
    }
    Ok(StepOutput::success(Object::from_iter([("files".to_owned(), Value::Array(names))])))
}

#[cfg(test)]
mod tests {
    use haliotis_model::BuildResult;
    use serde_json::json;

    use crate::bench::Case;

    fn keep(case: &Case, build: &str, path: &str, text: &str) {
        let file = case.ctx.artifacts.parent().unwrap().join(build).join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    #[tokio::test]
    async fn files_of_another_build() {
        let case = Case::new("copy-artifacts", json!({"build": 900, "files": ["m/**"], "into": "in"}));
        keep(&case, "900", "m/a/model.bin", "weights");
        keep(&case, "900", "m/notes.txt", "n");
        keep(&case, "900", "other.txt", "o");
        keep(&case, "901", "m/wrong.txt", "w");
        assert_eq!(case.run().await.outputs["files"], json!(["m/a/model.bin", "m/notes.txt"]));
        let read = |path: &str| std::fs::read_to_string(case.ctx.workspace.join(path)).ok();
        assert_eq!(read("in/m/a/model.bin").as_deref(), Some("weights"));
        assert!(read("in/other.txt").is_none() && read("in/m/wrong.txt").is_none());
        let flat = json!({"build": 900, "files": "**/*.bin", "flatten": true});
        case.then("copy-artifacts", flat).run().await;
        assert_eq!(read("model.bin").as_deref(), Some("weights"));
    }

    #[tokio::test]
    async fn none_is_a_failure_unless_allowed_and_nothing_leaves_the_workspace() {
        let case = Case::new("copy-artifacts", json!({"build": 7, "files": "x"}));
        assert_eq!(case.run().await.result, BuildResult::Failure);
        let allowed = case.then("copy-artifacts", json!({"build": 7, "allow-empty": true})).run().await;
        assert_eq!((allowed.result, allowed.outputs["files"].clone()), (BuildResult::Success, json!([])));
        let outside = case.then("copy-artifacts", json!({"build": 7, "into": "../x"})).try_run().await;
        assert!(outside.unwrap_err().to_string().contains("leaves the workspace"));
    }
}
