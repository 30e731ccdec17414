//! Polling: one look for each (repository, credential), however many pipelines and branches watch it, each on its own
//! task. Branches of one repository are looked at as often as the most impatient of them asks.
//!
//! ```text
//! due -> a place at its host (`hosts`) -> GitHub's API with `If-None-Match`, where it is configured (`conditional`)
//!                                      -> else `git ls-remote` -> new commits fire the trigger
//! ```
//! Errors back off, each repository for itself; `Retry-After` counts for all of its host. A slow host delays nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use haliotis_engine::trigger::TriggerEvent;
use haliotis_model::{Pipeline, TriggerSpec};

use super::conditional::{Look, Seen};
use crate::app::App;
use crate::app::builds::BuildError;
use crate::app::credentials::by_server;

/// What is due is looked at this often; a watch itself runs at its own interval.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Reading the list of pipelines may take one part in so many of the time: ten thousand are read more seldom than ten.
const READING_SHARE: u32 = 50;
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
    wanted: Wanted,
    next: Instant,
    failures: u32,
    running: bool,
    /// Somebody said "look now" during a look, which may have been too early to see what they mean.
    again: bool,
}

/// What pipelines want of a watch.
#[derive(Clone, PartialEq)]
struct Wanted {
    every: Duration,
    branches: BTreeSet<String>,
    /// Whose credential it may be.
    pipelines: BTreeSet<String>,
}

/// Looks for ever.
pub(super) async fn run(app: Arc<App>) {
    let mut dues: BTreeMap<Watch, Due> = BTreeMap::new();
    let (done, mut results) = tokio::sync::mpsc::unbounded_channel::<(Watch, bool)>();
    let seen = Arc::new(Seen::default());
    let mut read_again = Instant::now();
    loop {
        while let Ok((watch, good)) = results.try_recv() {
            if let Some(due) = dues.get_mut(&watch) {
                due.ended(good, app.git_hosts.quiet_for(&watch.repo));
            }
        }
        let began = Instant::now();
        if began >= read_again {
            if let Ok(pipelines) = app.store_catalog().pipelines().await {
                refresh(&mut dues, &pipelines, app.options.poll_every);
            }
            read_again = Instant::now() + began.elapsed().saturating_mul(READING_SHARE);
        }
        let now = Instant::now();
        for (watch, due) in dues.iter_mut().filter(|(_, due)| !due.running && due.next <= now) {
            due.running = true;
            let (app, watch, done) = (Arc::clone(&app), watch.clone(), done.clone());
            let (wanted, seen) = (due.wanted.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let place = app.git_hosts.place(&watch.repo).await;
                let good = look(&app, &watch, &wanted, &seen).await;
                drop(place);
                let _ = done.send((watch, good));
            });
        }
        if tokio::time::timeout(LOOK_EVERY, app.nudges.poll.notified()).await.is_ok() {
            read_again = Instant::now();
            for due in dues.values_mut() {
                due.next = Instant::now();
                due.again = due.running;
            }
        }
    }
}

impl Due {
    /// A look is over: when the next one is. `quiet`: so long the host wants to be left alone.
    fn ended(&mut self, good: bool, quiet: Option<Duration>) {
        self.running = false;
        self.failures = if good { 0 } else { self.failures.saturating_add(1) };
        let every = self.wanted.every;
        let pause = every.saturating_mul(2_u32.saturating_pow(self.failures.min(16))).min(SLOWEST.max(every));
        let pause = if std::mem::take(&mut self.again) { Duration::ZERO } else { pause };
        self.next = Instant::now() + quiet.map_or(pause, |quiet| quiet.max(pause));
    }
}

fn refresh(dues: &mut BTreeMap<Watch, Due>, pipelines: &[Pipeline], fixed: Option<Duration>) {
    let mut all: BTreeMap<Watch, Wanted> = BTreeMap::new();
    for pipeline in pipelines.iter().filter(|pipeline| !pipeline.disabled) {
        for trigger in &pipeline.triggers {
            let TriggerSpec::Poll { repo, branch, every_ms } = trigger else { continue };
            let watch = Watch { repo: repo.clone(), credential: pipeline.credential.clone() };
            let every = fixed.unwrap_or(Duration::from_millis(*every_ms)).max(Duration::from_millis(FASTEST_MS));
            let wanted =
                all.entry(watch).or_insert(Wanted { every, branches: BTreeSet::new(), pipelines: BTreeSet::new() });
            wanted.every = every.min(wanted.every);
            wanted.branches.insert(branch.clone());
            wanted.pipelines.insert(pipeline.name.clone());
        }
    }
    dues.retain(|watch, _| all.contains_key(watch));
    for (watch, wanted) in all {
        let next = Instant::now();
        let due = dues.entry(watch).or_insert_with(|| Due {
            wanted: wanted.clone(),
            next,
            failures: 0,
            running: false,
            again: false,
        });
        // A branch that nobody watched before is looked at now, not after the others' pause.
        if !wanted.branches.is_subset(&due.wanted.branches) {
            due.next = next;
        }
        due.wanted = wanted;
    }
}

