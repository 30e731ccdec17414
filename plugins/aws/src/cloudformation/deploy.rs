//! `cloudformation.deploy`: brings a stack to what a template and parameters say.
//!
//! All work is done in `attach`, each part idempotent under the key, so that a restart goes on where it was:
//!   1. wait until nobody else changes the stack; delete the remains of a failed creation
//!   2. change set `haliotis-KEY`: found or created, waited for; nothing to change is a success
//!   3. execute it; whether that was done is asked of CloudFormation (execution status, the stack's change set id)
//!   4. follow the events to the end
//!
//! `start` only notes what was before: the parameters and the newest event.
//!
//! Race: `cancel` writes a mark, then asks CloudFormation to stop. If it comes between the look at the mark and the
//! execution, there is nothing to stop yet; so step 4 looks at the mark again and asks itself.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_cloudformation::types::{ChangeSetType, ExecutionStatus, Stack};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildResult, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use super::change_set::{self, Computed};
use super::events::{self, Events};
use super::stack::{self, Meaning};
use crate::error::Told;
use crate::follow::{self, Pace};
use crate::{Clients, clients};

/// How long a deployment may take unless the step says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Looks in a row that may fail while a deployment goes on by itself.
const MAX_SILENCE: u32 = 40;

pub(crate) struct Deploy;

#[async_trait]
impl StepRunner for Deploy {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "cloudformation.deploy",
            doc: "Creates or updates a CloudFormation stack by a change set and follows it to the end.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments: schema_arguments(),
            outputs: vec![
                OutputSchema { name: "stack-id", doc: "ARN of the stack." },
                OutputSchema { name: "status", doc: "Status at the end." },
                OutputSchema { name: "outputs", doc: "The stack's outputs by name." },
                OutputSchema { name: "changed", doc: "False when there was nothing to change." },
                OutputSchema { name: "change-set", doc: "List of {action, resource, type, replacement}." },
                OutputSchema {
                    name: "previous-parameters",
                    doc: "The parameters before, by name, for a rollback; empty when the stack is new.",
                },
            ],
            open_outputs: false,
            cloud: true,
            example: "stack: abalone-staging\ntemplate: endpoint-config-template.yml\n\
                      parameters-file: staging-params-export.json\n\
                      parameters: { ModelPackageName: \"${{ event.ModelPackageArn }}\" }",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        let clients = clients(&ctx.cloud).await?;
        follow::introduce(ctx, &clients).await?;
        Ok(Started { handle: Some(before(ctx, &clients).await?) })
    }

    async fn attach(&self, ctx: &StepContext, handle: &Value) -> Result<StepOutput, StepError> {
        let kept = ctx.scratch.join("result.json");
        if let Some(output) = std::fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(output);
        }
        let clients = clients(&ctx.cloud).await?;
        let stack = ctx.required("stack")?;
        let deployment = Deployment { ctx, clients: &clients, stack, before: handle, deadline_ms: deadline_ms(ctx)? };
        let output = deployment.run().await?;
        std::fs::write(&kept, serde_json::to_vec(&output).unwrap_or_default())?;
        Ok(output)
    }

    async fn cancel(&self, ctx: &StepContext, handle: &Value) -> Result<(), StepError> {
        let first = !cancelled(ctx);
        std::fs::write(mark(ctx), "")?;
        if !first || ctx.scratch.join("result.json").exists() {
            return Ok(());
        }
        let clients = clients(&ctx.cloud).await?;
        let stack = ctx.required("stack")?;
        let deployment = Deployment { ctx, clients: &clients, stack, before: handle, deadline_ms: 0 };
        match stack::describe(&clients, &deployment.stack).await? {
            Some(found) if deployment.executed(&found).await? => deployment.stop(&found).await,
            _ => Ok(()),
        }
    }
}

fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Duration, Map, Path, String, Strings};
    vec![
        ArgumentSchema::required("stack", String, "Name of the stack."),
        ArgumentSchema::required("template", Path, "The template in the workspace, YAML or JSON, at most 1 MiB."),
        ArgumentSchema::optional("parameters", Map, "Parameters by name; they win over those of the file."),
        ArgumentSchema::optional(
            "parameters-file",
            Path,
            "JSON: a list of {ParameterKey, ParameterValue}, a map, or {Parameters: map}.",
        ),
        ArgumentSchema::optional("tags", Map, "Tags of the stack and its resources."),
        ArgumentSchema::optional("tags-file", Path, "JSON: a list of {Key, Value}, a map, or {Tags: map}."),
        ArgumentSchema::optional("role", String, "ARN of a role that CloudFormation takes to do the work."),
        ArgumentSchema::optional("capabilities", Strings, "As CAPABILITY_IAM, when the template makes roles."),
        ArgumentSchema::optional("on-failure", String, "What becomes of a deployment that fails.")
            .or("rollback")
            .one_of(&["rollback", "keep", "delete"]),
        ArgumentSchema::optional("timeout", Duration, "After this long the deployment is undone.").or("60m"),
    ]
}

/// What was before this step: written down at the first start, told again at every other.
async fn before(ctx: &StepContext, clients: &Clients) -> Result<Value, StepError> {
    let path = ctx.scratch.join("before.json");
    if let Some(known) = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(known);
    }
    let name = ctx.required("stack")?;
    let found = stack::describe(clients, &name).await?;
    let last_event = events::newest_id(clients, &name).await?;
    let before = json!({ "parameters": stack::parameters(found.as_ref()), "last-event": last_event });
    std::fs::write(path, before.to_string())?;
    Ok(before)
}

fn mark(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("cancelled")
}

fn cancelled(ctx: &StepContext) -> bool {
    mark(ctx).exists()
}

/// When the deployment must have ended; the same after a restart.
fn deadline_ms(ctx: &StepContext) -> Result<u64, StepError> {
    let path = ctx.scratch.join("deadline");
    if let Some(known) = std::fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()) {
        return Ok(known);
    }
    let timeout = ctx.duration_ms("timeout").map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let deadline = now_ms() + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX / 2);
    std::fs::write(path, deadline.to_string())?;
    Ok(deadline)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

struct Deployment<'a> {
    ctx: &'a StepContext,
    clients: &'a Clients,
    stack: String,
    before: &'a Value,
    deadline_ms: u64,
}

