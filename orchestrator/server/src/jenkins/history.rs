//! Builds of a job as Jenkins sees them: rows of the catalogue and what clients said of them.

use std::collections::BTreeMap;

use haliotis_engine::BuildFilter;
use haliotis_model::{BuildId, BuildResult, BuildStatus, BuildSummary, Pipeline};
use serde::{Deserialize, Serialize};

use crate::error::Failed;
use crate::state::AppState;

/// Documents: what clients said of a job's builds, by the job's full name.
const NOTES: &str = "jenkins-builds";
/// `builds` holds at most so many, as in Jenkins; `allBuilds` holds all.
pub(crate) const RECENT: usize = 100;
/// Builds looked through for a permalink; older ones count as none.
const LOOK_BACK: usize = 5_000;

/// What is kept beside a job's builds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Builds up to this number are discarded, or of a removed job of the same name: not shown.
    #[serde(default)]
    floor: u32,
    #[serde(default)]
    builds: BTreeMap<u32, Note>,
}

impl Notes {
    /// The note on a build.
    pub(crate) fn of(&self, number: u32) -> Note {
        self.builds.get(&number).cloned().unwrap_or_default()
    }

    /// Whether a build is shown.
    pub(crate) fn shows(&self, number: u32) -> bool {
        number > self.floor && !self.builds.get(&number).is_some_and(|note| note.deleted)
    }
}

/// What clients said of one build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) keep: bool,
    /// Not shown any more; its journal stays.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// Its artifacts were discarded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) bare: bool,
    /// The queue item it was, where that has a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<i64>,
}

/// The builds of a job, newest first, read as far as they are asked for.
pub(crate) struct History {
    pub(crate) builds: Vec<BuildSummary>,
    pub(crate) notes: Notes,
    oldest: Option<BuildId>,
    whole: bool,
}

impl History {
    /// The newest builds, [`RECENT`] of them.
    pub(crate) async fn recent(state: &AppState, job: &str) -> Result<Self, Failed> {
        let notes = notes(state, job).await?;
        let mut history = Self { builds: Vec::new(), notes, oldest: None, whole: false };
        history.more(state, job, RECENT).await?;
        Ok(history)
    }

    /// Reads on until there are `enough` or no more.
    pub(crate) async fn more(&mut self, state: &AppState, job: &str, enough: usize) -> Result<(), Failed> {
        while !self.whole && self.builds.len() < enough {
            let missing = u32::try_from(enough - self.builds.len()).unwrap_or(u32::MAX);
            let limit = missing.clamp(1, BuildFilter::MAX);
            let filter =
                BuildFilter { pipeline: Some(job.to_owned()), before: self.oldest, limit, ..BuildFilter::default() };
            let page = state.catalog.builds(&filter).await?;
            // Numbers rise with time, so below the floor there is nothing to show.
            let below = page.last().is_some_and(|build| build.number <= self.notes.floor);
            self.whole = below || page.len() < limit as usize;
            self.oldest = page.last().map(|build| build.id).or(self.oldest);
            let notes = &self.notes;
            self.builds.extend(page.into_iter().filter(|build| notes.shows(build.number)));
        }
        Ok(())
    }

    /// The newest build a permalink names, looked for as far back as builds are worth looking for.
    pub(crate) async fn permalink(
        &mut self,
        state: &AppState,
        job: &str,
        link: Permalink,
    ) -> Result<Option<BuildSummary>, Failed> {
        loop {
            if link == Permalink::First {
                self.more(state, job, usize::MAX).await?;
                return Ok(self.builds.last().cloned());
            }
            if let Some(found) = self.builds.iter().find(|build| link.is(build)) {
                return Ok(Some(found.clone()));
            }
            if self.whole || self.builds.len() >= LOOK_BACK {
                return Ok(None);
            }
            let enough = self.builds.len() + BuildFilter::MAX as usize;
            self.more(state, job, enough).await?;
        }
    }

    /// Milliseconds a build takes, by the last good ones; `None`: nobody can tell.
    pub(crate) fn estimate(&self) -> Option<u64> {
        let good =
            self.builds.iter().filter(|build| build.result.is_some_and(|result| result <= BuildResult::Unstable));
        let took: Vec<u64> = good.filter_map(|build| Some(build.ended_at?.since(build.created_at))).take(3).collect();
        let sum: u64 = took.iter().sum();
        sum.checked_div(took.len() as u64)
    }
}

