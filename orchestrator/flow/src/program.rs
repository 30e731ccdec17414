//! The two alphabets of a build and the trait between them.

use haliotis_model::{Answer, BuildResult, Call, InputSpec, Millis, StepId, StepOutput};
use serde::{Deserialize, Serialize};

/// A build's program. The engine cannot tell which language it came from.
pub trait Program {
    /// Takes what happened at `at` and answers what is wanted now. Called with an empty slice never; after `Finish` never.
    fn resume(&mut self, at: Millis, events: &[Event]) -> Vec<Command>;
}

/// A wish of a program. Committed to the journal before anything acts on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Run a step. `StepEnded` follows exactly once.
    StartStep(Call),
    /// Ask a running or queued step to stop. `StepEnded` still follows.
    CancelStep {
        /// The step.
        id: StepId,
    },
    /// `TimerFired` follows unless cancelled.
    StartTimer {
        /// The timer.
        id: StepId,
        /// From now, milliseconds.
        after_ms: u64,
    },
    /// The timer will not be told any more.
    CancelTimer {
        /// The timer.
        id: StepId,
    },
    /// Reserve a slot for several steps. `AgentLeased` follows.
    LeaseAgent {
        /// The lease.
        id: StepId,
        /// Label expression; empty: any agent.
        label: String,
    },
    /// Give the slot back, or stop waiting for it.
    ReleaseAgent {
        /// The lease.
        id: StepId,
    },
    /// Ask people. `InputAnswered` follows unless withdrawn.
    AskInput {
        /// The question.
        id: StepId,
        /// What is asked.
        input: InputSpec,
    },
    /// The question is void.
    WithdrawInput {
        /// The question.
        id: StepId,
    },
    /// A stage or group begins; for people.
    OpenBlock {
        /// The block.
        id: StepId,
        /// Its name.
        name: String,
        /// What it is.
        kind: BlockKind,
    },
    /// It ended.
    CloseBlock {
        /// The block.
        id: StepId,
        /// How.
        result: BuildResult,
        /// Why, when not a success.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Something of the outline will not run.
    Skip {
        /// The step or block.
        id: StepId,
        /// The reason a person reads.
        why: String,
    },
    /// A line for the build's own log.
    Say {
        /// The line.
        text: String,
    },
    /// The end of the build.
    Finish {
        /// How.
        result: BuildResult,
        /// Why, when not a success.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

/// What kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// A stage.
    Stage,
    /// A branch of a parallel block or a cell of a matrix.
    Branch,
    /// What runs after the rest.
    Post,
    /// A pipeline called by another (`uses:` of a file).
    Call,
}

/// What a program is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The build may begin. Always the first event, once.
    Begun,
    /// A step ended.
    StepEnded {
        /// The step.
        id: StepId,
        /// How.
        output: StepOutput,
    },
    /// A timer fired.
    TimerFired {
        /// The timer.
        id: StepId,
    },
    /// A slot was reserved.
    AgentLeased {
        /// The lease.
        id: StepId,
        /// The agent's name.
        agent: String,
    },
    /// A person answered.
    InputAnswered {
        /// The question.
        id: StepId,
        /// What.
        answer: Answer,
    },
    /// The build shall stop.
    AbortRequested {
        /// Who asked.
        by: String,
        /// Why.
        reason: String,
    },
}
