//! Carries a stack's operation to its end. The stack's status says where the operation is, so a restart simply goes on.
//!
//! Properties: what a client was told is on disk; every resource that was made is removed or in force at the end; a
//! resource of somebody else is never removed.
//!
//! The races, and what happens:
//! - Killed before a resource is created: its record, with the name chosen for it, is on disk; it is looked for by that
//!   name and created if it is not there.
//! - Killed after it was created and before that was noted: it is found by its name and taken up.
//! - A name given by the template that is already taken: seen before the record is written, so the resource that is
//!   there is never taken for ours. Should somebody take the name in between, the service refuses, and the record's
//!   name is emptied before anything could be removed by it.
//! - Killed in an update in place: looked at again; sent again unless it is in force.
//! - DeleteStack during a create or an update: the operation's number moves on; the worker of the earlier one stops at
//!   its next step, and the new one waits for it to be gone before it begins. What the earlier one had just asked for
//!   is in the records.
//! - A rollback during whose forward step the server is killed: the status is `…ROLLBACK_IN_PROGRESS`; it goes on back.
//! - The disk is full: the step is tried again until its record is written; nothing goes on unrecorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::evaluate::Scope;
use super::parameters::plain;
use super::state::{Definition, OnFailure, Output, Resource, Stack, StackStatus};
use super::template::Template;
use super::{CloudFormation, now_ms};

/// How long a write that fails waits before it is tried again.
const WRITE_RETRY: Duration = Duration::from_secs(2);

/// Why a step did not go through.
#[derive(Debug)]
pub(super) enum Halt {
    /// Another operation has taken over.
    Stopped,
    /// For the stack's status reason.
    Failed(String),
}

/// Works on one operation of one stack.
pub(super) struct Worker {
    pub(super) cloud: Arc<CloudFormation>,
    pub(super) uuid: String,
    pub(super) operation: u64,
}

impl Worker {
    /// To the end of the operation, or until another takes over.
    pub(super) async fn run(self) {
        // The worker of an earlier operation must be gone before this one looks at what there is.
        let turn = self.cloud.turnstile(&self.uuid);
        let _alone = turn.lock().await;
        while let Ok(stack) = self.read() {
            if !stack.status.is_running() {
                return;
            }
            if self.phase(&stack).await.is_err() {
                return;
            }
        }
    }

    /// One phase; an error means that another operation has taken over.
    async fn phase(&self, stack: &Stack) -> Result<(), Halt> {
        use StackStatus::*;
        let outcome = match stack.status {
            CreateInProgress | UpdateInProgress => self.forward(&stack.definition).await,
            UpdateRollbackInProgress => match &stack.previous {
                Some(previous) => self.forward(previous).await,
                None => Err(Halt::Failed("the previous definition is not there".to_owned())),
            },
            RollbackInProgress | DeleteInProgress => self.remove_all(false).await,
            UpdateCompleteCleanupInProgress | UpdateRollbackCompleteCleanupInProgress => self.remove_all(true).await,
            _ => return Err(Halt::Stopped),
        };
        let failed = match outcome {
            Ok(()) => None,
            Err(Halt::Failed(reason)) => Some(reason),
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        };
        let next = next(stack.status, stack.on_failure, failed.is_some()).ok_or(Halt::Stopped)?;
        self.change(|stack| {
            match next {
                UpdateComplete => stack.previous = None,
                UpdateRollbackComplete => {
                    if let Some(previous) = stack.previous.take() {
                        stack.definition = previous;
                    }
                }
                DeleteComplete => {
                    stack.deleted_ms = Some(now_ms());
                    stack.outputs.clear();
                }
                _ => {}
            }
            let requested = if next == RollbackInProgress { "Rollback requested by user." } else { "" };
            let reason = failed.as_ref().map(|reason| format!("{reason}{requested}"));
            stack.turn(next, reason, now_ms());
        })
        .await
    }

    /// Brings every resource to what the definition says, in order, then says what the outputs are.
    async fn forward(&self, definition: &Definition) -> Result<(), Halt> {
        let template = Template::parse(&definition.template).map_err(|error| Halt::Failed(error.message))?;
        let order = template.order().map_err(|error| Halt::Failed(error.message))?;
        let mut wanted = Vec::new();
        for spec in order {
            let stack = self.read()?;
            let scope = scope(&self.cloud, &stack, definition, &template);
            let fail = |reason: String| Halt::Failed(reason);
            if !scope.holds(spec.condition.as_deref()).map_err(|error| fail(error.message))? {
                continue;
            }
            wanted.push(spec.logical.clone());
            let evaluated = scope.evaluate(&spec.properties).map_err(|error| error.message);
            let result = evaluated.and_then(|value| spec.kind.wanted(value.unwrap_or_else(|| json!({}))));
            self.ensure(spec, result, &definition.tags).await?;
        }
        self.retire_unwanted(&wanted).await?;
        let stack = self.read()?;
        let outputs = outputs(&scope(&self.cloud, &stack, definition, &template)).map_err(Halt::Failed)?;
        self.change(|stack| stack.outputs.clone_from(&outputs)).await
    }

