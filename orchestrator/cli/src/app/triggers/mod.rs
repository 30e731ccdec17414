//! The reconcilers: each looks at the world and at a committed position, and makes what is missing.
//!
//! All have one shape: periodic and on demand (a nudge only saves time), idempotent (a build has a `once` key, so the
//! same event makes one build however often it is seen), and the position moves after the build is on disk. Dying
//! between the two repeats the event, and the key makes that harmless.

pub(crate) mod branches;
mod conditional;
mod cron;
mod hooks;
mod hosts;
mod logs;
mod models;
mod outbox;
mod poll;
mod servers;
mod statuses;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haliotis_engine::trigger::{TriggerEvent, requests};
use haliotis_model::BuildId;
use tokio::sync::Notify;

use crate::app::App;
use crate::app::builds::BuildError;

pub use hooks::{GitHooks, PREFIX as HOOK_PREFIX};
pub use hosts::GitHostsAsked;

/// Ways to say "look now".
#[derive(Default)]
pub struct Nudges {
    /// Repositories.
    pub poll: Notify,
    /// The model registry.
    pub models: Notify,
    /// The outbox.
    pub outbox: Notify,
    /// Deliveries of git hosts.
    pub hooks: Notify,
    /// Multibranch projects.
    pub branches: Notify,
    sooner: Mutex<BTreeSet<String>>,
    /// Builds that were made and whose git hosts are told.
    begun: Mutex<Vec<BuildId>>,
    told: Notify,
}

impl Nudges {
    /// A build was made.
    pub fn build_begun(&self, build: BuildId) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(build);
        self.told.notify_one();
    }

    /// These multibranch projects are worth a look now.
    fn look_at_branches(&self, names: BTreeSet<String>) {
        if !names.is_empty() {
            self.sooner.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
            self.branches.notify_one();
        }
    }

    fn take_branches(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.sooner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts all reconcilers; they end with the process.
pub fn start(app: &Arc<App>) {
    tokio::spawn(poll::run(Arc::clone(app)));
    tokio::spawn(cron::run(Arc::clone(app)));
    tokio::spawn(models::run(Arc::clone(app)));
    tokio::spawn(outbox::run(Arc::clone(app)));
    tokio::spawn(hooks::run(Arc::clone(app)));
    tokio::spawn(branches::run(Arc::clone(app)));
    tokio::spawn(statuses::run(Arc::clone(app)));
    tokio::spawn(logs::run(Arc::clone(app)));
    tokio::spawn(crate::app::retention::run(Arc::clone(app)));
    if app.options.database.is_some() {
        tokio::spawn(servers::run(Arc::clone(app)));
        crate::app::elsewhere::start(app);
    }
}

/// Waits for a nudge, at most so long.
async fn rest(nudge: &Notify, most: Duration) {
    let _ = tokio::time::timeout(most, nudge.notified()).await;
}

impl App {
    /// Makes the builds an event asks for, once the server is not quiet any more. `Err` when one could not be made for a reason that may pass.
    pub(super) async fn fire(&self, event: &TriggerEvent) -> Result<(), BuildError> {
        self.quiet.over().await;
        let pipelines = self.store_catalog().pipelines().await?;
        for request in requests(&pipelines, event) {
            match self.start_build(&request).await {
                Ok(created) if created.existing => {}
                Ok(created) => tracing::info!(pipeline = request.pipeline, number = created.number, "build made"),
                Err(error @ (BuildError::Scm(_) | BuildError::Store(_) | BuildError::Create(_))) => return Err(error),
                Err(error) => tracing::error!(pipeline = request.pipeline, %error, "no build could be made"),
            }
        }
        Ok(())
    }
}
