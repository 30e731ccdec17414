//! Discarding old builds: `logRotator` of Job DSL, `BuildDiscarderProperty` of a config.xml.
//!
//! After each build of a job that has such a rule, and once an hour for those whose builds grow old, what the rule lets go
//! is let go: its logs and artifacts leave the disk, and the build is not shown to Jenkins' clients any more. Its journal
//! stays, as every journal does. Which go is decided where it is for every pipeline, by `haliotis_engine::retention`: the
//! last good build, the last stable one and what is still at work stay; what is kept for ever and what production depends
//! on are told to it as needed.
//!
//! Races: a build's note is written before its files go; dying in between leaves files that nobody is shown, and the next
//! round of the hour does not see them again. They are those of one build.

use std::collections::BTreeSet;
use std::time::Duration;

use haliotis_engine::retention::{Goes, Surplus, surplus};
use haliotis_model::{BuildId, Retention};
use tokio::sync::broadcast::error::RecvError;

use super::history::{self, History, Notes};
use super::items::CONFIG;
use super::xml;
use crate::error::Failed;
use crate::state::AppState;

/// How often it is looked for builds that are too old by now.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Keeps all jobs to their rules as long as the server lives.
pub(crate) async fn run(state: AppState) {
    let mut changes = state.engine.changes();
    sweep(&state).await;
    loop {
        match tokio::time::timeout(SWEEP_EVERY, changes.recv()).await {
            Ok(Ok(changed)) if changed.ended => ended(&state, changed.build).await,
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Closed)) => return,
            Err(_) | Ok(Err(RecvError::Lagged(_))) => sweep(&state).await,
        }
    }
}

async fn sweep(state: &AppState) {
    let Ok(configs) = state.catalog.documents(CONFIG).await else { return };
    for (job, config) in configs {
        told(&job, rotate(state, &job, &config).await);
    }
}

async fn ended(state: &AppState, build: BuildId) {
    let Ok(Some(build)) = state.catalog.build(build).await else { return };
    let job = &build.pipeline;
    if let Ok(Some(config)) = state.catalog.document(CONFIG, job).await {
        told(job, rotate(state, job, &config).await);
    }
}

fn told(job: &str, done: Result<(), Failed>) {
    if let Err(failed) = done {
        tracing::warn!(job, message = failed.problem.message, "old builds could not be discarded; it is tried again");
    }
}

async fn rotate(state: &AppState, job: &str, config: &str) -> Result<(), Failed> {
    let Some(rule) = rule(config) else { return Ok(()) };
    let mut history = History::recent(state, job).await?;
    history.more(state, job, usize::MAX).await?;
    let (builds, notes) = (&history.builds, &history.notes);
    let mut needed: BTreeSet<BuildId> =
        builds.iter().filter(|build| notes.of(build.number).keep).map(|build| build.id).collect();
    let now = haliotis_engine::now();
    let mut gone = surplus(&rule, builds, &needed, now);
    if gone.iter().any(|goes| !is_done(goes, notes)) {
        // The cloud is asked only when something would go.
        if let Some(pipeline) = state.catalog.pipeline(job).await? {
            needed.extend(state.models.needed(&pipeline, builds).await?);
            gone = surplus(&rule, builds, &needed, now);
        }
    }
    let mut discarded = 0;
    for goes in gone.iter().filter(|goes| !is_done(goes, notes)) {
        match goes.what {
            Goes::Build => {
                history::note(state, job, goes.number, |note| note.deleted = true).await?;
                state.artifacts.remove(goes.build).await?;
                state.logs.remove(goes.build).await?;
                discarded += 1;
            }
            Goes::Artifacts => {
                history::note(state, job, goes.number, |note| note.bare = true).await?;
                state.artifacts.remove(goes.build).await?;
            }
            Goes::Logs => state.logs.remove(goes.build).await?,
        }
    }
    if discarded > 0 {
        history::raise_floor(state, job).await?;
        tracing::info!(job, builds = discarded, "old builds were discarded");
    }
    Ok(())
}

/// Nothing is left of it.
fn is_done(goes: &Surplus, notes: &Notes) -> bool {
    goes.what == Goes::Artifacts && notes.of(goes.number).bare
}

/// The rule of a config.xml.
fn rule(config: &str) -> Option<Retention> {
    let root = xml::parse(config).ok()?;
    // Old files have it beside the properties.
    let strategy =
        root.at("properties/jenkins.model.BuildDiscarderProperty/strategy").or_else(|| root.child("logRotator"))?;
    let text = |name| strategy.text_at(name);
    let rule = Retention::log_rotator(
        text("daysToKeep"),
        text("numToKeep"),
        text("artifactDaysToKeep"),
        text("artifactNumToKeep"),
    );
    (!rule.keeps_all()).then_some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(parts: &str) -> String {
        format!(
            "<flow-definition><properties><jenkins.model.BuildDiscarderProperty><strategy \
             class=\"hudson.tasks.LogRotator\">{parts}</strategy></jenkins.model.BuildDiscarderProperty></properties></flow-definition>"
        )
    }

    #[test]
    fn rules() {
        let some = "<daysToKeep>-1</daysToKeep><numToKeep>5</numToKeep><artifactDaysToKeep>3</artifactDaysToKeep>";
        let found = rule(&config(some)).unwrap();
        assert_eq!(
            (found.builds, found.days, found.artifacts.days, found.artifacts.builds),
            (Some(5), None, Some(3), None)
        );
        assert!(found.days_from_creation, "as Jenkins counts");
        assert_eq!(rule(&config("<numToKeep>-1</numToKeep><daysToKeep></daysToKeep>")), None);
        assert_eq!(rule(&config("<numToKeep>0</numToKeep>")).unwrap().builds, Some(0));
        assert_eq!(rule("<flow-definition/>"), None);
        let old = "<project><logRotator><numToKeep>2</numToKeep></logRotator></project>";
        assert_eq!(rule(old).and_then(|rule| rule.builds), Some(2));
    }
}
