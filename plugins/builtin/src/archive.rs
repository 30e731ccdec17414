//! `archive`: keeps files of the workspace as artifacts of the build, with their digests.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::files::{self, Picked};

/// Most bytes that one step archives; models of this field fit, a whole data lake does not.
const MAX_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Most files whose digests become an output; the log lists them all.
const MAX_LISTED: usize = 500;
/// Bytes copied at a time.
const CHUNK: usize = 256 * 1024;

pub(crate) struct Archive;

#[async_trait]
impl StepRunner for Archive {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Strings};
        StepSchema {
            name: "archive",
            doc: "Keeps files of the workspace as artifacts of the build.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required(
                    "files",
                    Strings,
                    "Globs from the workspace: `*` stays within a folder, `**` crosses folders, a folder means all below \
                     it. Links are not followed. At most 20,000 files and 8 GiB.",
                ),
                ArgumentSchema::optional("exclude", Strings, "Globs of files to leave out."),
                ArgumentSchema::optional("allow-empty", Boolean, "No file at all is no failure.").or(false),
            ],
            outputs: vec![
                OutputSchema { name: "count", doc: "How many files." },
                OutputSchema { name: "bytes", doc: "Their bytes together." },
                OutputSchema { name: "files", doc: "List of {path, size, sha256}; the first 500." },
            ],
            open_outputs: false,
            cloud: false,
            example: "files: [\"reports/**/*.json\", model.tar.gz]\nexclude: [\"**/*.tmp\"]",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || archive(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        // It is short, and half a copy helps nobody: attach reports its end.
        Ok(())
    }
}

fn archive(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let patterns = ctx.texts("files");
    let picked = files::pick(&ctx.workspace, &patterns, &ctx.texts("exclude"))?;
    let bytes = files::total_size(&picked, MAX_BYTES, "archive")?;
    if picked.is_empty() && !ctx.flag("allow-empty") {
        return Ok(StepOutput::failure(format!("no file matches {}; nothing was archived", patterns.join(", "))));
    }
    let say = ctx.log.is_empty();
    let mut listed = Vec::new();
    for file in &picked {
        let sha256 = copy(file, &ctx.artifacts)?;
        if say {
            ctx.log.line(&format!("{sha256}  {}", file.relative));
        }
        if listed.len() < MAX_LISTED {
            listed.push(json!({"path": file.relative, "size": file.size, "sha256": sha256}));
        }
    }
    Ok(StepOutput::success(Object::from_iter([
        ("count".to_owned(), picked.len().into()),
        ("bytes".to_owned(), bytes.into()),
        ("files".to_owned(), Value::Array(listed)),
    ])))
}

/// Copies one file whole or not at all, and gives its SHA-256 in hexadecimal.
fn copy(file: &Picked, artifacts: &Path) -> Result<String, StepError> {
    let target = artifacts.join(&file.relative);
    let folder = target.parent().unwrap_or(artifacts);
    fs::create_dir_all(folder).map_err(|error| files::cannot("make", folder, &error))?;
    let fresh = folder.join(format!(".{}.new", target.file_name().unwrap_or_default().to_string_lossy()));
    let digest = digest_copy(&file.path, &fresh).map_err(|error| files::cannot("archive", &file.path, &error))?;
    fs::rename(&fresh, &target).map_err(|error| files::cannot("write", &target, &error))?;
    Ok(digest)
}

fn digest_copy(from: &Path, to: &Path) -> io::Result<String> {
    let (mut source, mut target) = (fs::File::open(from)?, fs::File::create(to)?);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match source.read(&mut chunk)? {
            0 => break,
            n => {
                hash.update(&chunk[..n]);
                target.write_all(&chunk[..n])?;
            }
        }
    }
    target.set_permissions(source.metadata()?.permissions())?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use haliotis_model::BuildResult;

    use super::*;
    use crate::bench::Case;

    #[tokio::test]
    async fn files_are_kept_with_digests_and_again_changes_nothing() {
        let case = Case::new("archive", json!({"files": ["out/**"]})).file("out/a/b.txt", "abc").file("c.txt", "no");
        let output = case.run().await;
        assert_eq!(case.run().await, output);
        assert_eq!(fs::read_to_string(case.ctx.artifacts.join("out/a/b.txt")).unwrap(), "abc");
        assert!(!case.ctx.artifacts.join("c.txt").exists());
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(output.outputs["files"], json!([{"path": "out/a/b.txt", "size": 3, "sha256": sha256}]));
        assert_eq!(case.log(), format!("{sha256}  out/a/b.txt\n"));
    }

    #[tokio::test]
    async fn nothing_found_is_a_failure_unless_allowed() {
        let output = Case::new("archive", json!({"files": "*.whl"})).run().await;
        assert_eq!(output.message.as_deref(), Some("no file matches *.whl; nothing was archived"));
        let output = Case::new("archive", json!({"files": "*.whl", "allow-empty": true})).run().await;
        assert_eq!((output.result, &output.outputs["count"]), (BuildResult::Success, &json!(0)));
    }
}
