//! Commits that are new in a build, against the build before it or any other.

use std::time::Duration;

use haliotis_engine::{BuildFilter, BuildView};
use haliotis_model::BuildId;

use super::{Markup, time};
use crate::edges::millis;
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Commits shown.
const SHOWN: usize = 30;
/// Builds looked back through for one of another commit.
const BACK: u32 = 20;
/// A mirror that is slow must not hold up a page.
const PATIENCE: Duration = Duration::from_millis(400);

/// A commit on a page.
pub(super) struct Change {
    pub(super) short: String,
    pub(super) commit: String,
    pub(super) subject: String,
    pub(super) author: String,
    pub(super) when: Markup,
}

/// What is new in a build.
pub(super) struct Changes {
    /// Against which: `#7`.
    pub(super) since: String,
    pub(super) commits: Vec<Change>,
    /// There may be more.
    pub(super) more: bool,
}

/// Commits since the last build before it that built another commit; `None` where nothing can be told.
pub(super) async fn of(state: &AppState, view: &BuildView) -> Result<Option<Changes>, Failed> {
    let Some(commit) = &view.build.source.commit else { return Ok(None) };
    let filter = BuildFilter {
        pipeline: Some(view.build.pipeline.clone()),
        before: Some(view.id),
        limit: BACK,
        ..BuildFilter::default()
    };
    let builds = state.catalog.builds(&filter).await?;
    let before = builds.iter().find(|build| build.commit.as_ref().is_some_and(|other| other != commit));
    let from = before.and_then(|build| build.commit.clone());
    let since = before.map(|build| format!("#{}", build.number)).unwrap_or_default();
    let same = builds.first().is_some_and(|build| build.commit.as_ref() == Some(commit));
    if same || from.is_none() {
        return Ok(None);
    }
    between(state, &view.build.pipeline, from.as_deref(), commit, since).await
}

/// Commits in `to` and not in `from`.
pub(super) async fn between(
    state: &AppState,
    pipeline: &str,
    from: Option<&str>,
    to: &str,
    since: String,
) -> Result<Option<Changes>, Failed> {
    let Some(pipeline) = state.catalog.pipeline(pipeline).await? else { return Ok(None) };
    let asked = state.actions.commits(&pipeline, from, to, SHOWN + 1);
    // A repository that does not answer is no reason to show no page.
    let Ok(Ok(rows)) = tokio::time::timeout(PATIENCE, asked).await else { return Ok(None) };
    if rows.is_empty() {
        return Ok(None);
    }
    let more = rows.len() > SHOWN;
    let change = |row: crate::edges::CommitRow| Change {
        short: words::commit(&row.commit).to_owned(),
        when: time(millis(row.at)),
        subject: row.subject,
        author: row.author,
        commit: row.commit,
    };
    Ok(Some(Changes { since, commits: rows.into_iter().take(SHOWN).map(change).collect(), more }))
}

/// The commits that are in one build's source and not in another's.
pub(super) async fn between_builds(state: &AppState, from: BuildId, to: BuildId) -> Result<Option<Changes>, Failed> {
    let (Ok(old), Ok(new)) = (state.engine.view(from).await, state.engine.view(to).await) else { return Ok(None) };
    let caller = crate::access::current();
    if old.build.pipeline != new.build.pipeline || !caller.sees(&new.build.pipeline) {
        return Ok(None);
    }
    let (Some(old_commit), Some(new_commit)) = (&old.build.source.commit, &new.build.source.commit) else {
        return Ok(None);
    };
    if old_commit == new_commit {
        return Ok(None);
    }
    let since = format!("{} #{}", old.build.pipeline, old.build.number);
    between(state, &new.build.pipeline, Some(old_commit), new_commit, since).await
}
