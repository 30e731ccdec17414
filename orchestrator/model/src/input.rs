//! Questions to people. An approval is an input without values.

use serde::{Deserialize, Serialize};

use crate::{Object, ParameterSpec, Value};

/// A question that a build waits on. No agent slot is held while it waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// What is asked.
    pub message: String,
    /// The label of the affirmative answer.
    #[serde(default = "proceed")]
    pub ok: String,
    /// Users and groups who may answer; empty: everybody who may build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// Values to give with the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterSpec>,
    /// A reason must be given.
    #[serde(default)]
    pub reason_required: bool,
    /// Those whose work the build is (who started it, pushed its commit, changed its parameters) may approve.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub self_approval: bool,
    /// What is approved, by name: model package ARN, parameters, metrics... shown to the person and bound by `digest`.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub binds: Object,
    /// Hash over everything above, hexadecimal SHA-256. An answer must carry the digest its giver saw.
    pub digest: String,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_yes(answer: &bool) -> bool {
    *answer
}

fn proceed() -> String {
    "Proceed".to_owned()
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Go on.
    Approved,
    /// Stop here.
    Rejected,
}

/// What a person answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Yes or no.
    pub decision: Decision,
    /// Who.
    pub by: String,
    /// Why; may be empty where the question does not require it.
    #[serde(default)]
    pub reason: String,
    /// Values for the question's parameters.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub values: Object,
    /// The digest of what the person saw.
    pub digest: String,
}

impl Answer {
    /// One value by name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }
}
