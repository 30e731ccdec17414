//! Change sets: a definition with its changes, to be looked at and then executed. They live in their stack's file.

use super::actions::{check_updatable, on_failure, stack_name};
use super::parameters::HIDDEN;
use super::plan::plan;
use super::state::{Change, ChangeSet, OnFailure, Stack, StackStatus};
use super::template::Template;
use super::xml::{list, some, tag, texts, time, wrap};
use super::{CloudFormation, invalid, missing, now_ms};
use crate::AwsError;
use crate::params::Params;

/// Change sets kept with a stack; more are refused until some are deleted.
const MAX_CHANGE_SETS: usize = 100;

impl CloudFormation {
    pub(super) fn create_change_set(&self, params: &Params) -> Result<String, AwsError> {
        let name = params.text("ChangeSetName").ok_or_else(|| missing("changeSetName"))?.to_owned();
        let kind = params.text("ChangeSetType").unwrap_or("UPDATE").to_owned();
        let stack = self.stack_for(params, &kind)?;
        let is_new = stack.status == StackStatus::ReviewInProgress;
        if stack.change_sets.iter().any(|set| set.name == name) {
            return Err(AwsError::new(400, "AlreadyExistsException", format!("ChangeSet {name} already exists")));
        }
        if stack.change_sets.len() >= MAX_CHANGE_SETS {
            return Err(AwsError::new(
                400,
                "LimitExceededException",
                format!("The stack has {MAX_CHANGE_SETS} change sets; delete some"),
            ));
        }
        let definition = self.definition(params, (!is_new).then_some(&stack.definition))?;
        let plan = plan(self, &stack, &definition)?;
        let nothing = !plan.anything;
        let why =
            "The submitted information didn't contain changes. Submit different information to create a change set.";
        let id = format!(
            "arn:aws:cloudformation:{}:{}:changeSet/{name}/{}",
            self.region,
            self.account,
            uuid::Uuid::new_v4()
        );
        let set = ChangeSet {
            id: id.clone(),
            name,
            description: params.text("Description").map(str::to_owned),
            kind,
            status: if nothing { "FAILED" } else { "CREATE_COMPLETE" }.to_owned(),
            reason: nothing.then(|| why.to_owned()),
            execution: if nothing { "UNAVAILABLE" } else { "AVAILABLE" }.to_owned(),
            created_ms: now_ms(),
            definition,
            changes: plan.changes,
            on_failure: Some(on_failure(params)?),
        };
        let answer = tag("Id", &id) + &tag("StackId", &stack.id);
        if self.stack(&stack.uuid).is_some() {
            self.amend(&stack.uuid, |stack| {
                stack.change_sets.push(set);
                Ok(())
            })?;
        } else {
            let mut stack = stack;
            stack.turn(StackStatus::ReviewInProgress, Some("User Initiated".to_owned()), now_ms());
            stack.change_sets.push(set);
            self.keep_new(stack)?;
        }
        Ok(answer)
    }

