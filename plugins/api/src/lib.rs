//! What a step kind is, and all it may see.
//!
//! A plugin implements [`StepRunner`]; the agent drives it. Nothing here names the engine, a store or a web framework.
//!
//! **Idempotence.** `start` may be called again under the same key after any crash, and must then find what the first
//! call made. `attach` follows to the end and may be called again at any time, also long after the end. `cancel` may be
//! called twice, and after the end. [`conformance`] checks all of it.

pub mod conformance;
mod context;
mod process;
pub mod program;

use async_trait::async_trait;
pub use context::{CloudSettings, Log, StepContext, parse_duration_ms};
use haliotis_model::{StepOutput, StepSchema, Value};
pub use process::{Exit, ProcessError, ProcessSpec, Processes};

/// One step kind.
#[async_trait]
pub trait StepRunner: Send + Sync {
    /// Name, arguments, outputs, delivery.
    fn schema(&self) -> StepSchema;

    /// Whether the scratch folder must be there before `start`. A kind that says no makes it when it needs it; its
    /// parent is always there.
    fn wants_scratch(&self) -> bool {
        true
    }

    /// Whether its work is one local process under the step's key that `start` hands to [`Processes::begin`]. Such a step
    /// may be started before there is a slot for it: its process then waits for the end of one before.
    fn follows(&self) -> bool {
        false
    }

    /// Begins the work, or finds it begun under the same key. Returns at once; a handle, when given, is committed to
    /// the journal before `attach` is called and comes back after every restart.
    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError>;

    /// Follows the work to its end, logging from where the log stops.
    async fn attach(&self, ctx: &StepContext, handle: &Value) -> Result<StepOutput, StepError>;

    /// Asks the work to stop; `attach` still reports the end.
    async fn cancel(&self, ctx: &StepContext, handle: &Value) -> Result<(), StepError>;
}

/// What `start` gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Started {
    /// What `attach` needs beyond the key, as the name of a remote job. `None` saves a commit; `attach` gets null.
    pub handle: Option<Value>,
}

/// We could not tell how the step went. A failed script is not an error but a [`StepOutput`].
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// What the user wrote cannot work: a bad argument, a file that is not there. Not retried by us.
    #[error("{0}")]
    Usage(String),
    /// The world did not cooperate: network, service, disk. The message names what and what to do.
    #[error("{0}")]
    World(String),
    /// Started, and the outcome cannot be known.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

impl From<std::io::Error> for StepError {
    fn from(error: std::io::Error) -> Self {
        StepError::World(error.to_string())
    }
}
