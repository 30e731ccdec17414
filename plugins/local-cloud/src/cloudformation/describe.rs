//! The actions that only look: stacks, events, resources, templates.

use super::parameters::{HIDDEN, ParameterSpec};
use super::state::{OnFailure, Resource, Stack, StackEvent, StackStatus, word};
use super::template::Template;
use super::xml::{list, some, tag, texts, time, wrap};
use super::{CloudFormation, invalid, missing, source};
use crate::AwsError;
use crate::params::Params;

/// Events on a page.
const EVENTS_PER_PAGE: usize = 100;

impl CloudFormation {
    pub(super) fn describe_stacks(&self, params: &Params) -> Result<String, AwsError> {
        if params.text("StackName").is_some() {
            let stack = self.required(params)?;
            return Ok(list("Stacks", [stack_xml(&stack)]));
        }
        let stacks = self.lock();
        let mut existing: Vec<&Stack> = stacks.values().filter(|stack| stack.status.exists()).collect();
        existing.sort_by_key(|stack| std::cmp::Reverse(stack.created_ms));
        Ok(list("Stacks", existing.into_iter().map(stack_xml)))
    }

    pub(super) fn list_stacks(&self, params: &Params) -> Result<String, AwsError> {
        let wanted = params.texts("StackStatusFilter");
        let stacks = self.lock();
        let shown = |stack: &&Stack| wanted.is_empty() || wanted.contains(&word(&stack.status));
        let mut found: Vec<&Stack> = stacks.values().filter(shown).collect();
        found.sort_by_key(|stack| std::cmp::Reverse(stack.created_ms));
        let summary = |stack: &Stack| {
            tag("StackId", &stack.id)
                + &tag("StackName", &stack.name)
                + &some("TemplateDescription", description(stack).as_deref())
                + &times(stack)
                + &tag("StackStatus", &word(&stack.status))
                + &some("StackStatusReason", stack.reason.as_deref())
                + &drift("StackDriftStatus")
        };
        Ok(list("StackSummaries", found.into_iter().map(summary)))
    }

    pub(super) fn describe_events(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        let skip: usize = match params.text("NextToken") {
            None => 0,
            Some(token) => token.parse().map_err(|_| invalid("The NextToken is not one of this stack".to_owned()))?,
        };
        // Newest first; a token counts from the oldest, so that new events do not shift a page.
        let end = if skip == 0 { stack.events.len() } else { skip.min(stack.events.len()) };
        let start = end.saturating_sub(EVENTS_PER_PAGE);
        let page = stack.events[start..end].iter().rev();
        let next = if start > 0 { tag("NextToken", &start.to_string()) } else { String::new() };
        Ok(list("StackEvents", page.map(|event| event_xml(&stack, event))) + &next)
    }

    pub(super) fn describe_resource(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        let logical = params.text("LogicalResourceId").ok_or_else(|| missing("logicalResourceId"))?;
        let resource = listed(&stack)
            .into_iter()
            .find(|resource| resource.logical == logical)
            .ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {}", stack.name)))?;
        let detail = resource_xml(&stack, resource, "LastUpdatedTimestamp") + &tag("Metadata", "{}");
        Ok(wrap("StackResourceDetail", &detail))
    }

    pub(super) fn describe_resources(&self, params: &Params) -> Result<String, AwsError> {
        let stack = match (params.text("StackName"), params.text("PhysicalResourceId")) {
            (Some(_), _) => self.required(params)?,
            (None, Some(physical)) => {
                let stacks = self.lock();
                let owner = stacks.values().find(|stack| stack.resources.iter().any(|r| r.shown_id() == physical));
                owner.cloned().ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))?
            }
            (None, None) => return Err(invalid("Specify a StackName or a PhysicalResourceId".to_owned())),
        };
        let wanted = params.text("LogicalResourceId");
        let shown = listed(&stack).into_iter().filter(|resource| wanted.is_none_or(|name| name == resource.logical));
        Ok(list("StackResources", shown.map(|resource| resource_xml(&stack, resource, "Timestamp"))))
    }

    pub(super) fn list_resources(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        let summary = |resource: &Resource| {
            tag("LogicalResourceId", &resource.logical) + &facts(resource, "LastUpdatedTimestamp")
        };
        Ok(list("StackResourceSummaries", listed(&stack).into_iter().map(summary)))
    }

    pub(super) fn get_template(&self, params: &Params) -> Result<String, AwsError> {
        let text = match params.text("ChangeSetName") {
            None => self.required(params)?.definition.template,
            Some(name) => {
                let stack = self.required(params)?;
                let set = stack.change_sets.into_iter().find(|set| set.name == name || set.id == name);
                set.ok_or_else(|| {
                    AwsError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
                })?
                .definition
                .template
            }
        };
        Ok(tag("TemplateBody", &text) + &texts("StagesAvailable", &["Original".to_owned(), "Processed".to_owned()]))
    }

    pub(super) fn template_summary(&self, params: &Params) -> Result<String, AwsError> {
        let text = match params.text("StackName") {
            Some(_) => self.required(params)?.definition.template,
            None => self.template_text(params, None)?,
        };
        let template = Template::parse(&text)?;
        let mut types: Vec<String> = template.resources.iter().map(|resource| resource.kind.name.to_owned()).collect();
        types.sort();
        types.dedup();
        Ok(some("Description", template.description.as_deref())
            + &list("Parameters", template.parameters.iter().map(declaration))
            + &texts("ResourceTypes", &types)
            + &tag("Version", "2010-09-09"))
    }

    pub(super) fn validate_template(&self, params: &Params) -> Result<String, AwsError> {
        let text = self.template_text(params, None)?;
        source::parse(&text)?;
        let template = Template::parse(&text)?;
        let parameter = |spec: &ParameterSpec| {
            tag("ParameterKey", &spec.name)
                + &some("DefaultValue", spec.default.as_deref())
                + &tag("NoEcho", if spec.no_echo { "true" } else { "false" })
                + &some("Description", spec.description.as_deref())
        };
        Ok(some("Description", template.description.as_deref())
            + &list("Parameters", template.parameters.iter().map(parameter)))
    }
}

