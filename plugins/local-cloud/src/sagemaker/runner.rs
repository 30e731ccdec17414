//! Carries a job to its end, from whatever phase it is found in. A restart is the normal path begun later.
//!
//! What may cross, and what happens:
//! - crash while preparing: the folder is emptied and prepared again; no process was started.
//! - crash between "Running" on disk and the spawn: the spawn is made (again); `Processes` finds a process by its key.
//! - crash while the process runs: the same; then `wait` gives the exit, however long ago it was.
//! - the supervisor lost the process (the machine went down): the job fails with InternalServerError.
//! - crash while collecting: outputs are stored again; the same bytes go to the same keys.
//! - stop before the spawn: `begin_running` refuses to move on; after it: the second look below asks the process.
//! - the time limit and a stop together: the stop is what the job shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec};

use crate::error::AwsError;
use crate::sagemaker::job::{Ending, ExitRecord, Job, JobKind, Phase};
use crate::sagemaker::{SageMaker, clock, processing, sandbox, training, transform};

/// Seconds a job may run when the request does not say: one day, as AWS documents for processing and training.
const DEFAULT_MAX_RUNTIME_S: u64 = 86_400;
/// When state cannot be written (a full disk), it is tried again this often.
const RETRY: Duration = Duration::from_secs(5);

impl SageMaker {
    /// Lets a job run in the background, to its end.
    pub(crate) fn begin_job(self: &Arc<Self>, kind: JobKind, name: &str) {
        let (this, name) = (Arc::clone(self), name.to_owned());
        self.background(async move { this.carry(kind, &name).await });
    }

    async fn carry(&self, kind: JobKind, name: &str) {
        while let Err(error) = self.carry_once(kind, name).await {
            tracing::error!(kind = kind.word(), job = name, %error, "the job's state cannot be written; trying again");
            tokio::time::sleep(RETRY).await;
        }
    }

