//! The change set of a step: created once under a name made of the key, waited for, executed.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, OnStackFailure, Parameter, ResourceChange, Tag,
};
use haliotis_model::Value;
use haliotis_plugin_api::{StepContext, StepError};
use serde_json::json;

use super::settings;
use crate::error::{Told, is_absent, is_present};
use crate::follow::Pace;
use crate::storage::{self, S3Uri};
use crate::{Clients, names, uploads};

/// Longest template that goes into the request, in bytes; AWS' limit. A longer one goes through S3.
const MAX_INLINE: usize = 51_200;
/// Largest template at all, in bytes; AWS' limit.
const MAX_TEMPLATE: usize = 1024 * 1024;
/// Looks at a change set that is computed.
const MAX_LOOKS: u32 = 600;
/// Changes shown in the output.
const MAX_CHANGES: usize = 500;

/// How a change set came out.
pub(super) enum Computed {
    /// It can be executed; the changes, for people.
    Changes(Vec<Value>),
    /// There is nothing to change.
    Nothing,
    /// CloudFormation refuses.
    Refused(String),
}

/// The change set's name; also the token of its execution.
pub(super) fn name(ctx: &StepContext) -> String {
    format!("haliotis-{}", names::token(ctx))
}

/// The step's change set; `None` when there is none (any more).
pub(super) async fn describe(
    ctx: &StepContext,
    clients: &Clients,
    stack: &str,
) -> Result<Option<DescribeChangeSetOutput>, StepError> {
    match clients.cloudformation.describe_change_set().stack_name(stack).change_set_name(name(ctx)).send().await {
        Err(error) if is_absent(&error) => Ok(None),
        other => other.told(&clients.cloud, &format!("describing the change set of {stack}")).map(Some),
    }
}

/// Creates the change set unless it is there, and waits until it is computed.
pub(super) async fn compute(
    ctx: &StepContext,
    clients: &Clients,
    stack: &str,
    kind: ChangeSetType,
) -> Result<Computed, StepError> {
    if describe(ctx, clients, stack).await?.is_none() {
        create(ctx, clients, stack, kind).await?;
    }
    let mut pace = Pace::new(ctx);
    for _ in 0..MAX_LOOKS {
        if let Some(found) = describe(ctx, clients, stack).await? {
            match found.status {
                Some(ChangeSetStatus::CreateComplete) => {
                    return Ok(Computed::Changes(changes(ctx, clients, stack, found).await?));
                }
                Some(ChangeSetStatus::Failed) => {
                    return Ok(refused(found.status_reason.unwrap_or_default()));
                }
                _ => {}
            }
        }
        pace.wait(0).await;
    }
    Err(StepError::World(format!("the change set {} of the stack {stack} is not computed yet", name(ctx))))
}

/// "No changes" is an answer, not an error; CloudFormation has two ways to say it.
fn refused(reason: String) -> Computed {
    let none = ["didn't contain changes", "No updates are to be performed"].iter().any(|part| reason.contains(part));
    if none { Computed::Nothing } else { Computed::Refused(reason) }
}

async fn create(ctx: &StepContext, clients: &Clients, stack: &str, kind: ChangeSetType) -> Result<(), StepError> {
    let parameters = settings::read(ctx, &settings::PARAMETERS)?;
    let parameters = parameters
        .into_iter()
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
    let tags = settings::read(ctx, &settings::TAGS)?;
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let capabilities = ctx.texts("capabilities");
    let template = template(ctx, clients).await?;
    let mut request = clients
        .cloudformation
        .create_change_set()
        .stack_name(stack)
        .change_set_name(name(ctx))
        .client_token(name(ctx))
        .change_set_type(kind.clone())
        .description(format!("{} build {} step {}", ctx.build.pipeline, ctx.build.number, ctx.key.step))
        .set_parameters(Some(parameters.collect()))
        .set_tags(Some(tags.collect()))
        .set_capabilities(Some(capabilities.iter().map(|name| Capability::from(name.as_str())).collect()))
        .set_role_arn(ctx.text("role"));
    request = match template {
        Template::Inline(body) => request.template_body(body),
        Template::Url(url) => request.template_url(url),
    };
    // An update always rolls back unless told otherwise; what to do with a failed creation can be chosen.
    if let (ChangeSetType::Create, Some(wish)) = (&kind, ctx.text("on-failure")) {
        request = request.on_stack_failure(match wish.as_str() {
            "keep" => OnStackFailure::DoNothing,
            "delete" => OnStackFailure::Delete,
            _ => OnStackFailure::Rollback,
        });
    }
    match request.send().await {
        Err(error) if is_present(&error) => Ok(()),
        other => other.told(&clients.cloud, &format!("creating a change set for the stack {stack}")).map(drop),
    }
}

