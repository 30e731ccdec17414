//! Polling: one `git ls-remote` for each (repository, branch, credential), however many pipelines watch it, each on its
//! own task so that a slow host delays nobody else; errors back off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use haliotis_engine::trigger::TriggerEvent;
use haliotis_model::{Pipeline, TriggerSpec};

use crate::app::App;

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
    branch: String,
    credential: Option<String>,
}

struct Due {
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
            tokio::spawn(async move {
                let good = look(&app, &watch).await;
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
    let mut wanted: BTreeMap<Watch, Duration> = BTreeMap::new();
    for pipeline in pipelines.iter().filter(|pipeline| !pipeline.disabled) {
        for trigger in &pipeline.triggers {
            let (repo, branch, every) = match trigger {
                TriggerSpec::Poll { repo, branch, every_ms } => (repo, branch, Duration::from_millis(*every_ms)),
                _ => continue,
            };
            let watch = Watch { repo: repo.clone(), branch: branch.clone(), credential: pipeline.credential.clone() };
            let every = fixed.unwrap_or(every).max(Duration::from_millis(FASTEST_MS));
            wanted.entry(watch).and_modify(|known| *known = every.min(*known)).or_insert(every);
        }
    }
    dues.retain(|watch, _| wanted.contains_key(watch));
    for (watch, every) in wanted {
        let due = dues.entry(watch).or_insert(Due { every, next: Instant::now(), failures: 0, running: false });
        due.every = every;
    }
}

/// One look; `false` on an error, which is logged with what to do.
async fn look(app: &App, watch: &Watch) -> bool {
    match try_look(app, watch).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(repo = watch.repo, branch = watch.branch, %error, "polling failed; it is tried again, slower");
            false
        }
    }
}

async fn try_look(app: &App, watch: &Watch) -> Result<(), crate::app::builds::BuildError> {
    let credential = app.git_credential(watch.credential.as_deref()).await?;
    let Some(commit) = haliotis_scm::ls_remote(&watch.repo, &watch.branch, credential.as_ref()).await? else {
        // An empty repository, or a branch that is not there yet: nothing to build, not an error.
        return Ok(());
    };
    let cursor = format!("poll:{}:{}", watch.repo, watch.branch);
    let catalog = app.store_catalog();
    if catalog.cursor(&cursor).await?.as_deref() == Some(&commit) {
        return Ok(());
    }
    let info = haliotis_scm::commit_at(&app.cache_dir(), &watch.repo, &commit, credential.as_ref()).await?;
    let event = TriggerEvent::Push {
        repos: vec![watch.repo.clone()],
        branch: watch.branch.clone(),
        commit: commit.clone(),
        via: "poll".to_owned(),
        author: info.author,
        subject: info.subject,
    };
    app.fire(&event).await?;
    catalog.set_cursor(&cursor, &commit).await?;
    Ok(())
}
