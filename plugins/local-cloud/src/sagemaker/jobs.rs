//! The operations of jobs: Create, Describe, List, Stop, Delete, the same for the three kinds.

use std::sync::Arc;

use haliotis_plugin_api::ProcessError;
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::sagemaker::job::{Job, JobKind, Phase, Status};
use crate::sagemaker::listing::{self, NEWEST_FIRST};
use crate::sagemaker::{SageMaker, clock, processing, tags, training, transform};

/// Milliseconds from SIGTERM to SIGKILL when a job is stopped or out of time; what AWS gives a container to save.
pub(crate) const STOP_GRACE_MS: u64 = 120_000;

impl SageMaker {
    /// `Create…Job`: checked, durable, then on its way.
    pub(crate) fn create_job(self: &Arc<Self>, kind: JobKind, input: Value) -> Result<Value, AwsError> {
        match kind {
            JobKind::Processing => processing::check(&input)?,
            JobKind::Training => training::check(&input)?,
            JobKind::Transform => transform::check(self, &input)?,
        }
        tags::check(&input)?;
        let name = input[kind.member("Name")].as_str().unwrap_or_default().to_owned();
        let arn = self.arn(&format!("{}-job", kind.word()), &name);
        self.set_tags_of_new(&arn, &input)?;
        let job = Job::new(kind, &name, arn.clone(), input);
        if !self.jobs(kind).insert(&name, job)? {
            return Err(AwsError::in_use(format!(
                "Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
            )));
        }
        self.begin_job(kind, &name);
        Ok(json!({ kind.member("Arn"): arn }))
    }

    /// `Describe…Job`
    pub(crate) fn describe_job(&self, kind: JobKind, input: &Value) -> Result<Value, AwsError> {
        Ok(self.job(kind, input)?.describe())
    }

    /// `List…Jobs`
    pub(crate) fn list_jobs(&self, kind: JobKind, input: &Value) -> Result<Value, AwsError> {
        let items = self.jobs(kind).all().iter().map(Job::item).collect();
        listing::page(input, items, NEWEST_FIRST, &kind.member("Summaries"))
    }

    /// `Stop…Job`: noted first, then the process is asked. A job that is already stopping is fine.
    ///
    /// Races: the runner looks at the note when it moves to Running (in the same table change) and again right after
    /// it has spawned, so a stop that comes in between reaches the process either from here or from there.
    pub(crate) async fn stop_job(self: &Arc<Self>, kind: JobKind, input: &Value) -> Result<Value, AwsError> {
        let name = self.job(kind, input)?.name;
        let stopped = self.jobs(kind).update(&name, |job| {
            match job.status {
                Status::InProgress | Status::Stopping => {}
                status @ (Status::Completed | Status::Failed | Status::Stopped) => {
                    return Err(AwsError::validation(format!(
                        "The request was rejected because the {} job is in status {}",
                        kind.word(),
                        status.word()
                    )));
                }
            }
            job.stop_requested = true;
            job.status = Status::Stopping;
            job.turn("Stopping", "Stopping the training job");
            Ok(())
        })?;
        if let Some(job) = stopped.filter(|job| job.phase == Phase::Running) {
            self.ask_to_stop(&job).await;
        }
        self.stop_notes.notify_waiters();
        Ok(json!({}))
    }

    /// SIGTERM now, SIGKILL after the grace. A process that does not exist yet is met by the runner's second look.
    pub(crate) async fn ask_to_stop(&self, job: &Job) {
        match self.processes.kill(&job.process_key(), STOP_GRACE_MS).await {
            Ok(()) | Err(ProcessError::Unknown(_) | ProcessError::Lost(_)) => {}
            Err(error) => tracing::warn!(job = %job.name, %error, "the job's process could not be asked to stop"),
        }
    }

    /// `DeleteProcessingJob`, `DeleteTrainingJob`: ended jobs only.
    pub(crate) fn delete_job(&self, kind: JobKind, input: &Value) -> Result<Value, AwsError> {
        let name = self.job(kind, input)?.name;
        let removed = self.jobs(kind).remove(&name, |job| match job.phase {
            Phase::Ended => Ok(()),
            Phase::Preparing | Phase::Running | Phase::Collecting => Err(AwsError::in_use(format!(
                "The {} job {} is in status {}; stop it and wait for its end before deleting it",
                kind.word(),
                job.name,
                job.status.word()
            ))),
        })?;
        if let Some(job) = removed {
            self.forget_tags(&job.arn)?;
        }
        Ok(json!({}))
    }

    fn job(&self, kind: JobKind, input: &Value) -> Result<Job, AwsError> {
        let name = input[kind.member("Name")].as_str().unwrap_or_default();
        self.jobs(kind).get(name).ok_or_else(|| match kind {
            JobKind::Training => AwsError::validation("Requested resource not found."),
            JobKind::Processing | JobKind::Transform => {
                AwsError::validation(format!("Could not find requested job with name: {name}"))
            }
        })
    }

    /// Moves the job to its next phase; `false` when a stop came first, and the job is then not moved.
    pub(crate) fn begin_running(&self, job: &Job) -> Result<bool, AwsError> {
        let moved = self.jobs(job.kind).update(&job.name, |job| {
            if job.stop_requested {
                return Ok(());
            }
            job.phase = Phase::Running;
            job.started = Some(clock::now());
            job.turn("Training", "Training image download completed. Training in progress.");
            Ok(())
        })?;
        Ok(moved.is_some_and(|job| job.phase == Phase::Running))
    }
}
