//! `write-file`: makes a file of the workspace from a text or a value.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use crate::files;

pub(crate) struct WriteFile;

#[async_trait]
impl StepRunner for WriteFile {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Any, Boolean, Path};
        StepSchema {
            name: "write-file",
            doc: "Writes a file of the workspace, whole or not at all.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("path", Path, "Where, in the workspace; folders are made."),
                ArgumentSchema::required(
                    "text",
                    Any,
                    "The text; a map or list is written as JSON with two spaces of indent.",
                ),
                ArgumentSchema::optional("executable", Boolean, "Mode 0755 instead of 0644.").or(false),
            ],
            outputs: vec![OutputSchema { name: "bytes", doc: "Its length." }],
            open_outputs: false,
            cloud: false,
            example: "path: config/staging.json\ntext: { StageName: staging, EndpointInstanceCount: \"1\" }",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || write(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn write(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let relative = ctx.required("path")?;
    let path = ctx.path(&relative)?;
    files::through_real_folders(&ctx.workspace, &path)?;
    let Some(name) = path.file_name().filter(|_| path != ctx.workspace) else {
        return Err(StepError::Usage(format!("write-file: `{relative}` names no file")));
    };
    let text = match ctx.arg("text") {
        Some(value @ (Value::Object(_) | Value::Array(_))) => format!("{value:#}\n"),
        _ => ctx.required("text")?,
    };
    let folder = path.parent().unwrap_or(&ctx.workspace);
    fs::create_dir_all(folder).map_err(|error| files::cannot("make", folder, &error))?;
    let fresh = folder.join(format!(".{}.{}.new", name.to_string_lossy(), ctx.slug()));
    fs::write(&fresh, &text).map_err(|error| files::cannot("write", &path, &error))?;
    let mode = if ctx.flag("executable") { 0o755 } else { 0o644 };
    fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))?;
    fs::rename(&fresh, &path).map_err(|error| files::cannot("write", &path, &error))?;
    Ok(StepOutput::success(Object::from_iter([("bytes".to_owned(), text.len().into())])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::Case;

    #[tokio::test]
    async fn texts_and_values() {
        let case = Case::new("write-file", json!({"path": "a/b.sh", "text": "x", "executable": true}));
        assert_eq!(case.run().await.outputs["bytes"], 1);
        let path = case.ctx.workspace.join("a/b.sh");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        case.then("write-file", json!({"path": "c.json", "text": {"b": 1, "a": [2]}})).run().await;
        let text = fs::read_to_string(case.ctx.workspace.join("c.json")).unwrap();
        assert_eq!(text, "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}\n");
    }

    #[tokio::test]
    async fn paths_that_lead_outside_are_refused() {
        let case = Case::new("write-file", json!({"path": "link/x", "text": "x"}));
        std::os::unix::fs::symlink("/tmp", case.ctx.workspace.join("link")).unwrap();
        assert!(case.try_run().await.unwrap_err().to_string().contains("symbolic link"));
        for path in ["../x", "/x", "."] {
            assert!(Case::new("write-file", json!({"path": path, "text": "x"})).try_run().await.is_err(), "{path}");
        }
    }
}
