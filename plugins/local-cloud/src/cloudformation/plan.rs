//! What a definition would change in a stack: for change sets, and to tell that there is nothing to do.
//!
//! Resources are looked at in the order they would be made. One that would be made or replaced answers placeholders to
//! those that name it, so a change carries on to all that depend on it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kinds::{Kind, Wanted};
use super::run::{outputs, scope};
use super::state::{Change, Definition, Resource, Stack};
use super::template::{ResourceSpec, Template};
use super::{CloudFormation, invalid};
use crate::AwsError;

/// What a value shows that is known only when the change is made.
const LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// The changes, and whether the outputs or tags would change besides.
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
    pub(crate) anything: bool,
}

/// Compares a definition with the stack.
///
/// # Errors
/// `ValidationError` for what can never be put in force.
pub(crate) fn plan(cloud: &CloudFormation, stack: &Stack, definition: &Definition) -> Result<Plan, AwsError> {
    let template = Template::parse(&definition.template)?;
    let mut scope = scope(cloud, stack, definition, &template);
    let mut changes = Vec::new();
    let mut wanted_names = Vec::new();
    for spec in template.order()? {
        if !scope.holds(spec.condition.as_deref())? {
            continue;
        }
        wanted_names.push(spec.logical.as_str());
        let evaluated = scope.evaluate(&spec.properties)?.unwrap_or_else(|| json!({}));
        let wanted = spec.kind.wanted(evaluated).map_err(invalid)?;
        let change = compare(spec, &wanted, stack.resource(&spec.logical), definition);
        if change.as_ref().is_some_and(|change| change.action == "Add" || change.replacement.as_deref() == Some("True"))
        {
            scope.resources.insert(spec.logical.clone(), later(spec.kind));
        }
        changes.extend(change);
    }
    let gone = stack.resources.iter().filter(|resource| !wanted_names.contains(&resource.logical.as_str()));
    changes.extend(
        gone.map(|resource| change(&resource.logical, &resource.kind, Some(resource), "Remove", None, Vec::new())),
    );
    let outputs = outputs(&scope).map_err(invalid)?;
    let anything = !changes.is_empty() || outputs != stack.outputs || definition.tags != stack.definition.tags;
    Ok(Plan { changes, anything })
}

fn compare(
    spec: &ResourceSpec,
    wanted: &Wanted,
    present: Option<&Resource>,
    definition: &Definition,
) -> Option<Change> {
    let kind = spec.kind.name;
    let Some(present) = present.filter(|present| !present.name.is_empty()) else {
        return Some(change(&spec.logical, kind, None, "Add", None, Vec::new()));
    };
    let mut names = changed(&present.properties, &wanted.properties);
    let renamed = wanted.explicit_name != present.explicit_name;
    if renamed {
        names.push(spec.kind.name_property.to_owned());
    }
    let replaced = present.kind != kind || renamed || (!names.is_empty() && !spec.kind.updates_in_place);
    let mut tags = definition.tags.clone();
    tags.extend(wanted.tags.clone());
    if tags != present.tags {
        names.push("Tags".to_owned());
    }
    if names.is_empty() && present.kind == kind && present.status.is_well() {
        return None;
    }
    let replacement = if replaced { "True" } else { "False" };
    Some(change(&spec.logical, kind, Some(present), "Modify", Some(replacement), names))
}

fn change(
    logical: &str,
    kind: &str,
    present: Option<&Resource>,
    action: &str,
    replacement: Option<&str>,
    properties: Vec<String>,
) -> Change {
    Change {
        logical: logical.to_owned(),
        kind: kind.to_owned(),
        physical: present.map(|resource| resource.shown_id().to_owned()),
        action: action.to_owned(),
        replacement: replacement.map(str::to_owned),
        properties,
    }
}

/// Names of members that differ.
fn changed(before: &Value, after: &Value) -> Vec<String> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (before, after) = (members(before), members(after));
    let names = after.keys().chain(before.keys().filter(|key| !after.contains_key(*key)));
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn later(kind: &Kind) -> BTreeMap<String, Value> {
    let names = [String::new(), kind.name_property.to_owned(), format!("{}Arn", kind.title), "Arn".to_owned()];
    names.into_iter().map(|name| (name, json!(LATER))).collect()
}
