//! Several servers on one database: an answer, an abort or a look at a log reaches the server that has the build,
//! whichever server it was given to.
//!
//! ```text
//! here   document `ask` / ID      what is wanted, of which build
//! there  does it, if the build is its own (or its disk has the log); document `answer` / ID
//! here   reads the answer, removes both
//! ```
//! Nothing but the shared database lies between the servers: no address of another is known, no new trust is needed.
//! Nobody answers in time: the ask is taken back, and the person is told that the build is not running. Done twice (the
//! server dies after it did it and before it said so): the second answer to a question is refused as answered already.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use haliotis_engine::{Asked, BuildFilter, Changed, Elsewhere, JournalError, RefusedAnswer};
use haliotis_model::{BuildId, BuildStatus, StepKey};
use serde::{Deserialize, Serialize};

use crate::app::App;

/// Kinds of documents.
const ASK: &str = "ask";
const ANSWER: &str = "answer";
/// How often a server looks for what it is asked: a person hardly notices, and the look is one small index.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often those who follow another server's build are told to look again.
const CHANGED_EVERY: Duration = Duration::from_secs(1);
/// How long an answer is waited for: two leases pass on fail-over, but a person should not wait for that.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a log: a page waits for it.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a log in one answer.
const LOG_MOST: usize = 256 << 10;

#[derive(Serialize, Deserialize)]
struct Ask {
    build: BuildId,
    wish: Wish,
}

#[derive(Serialize, Deserialize)]
enum Wish {
    Do(Asked),
    Log { key: StepKey, offset: u64, limit: usize },
}

#[derive(Serialize, Deserialize)]
enum Told {
    Done(Result<(), RefusedAnswer>),
    Log { hex: String, total: u64 },
}

/// The way to the others.
pub struct Others(Arc<App>);

#[async_trait]
impl Elsewhere for Others {
    async fn carry(&self, build: BuildId, asked: Asked) -> Option<Result<(), RefusedAnswer>> {
        match ask(&self.0, Ask { build, wish: Wish::Do(asked) }, PATIENCE).await {
            Ok(Some(Told::Done(verdict))) => Some(verdict),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%build, %error, "another server's build could not be reached");
                None
            }
        }
    }
}

/// A piece of a log that lies at another server; `None`: nobody has it.
pub async fn log(app: &App, key: &StepKey, offset: u64, limit: usize) -> Option<(Vec<u8>, u64)> {
    let limit = limit.min(LOG_MOST);
    let wish = Ask { build: key.build, wish: Wish::Log { key: key.clone(), offset, limit } };
    match ask(app, wish, LOG_PATIENCE).await {
        Ok(Some(Told::Log { hex, total })) => Some((hex::decode(hex).ok()?, total)),
        _ => None,
    }
}

async fn ask(app: &App, ask: Ask, patience: Duration) -> Result<Option<Told>, JournalError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let catalog = app.store_catalog();
    let name = format!(
        "{}:{}:{}:{}",
        haliotis_store::server_name(&app.options.dir),
        std::process::id(),
        haliotis_engine::now().0,
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let text = |error: serde_json::Error| JournalError::Store(error.to_string());
    catalog.put_document(ASK, &name, &serde_json::to_string(&ask).map_err(text)?).await?;
    let until = tokio::time::Instant::now() + patience;
    let mut told = None;
    while told.is_none() && tokio::time::Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY / 2).await;
        told = catalog.document(ANSWER, &name).await?;
    }
    catalog.remove_document(ASK, &name).await?;
    catalog.remove_document(ANSWER, &name).await?;
    told.map(|told| serde_json::from_str(&told).map_err(text)).transpose()
}

/// Begins to reach others and to be reached.
pub fn start(app: &Arc<App>) {
    app.engine.reach(Arc::new(Others(Arc::clone(app))));
    tokio::spawn(hear(Arc::clone(app)));
    tokio::spawn(follow(Arc::clone(app)));
}

/// Does what others ask, for ever.
async fn hear(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let asks = match app.store_catalog().documents(ASK).await {
            Ok(asks) => asks,
            Err(error) => {
                tracing::debug!(%error, "cannot look for what other servers ask");
                continue;
            }
        };
        for (name, text) in asks {
            let Ok(ask) = serde_json::from_str::<Ask>(&text) else { continue };
            let Some(told) = answer(&app, ask).await else { continue };
            let text = serde_json::to_string(&told).unwrap_or_default();
            let catalog = app.store_catalog();
            if catalog.put_document(ANSWER, &name, &text).await.is_ok() {
                let _ = catalog.remove_document(ASK, &name).await;
            }
        }
    }
}

/// `None`: it is not ours to answer.
async fn answer(app: &App, ask: Ask) -> Option<Told> {
    match ask.wish {
        Wish::Do(asked) => match app.engine.take(ask.build, asked).await {
            Err(RefusedAnswer::NotRunning(_)) => None,
            verdict => Some(Told::Done(verdict)),
        },
        Wish::Log { key, offset, limit } => {
            let read = app.logs.read(&key, offset, limit.min(LOG_MOST) as u64).await.ok()?;
            (read.total > 0).then(|| Told::Log { hex: hex::encode(read.bytes), total: read.total })
        }
    }
}

/// Those who follow a build of another server here look again each second, and once more at its end.
async fn follow(app: Arc<App>) {
    let mut before = BTreeSet::new();
    loop {
        tokio::time::sleep(CHANGED_EVERY).await;
        let mut active = BTreeSet::new();
        let mut whole = true;
        for status in [BuildStatus::Queued, BuildStatus::Running, BuildStatus::Waiting] {
            let filter = BuildFilter { status: Some(status), limit: BuildFilter::MAX, ..BuildFilter::default() };
            match app.store_catalog().builds(&filter).await {
                Ok(builds) => active.extend(builds.into_iter().map(|build| build.id)),
                Err(_) => whole = false,
            }
        }
        if !whole {
            continue;
        }
        for &build in &active {
            app.engine.changed(Changed { build, ended: false });
        }
        for &build in before.difference(&active) {
            app.engine.changed(Changed { build, ended: true });
        }
        before = active;
    }
}
