//! Polling: one `git ls-remote` for each (repository, credential), however many pipelines and branches watch it, each on
//! its own task so that a slow host delays nobody else; errors back off. Branches of one repository are looked at as
//! often as the most impatient of them asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use haliotis_engine::trigger::TriggerEvent;
use haliotis_model::{Pipeline, TriggerSpec};

use crate::app::App;
use crate::app::builds::BuildError;

/// The list of pipelines is looked at this often; a watch itself runs at its own interval.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After errors the interval doubles up to this: a host that is down for a day is not asked every second.
const SLOWEST: Duration = Duration::from_secs(15 * 60);
/// Nobody needs more; fewer would turn a typo into an attack on a git host.
const FASTEST_MS: u64 = 500;

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watch {
    repo: String,
    credential: Option<String>,
}

struct Due {
    branches: BTreeSet<String>,
    every: Duration,
    next: Instant,
    failures: u32,
    running: bool,
}

/// Looks for ever.
pub(super) async fn run(app: Arc<App>) {
    let mut dues: BTreeMap<Watch, Due> = BTreeMap::new();
    let (done, mut results) = tokio::sync::mpsc::unbounded_channel::<(Watch, bool)>();
    loop {
        while let Ok((watch, good)) = results.try_recv() {
            if let Some(due) = dues.get_mut(&watch) {
                due.running = false;
                due.failures = if good { 0 } else { due.failures + 1 };
                let pause = due.every * 2_u32.saturating_pow(due.failures.min(16));
                due.next = Instant::now() + if good { due.every } else { pause.min(SLOWEST.max(due.every)) };
            }
        }
        if let Ok(pipelines) = app.store_catalog().pipelines().await {
            refresh(&mut dues, &pipelines, app.options.poll_every);
        }
        for (watch, due) in dues.iter_mut().filter(|(_, due)| !due.running && due.next <= Instant::now()) {
            due.running = true;
            let (app, watch, done) = (Arc::clone(&app), watch.clone(), done.clone());
            let branches = due.branches.clone();
            tokio::spawn(async move {
                let good = look(&app, &watch, &branches).await;
                let _ = done.send((watch, good));
            });
        }
        if tokio::time::timeout(LOOK_EVERY, app.nudges.poll.notified()).await.is_ok() {
            for due in dues.values_mut() {
                due.next = Instant::now();
            }
        }
    }
}

fn refresh(dues: &mut BTreeMap<Watch, Due>, pipelines: &[Pipeline], fixed: Option<Duration>) {
    let mut wanted: BTreeMap<Watch, (Duration, BTreeSet<String>)> = BTreeMap::new();
    for pipeline in pipelines.iter().filter(|pipeline| !pipeline.disabled) {
        for trigger in &pipeline.triggers {
            let TriggerSpec::Poll { repo, branch, every_ms } = trigger else { continue };
            let watch = Watch { repo: repo.clone(), credential: pipeline.credential.clone() };
            let every = fixed.unwrap_or(Duration::from_millis(*every_ms)).max(Duration::from_millis(FASTEST_MS));
            let (known, branches) = wanted.entry(watch).or_insert((every, BTreeSet::new()));
            *known = every.min(*known);
            branches.insert(branch.clone());
        }
    }
    dues.retain(|watch, _| wanted.contains_key(watch));
    for (watch, (every, branches)) in wanted {
        let next = Instant::now();
        let due = dues.entry(watch).or_insert_with(|| Due {
            branches: branches.clone(),
            every,
            next,
            failures: 0,
            running: false,
        });
        // A branch that nobody watched before is looked at now, not after the others' pause.
        if !branches.is_subset(&due.branches) {
            due.next = next;
        }
        (due.every, due.branches) = (every, branches);
    }
}

/// One look; `false` on an error, which is logged with what to do.
async fn look(app: &App, watch: &Watch, branches: &BTreeSet<String>) -> bool {
    let mut good = true;
    let commits = match commits(app, watch, branches).await {
        Ok(commits) => commits,
        Err(error) => {
            tracing::warn!(repo = watch.repo, %error, "polling failed; it is tried again, slower");
            return false;
        }
    };
    for (branch, commit) in commits {
        if let Err(error) = found(app, watch, &branch, &commit).await {
            tracing::warn!(repo = watch.repo, branch, %error, "polling failed; it is tried again, slower");
            good = false;
        }
    }
    good
}

/// Where the branches are; one that is not there yet (an empty repository, too) is left out: nothing to build, no error.
async fn commits(app: &App, watch: &Watch, branches: &BTreeSet<String>) -> Result<Vec<(String, String)>, BuildError> {
    let credential = app.git_credential(watch.credential.as_deref()).await?;
    if let (Some(branch), 1) = (branches.first(), branches.len()) {
        let commit = haliotis_scm::ls_remote(&watch.repo, branch, credential.as_ref()).await?;
        return Ok(commit.map(|commit| (branch.clone(), commit)).into_iter().collect());
    }
    let all = haliotis_scm::references(&watch.repo, credential.as_ref()).await?;
    let own = all.into_iter().filter_map(|(name, commit)| {
        let branch = name.strip_prefix("refs/heads/").filter(|branch| branches.contains(*branch))?;
        Some((branch.to_owned(), commit))
    });
    Ok(own.collect())
}

async fn found(app: &App, watch: &Watch, branch: &str, commit: &str) -> Result<(), BuildError> {
    let cursor = format!("poll:{}:{branch}", watch.repo);
    let catalog = app.store_catalog();
    if catalog.cursor(&cursor).await?.as_deref() == Some(commit) {
        return Ok(());
    }
    let credential = app.git_credential(watch.credential.as_deref()).await?;
    let info = haliotis_scm::commit_at(&app.cache_dir(), &watch.repo, commit, credential.as_ref()).await?;
    let event = TriggerEvent::Push {
        repos: vec![watch.repo.clone()],
        branch: branch.to_owned(),
        commit: commit.to_owned(),
        via: "poll".to_owned(),
        author: info.author,
        subject: info.subject,
    };
    app.fire(&event).await?;
    catalog.set_cursor(&cursor, commit).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(branch: &str, every_ms: u64) -> Pipeline {
        let trigger = TriggerSpec::Poll { repo: "https://h/t/r".to_owned(), branch: branch.to_owned(), every_ms };
        let text = serde_json::json!({"name": branch, "language": "yaml", "path": "p.yaml", "triggers": [trigger]});
        serde_json::from_value(text).expect("a pipeline")
    }

    #[test]
    fn a_repository_is_asked_once_for_all_its_branches_and_pipelines() {
        let mut dues = BTreeMap::new();
        refresh(&mut dues, &[pipeline("main", 60_000), pipeline("dev", 5_000), pipeline("main", 90_000)], None);
        let all: Vec<_> = dues.values().collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].every, all[0].branches.len()), (Duration::from_secs(5), 2));
        // A new branch is looked at now, an old one keeps its pause.
        dues.values_mut().for_each(|due| due.next = Instant::now() + Duration::from_secs(60));
        refresh(&mut dues, &[pipeline("main", 60_000)], None);
        assert!(dues.values().all(|due| due.next > Instant::now() + Duration::from_secs(30)));
        refresh(&mut dues, &[pipeline("main", 60_000), pipeline("new", 60_000)], None);
        assert!(dues.values().all(|due| due.next <= Instant::now()));
        refresh(&mut dues, &[], None);
        assert!(dues.is_empty());
    }
}