    /// What the definition no longer names waits for the clean-up; the rest is put in the definition's order.
    async fn retire_unwanted(&self, wanted: &[String]) -> Result<(), Halt> {
        self.change(|stack| {
            let (mut kept, gone): (Vec<Resource>, Vec<Resource>) = std::mem::take(&mut stack.resources)
                .into_iter()
                .partition(|resource| wanted.contains(&resource.logical));
            kept.sort_by_key(|resource| wanted.iter().position(|name| *name == resource.logical));
            stack.resources = kept;
            stack.superseded.extend(gone);
        })
        .await
    }

    /// The stack, while this operation is the stack's own.
    pub(super) fn read(&self) -> Result<Stack, Halt> {
        let own = |stack: &Stack| stack.operation == self.operation && !self.cloud.is_closed();
        self.cloud.stack(&self.uuid).filter(own).ok_or(Halt::Stopped)
    }

    /// Changes the stack and writes it; tries again while it cannot be written.
    pub(super) async fn change(&self, change: impl Fn(&mut Stack)) -> Result<(), Halt> {
        loop {
            match self.cloud.change(&self.uuid, self.operation, &change) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Halt::Stopped),
                Err(error) => tracing::warn!(%error, stack = self.uuid, "cannot record a stack's step; trying again"),
            }
            tokio::time::sleep(WRITE_RETRY).await;
        }
    }
}

/// The state after a phase; `None` for states that have no phase.
fn next(status: StackStatus, on_failure: OnFailure, failed: bool) -> Option<StackStatus> {
    use StackStatus::*;
    let next = match (status, failed) {
        (CreateInProgress, false) => CreateComplete,
        (CreateInProgress, true) => match on_failure {
            OnFailure::DoNothing => CreateFailed,
            OnFailure::Rollback => RollbackInProgress,
            OnFailure::Delete => DeleteInProgress,
        },
        (RollbackInProgress, false) => RollbackComplete,
        (RollbackInProgress, true) => RollbackFailed,
        (UpdateInProgress, false) => UpdateCompleteCleanupInProgress,
        (UpdateInProgress, true) if on_failure == OnFailure::DoNothing => UpdateFailed,
        (UpdateInProgress, true) => UpdateRollbackInProgress,
        // What could not be cleaned up is said in the events; the stack is as it should be.
        (UpdateCompleteCleanupInProgress, _) => UpdateComplete,
        (UpdateRollbackInProgress, false) => UpdateRollbackCompleteCleanupInProgress,
        (UpdateRollbackInProgress, true) => UpdateRollbackFailed,
        (UpdateRollbackCompleteCleanupInProgress, _) => UpdateRollbackComplete,
        (DeleteInProgress, false) => DeleteComplete,
        (DeleteInProgress, true) => DeleteFailed,
        (
            ReviewInProgress
            | CreateFailed
            | CreateComplete
            | RollbackFailed
            | RollbackComplete
            | DeleteFailed
            | DeleteComplete
            | UpdateComplete
            | UpdateFailed
            | UpdateRollbackFailed
            | UpdateRollbackComplete,
            _,
        ) => return None,
    };
    Some(next)
}

/// What names mean for a definition, with the resources as they are now.
pub(super) fn scope<'a>(
    cloud: &CloudFormation,
    stack: &Stack,
    definition: &'a Definition,
    template: &'a Template,
) -> Scope<'a> {
    let answers = |resource: &Resource| {
        let mut attributes: BTreeMap<String, Value> = resource.attributes.clone();
        if let Some(physical) = &resource.physical {
            attributes.insert(String::new(), json!(physical));
        }
        (resource.logical.clone(), attributes)
    };
    Scope {
        template,
        parameters: &definition.parameters,
        pseudo: cloud.pseudo(&stack.name, &stack.id),
        resources: stack.resources.iter().map(answers).collect(),
    }
}

/// The outputs' values.
pub(super) fn outputs(scope: &Scope<'_>) -> Result<Vec<Output>, String> {
    let mut outputs = Vec::new();
    for spec in &scope.template.outputs {
        if !scope.holds(spec.condition.as_deref()).map_err(|error| error.message)? {
            continue;
        }
        let text = |value: &Value| match scope.evaluate(value) {
            Ok(Some(value)) if !value.is_array() && !value.is_object() => Ok(plain(&value)),
            Ok(_) => Err(format!("Template format error: Output {} is malformed. The Value must be text.", spec.name)),
            Err(error) => Err(error.message),
        };
        outputs.push(Output {
            key: spec.name.clone(),
            value: text(&spec.value)?,
            description: spec.description.clone(),
            export: spec.export.as_ref().map(&text).transpose()?,
        });
    }
    Ok(outputs)
}