impl Deployment<'_> {
    async fn run(&self) -> Result<StepOutput, StepError> {
        let found = stack::describe(self.clients, &self.stack).await?;
        let executed = match &found {
            Some(found) => self.executed(found).await?,
            None => false,
        };
        if !executed && let Some(output) = self.prepare().await? {
            return Ok(output);
        }
        self.follow().await
    }

    /// True when our change set was executed. CloudFormation deletes executed change sets at times, so the stack's own
    /// record counts as well: it ends in `changeSet/NAME/UUID`.
    async fn executed(&self, found: &Stack) -> Result<bool, StepError> {
        let ours = format!("/{}/", change_set::name(self.ctx));
        if found.change_set_id.as_deref().is_some_and(|id| format!("{id}/").contains(&ours))
            && stack::meaning(&status(found)) != Meaning::Review
        {
            return Ok(true);
        }
        let known = change_set::describe(self.ctx, self.clients, &self.stack).await?;
        Ok(matches!(
            known.and_then(|set| set.execution_status),
            Some(
                ExecutionStatus::ExecuteInProgress | ExecutionStatus::ExecuteComplete | ExecutionStatus::ExecuteFailed
            )
        ))
    }

    /// Parts 1 to 3. `Some`: the step ends without an execution.
    async fn prepare(&self) -> Result<Option<StepOutput>, StepError> {
        let kind = match self.settled().await? {
            Ok(kind) => kind,
            Err(output) => return Ok(Some(output)),
        };
        let changes = match change_set::compute(self.ctx, self.clients, &self.stack, kind).await? {
            Computed::Changes(changes) => changes,
            Computed::Nothing => {
                change_set::discard(self.ctx, self.clients, &self.stack).await;
                self.ctx.log.line(&format!("stack {}: nothing to change", self.stack));
                let found = stack::describe(self.clients, &self.stack).await?;
                let outputs = found.map(|found| self.outputs(&found, false)).unwrap_or_default();
                return Ok(Some(StepOutput::success(outputs)));
            }
            Computed::Refused(reason) => {
                change_set::discard(self.ctx, self.clients, &self.stack).await;
                return Ok(Some(StepOutput::failure(format!("stack {}: {reason}", self.stack))));
            }
        };
        for change in &changes {
            let word = |key: &str| change[key].as_str().unwrap_or("");
            self.ctx.log.line(&format!("change: {} {} ({})", word("action"), word("resource"), word("type")));
        }
        std::fs::write(self.changes_file(), Value::Array(changes).to_string())?;
        if cancelled(self.ctx) {
            change_set::discard(self.ctx, self.clients, &self.stack).await;
            return Ok(Some(StepOutput::aborted("stopped before the change set was executed")));
        }
        let mark = events::newest_id(self.clients, &self.stack).await?;
        std::fs::write(self.mark_file(), json!(mark).to_string())?;
        change_set::execute(self.ctx, self.clients, &self.stack).await?;
        Ok(None)
    }

    /// Part 1: waits until the stack can be changed, and tells how.
    async fn settled(&self) -> Result<Result<ChangeSetType, StepOutput>, StepError> {
        let mut pace = Pace::new(self.ctx);
        let mut deleting = false;
        loop {
            let found = stack::describe(self.clients, &self.stack).await?;
            let status = found.as_ref().map(status);
            match status.as_ref().map_or(Meaning::Gone, stack::meaning) {
                Meaning::Gone | Meaning::Review => return Ok(Ok(ChangeSetType::Create)),
                Meaning::Stable => return Ok(Ok(ChangeSetType::Update)),
                Meaning::Busy => {}
                Meaning::Remains if deleting => {}
                Meaning::Remains => {
                    self.ctx.log.line(&format!("stack {}: deleting the remains of a failed creation", self.stack));
                    self.delete().await?;
                    deleting = true;
                }
                Meaning::Broken => {
                    let status = status.map_or_else(String::new, |status| status.as_str().to_owned());
                    return Ok(Err(StepOutput::failure(format!(
                        "stack {} is {status} and cannot be changed; repair or delete it first",
                        self.stack
                    ))));
                }
            }
            if cancelled(self.ctx) {
                return Ok(Err(StepOutput::aborted("stopped while another change of the stack went on")));
            }
            if now_ms() > self.deadline_ms {
                return Ok(Err(StepOutput::failure(format!("stack {}: something else changes it still", self.stack))));
            }
            pace.wait(0).await;
        }
    }

    /// Part 4.
    async fn follow(&self) -> Result<StepOutput, StepError> {
        let mut events = Events::after(self.event_mark());
        let (mut pace, mut silent, mut asked, mut late) = (Pace::new(self.ctx), 0, false, false);
        loop {
            match self.look(&mut events).await {
                Ok(Some(output)) => return Ok(self.judged(output, late)),
                Ok(None) => silent = 0,
                Err(error) => {
                    silent += 1;
                    if silent > MAX_SILENCE {
                        return Err(StepError::Unknown(format!(
                            "the stack {} is being changed, and {error}",
                            self.stack
                        )));
                    }
                }
            }
            late = late || now_ms() > self.deadline_ms;
            if (late || cancelled(self.ctx))
                && !asked
                && let Some(found) = stack::describe(self.clients, &self.stack).await?
            {
                self.stop(&found).await?;
                asked = true;
            }
            pace.wait(silent).await;
        }
    }

    /// `Some` when the deployment has ended: its events after the mark tell so, and the stack's status agrees.
    async fn look(&self, events: &mut Events) -> Result<Option<StepOutput>, StepError> {
        // A deleted stack is known by its id alone; its name would not be found.
        events.pull(self.ctx, self.clients, &self.stack).await?;
        let Some(found) = stack::describe(self.clients, &self.stack).await? else {
            let why = events.failure.clone().unwrap_or_else(|| "no reason is known".to_owned());
            return Ok(Some(StepOutput::failure(format!("stack {} was deleted: {why}", self.stack))));
        };
        let status = status(&found);
        let ended = !matches!(stack::meaning(&status), Meaning::Busy | Meaning::Review);
        if !ended || events.stack_status.as_deref() != Some(status.as_str()) {
            return Ok(None);
        }
        let outputs = self.outputs(&found, true);
        if stack::went_well(&status) {
            return Ok(Some(StepOutput::success(outputs)));
        }
        let stack_reason = found.stack_status_reason.clone();
        let why = events.failure.clone().or(stack_reason).unwrap_or_else(|| "no reason is known".to_owned());
        let message = format!("stack {} is {} because {why}", self.stack, status.as_str());
        Ok(Some(StepOutput::failure(message).with_outputs(outputs)))
    }

    /// A failure that was asked for reads as such.
    fn judged(&self, mut output: StepOutput, late: bool) -> StepOutput {
        if output.result == BuildResult::Success {
            return output;
        }
        let message = output.message.take().unwrap_or_default();
        if cancelled(self.ctx) {
            output.result = BuildResult::Aborted;
            output.message = Some(format!("stopped on request; {message}"));
        } else if late {
            output.message = Some(format!("the deployment took too long and was undone; {message}"));
        } else {
            output.message = Some(message);
        }
        output
    }

    /// Undoes what goes on: an update is rolled back; a stack that was not there before is deleted.
    async fn stop(&self, found: &Stack) -> Result<(), StepError> {
        match status(found).as_str() {
            "UPDATE_IN_PROGRESS" => {
                let request = self.clients.cloudformation.cancel_update_stack().stack_name(&self.stack);
                match request.send().await {
                    // It ended in between.
                    Err(error) if error.as_service_error().is_some() => Ok(()),
                    other => other.told(&self.clients.cloud, "cancelling the update").map(drop),
                }
            }
            "CREATE_IN_PROGRESS" if self.before["parameters"].is_null() => self.delete().await,
            _ => Ok(()),
        }
    }

    async fn delete(&self) -> Result<(), StepError> {
        let sent = self.clients.cloudformation.delete_stack().stack_name(&self.stack).send().await;
        sent.told(&self.clients.cloud, &format!("deleting the stack {}", self.stack)).map(drop)
    }

    fn outputs(&self, found: &Stack, changed: bool) -> Object {
        let changes = std::fs::read(self.changes_file()).ok().filter(|_| changed);
        let changes = changes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_else(|| json!([]));
        Object::from_iter([
            ("stack-id".to_owned(), found.stack_id.clone().into()),
            ("status".to_owned(), status(found).as_str().into()),
            ("outputs".to_owned(), stack::outputs(found).into()),
            ("changed".to_owned(), changed.into()),
            ("change-set".to_owned(), changes),
            ("previous-parameters".to_owned(), self.previous_parameters()),
        ])
    }

    /// An empty map for a new stack, so that expressions may ask for its size.
    fn previous_parameters(&self) -> Value {
        self.before["parameters"].as_object().cloned().unwrap_or_default().into()
    }

    /// The newest event before the execution; without the scratch folder, the newest at the start.
    fn event_mark(&self) -> Option<String> {
        let kept = std::fs::read(self.mark_file()).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        kept.as_ref().unwrap_or(&self.before["last-event"]).as_str().map(str::to_owned)
    }

    fn changes_file(&self) -> PathBuf {
        self.ctx.scratch.join("changes.json")
    }

    fn mark_file(&self) -> PathBuf {
        self.ctx.scratch.join("last-event.json")
    }
}

fn status(found: &Stack) -> aws_sdk_cloudformation::types::StackStatus {
    found.stack_status.clone().unwrap_or_else(|| "UNKNOWN".into())
}
