//! A stack as CloudFormation describes it, and what its status means.

use aws_sdk_cloudformation::types::{Stack, StackStatus};
use haliotis_model::{Object, Value};
use haliotis_plugin_api::StepError;

use crate::Clients;
use crate::error::{Told, is_absent};

/// What a status means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Something changes it now.
    Busy,
    /// It can be updated.
    Stable,
    /// Only a change set of type CREATE was made so far.
    Review,
    /// Its creation failed and was undone: it can only be deleted.
    Remains,
    /// It needs a person.
    Broken,
    /// It is gone.
    Gone,
}

/// The stack; `None` when there is none, also when it was deleted.
pub(crate) async fn describe(clients: &Clients, name: &str) -> Result<Option<Stack>, StepError> {
    let described = match clients.cloudformation.describe_stacks().stack_name(name).send().await {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.told(&clients.cloud, &format!("describing the stack {name}"))?,
    };
    let stack = described.stacks.unwrap_or_default().into_iter().next();
    Ok(stack.filter(|stack| stack.stack_status != Some(StackStatus::DeleteComplete)))
}

/// What the status of a stack means.
pub(crate) fn meaning(status: &StackStatus) -> Meaning {
    match status.as_str() {
        "REVIEW_IN_PROGRESS" => Meaning::Review,
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE" => Meaning::Stable,
        "ROLLBACK_COMPLETE" => Meaning::Remains,
        "DELETE_COMPLETE" => Meaning::Gone,
        other if other.ends_with("_IN_PROGRESS") => Meaning::Busy,
        _ => Meaning::Broken,
    }
}

/// The status that says that a deployment went well.
pub(crate) fn went_well(status: &StackStatus) -> bool {
    matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
}

/// Its parameters by name; null when there is no stack.
pub(crate) fn parameters(stack: Option<&Stack>) -> Value {
    let Some(stack) = stack else { return Value::Null };
    let parameters = stack.parameters().iter();
    let pairs = parameters.map(|parameter| {
        (parameter.parameter_key.clone().unwrap_or_default(), parameter.parameter_value.clone().into())
    });
    Value::Object(pairs.collect())
}

/// Its outputs by name.
pub(crate) fn outputs(stack: &Stack) -> Object {
    let outputs = stack.outputs().iter();
    outputs.map(|output| (output.output_key.clone().unwrap_or_default(), output.output_value.clone().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_meanings() {
        for (status, expect) in [
            ("CREATE_COMPLETE", Meaning::Stable),
            ("UPDATE_ROLLBACK_COMPLETE", Meaning::Stable),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Meaning::Busy),
            ("REVIEW_IN_PROGRESS", Meaning::Review),
            ("ROLLBACK_COMPLETE", Meaning::Remains),
            ("ROLLBACK_FAILED", Meaning::Broken),
            ("UPDATE_ROLLBACK_FAILED", Meaning::Broken),
        ] {
            assert_eq!(meaning(&StackStatus::from(status)), expect, "{status}");
        }
    }
}
