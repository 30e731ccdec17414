//! `changes`: the commits that are new in a build against the one before it, as `currentBuild.changeSets` and the
//! conditions `changeset` and `changelog` of a Jenkinsfile ask for them. The first build has none, as in Jenkins.

use async_trait::async_trait;
use haliotis_engine::BuildFilter;
use haliotis_model::{Delivery, OutputSchema, Placement, StepOutput, StepSchema, Value};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use haliotis_scm::{CommitChange, Edit, Mirror};
use serde_json::json;

use super::{Link, world};

/// Builds looked back through for one that has a commit.
const LOOKED_AT: u32 = 50;
/// Commits told; the outputs live in the journal.
const MAX_COMMITS: usize = 200;

pub(super) struct Changes(pub(super) Link);

#[async_trait]
impl StepRunner for Changes {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "changes",
            doc: "Tells the commits of this build that the build before it did not have.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: Vec::new(),
            outputs: vec![OutputSchema {
                name: "commits",
                doc: "Oldest first: {commit, author, email, message, at, files: [{edit, path}]}.",
            }],
            open_outputs: false,
            cloud: false,
            example: "{}",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let commits = commits(&self.0, ctx).await?;
        let outputs = json!({ "commits": commits.iter().map(shown).collect::<Vec<_>>() });
        Ok(StepOutput::success(outputs.as_object().cloned().unwrap_or_default()))
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

async fn commits(link: &Link, ctx: &StepContext) -> Result<Vec<CommitChange>, StepError> {
    let source = &ctx.build.source;
    let (Some(repo), Some(commit)) = (source.repo.clone(), source.commit.clone()) else { return Ok(Vec::new()) };
    let app = link.app().await?;
    let filter = BuildFilter { pipeline: Some(ctx.build.pipeline.clone()), limit: LOOKED_AT, ..BuildFilter::default() };
    let builds = app.store_catalog().builds(&filter).await.map_err(world)?;
    let earlier = builds.into_iter().filter(|build| build.number < ctx.build.number);
    let before = earlier.max_by_key(|build| build.number).and_then(|build| build.commit);
    let Some(before) = before.filter(|before| *before != commit) else { return Ok(Vec::new()) };
    let mirror = Mirror::new(&app.cache_dir(), &repo).map_err(world)?;
    // Both commits were fetched for their builds.
    let read = tokio::task::spawn_blocking(move || mirror.changes(&before, &commit, MAX_COMMITS)).await;
    read.map_err(world)?.map_err(world)
}

fn shown(change: &CommitChange) -> Value {
    let file = |(edit, path): &(Edit, String)| {
        let edit = match edit {
            Edit::Add => "add",
            Edit::Edit => "edit",
            Edit::Delete => "delete",
        };
        json!({ "edit": edit, "path": path })
    };
    json!({
        "commit": change.commit, "author": change.author, "email": change.email, "message": change.message,
        "at": change.at_ms, "files": change.files.iter().map(file).collect::<Vec<_>>(),
    })
}