    /// One phase after the other. An error means that state could not be written.
    async fn carry_once(&self, kind: JobKind, name: &str) -> Result<(), AwsError> {
        while let Some(job) = self.jobs(kind).get(name) {
            match job.phase {
                Phase::Preparing => match self.prepare(&job).await {
                    Ok(()) if self.begin_running(&job)? => {}
                    Ok(()) => self.end(&job, Ending::Stopped { metrics: Vec::new() })?,
                    Err(reason) => self.end(&job, Ending::Failed { reason, exit_message: None })?,
                },
                Phase::Running if kind == JobKind::Transform => {
                    let ending = transform::run(self, &job).await;
                    self.end(&job, ending)?;
                }
                Phase::Running => match self.run(&job).await? {
                    Ok(exit) => self.record_exit(&job, exit)?,
                    Err(reason) => self.end(&job, Ending::Failed { reason, exit_message: None })?,
                },
                Phase::Collecting => {
                    let ending = self.collect(&job).await;
                    self.end(&job, ending)?;
                }
                Phase::Ended => {
                    self.tidy(&job).await;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The job's folder; `ml` below it is what the container sees as `/opt/ml`.
    pub(crate) fn job_folder(&self, job: &Job) -> PathBuf {
        self.home.join("jobs").join(&job.id)
    }

    async fn prepare(&self, job: &Job) -> Result<(), String> {
        self.jobs(job.kind)
            .update(&job.name, |job| {
                job.turn("Downloading", "Downloading input data");
                Ok(())
            })
            .map_err(|error| format!("InternalServerError: {}", error.message))?;
        self.furnish(job).await?;
        let (store, settings) = (Arc::clone(&self.s3), self.settings.clone());
        let (job, folder) = (job.clone(), self.job_folder(job));
        self.blocking(move || {
            let ml = fresh(&folder)?;
            match job.kind {
                JobKind::Processing => processing::stage(&store, &settings.region, &job, &ml),
                JobKind::Training => training::stage(&store, &settings.region, &job, &ml),
                JobKind::Transform => Ok(()),
            }
        })
        .await
    }

    /// Runs the process to its end: the inner error is the job's failure reason, the outer means state cannot be written.
    async fn run(&self, job: &Job) -> Result<Result<Exit, String>, AwsError> {
        let spec = match self.spec(job).await {
            Ok(spec) => spec,
            Err(reason) => return Ok(Err(reason)),
        };
        let key = job.process_key();
        if let Err(error) = self.processes.spawn(&key, spec).await {
            return Ok(Err(process_failure(&error)));
        }
        if self.jobs(job.kind).get(&job.name).is_some_and(|job| job.stop_requested) {
            self.ask_to_stop(job).await;
        }
        let exit = match tokio::time::timeout(time_left(job), self.processes.wait(&key)).await {
            Ok(exit) => exit,
            Err(_) => {
                self.jobs(job.kind).update(&job.name, |job| {
                    job.out_of_time = true;
                    job.turn("Stopping", "The job ran out of its MaxRuntimeInSeconds");
                    Ok(())
                })?;
                self.ask_to_stop(job).await;
                self.processes.wait(&key).await
            }
        };
        Ok(exit.map_err(|error| process_failure(&error)))
    }

    fn record_exit(&self, job: &Job, exit: Exit) -> Result<(), AwsError> {
        let moved = self.jobs(job.kind).update(&job.name, |job| {
            job.exit = Some(ExitRecord { code: exit.code, signal: exit.signal });
            job.phase = Phase::Collecting;
            job.turn("Uploading", "Uploading generated training model");
            Ok(())
        });
        moved.map(|_| ())
    }

    async fn collect(&self, job: &Job) -> Ending {
        let (store, job) = (Arc::clone(&self.s3), job.clone());
        let (ml, log) = (self.job_folder(&job).join("ml"), self.job_log(job.kind, &job.name));
        let exit = job.exit.unwrap_or(ExitRecord { code: -1, signal: None });
        let collected = self.blocking(move || {
            Ok(match job.kind {
                JobKind::Training => training::collect(&store, &job, &ml, &log, exit),
                // A job that was told to stop ends as Stopped, whatever its exit code; its outputs are not kept.
                _ if job.stop_requested || job.out_of_time => Ending::Stopped { metrics: Vec::new() },
                _ => processing::collect(&store, &job, &ml, exit),
            })
        });
        collected.await.unwrap_or_else(|reason| Ending::Failed { reason, exit_message: None })
    }

    /// What to start; the same for every restart of the same job.
    async fn spec(&self, job: &Job) -> Result<ProcessSpec, String> {
        let folder = self.job_folder(job);
        let (program, own) = match job.kind {
            JobKind::Training => (training::program(job, &self.runtimes), training::vars(job)),
            _ => (processing::program(job), haliotis_model::Vars::new()),
        };
        let mut vars = self.container_vars(&folder);
        vars.extend(own);
        if let Some(given) = job.request["Environment"].as_object() {
            vars.extend(given.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
        }
        let log = self.job_log(job.kind, &job.name);
        self.contained(&folder, &program, vars, log).await
    }

    /// A process with `folder/ml` at `/opt/ml`, started in `folder/work`.
    pub(crate) async fn contained(
        &self,
        folder: &Path,
        program: &[String],
        vars: haliotis_model::Vars,
        log: PathBuf,
    ) -> Result<ProcessSpec, String> {
        let python = &self.settings.python;
        if !python.exists() {
            return Err(format!(
                "InternalServerError: the Python environment of the job runtimes is missing: {} does not exist; \
                 `haliotis doctor` tells how to make it",
                python.display()
            ));
        }
        let capabilities = self.capabilities().await;
        let flags = capabilities.namespaces.ok_or(format!("InternalServerError: {}", capabilities.explanation))?;
        let argv = sandbox::enter(&flags, &self.runtimes, &folder.join("ml"), program);
        Ok(ProcessSpec { argv, vars, cwd: folder.join("work"), log, stdout: None, mask: Vec::new() })
    }

    fn end(&self, job: &Job, ending: Ending) -> Result<(), AwsError> {
        let ended = self.jobs(job.kind).update(&job.name, |job| {
            job.end(ending);
            Ok(())
        })?;
        if let Some(job) = ended {
            self.changes.notify_waiters();
            tracing::info!(kind = job.kind.word(), job = %job.name, status = job.status.word(), "job ended");
        }
        Ok(())
    }

    /// The log stays; the folder and the supervisor's record go.
    async fn tidy(&self, job: &Job) {
        if let Err(error) = self.processes.forget(&job.process_key()).await {
            tracing::debug!(job = %job.name, %error, "nothing to forget");
        }
        let folder = self.job_folder(job);
        let removed = self.blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        });
        if let Err(error) = removed.await {
            tracing::warn!(job = %job.name, %error, "the job's folder could not be removed");
        }
    }

    /// Runs file work off the async threads; a panic there is the job's failure, not the server's. Begun work cannot be
    /// called back, so [`SageMaker::close`] waits for it: the next server finds no hand in a job's folder but its own.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let done = self.works.spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(format!("InternalServerError: {error}")))
    }
}

/// Empties and makes the job's folders; gives `ml`.
pub(crate) fn fresh(folder: &Path) -> Result<PathBuf, String> {
    let broken = |error: std::io::Error| format!("InternalServerError: cannot make {}: {error}", folder.display());
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(broken(error)),
        _ => {}
    }
    for name in ["ml", "work", "home"] {
        std::fs::create_dir_all(folder.join(name)).map_err(broken)?;
    }
    Ok(folder.join("ml"))
}

fn process_failure(error: &ProcessError) -> String {
    match error {
        ProcessError::Start { .. } => format!("InternalServerError: {error}"),
        ProcessError::Lost(_) => "InternalServerError: the machine or its supervisor went down while the job ran, and \
                                  how it ended is not known; start the job again under another name"
            .to_owned(),
        ProcessError::Unknown(_) | ProcessError::Supervisor(_) => format!("InternalServerError: {error}"),
    }
}

/// What is left of the time limit, counted from the first start also across restarts.
fn time_left(job: &Job) -> Duration {
    let limit = job.request["StoppingCondition"]["MaxRuntimeInSeconds"].as_u64().unwrap_or(DEFAULT_MAX_RUNTIME_S);
    let used = job.started.map_or(0.0, |started| (clock::now() - started).max(0.0));
    Duration::from_secs_f64((limit as f64 - used).max(0.0))
}

/// Milliseconds between SIGTERM and SIGKILL for what serves: the real endpoints' 30 seconds.
pub(crate) const SERVE_GRACE_MS: u64 = 30_000;
