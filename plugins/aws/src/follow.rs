//! Following a remote job to its end: look, copy its log, wait, look again.
//!
//! The job goes on whether we look or not; so a look that fails costs patience, not the step. Only when the cloud gives
//! no answer for [`MAX_SILENCE`] looks in a row is the step given up, and then its outcome is unknown.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use async_trait::async_trait;
use haliotis_model::{Object, StepOutput};
use haliotis_plugin_api::{StepContext, StepError};

use crate::job_log::{self, Tail};
use crate::{Clients, names};

/// Looks in a row without an answer; each comes after the SDK's own attempts and a growing wait.
const MAX_SILENCE: u32 = 40;
/// Longest wait between two looks without an answer.
const MAX_SILENT_WAIT: Duration = Duration::from_secs(30);
/// Milliseconds between looks when the settings say nothing: the local cloud, AWS (whose describe calls are throttled).
const DEFAULT_POLL_MS: (u64, u64) = (200, 10_000);
/// Looks at an AWS job that is not there yet after it was created: describe calls lag behind.
const MAX_ABSENT: u32 = 5;

/// Where a job stands, whatever its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    /// It has not ended.
    Going,
    /// It ended well.
    Completed,
    /// It failed, with AWS' reason.
    Failed(String),
    /// Somebody stopped it.
    Stopped,
}

impl Status {
    /// Of a job's status in AWS' words, which are the same for every kind of job.
    pub(crate) fn of(word: &str, failure_reason: Option<String>) -> Self {
        match word {
            "Completed" => Self::Completed,
            "Failed" => Self::Failed(failure_reason.unwrap_or_else(|| "no reason given".to_owned())),
            "Stopped" => Self::Stopped,
            _ => Self::Going,
        }
    }
}

/// One look at a job.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) status: Status,
    /// A word on what it does now, for the log.
    pub(crate) phase: String,
    /// The step's outputs as far as the description holds them.
    pub(crate) outputs: Object,
}

/// A kind of job under one name.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// `processing`, `training`, `transform`: for the log and for the local cloud's log path.
    fn kind(&self) -> &'static str;
    /// Its CloudWatch log group.
    fn log_group(&self) -> &'static str;
    /// `None`: there is no such job.
    async fn look(&self, clients: &Clients, name: &str) -> Result<Option<Look>, StepError>;
    /// Asks it to stop. A job that has ended or never was is no error.
    async fn stop(&self, clients: &Clients, name: &str) -> Result<(), StepError>;
}

/// Says in an empty log which cloud the step talks to.
pub(crate) async fn introduce(ctx: &StepContext, clients: &Clients) -> Result<(), StepError> {
    if ctx.log.is_empty() {
        let shown = clients.shown().await?;
        ctx.log.line(&shown);
    }
    Ok(())
}

/// Follows the job that the step's key names to its end.
pub(crate) async fn follow(ctx: &StepContext, clients: &Clients, job: &dyn Job) -> Result<Look, StepError> {
    let name = names::job(ctx);
    let mut tail = Tail::new(ctx, clients, job.kind(), &name);
    let mut pace = Pace::new(ctx);
    let (mut phase, mut silent, mut absent) = (String::new(), 0, 0);
    loop {
        match job.look(clients, &name).await {
            Ok(Some(look)) => {
                silent = 0;
                if look.status != Status::Going {
                    tail.pull_rest().await;
                    return Ok(look);
                }
                tail.pull().await;
                if look.phase != phase {
                    // Phases are few; beside the job's own lines they would be noise.
                    tracing::debug!(job = %name, from = %phase, to = %look.phase, "a job went on");
                    phase = look.phase;
                }
            }
            Ok(None) if absent < MAX_ABSENT => absent += 1,
            Ok(None) => {
                return Err(StepError::World(format!(
                    "the {} job {name} is not there; was it deleted, or the local cloud's folder replaced?",
                    job.kind()
                )));
            }
            Err(error @ StepError::World(_)) => {
                silent += 1;
                tracing::warn!(job = %name, silent, %error, "the cloud did not answer");
                if silent > MAX_SILENCE {
                    return Err(StepError::Unknown(format!("the {} job {name} was started, and {error}", job.kind())));
                }
            }
            Err(error) => return Err(error),
        }
        pace.wait(silent).await;
    }
}

/// The step's end from the job's.
pub(crate) fn verdict(kind: &str, name: &str, look: Look) -> StepOutput {
    match look.status {
        Status::Completed => StepOutput::success(look.outputs),
        Status::Failed(reason) => {
            StepOutput::failure(format!("{kind} job {name} failed: {reason}")).with_outputs(look.outputs)
        }
        Status::Stopped => StepOutput::aborted(format!("{kind} job {name} was stopped")).with_outputs(look.outputs),
        Status::Going => StepOutput::failure(format!("{kind} job {name} has not ended")),
    }
}

/// The line that opens the log of a job, and where its own log is.
pub(crate) fn announce(ctx: &StepContext, clients: &Clients, job: &dyn Job, name: &str) {
    ctx.log.line(&format!("created {} job {name}", job.kind()));
    if !clients.cloud.endpoint_url.as_deref().is_some_and(job_log::is_loopback) {
        ctx.log.line(&job_log::place_on_aws(&clients.cloud.region, job.log_group(), name));
    }
}

/// The waits between looks. A little unequal, so that many steps do not ask in step.
pub(crate) struct Pace {
    base_ms: u64,
    seed: u64,
    turn: u64,
}

impl Pace {
    pub(crate) fn new(ctx: &StepContext) -> Self {
        let (local, aws) = DEFAULT_POLL_MS;
        let default = if ctx.cloud.endpoint_url.is_some() { local } else { aws };
        let base_ms = if ctx.cloud.poll_ms == 0 { default } else { ctx.cloud.poll_ms };
        let mut hasher = DefaultHasher::new();
        ctx.key.to_string().hash(&mut hasher);
        Self { base_ms, seed: hasher.finish(), turn: 0 }
    }

    /// Waits; longer after each look without an answer.
    pub(crate) async fn wait(&mut self, silent: u32) {
        self.turn += 1;
        let jitter = self.seed.rotate_left(u32::try_from(self.turn % 64).unwrap_or(0)) % 25;
        let wait = Duration::from_millis(self.base_ms * (88 + jitter) / 100);
        let silent_wait = wait.saturating_mul(2_u32.saturating_pow(silent.min(10))).min(MAX_SILENT_WAIT);
        tokio::time::sleep(wait.max(if silent == 0 { wait } else { silent_wait })).await;
    }
}
