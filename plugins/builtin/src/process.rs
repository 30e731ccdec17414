//! A step's one local process: its environment, its end, and what errors of the supervisor mean to the step.

use std::path::PathBuf;

use haliotis_model::{Secret, StepOutput, Vars};
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, StepContext, StepError};

use crate::stopping;

/// Where programs are looked up when neither agent nor pipeline gives a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A process in the workspace with the step's variables and credentials, logging into the step's log.
pub(crate) fn spec(ctx: &StepContext, argv: Vec<String>, cwd: PathBuf) -> ProcessSpec {
    let mut vars: Vars = ctx.vars.clone();
    vars.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    vars.extend(ctx.secrets.iter().map(|(name, secret)| (name.clone(), secret.expose().to_owned())));
    let mask: Vec<Secret> = ctx.secrets.iter().map(|(_, secret)| secret.clone()).collect();
    ProcessSpec { argv, vars, cwd, log: ctx.log.path().to_owned(), stdout: None, mask }
}

/// Starts it under the step's key, or finds it there.
pub(crate) async fn spawn(ctx: &StepContext, spec: ProcessSpec) -> Result<(), StepError> {
    ctx.processes.spawn(&ctx.slug(), spec).await.map_err(told)
}

/// The same, and `wait` tells if it could not be started.
pub(crate) async fn begin(ctx: &StepContext, spec: ProcessSpec) -> Result<(), StepError> {
    ctx.processes.begin(&ctx.slug(), spec).await.map_err(told)
}

/// Waits for its end. `Err` inside: the step's end is clear without looking at the exit code.
pub(crate) async fn wait(ctx: &StepContext) -> Result<Result<Exit, StepOutput>, StepError> {
    let exit = ctx.processes.wait(&ctx.slug()).await.map_err(told)?;
    if exit.code != 0 && stopping::asked(ctx) {
        return Ok(Err(StepOutput::aborted("stopped on request")));
    }
    Ok(Ok(exit))
}

/// Asks it to stop; one that never started or has ended needs no asking.
pub(crate) async fn kill(ctx: &StepContext) -> Result<(), StepError> {
    // The wish is a file there, and a step that needed no scratch folder before has none. On a full disk the process is
    // stopped all the same; then its end reads as that of any process that a signal ended.
    let noted = std::fs::create_dir_all(&ctx.scratch).map_err(StepError::from).and_then(|()| stopping::ask(ctx));
    if let Err(error) = noted {
        ctx.log.line(&format!("that it was asked to stop cannot be noted: {error}"));
    }
    match ctx.processes.kill(&ctx.slug(), ctx.grace_ms).await {
        Ok(()) | Err(ProcessError::Unknown(_) | ProcessError::Lost(_)) => Ok(()),
        Err(error) => Err(told(error)),
    }
}

/// How an exit reads: `exit code 2`, `signal 9 (killed)`.
pub(crate) fn ending(exit: Exit) -> String {
    let name = match exit.signal {
        None => return format!("exit code {}", exit.code),
        Some(6) => " (aborted itself)",
        Some(9) => " (killed; out of memory?)",
        Some(11) => " (segmentation fault)",
        Some(15) => " (terminated)",
        Some(_) => "",
    };
    format!("signal {}{name}", exit.signal.unwrap_or(0))
}

/// Text that will be journaled, with the step's secrets replaced.
pub(crate) fn masked(ctx: &StepContext, text: String) -> String {
    let secrets = ctx.secrets.iter().map(|(_, secret)| secret.expose()).filter(|secret| !secret.is_empty());
    secrets.fold(text, |text, secret| if text.contains(secret) { text.replace(secret, "****") } else { text })
}

fn told(error: ProcessError) -> StepError {
    match error {
        ProcessError::Lost(_) => StepError::Unknown(error.to_string()),
        ProcessError::Start { .. } => StepError::Usage(error.to_string()),
        ProcessError::Unknown(_) | ProcessError::Supervisor(_) => StepError::World(error.to_string()),
    }
}
