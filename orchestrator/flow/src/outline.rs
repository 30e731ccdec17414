//! What a build will do, as far as its source tells before it runs. Pages draw it; the journal fills it in.

use haliotis_model::StepId;
use serde::{Deserialize, Serialize};

/// The nodes in the order of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// Steps, inputs, groups.
    pub nodes: Vec<OutlineNode>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutlineNode {
    /// Its path.
    pub id: StepId,
    /// For people.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Nodes that must end before it begins.
    #[serde(default)]
    pub needs: Vec<StepId>,
    /// The step kind, for a step.
    #[serde(default)]
    pub uses: String,
    /// Label expression of the agent, for a step that takes a slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Its condition, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Who may answer, for an input.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// The deploy target it touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The group it stands in: a stage, a matrix, a called pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<StepId>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A step.
    Step,
    /// A question to a person.
    Input,
    /// A step that runs when the others are done (`when: always`, `failed`).
    Post,
    /// A group of the nodes that name it.
    Group,
}
