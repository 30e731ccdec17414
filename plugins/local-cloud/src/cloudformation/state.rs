//! A stack as it is kept: what it should be, what it is made of, what happened to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kinds::{self, Kind};
use super::resources::Tags;

/// Events kept of a stack; the oldest go first. CloudFormation keeps ninety days.
const MAX_EVENTS: usize = 2000;

/// A stack's state, which is also where its operation is: a restart goes on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StackStatus {
    ReviewInProgress,
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    RollbackInProgress,
    RollbackFailed,
    RollbackComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteComplete,
    UpdateInProgress,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateFailed,
    UpdateRollbackInProgress,
    UpdateRollbackFailed,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
}

/// A resource's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ResourceStatus {
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    UpdateInProgress,
    UpdateFailed,
    UpdateComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteComplete,
    DeleteSkipped,
}

/// As the API spells a state.
pub(crate) fn word(status: &impl Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl StackStatus {
    /// Work is under way that a restart must take up.
    pub(crate) fn is_running(self) -> bool {
        self != Self::ReviewInProgress && word(&self).ends_with("IN_PROGRESS")
    }

    /// An update may begin.
    pub(crate) fn is_updatable(self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete | Self::UpdateRollbackComplete | Self::UpdateFailed)
    }

    /// There is such a stack for those who ask by name.
    pub(crate) fn exists(self) -> bool {
        self != Self::DeleteComplete
    }
}

impl ResourceStatus {
    /// As it should be.
    pub(crate) fn is_well(self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete)
    }
}

/// What to do with a create that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnFailure {
    DoNothing,
    #[default]
    Rollback,
    Delete,
}

/// What a stack should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// The template's text as it was given.
    pub(crate) template: String,
    /// Every parameter's value.
    pub(crate) parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) tags: Tags,
    #[serde(default)]
    pub(crate) capabilities: Vec<String>,
    #[serde(default)]
    pub(crate) role: Option<String>,
}

/// A resource as it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub(crate) logical: String,
    pub(crate) kind: String,
    /// The service's name for it, chosen before it is made. Empty: nothing of ours was made.
    pub(crate) name: String,
    pub(crate) explicit_name: Option<String>,
    pub(crate) physical: Option<String>,
    pub(crate) attributes: BTreeMap<String, Value>,
    /// In force.
    pub(crate) properties: Value,
    pub(crate) tags: Tags,
    pub(crate) status: ResourceStatus,
    pub(crate) reason: Option<String>,
    pub(crate) updated_ms: i64,
    #[serde(default)]
    pub(crate) retain: bool,
}

impl Resource {
    /// The type; a stack cannot have been made with an unknown one.
    pub(crate) fn kind(&self) -> Option<&'static Kind> {
        kinds::find(&self.kind)
    }

    /// What people see as its id.
    pub(crate) fn shown_id(&self) -> &str {
        self.physical.as_deref().unwrap_or(&self.name)
    }
}

/// An output with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) export: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StackEvent {
    pub(crate) id: String,
    pub(crate) at_ms: i64,
    pub(crate) logical: String,
    pub(crate) physical: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) token: Option<String>,
    #[serde(default)]
    pub(crate) properties: Option<Value>,
}

/// Changes put together to be looked at before they are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// `CREATE` or `UPDATE`.
    pub(crate) kind: String,
    /// `CREATE_COMPLETE` or `FAILED`.
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    /// `AVAILABLE`, `UNAVAILABLE`, `OBSOLETE`, `EXECUTE_COMPLETE`.
    pub(crate) execution: String,
    pub(crate) created_ms: i64,
    pub(crate) definition: Definition,
    pub(crate) changes: Vec<Change>,
    #[serde(default)]
    pub(crate) on_failure: Option<OnFailure>,
}

/// What would become of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) logical: String,
    pub(crate) kind: String,
    pub(crate) physical: Option<String>,
    /// `Add`, `Modify`, `Remove`.
    pub(crate) action: String,
    /// `True` or `False`, for `Modify`.
    pub(crate) replacement: Option<String>,
    /// Names of changed properties.
    pub(crate) properties: Vec<String>,
}

/// A stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stack {
    /// Its ARN.
    pub(crate) id: String,
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) status: StackStatus,
    pub(crate) reason: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: Option<i64>,
    pub(crate) deleted_ms: Option<i64>,
    /// In force, or being put in force.
    pub(crate) definition: Definition,
    /// What an update under way falls back to.
    pub(crate) previous: Option<Definition>,
    pub(crate) on_failure: OnFailure,
    #[serde(default)]
    pub(crate) protected: bool,
    pub(crate) token: Option<String>,
    /// Counts operations; whoever works for an earlier one stops.
    pub(crate) operation: u64,
    pub(crate) outputs: Vec<Output>,
    /// In the order they were made.
    pub(crate) resources: Vec<Resource>,
    /// Replaced or no longer wanted; removed in the clean-up, or taken back by a rollback.
    pub(crate) superseded: Vec<Resource>,
    /// Oldest first.
    pub(crate) events: Vec<StackEvent>,
    #[serde(default)]
    pub(crate) change_sets: Vec<ChangeSet>,
}

impl Stack {
    pub(crate) fn resource(&self, logical: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.logical == logical)
    }

    pub(crate) fn resource_mut(&mut self, logical: &str) -> Option<&mut Resource> {
        self.resources.iter_mut().find(|resource| resource.logical == logical)
    }

    /// Turns to a state and says so in the events.
    pub(crate) fn turn(&mut self, status: StackStatus, reason: Option<String>, now_ms: i64) {
        self.status = status;
        self.reason.clone_from(&reason);
        let event = StackEvent {
            id: uuid::Uuid::new_v4().to_string(),
            at_ms: now_ms,
            logical: self.name.clone(),
            physical: self.id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status: word(&status),
            reason,
            token: self.token.clone(),
            properties: None,
        };
        self.push(event);
    }

    /// Says in the events how a resource is.
    pub(crate) fn note(&mut self, resource: &Resource, now_ms: i64) {
        let status = word(&resource.status);
        let event = StackEvent {
            id: format!("{}-{status}-{}", resource.logical, uuid::Uuid::new_v4()),
            at_ms: now_ms,
            logical: resource.logical.clone(),
            physical: resource.shown_id().to_owned(),
            kind: resource.kind.clone(),
            status,
            reason: resource.reason.clone(),
            token: self.token.clone(),
            properties: Some(resource.properties.clone()),
        };
        self.push(event);
    }

    fn push(&mut self, event: StackEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.remove(0);
        }
        self.events.push(event);
    }
}
