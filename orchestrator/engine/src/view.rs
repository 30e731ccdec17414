//! What a person sees of a build: the outline, filled in by the journal. A projection, made by [`crate::projection`].

use haliotis_flow::NodeKind;
use haliotis_model::{Answer, BuildId, BuildResult, BuildStatus, InputSpec, Millis, NewBuild, Object, StepId};
use serde::Serialize;

/// A build as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct BuildView {
    /// Its id.
    pub id: BuildId,
    /// What was pinned.
    pub build: NewBuild,
    /// Where it stands.
    pub status: BuildStatus,
    /// Once ended.
    pub result: Option<BuildResult>,
    /// Why, when not a success.
    pub message: Option<String>,
    /// The first turn.
    pub started_at: Option<Millis>,
    /// The last turn, once ended.
    pub ended_at: Option<Millis>,
    /// Nodes in the order of the outline; nodes the outline did not know follow in the order they appeared.
    pub nodes: Vec<NodeView>,
    /// Questions, open and answered, in the order asked.
    pub inputs: Vec<InputView>,
    /// Lines the program said.
    pub lines: Vec<(Millis, String)>,
    /// Number of turns so far.
    pub seq: u64,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeView {
    /// Its path.
    pub id: StepId,
    /// For people.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Nodes before it.
    pub needs: Vec<StepId>,
    /// The group it stands in.
    pub group: Option<StepId>,
    /// The step kind.
    pub uses: String,
    /// Where it stands.
    pub state: NodeState,
    /// The last attempt, 0 while none began.
    pub attempt: u32,
    /// Wanted by the program.
    pub queued_at: Option<Millis>,
    /// Granted an agent, or begun in the server.
    pub started_at: Option<Millis>,
    /// Ended.
    pub ended_at: Option<Millis>,
    /// Why it failed, was skipped, or waits.
    pub message: Option<String>,
    /// What it gave.
    pub outputs: Object,
    /// Its arguments, as evaluated.
    pub with: Object,
    /// Where it ran.
    pub agent: Option<String>,
    /// The deploy target it touches.
    pub environment: Option<String>,
    /// Its condition, as written.
    pub condition: Option<String>,
    /// It did not run in this build: its end was taken over from the one that `build.carry` names.
    pub carried: bool,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Not its turn yet.
    Pending,
    /// Wanted, waits for a slot.
    Queued,
    /// At work.
    Running,
    /// Waits for a person.
    Waiting,
    /// Ended well.
    Success,
    /// Ended, with doubts.
    Unstable,
    /// Failed.
    Failure,
    /// Stopped.
    Aborted,
    /// Will not run.
    Skipped,
    /// Started, outcome unknown.
    Interrupted,
}

impl NodeState {
    /// The word on pages and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeState::Pending => "pending",
            NodeState::Queued => "queued",
            NodeState::Running => "running",
            NodeState::Waiting => "waiting",
            NodeState::Success => "success",
            NodeState::Unstable => "unstable",
            NodeState::Failure => "failure",
            NodeState::Aborted => "aborted",
            NodeState::Skipped => "skipped",
            NodeState::Interrupted => "interrupted",
        }
    }

    /// Nothing more will happen to it.
    pub fn ended(self) -> bool {
        !matches!(self, NodeState::Pending | NodeState::Queued | NodeState::Running | NodeState::Waiting)
    }
}

impl From<BuildResult> for NodeState {
    fn from(result: BuildResult) -> Self {
        match result {
            BuildResult::Success => NodeState::Success,
            BuildResult::Unstable => NodeState::Unstable,
            BuildResult::Failure => NodeState::Failure,
            BuildResult::NotBuilt => NodeState::Skipped,
            BuildResult::Aborted => NodeState::Aborted,
        }
    }
}

/// A question.
#[derive(Clone, Debug, Serialize)]
pub struct InputView {
    /// Its path.
    pub id: StepId,
    /// What is asked.
    pub input: InputSpec,
    /// When it was asked.
    pub asked_at: Millis,
    /// The answer, once given.
    pub answer: Option<Answer>,
    /// When it was answered or withdrawn.
    pub closed_at: Option<Millis>,
}

impl InputView {
    /// It still waits.
    pub fn open(&self) -> bool {
        self.closed_at.is_none()
    }
}