/// One look; `false` on an error, which is logged with what to do.
async fn look(app: &App, watch: &Watch, wanted: &Wanted, seen: &Seen) -> bool {
    let mut good = true;
    let commits = match commits(app, watch, wanted, seen).await {
        Ok(commits) => commits,
        Err(error) => {
            if let BuildError::Scm(error) = &error
                && let Some(pause) = error.retry_after()
            {
                app.git_hosts.leave_alone(&watch.repo, pause);
            }
            tracing::warn!(repo = watch.repo, %error, "polling failed; it is tried again, slower");
            return false;
        }
    };
    for (branch, commit) in commits {
        if let Err(error) = found(app, watch, wanted, &branch, &commit).await {
            tracing::warn!(repo = watch.repo, branch, %error, "polling failed; it is tried again, slower");
            good = false;
        }
    }
    good
}

/// The credential of the watch: that of the first of its pipelines which may use it.
async fn credential(app: &App, watch: &Watch, wanted: &Wanted) -> Result<Option<haliotis_scm::Credential>, BuildError> {
    let mut refused = None;
    for pipeline in &wanted.pipelines {
        match app.git_credential(watch.credential.as_deref(), &by_server(pipeline, None, &watch.repo)).await {
            Ok(credential) => return Ok(credential),
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(None), Err)
}

/// Where the branches are; one that is not there yet (an empty repository, too) is left out: nothing to build, no error.
async fn commits(app: &App, watch: &Watch, wanted: &Wanted, seen: &Seen) -> Result<Vec<(String, String)>, BuildError> {
    let credential = credential(app, watch, wanted).await?;
    match super::conditional::look(app, seen, &watch.repo, &wanted.branches, credential.as_ref()).await {
        Look::Commits(commits) => return Ok(commits),
        Look::Busy(error) => return Err(error.into()),
        Look::AskGit => {}
    }
    if let (Some(branch), 1) = (wanted.branches.first(), wanted.branches.len()) {
        let commit = haliotis_scm::ls_remote(&watch.repo, branch, credential.as_ref()).await?;
        return Ok(commit.map(|commit| (branch.clone(), commit)).into_iter().collect());
    }
    let all = haliotis_scm::references(&watch.repo, credential.as_ref()).await?;
    let own = all.into_iter().filter_map(|(name, commit)| {
        let branch = name.strip_prefix("refs/heads/").filter(|branch| wanted.branches.contains(*branch))?;
        Some((branch.to_owned(), commit))
    });
    Ok(own.collect())
}

async fn found(app: &App, watch: &Watch, wanted: &Wanted, branch: &str, commit: &str) -> Result<(), BuildError> {
    let cursor = format!("poll:{}:{branch}", watch.repo);
    let catalog = app.store_catalog();
    if catalog.cursor(&cursor).await?.as_deref() == Some(commit) {
        return Ok(());
    }
    let credential = credential(app, watch, wanted).await?;
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
        assert_eq!((all[0].wanted.every, all[0].wanted.branches.len()), (Duration::from_secs(5), 2));
        // A new branch is looked at now, an old one keeps its pause.
        dues.values_mut().for_each(|due| due.next = Instant::now() + Duration::from_secs(60));
        refresh(&mut dues, &[pipeline("main", 60_000)], None);
        assert!(dues.values().all(|due| due.next > Instant::now() + Duration::from_secs(30)));
        refresh(&mut dues, &[pipeline("main", 60_000), pipeline("new", 60_000)], None);
        assert!(dues.values().all(|due| due.next <= Instant::now()));
        refresh(&mut dues, &[], None);
        assert!(dues.is_empty());
    }

    #[test]
    fn errors_back_off_and_a_host_gets_the_pause_it_asks_for() {
        let mut dues = BTreeMap::new();
        refresh(&mut dues, &[pipeline("main", 1_000)], None);
        let due = dues.values_mut().next().expect("one");
        let pause = |due: &Due| due.next.saturating_duration_since(Instant::now()).as_secs_f64().ceil() as u64;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            due.ended(false, None);
            pauses.push(pause(due));
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        due.ended(false, Some(Duration::from_secs(3_000)));
        assert_eq!(pause(due), 3_000);
        due.ended(true, None);
        assert_eq!((pause(due), due.failures), (1, 0));
    }
}