enum Template {
    Inline(String),
    Url(String),
}

async fn template(ctx: &StepContext, clients: &Clients) -> Result<Template, StepError> {
    let file = ctx.required("template")?;
    let path = uploads::workspace_path(ctx, &file)?;
    let wrong = |why: &str| StepError::Usage(format!("cloudformation.deploy: the template `{file}` {why}"));
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if text.len() <= MAX_INLINE {
        return Ok(Template::Inline(text));
    }
    if text.len() > MAX_TEMPLATE {
        return Err(wrong(&format!("has {} bytes; CloudFormation takes {MAX_TEMPLATE}", text.len())));
    }
    let uri = S3Uri::parse(&uploads::file(ctx, clients, &path).await?)?;
    Ok(Template::Url(storage::https_url(clients, &uri)))
}

/// All pages of a computed change set's changes, as `{action, resource, type, replacement}`.
async fn changes(
    ctx: &StepContext,
    clients: &Clients,
    stack: &str,
    first: DescribeChangeSetOutput,
) -> Result<Vec<Value>, StepError> {
    let mut all: Vec<Value> = Vec::new();
    let mut page = first;
    loop {
        let found = page.changes.unwrap_or_default().into_iter().filter_map(|change| change.resource_change);
        all.extend(found.map(|change| shown(&change)));
        let Some(token) = page.next_token.filter(|_| all.len() < MAX_CHANGES) else { return Ok(all) };
        let sent = clients.cloudformation.describe_change_set().stack_name(stack).change_set_name(name(ctx));
        page = sent.next_token(token).send().await.told(&clients.cloud, "reading the change set")?;
    }
}

fn shown(change: &ResourceChange) -> Value {
    json!({
        "action": change.action.as_ref().map(|action| action.as_str()),
        "resource": change.logical_resource_id,
        "type": change.resource_type,
        "replacement": change.replacement.as_ref().map(|replacement| replacement.as_str()),
    })
}

/// Executes it; a second execution finds the first.
pub(super) async fn execute(ctx: &StepContext, clients: &Clients, stack: &str) -> Result<(), StepError> {
    let request = clients.cloudformation.execute_change_set().stack_name(stack).change_set_name(name(ctx));
    let request = request.client_request_token(name(ctx));
    let keep = ctx.text("on-failure").as_deref() == Some("keep");
    match request.set_disable_rollback(keep.then_some(true)).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_invalid_change_set_status_exception()) => Ok(()),
        other => other.told(&clients.cloud, &format!("executing the change set of the stack {stack}")).map(drop),
    }
}

/// Deletes a change set that will not be executed; it would only lie in the way.
pub(super) async fn discard(ctx: &StepContext, clients: &Clients, stack: &str) {
    let request = clients.cloudformation.delete_change_set().stack_name(stack).change_set_name(name(ctx));
    if let Err(error) = request.send().await {
        tracing::debug!(%error, stack, "an unused change set was not deleted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_changes_is_no_failure() {
        for reason in [
            "The submitted information didn't contain changes. Submit different information to create a change set.",
            "No updates are to be performed.",
        ] {
            assert!(matches!(refused(reason.to_owned()), Computed::Nothing));
        }
        assert!(matches!(refused("Parameters: [X] must have values".to_owned()), Computed::Refused(_)));
    }
}
