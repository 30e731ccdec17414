//! What a program asks of a step, and what comes back.

use serde::{Deserialize, Serialize};

use crate::{BuildResult, Object, StepId, Vars};

/// One wish of a program: run this step kind with these arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Where it stands in the build.
    pub id: StepId,
    /// Counted from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempt: u32,
    /// The step kind, a name of [`crate::StepSchema`], as in `sh` or `sagemaker.training`.
    pub uses: String,
    /// Its arguments, all expressions already evaluated.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub with: Object,
    /// Variables for its processes, beside those of the build.
    #[serde(default, skip_serializing_if = "Vars::is_empty")]
    pub vars: Vars,
    /// Credentials to bind: variable name to credential id. The value never enters a journal.
    #[serde(default, skip_serializing_if = "Vars::is_empty")]
    pub credentials: Vars,
    /// `Some(label)`: needs a slot of an agent with this label expression (empty: any). `None`: runs in the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// `Some(path)`: runs on the lease opened under that path; takes no slot of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<StepId>,
    /// `Some(path)`: its workspace is this folder of the build's workspace, made if absent. A path that begins with `@2`
    /// lies in a second workspace beside the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_one(attempt: &u32) -> bool {
    *attempt == 1
}

impl Call {
    /// A first attempt without arguments, in the server.
    pub fn new(id: StepId, uses: impl Into<String>) -> Self {
        Self {
            id,
            attempt: 1,
            uses: uses.into(),
            with: Object::new(),
            vars: Vars::new(),
            credentials: Vars::new(),
            slot: None,
            lease: None,
            folder: None,
        }
    }
}

/// How a step ended. A failed script is a value: `result` says so; nothing here is an `Err`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOutput {
    /// The step's own verdict.
    pub result: BuildResult,
    /// What later steps may read, by the names of the schema.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub outputs: Object,
    /// For a step that is not a success: one sentence on why, and what to do next where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Set when the outcome is unknown, see [`Interrupted`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Interrupted>,
}

/// A step that was started and whose outcome nobody can tell, as an at-most-once step after a crash of its host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interrupted {
    /// What is known.
    pub why: String,
}

impl StepOutput {
    /// A success with outputs.
    pub fn success(outputs: Object) -> Self {
        Self { result: BuildResult::Success, outputs, message: None, interrupted: None }
    }

    /// A failure with its reason.
    pub fn failure(message: impl Into<String>) -> Self {
        Self { result: BuildResult::Failure, outputs: Object::new(), message: Some(message.into()), interrupted: None }
    }

    /// It began, and nobody can tell how it ended.
    pub fn interrupted(why: impl Into<String>) -> Self {
        let why = why.into();
        let message = format!("interrupted (outcome unknown): {why}");
        Self { interrupted: Some(Interrupted { why }), ..Self::failure(message) }
    }

    /// Stopped on request.
    pub fn aborted(message: impl Into<String>) -> Self {
        Self { result: BuildResult::Aborted, outputs: Object::new(), message: Some(message.into()), interrupted: None }
    }

    /// The same with outputs added.
    #[must_use]
    pub fn with_outputs(mut self, outputs: Object) -> Self {
        self.outputs = outputs;
        self
    }
}