fn declaration(spec: &ParameterSpec) -> String {
    let allowed = if spec.allowed_values.is_empty() {
        String::new()
    } else {
        wrap("ParameterConstraints", &texts("AllowedValues", &spec.allowed_values))
    };
    tag("ParameterKey", &spec.name)
        + &some("DefaultValue", spec.default.as_deref())
        + &tag("ParameterType", &spec.kind)
        + &tag("NoEcho", if spec.no_echo { "true" } else { "false" })
        + &some("Description", spec.description.as_deref())
        + &allowed
}

fn stack_xml(stack: &Stack) -> String {
    let outputs = stack.outputs.iter().map(|output| {
        tag("OutputKey", &output.key)
            + &tag("OutputValue", &output.value)
            + &some("Description", output.description.as_deref())
            + &some("ExportName", output.export.as_deref())
    });
    tag("StackId", &stack.id)
        + &tag("StackName", &stack.name)
        + &some("Description", description(stack).as_deref())
        + &list("Parameters", parameters(stack))
        + &times(stack)
        + &tag("StackStatus", &word(&stack.status))
        + &some("StackStatusReason", stack.reason.as_deref())
        + &tag("DisableRollback", if stack.on_failure == OnFailure::DoNothing { "true" } else { "false" })
        + "<NotificationARNs/>"
        + &texts("Capabilities", &stack.definition.capabilities)
        + &list("Outputs", outputs)
        + &some("RoleARN", stack.definition.role.as_deref())
        + &list("Tags", stack.definition.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value)))
        + &tag("EnableTerminationProtection", if stack.protected { "true" } else { "false" })
        + &drift("StackDriftStatus")
}

/// With `NoEcho` values hidden.
fn parameters(stack: &Stack) -> Vec<String> {
    let specs = Template::parse(&stack.definition.template).map(|template| template.parameters).unwrap_or_default();
    let hidden = |name: &str| specs.iter().any(|spec| spec.name == name && spec.no_echo);
    let shown = |(key, value): (&String, &String)| {
        tag("ParameterKey", key) + &tag("ParameterValue", if hidden(key) { HIDDEN } else { value })
    };
    stack.definition.parameters.iter().map(shown).collect()
}

fn description(stack: &Stack) -> Option<String> {
    if stack.status == StackStatus::ReviewInProgress {
        return None;
    }
    Template::parse(&stack.definition.template).ok().and_then(|template| template.description)
}

fn times(stack: &Stack) -> String {
    time("CreationTime", Some(stack.created_ms))
        + &time("LastUpdatedTime", stack.updated_ms)
        + &time("DeletionTime", stack.deleted_ms)
}

fn drift(status: &str) -> String {
    wrap("DriftInformation", &tag(status, "NOT_CHECKED"))
}

fn event_xml(stack: &Stack, event: &StackEvent) -> String {
    let properties = event.properties.as_ref().filter(|value| !value.is_null()).map(ToString::to_string);
    tag("StackId", &stack.id)
        + &tag("EventId", &event.id)
        + &tag("StackName", &stack.name)
        + &tag("LogicalResourceId", &event.logical)
        + &tag("PhysicalResourceId", &event.physical)
        + &tag("ResourceType", &event.kind)
        + &time("Timestamp", Some(event.at_ms))
        + &tag("ResourceStatus", &event.status)
        + &some("ResourceStatusReason", event.reason.as_deref())
        + &some("ResourceProperties", properties.as_deref())
        + &some("ClientRequestToken", event.token.as_deref())
}

/// The resources that people see: what is there, and what is on its way out and not replaced.
fn listed(stack: &Stack) -> Vec<&Resource> {
    let leaving = stack.superseded.iter().filter(|old| stack.resource(&old.logical).is_none());
    stack.resources.iter().chain(leaving).collect()
}

fn resource_xml(stack: &Stack, resource: &Resource, time_name: &str) -> String {
    tag("StackName", &stack.name)
        + &tag("StackId", &stack.id)
        + &tag("LogicalResourceId", &resource.logical)
        + &facts(resource, time_name)
}

fn facts(resource: &Resource, time_name: &str) -> String {
    some("PhysicalResourceId", (!resource.shown_id().is_empty()).then(|| resource.shown_id()))
        + &tag("ResourceType", &resource.kind)
        + &time(time_name, Some(resource.updated_ms))
        + &tag("ResourceStatus", &word(&resource.status))
        + &some("ResourceStatusReason", resource.reason.as_deref())
        + &drift("StackResourceDriftStatus")
}