    /// The stack that a change set is for; a new one for `CREATE`.
    fn stack_for(&self, params: &Params, kind: &str) -> Result<Stack, AwsError> {
        let name = params.text("StackName").ok_or_else(|| missing("stackName"))?;
        let present = self.find(name);
        match (kind, present) {
            ("CREATE", Some(stack)) if stack.status == StackStatus::ReviewInProgress => Ok(stack),
            ("CREATE", Some(stack)) => {
                let what = format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                    stack.name,
                    params.get("ChangeSetName").unwrap_or_default()
                );
                Err(invalid(what))
            }
            ("CREATE", None) => Ok(self.new_stack(stack_name(params)?)),
            ("UPDATE", Some(stack)) => check_updatable(&stack).map(|()| stack),
            ("UPDATE", None) => Err(invalid(format!("Stack [{name}] does not exist"))),
            (other, _) => {
                Err(invalid(format!("the local cloud offers change sets of type CREATE and UPDATE, not {other}")))
            }
        }
    }

    pub(super) fn describe_change_set(&self, params: &Params) -> Result<String, AwsError> {
        let (stack, set) = self.change_set(params)?;
        let parsed = Template::parse(&set.definition.template)?;
        let shown = set.definition.parameters.iter().map(|(key, value)| {
            let hidden = parsed.parameters.iter().any(|spec| spec.name == *key && spec.no_echo);
            tag("ParameterKey", key) + &tag("ParameterValue", if hidden { HIDDEN } else { value })
        });
        Ok(tag("ChangeSetId", &set.id)
            + &tag("ChangeSetName", &set.name)
            + &tag("StackId", &stack.id)
            + &tag("StackName", &stack.name)
            + &some("Description", set.description.as_deref())
            + &list("Parameters", shown)
            + &time("CreationTime", Some(set.created_ms))
            + &tag("ExecutionStatus", &set.execution)
            + &tag("Status", &set.status)
            + &some("StatusReason", set.reason.as_deref())
            + &texts("Capabilities", &set.definition.capabilities)
            + &list("Tags", set.definition.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value)))
            + &list("Changes", set.changes.iter().map(change_xml)))
    }

    pub(super) fn execute_change_set(&self, params: &Params) -> Result<String, AwsError> {
        let (stack, set) = self.change_set(params)?;
        if set.execution != "AVAILABLE" {
            let what = format!("ChangeSet [{}] cannot be executed in its current status of [{}]", set.id, set.status);
            return Err(AwsError::new(400, "InvalidChangeSetStatus", what));
        }
        let token = params.text("ClientRequestToken").map(str::to_owned);
        let failure =
            if params.flag("DisableRollback") { OnFailure::DoNothing } else { set.on_failure.unwrap_or_default() };
        if set.kind == "CREATE" {
            self.begin(&stack, StackStatus::CreateInProgress, |stack| {
                if stack.status != StackStatus::ReviewInProgress {
                    return Err(invalid(format!("Stack [{}] has been made already", stack.name)));
                }
                stack.definition = set.definition.clone();
                stack.on_failure = failure;
                stack.token = token;
                Ok(())
            })?;
        } else {
            self.begin_update(&stack, set.definition.clone(), failure, token)?;
        }
        // The others were made for a stack that is no more.
        self.amend(&stack.uuid, |stack| {
            for other in &mut stack.change_sets {
                other.execution = if other.id == set.id { "EXECUTE_COMPLETE" } else { "OBSOLETE" }.to_owned();
            }
            Ok(())
        })?;
        Ok(String::new())
    }

    pub(super) fn delete_change_set(&self, params: &Params) -> Result<String, AwsError> {
        let (stack, set) = match self.change_set(params) {
            Err(error) if error.code == "ChangeSetNotFound" => return Ok(String::new()),
            found => found?,
        };
        self.amend(&stack.uuid, |stack| {
            stack.change_sets.retain(|other| other.id != set.id);
            Ok(())
        })?;
        Ok(String::new())
    }

    pub(super) fn list_change_sets(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        let summary = |set: &ChangeSet| {
            tag("ChangeSetId", &set.id)
                + &tag("ChangeSetName", &set.name)
                + &tag("StackId", &stack.id)
                + &tag("StackName", &stack.name)
                + &tag("ExecutionStatus", &set.execution)
                + &tag("Status", &set.status)
                + &some("StatusReason", set.reason.as_deref())
                + &some("Description", set.description.as_deref())
                + &time("CreationTime", Some(set.created_ms))
        };
        Ok(list("Summaries", stack.change_sets.iter().map(summary)))
    }

    /// By its name and its stack's, or by its id alone.
    fn change_set(&self, params: &Params) -> Result<(Stack, ChangeSet), AwsError> {
        let name = params.text("ChangeSetName").ok_or_else(|| missing("changeSetName"))?;
        let unknown = || AwsError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"));
        let stack = match params.text("StackName") {
            Some(_) => self.required(params)?,
            None => {
                let stacks = self.lock();
                let known = stacks.values().find(|stack| stack.change_sets.iter().any(|set| set.id == name));
                known.cloned().ok_or_else(unknown)?
            }
        };
        let set = stack.change_sets.iter().find(|set| set.name == name || set.id == name).cloned();
        set.map(|set| (stack, set)).ok_or_else(unknown)
    }
}

fn change_xml(change: &Change) -> String {
    let details = change.properties.iter().map(|name| {
        let attribute = if name == "Tags" { "Tags" } else { "Properties" };
        let target = tag("Attribute", attribute) + &some("Name", (name != "Tags").then_some(name));
        wrap("Target", &target) + &tag("Evaluation", "Static") + &tag("ChangeSource", "DirectModification")
    });
    let resource = tag("Action", &change.action)
        + &tag("LogicalResourceId", &change.logical)
        + &some("PhysicalResourceId", change.physical.as_deref())
        + &tag("ResourceType", &change.kind)
        + &some("Replacement", change.replacement.as_deref())
        + &list("Details", details);
    tag("Type", "Resource") + &wrap("ResourceChange", &resource)
}
