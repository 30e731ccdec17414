//! Local processes, as a step sees them. The agent's supervisor stands behind this; a process outlives the server.

use std::path::PathBuf;

use async_trait::async_trait;
use haliotis_model::{Secret, Vars};

/// What to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Program and arguments; the program is looked up in the spec's own `PATH`.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub vars: Vars,
    /// Working directory; must exist.
    pub cwd: PathBuf,
    /// Standard output and error are appended here, byte for byte, but for masked secrets. Made if absent.
    pub log: PathBuf,
    /// `Some`: standard output goes here alone (standard error still to `log`).
    pub stdout: Option<PathBuf>,
    /// Values replaced by `****` in what is logged. Without any, the process writes to the file directly.
    pub mask: Vec<Secret>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 128 + signal where a signal ended it.
    pub code: i32,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
}

/// Why a process cannot be told of.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It never started: no such program, no such folder, no permission.
    #[error("cannot start {program}: {reason}")]
    Start {
        /// `argv[0]`.
        program: String,
        /// The system's words.
        reason: String,
    },
    /// No process was ever started under the key.
    #[error("no process was started under the key {0}")]
    Unknown(String),
    /// It was started, and its host went away before it ended: exit code unknown.
    #[error("process {0} was started, but its supervisor is gone and the exit code with it")]
    Lost(String),
    /// The supervisor cannot be reached.
    #[error("the supervisor does not answer: {0}")]
    Supervisor(String),
}

/// Runs processes under keys. Keys are file-name safe (see `StepKey::slug`).
#[async_trait]
pub trait Processes: Send + Sync {
    /// Starts the process, or finds the one started under this key before, running or ended.
    async fn spawn(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError>;

    /// The same, without waiting whether it could be started: [`Processes::wait`] tells that too, with the error that
    /// `spawn` would have given. One message less for a process that is waited for anyway.
    async fn begin(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        self.spawn(key, spec).await
    }

    /// The same, once the process of another key has ended with all it left behind; at once when that one does not run.
    async fn begin_after(&self, key: &str, spec: ProcessSpec, after: &str) -> Result<(), ProcessError> {
        // However it ended, or was lost: it does not run.
        let _ = self.wait(after).await;
        self.begin(key, spec).await
    }

    /// Waits for its end; answers at once if it has ended. When the main process is gone, its left-over children are
    /// killed before this returns.
    async fn wait(&self, key: &str) -> Result<Exit, ProcessError>;

    /// SIGTERM to the process and all it started, `grace_ms` later SIGKILL. Returns when asked, not when done.
    async fn kill(&self, key: &str, grace_ms: u64) -> Result<(), ProcessError>;

    /// Forgets an ended process and its files (not its log).
    async fn forget(&self, key: &str) -> Result<(), ProcessError>;

    /// Forgets all ended processes whose keys begin so. Nothing is forgotten by default.
    async fn forget_all(&self, _prefix: &str) -> Result<(), ProcessError> {
        Ok(())
    }
}
