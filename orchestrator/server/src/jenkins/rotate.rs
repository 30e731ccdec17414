//! Discarding old builds: `logRotator` of Job DSL, `BuildDiscarderProperty` of a config.xml.
//!
//! After each build of a job that has such a rule, and once an hour for those whose builds grow old, what the rule lets go
//! is let go: its logs and artifacts leave the disk, and the build is not shown to Jenkins' clients any more. Its journal
//! stays, as every journal does. As in Jenkins, the last good build, the last stable one, what is kept for ever and what is
//! still at work stay.
//!
//! Races: a build's note is written before its files go; dying in between leaves files that nobody is shown, and the next
//! round of the hour does not see them again. They are those of one build.

use std::collections::BTreeSet;
use std::time::Duration;

use haliotis_model::{BuildId, BuildResult, BuildStatus, BuildSummary, Millis};
use tokio::sync::broadcast::error::RecvError;

use super::history::{self, History, Notes};
use super::items::CONFIG;
use super::xml;
use crate::error::Failed;
use crate::state::AppState;

/// How often it is looked for builds that are too old by now.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
const DAY_MS: u64 = 24 * 3600 * 1000;

/// What a job says of its old builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rule {
    days: Option<u64>,
    builds: Option<usize>,
    artifact_days: Option<u64>,
    artifact_builds: Option<usize>,
}

/// What is let go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gone {
    builds: BTreeSet<u32>,
    artifacts: BTreeSet<u32>,
}

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
    let gone = decide(rule, haliotis_engine::now(), &history.builds, &history.notes);
    let id_of = |number: u32| history.builds.iter().find(|build| build.number == number).map(|build| build.id);
    for number in &gone.builds {
        history::note(state, job, *number, |note| note.deleted = true).await?;
        if let Some(id) = id_of(*number) {
            state.artifacts.remove(id).await?;
            state.logs.remove(id).await?;
        }
    }
    for number in &gone.artifacts {
        history::note(state, job, *number, |note| note.bare = true).await?;
        if let Some(id) = id_of(*number) {
            state.artifacts.remove(id).await?;
        }
    }
    if !gone.builds.is_empty() {
        history::raise_floor(state, job).await?;
        tracing::info!(job, builds = gone.builds.len(), "old builds were discarded");
    }
    Ok(())
}

/// The rule of a config.xml; -1 and what is no number mean: no bound.
fn rule(config: &str) -> Option<Rule> {
    let root = xml::parse(config).ok()?;
    // Old files have it beside the properties.
    let strategy =
        root.at("properties/jenkins.model.BuildDiscarderProperty/strategy").or_else(|| root.child("logRotator"))?;
    let number = |name: &str| strategy.text_at(name).trim().parse::<u64>().ok();
    let count = |name: &str| number(name).and_then(|count| usize::try_from(count).ok());
    let rule = Rule {
        days: number("daysToKeep"),
        builds: count("numToKeep"),
        artifact_days: number("artifactDaysToKeep"),
        artifact_builds: count("artifactNumToKeep"),
    };
    (rule != Rule::default()).then_some(rule)
}

/// What a rule lets go of these builds, newest first.
fn decide(rule: Rule, now: Millis, builds: &[BuildSummary], notes: &Notes) -> Gone {
    let last = |good: fn(BuildResult) -> bool| {
        builds.iter().find(|build| build.result.is_some_and(good)).map(|build| build.number)
    };
    let last_good = last(|result| result <= BuildResult::Unstable);
    let last_stable = last(|result| result == BuildResult::Success);
    let stays = |build: &BuildSummary| {
        build.status != BuildStatus::Ended
            || notes.of(build.number).keep
            || [last_good, last_stable].contains(&Some(build.number))
    };
    let past = |at: usize, build: &BuildSummary, count: Option<usize>, days: Option<u64>| {
        let old = |days: u64| now.since(build.created_at) > days.saturating_mul(DAY_MS);
        count.is_some_and(|count| at >= count) || days.is_some_and(old)
    };
    let mut gone = Gone::default();
    for (at, build) in builds.iter().enumerate().filter(|(_, build)| !stays(build)) {
        if past(at, build, rule.builds, rule.days) {
            gone.builds.insert(build.number);
        } else if past(at, build, rule.artifact_builds, rule.artifact_days) && !notes.of(build.number).bare {
            gone.artifacts.insert(build.number);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(number: u32, result: Option<BuildResult>, day: u64) -> BuildSummary {
        let at = Millis(i64::try_from(day * DAY_MS).unwrap());
        BuildSummary {
            id: BuildId(i64::from(number)),
            pipeline: "j".to_owned(),
            number,
            status: if result.is_some() { BuildStatus::Ended } else { BuildStatus::Running },
            result,
            message: None,
            created_at: at,
            ended_at: result.map(|_| at),
            causes: Vec::new(),
            commit: None,
            parameters: haliotis_model::Object::new(),
        }
    }

    fn config(parts: &str) -> String {
        format!(
            "<flow-definition><properties><jenkins.model.BuildDiscarderProperty><strategy \
             class=\"hudson.tasks.LogRotator\">{parts}</strategy></jenkins.model.BuildDiscarderProperty></properties></flow-definition>"
        )
    }

    #[test]
    fn rules() {
        let some = "<daysToKeep>-1</daysToKeep><numToKeep>5</numToKeep><artifactDaysToKeep>3</artifactDaysToKeep>";
        let expected = Rule { builds: Some(5), artifact_days: Some(3), ..Rule::default() };
        assert_eq!(rule(&config(some)), Some(expected));
        assert_eq!(rule(&config("<numToKeep>-1</numToKeep><daysToKeep></daysToKeep>")), None);
        assert_eq!(rule("<flow-definition/>"), None);
        let old = "<project><logRotator><numToKeep>2</numToKeep></logRotator></project>";
        assert_eq!(rule(old).and_then(|rule| rule.builds), Some(2));
    }

    #[test]
    fn what_is_let_go() {
        use BuildResult::{Failure, Success, Unstable};
        let builds = [
            build(8, None, 100),
            build(7, Some(Failure), 99),
            build(6, Some(Failure), 98),
            build(5, Some(Unstable), 97),
            build(4, Some(Failure), 50),
            build(3, Some(Success), 49),
            build(2, Some(Success), 48),
            build(1, Some(Failure), 1),
        ];
        let now = Millis(i64::try_from(100 * DAY_MS).unwrap());
        let check = |rule: Rule, gone: &[u32], artifacts: &[u32]| {
            let found = decide(rule, now, &builds, &Notes::default());
            assert_eq!(found.builds, gone.iter().copied().collect(), "{rule:?}");
            assert_eq!(found.artifacts, artifacts.iter().copied().collect(), "{rule:?}");
        };
        // The last good one (5) and the last stable one (3) stay, and so does what is at work (8).
        check(Rule { builds: Some(2), ..Rule::default() }, &[6, 4, 2, 1], &[]);
        check(Rule { days: Some(50), ..Rule::default() }, &[2, 1], &[]);
        check(Rule { builds: Some(6), artifact_builds: Some(1), ..Rule::default() }, &[2, 1], &[7, 6, 4]);
        check(Rule { builds: Some(0), ..Rule::default() }, &[7, 6, 4, 2, 1], &[]);
        check(Rule { builds: Some(8), ..Rule::default() }, &[], &[]);
    }
}