/// The notes on a job's builds.
pub(crate) async fn notes(state: &AppState, job: &str) -> Result<Notes, Failed> {
    let text = state.catalog.document(NOTES, job).await?;
    // A note that cannot be read is a note less, not a job less.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Changes the note on a build.
pub(crate) async fn note(
    state: &AppState,
    job: &str,
    number: u32,
    change: impl FnOnce(&mut Note),
) -> Result<(), Failed> {
    let _alone = state.own.jenkins.changes.lock().await;
    note_alone(state, job, number, change).await
}

/// The same for somebody who holds the lock on changes already.
pub(crate) async fn note_alone(
    state: &AppState,
    job: &str,
    number: u32,
    change: impl FnOnce(&mut Note),
) -> Result<(), Failed> {
    let mut all = notes(state, job).await?;
    change(all.builds.entry(number).or_default());
    keep(state, job, &all).await
}

async fn keep(state: &AppState, job: &str, notes: &Notes) -> Result<(), Failed> {
    let text = serde_json::to_string(notes).unwrap_or_default();
    Ok(state.catalog.put_document(NOTES, job, &text).await?)
}

/// What is discarded from the oldest on needs no notes: one number says it.
pub(crate) async fn raise_floor(state: &AppState, job: &str) -> Result<(), Failed> {
    let _alone = state.own.jenkins.changes.lock().await;
    let mut all = notes(state, job).await?;
    while all.builds.get(&(all.floor + 1)).is_some_and(|note| note.deleted) {
        all.floor += 1;
        all.builds.remove(&all.floor);
    }
    keep(state, job, &all).await
}

/// A job was removed: its builds are not shown, should a job of its name come again.
pub(crate) async fn hide_all(state: &AppState, job: &str) -> Result<(), Failed> {
    let _alone = state.own.jenkins.changes.lock().await;
    let floor = state.catalog.next_number(job).await?.saturating_sub(1);
    keep(state, job, &Notes { floor, builds: BTreeMap::new() }).await
}

/// Names of builds that move with time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Permalink {
    First,
    Last,
    Completed,
    Successful,
    Stable,
    Unstable,
    Unsuccessful,
    Failed,
}

impl Permalink {
    /// All, by their names in Jenkins.
    pub(crate) const ALL: [(&'static str, Permalink); 8] = [
        ("firstBuild", Permalink::First),
        ("lastBuild", Permalink::Last),
        ("lastCompletedBuild", Permalink::Completed),
        ("lastFailedBuild", Permalink::Failed),
        ("lastStableBuild", Permalink::Stable),
        ("lastSuccessfulBuild", Permalink::Successful),
        ("lastUnstableBuild", Permalink::Unstable),
        ("lastUnsuccessfulBuild", Permalink::Unsuccessful),
    ];

    pub(crate) fn parse(name: &str) -> Option<Permalink> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, link)| link)
    }

    fn is(self, build: &BuildSummary) -> bool {
        let Some(result) = build.result else { return self == Permalink::Last };
        match self {
            Permalink::First => false,
            Permalink::Last | Permalink::Completed => true,
            Permalink::Successful => result <= BuildResult::Unstable,
            Permalink::Stable => result == BuildResult::Success,
            Permalink::Unstable => result == BuildResult::Unstable,
            Permalink::Unsuccessful => result != BuildResult::Success,
            Permalink::Failed => result == BuildResult::Failure,
        }
    }
}

/// Jenkins' word for a result.
pub(crate) fn result_word(result: BuildResult) -> &'static str {
    match result {
        BuildResult::Success => "SUCCESS",
        BuildResult::Unstable => "UNSTABLE",
        BuildResult::Failure => "FAILURE",
        BuildResult::NotBuilt => "NOT_BUILT",
        BuildResult::Aborted => "ABORTED",
    }
}

/// The colour of a job's ball: of its newest build that ended, moving while a newer one runs.
pub(crate) fn color(pipeline: &Pipeline, newest: Option<&BuildSummary>, ended: Option<BuildResult>) -> String {
    if pipeline.disabled {
        return "disabled".to_owned();
    }
    let Some(newest) = newest else { return "notbuilt".to_owned() };
    let ball = match ended {
        Some(BuildResult::Success) => "blue",
        Some(BuildResult::Unstable) => "yellow",
        Some(BuildResult::Failure) => "red",
        Some(BuildResult::Aborted) => "aborted",
        Some(BuildResult::NotBuilt) | None => "notbuilt",
    };
    let moving = matches!(newest.status, BuildStatus::Running | BuildStatus::Waiting);
    if moving { format!("{ball}_anime") } else { ball.to_owned() }
}

/// The result of the newest build that ended, given the newest build.
pub(crate) async fn last_result(
    state: &AppState,
    newest: Option<&BuildSummary>,
) -> Result<Option<BuildResult>, Failed> {
    let Some(newest) = newest else { return Ok(None) };
    if newest.result.is_some() {
        return Ok(newest.result);
    }
    let filter = BuildFilter {
        pipeline: Some(newest.pipeline.clone()),
        before: Some(newest.id),
        status: Some(BuildStatus::Ended),
        limit: 1,
        ..BuildFilter::default()
    };
    Ok(state.catalog.builds(&filter).await?.first().and_then(|build| build.result))
}
