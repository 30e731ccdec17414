//! What the engine asks of those who do: run a step, stop a step. The agent implements it.

use std::sync::Arc;

use async_trait::async_trait;
use haliotis_model::{BuildId, BuildResult, Call, NewBuild, StepKey, StepOutput, StepSchema, Value};
use tokio::sync::{mpsc, oneshot};

use crate::host::Message;

/// An agent: where steps with a slot run.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentInfo {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// How many steps at once.
    pub slots: u32,
}

/// One attempt of one step, committed to the journal and free to begin.
#[derive(Clone, Debug)]
pub struct StepTask {
    /// Build, step, attempt.
    pub key: StepKey,
    /// The call.
    pub call: Arc<Call>,
    /// What the build pinned.
    pub build: Arc<NewBuild>,
    /// The agent, for a step with a slot.
    pub agent: Option<String>,
    /// The handle journaled before a restart.
    pub handle: Option<Value>,
    /// The server was restarted since the step was granted: look before starting it again.
    pub recovered: bool,
}

/// Runs steps. `run` is called once per attempt and server life; on a restart it is called again with `recovered`.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// The agents at hand. The engine grants at most `slots` + a look-ahead; the executor keeps to `slots`.
    fn agents(&self) -> Vec<AgentInfo>;

    /// All step kinds, sorted by name.
    fn schemas(&self) -> Vec<StepSchema>;

    /// Runs or re-attaches to the end. Never panics; whatever happens is a value.
    async fn run(&self, task: StepTask, reporter: Reporter) -> StepOutput;

    /// Asks a step to stop; `run` still reports its end. Unknown keys are ignored.
    async fn cancel(&self, key: &StepKey);

    /// The build ended: workspaces and process records may go.
    async fn build_ended(&self, build: BuildId, result: BuildResult);
}

/// A running step's way to the journal.
#[derive(Clone)]
pub struct Reporter {
    pub(crate) key: StepKey,
    pub(crate) engine: mpsc::UnboundedSender<Message>,
}

impl Reporter {
    /// Commits the handle; returns when it is on disk. `false`: the engine is going down, do not go on.
    pub async fn handle(&self, handle: Value) -> bool {
        let (done, committed) = oneshot::channel();
        let message = Message::Handle { key: self.key.clone(), handle, done };
        self.engine.send(message).is_ok() && committed.await.is_ok()
    }
}
