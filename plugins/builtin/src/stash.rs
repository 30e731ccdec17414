//! `stash` and `unstash`: hand files from one agent's workspace to another's, within a build.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use crate::files::{self, Picked};

/// Most bytes that one stash takes, before packing.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

pub(crate) struct Stash;
pub(crate) struct Unstash;

#[async_trait]
impl StepRunner for Stash {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, String, Strings};
        StepSchema {
            name: "stash",
            doc: "Keeps files under a name for a later `unstash` of the same build.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required(
                    "name",
                    String,
                    "Letters, digits, `.`, `_`, `-`. A later stash of that name replaces the earlier.",
                ),
                ArgumentSchema::optional("files", Strings, "Globs as of `archive`. At most 20,000 files and 4 GiB.")
                    .or("**"),
                ArgumentSchema::optional("exclude", Strings, "Globs of files to leave out."),
                ArgumentSchema::optional("allow-empty", Boolean, "No file at all is no failure.").or(false),
            ],
            outputs: vec![OutputSchema { name: "count", doc: "How many files." }],
            open_outputs: false,
            cloud: false,
            example: "name: wheels\nfiles: [\"dist/*.whl\"]",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || stash(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

#[async_trait]
impl StepRunner for Unstash {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "unstash",
            doc: "Puts the files of an earlier `stash` of the build into the workspace.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![ArgumentSchema::required("name", ArgumentKind::String, "The name given to `stash`.")],
            outputs: vec![OutputSchema { name: "count", doc: "How many files." }],
            open_outputs: false,
            cloud: false,
            example: "name: wheels",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || unstash(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn stash(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let path = stash_path(ctx, "stash")?;
    let mut patterns = ctx.texts("files");
    if patterns.is_empty() {
        patterns.push("**".to_owned());
    }
    let picked = files::pick(&ctx.workspace, &patterns, &ctx.texts("exclude"))?;
    files::total_size(&picked, MAX_BYTES, "stash")?;
    if picked.is_empty() && !ctx.flag("allow-empty") {
        return Ok(StepOutput::failure(format!("no file matches {}; nothing was stashed", patterns.join(", "))));
    }
    fs::create_dir_all(&ctx.stashes).map_err(|error| files::cannot("make", &ctx.stashes, &error))?;
    // The attempt's own name, so that two stashes at once do not share a half-written file.
    let fresh = ctx.stashes.join(format!(".{}.new", ctx.slug()));
    pack(&picked, &fresh).map_err(|error| files::cannot("write", &fresh, &error))?;
    fs::rename(&fresh, &path).map_err(|error| files::cannot("write", &path, &error))?;
    Ok(StepOutput::success(counted(picked.len())))
}

fn unstash(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let path = stash_path(ctx, "unstash")?;
    if !path.exists() {
        let name = ctx.text("name").unwrap_or_default();
        return Ok(StepOutput::failure(format!(
            "nothing was stashed as `{name}` in this build; let this step need the one with `stash`"
        )));
    }
    let count = unpack(&path, &ctx.workspace)?;
    Ok(StepOutput::success(counted(count)))
}

fn stash_path(ctx: &StepContext, step: &str) -> Result<PathBuf, StepError> {
    let name = ctx.required("name")?;
    Ok(ctx.stashes.join(format!("{}.tar.gz", files::checked_name(step, &name)?)))
}

fn counted(count: usize) -> Object {
    Object::from_iter([("count".to_owned(), count.into())])
}

/// Names, bytes, permissions and times; no owners.
fn pack(picked: &[Picked], to: &Path) -> io::Result<()> {
    let mut tar = tar::Builder::new(GzEncoder::new(fs::File::create(to)?, Compression::fast()));
    for file in picked {
        tar.append_path_with_name(&file.path, &file.relative)?;
    }
    tar.into_inner()?.finish()?.sync_all()
}

/// `tar` refuses names that leave the folder, also by way of links.
fn unpack(from: &Path, workspace: &Path) -> Result<usize, StepError> {
    let wrong = |error: io::Error| files::cannot("unpack", from, &error);
    let mut tar = tar::Archive::new(GzDecoder::new(fs::File::open(from).map_err(wrong)?));
    let mut count = 0;
    for entry in tar.entries().map_err(wrong)? {
        let mut entry = entry.map_err(wrong)?;
        let name = entry.path().map_err(wrong)?.into_owned();
        if !entry.unpack_in(workspace).map_err(wrong)? {
            return Err(StepError::Usage(format!("the stash holds `{}`, which leaves the workspace", name.display())));
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::Case;

    #[tokio::test]
    async fn what_was_stashed_comes_back() {
        let case = Case::new("stash", json!({"name": "x", "exclude": "*.tmp"})).file("a/b", "1").file("c.tmp", "2");
        assert_eq!(case.run().await.outputs["count"], 1);
        fs::remove_dir_all(case.ctx.workspace.join("a")).unwrap();
        let back = case.then("unstash", json!({"name": "x"}));
        assert_eq!(back.run().await.outputs["count"], 1);
        assert_eq!(fs::read_to_string(case.ctx.workspace.join("a/b")).unwrap(), "1");
        let missing = case.then("unstash", json!({"name": "y"})).run().await;
        assert!(missing.message.unwrap().contains("`y`"));
    }

    #[tokio::test]
    async fn a_stash_that_leaves_the_workspace_is_refused() {
        let case = Case::new("unstash", json!({"name": "evil"}));
        fs::create_dir_all(&case.ctx.stashes).unwrap();
        let file = fs::File::create(case.ctx.stashes.join("evil.tar.gz")).unwrap();
        let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..7].copy_from_slice(b"../evil");
        header.set_size(1);
        header.set_cksum();
        tar.append(&header, &b"x"[..]).unwrap();
        tar.into_inner().unwrap().finish().unwrap();
        assert!(case.try_run().await.unwrap_err().to_string().contains("leaves the workspace"));
        assert!(!case.ctx.workspace.join("../evil").exists());
    }
}
