//! Carries an execution to its end, from whatever state it is found in. A restart is the normal path begun later.
//!
//! One task carries an execution; other tasks only note things in its record (a stop, a callback's answer) and nudge it.
//! What may cross, and what happens:
//! - crash before a step is written down: it is decided again, with the same result.
//! - crash between the record of a step (`Starting`, with the name of its work) and the making of the work: it is made
//!   (again) under that name; a job that is there already is found, a model package by its client token.
//! - crash while the work runs: it goes on by itself; the next carrier looks at it.
//! - a stop between a decision and its record: the record is written only if the status is still what was decided on.
//! - crash between a record and the event that tells of it: the event lies in the record and is sent at the next open.
//! - a callback answered twice, or answered before the message was sent: the first answer counts.
//! - a message of a callback step can be sent twice by a crash in between: SQS delivers at least once anyway.

use std::sync::Arc;
use std::time::Duration;

use crate::error::AwsError;
use crate::sagemaker::pipelines::definition::Definition;
use crate::sagemaker::pipelines::record::{Execution, ExecutionStatus, StepRecord};
use crate::sagemaker::pipelines::schedule::{self, Next};
use crate::sagemaker::{SageMaker, clock};

/// When state cannot be written (a full disk), it is tried again this often.
const RETRY: Duration = Duration::from_secs(5);
/// An execution is looked at this often even if nobody nudges it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl SageMaker {
    /// Carries one execution until it is over.
    pub(crate) async fn carry_execution(self: Arc<Self>, id: &str) {
        loop {
            let changed = self.changes.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.advance(id).await {
                Ok(None) => return,
                Ok(Some(wait)) => drop(tokio::time::timeout(wait, changed).await),
                Err(error) => {
                    tracing::error!(execution = id, %error, "the execution's state cannot be written; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Does all that can be done now; gives the time until it must look again, `None` when it is over. An error means
    /// that state could not be written.
    async fn advance(self: &Arc<Self>, id: &str) -> Result<Option<Duration>, AwsError> {
        loop {
            let Some(execution) = self.pipelines.executions.get(id).filter(|one| !one.status.is_over()) else {
                return Ok(None);
            };
            let definition = match Definition::parse(&execution.definition, &execution.role) {
                Ok(definition) => definition,
                // A newer version of this program may refuse what an older one took.
                Err(error) => {
                    return self.finish(&execution, ExecutionStatus::Failed, Some(error.message)).map(|_| None);
                }
            };
            for step in execution.steps.values().filter(|step| !step.status.is_over()) {
                self.follow(&execution, &definition, step).await?;
            }
            let Some(execution) = self.pipelines.executions.get(id) else { return Ok(None) };
            match schedule::next(&definition, &execution) {
                Next::Begin(names) => {
                    for step in names.iter().filter_map(|name| definition.steps.get(name)) {
                        self.begin_step(id, &definition, step).await?;
                    }
                }
                Next::Wait => return Ok(Some(until_next_retry(&execution))),
                Next::End(status, failure) => {
                    if self.finish(&execution, status, failure)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Ends the execution; `false` when its status was changed meanwhile, and it must be decided again.
    fn finish(&self, decided: &Execution, status: ExecutionStatus, failure: Option<String>) -> Result<bool, AwsError> {
        let mut done = false;
        let changed = self.pipelines.executions.update(&decided.id, |execution| {
            if execution.status == decided.status {
                execution.status = status;
                execution.failure = failure;
                execution.modified = clock::now();
                self.tell_execution(execution, Some(decided.status));
                done = true;
            }
            Ok(())
        })?;
        if let Some(execution) = changed.filter(|_| done) {
            tracing::info!(pipeline = %execution.pipeline, execution = %execution.id, status = status.word(), "pipeline execution ended");
            self.send_execution_events(&execution);
        }
        Ok(done)
    }

    /// Changes a step's record and tells the bus if its status is another one.
    pub(crate) fn change_step(
        &self,
        execution: &str,
        name: &str,
        change: impl FnOnce(&mut StepRecord),
    ) -> Result<Option<StepRecord>, AwsError> {
        let changed = self.pipelines.executions.update(execution, |execution| {
            let Some(step) = execution.steps.get_mut(name) else { return Ok(()) };
            let before = step.status;
            change(step);
            let is_another = step.status != before;
            execution.modified = clock::now();
            if is_another {
                self.tell_step(execution, name, Some(before));
            }
            Ok(())
        })?;
        let Some(execution) = changed else { return Ok(None) };
        self.send_execution_events(&execution);
        Ok(execution.steps.get(name).cloned())
    }

    /// Writes a step down that is reached now.
    pub(crate) fn add_step(&self, execution: &str, step: StepRecord) -> Result<(), AwsError> {
        let name = step.name.clone();
        let changed = self.pipelines.executions.update(execution, |execution| {
            let order = execution.steps.values().map(|step| step.order + 1).max().unwrap_or(0);
            execution.steps.insert(step.name.clone(), StepRecord { order, ..step });
            execution.modified = clock::now();
            self.tell_step(execution, &name, None);
            Ok(())
        })?;
        if let Some(execution) = changed {
            self.send_execution_events(&execution);
        }
        Ok(())
    }
}

fn until_next_retry(execution: &Execution) -> Duration {
    let now = clock::now();
    let waits = execution.steps.values().filter_map(|step| step.retry_at).map(|at| (at - now).max(0.0));
    let shortest = waits.fold(LOOK_EVERY.as_secs_f64(), f64::min);
    Duration::from_secs_f64(shortest)
}
