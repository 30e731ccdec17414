//! The actions that begin an operation: create, update, delete, cancel. Each is on disk before it is answered.

use std::collections::BTreeMap;

use super::parameters::{self, Given};
use super::plan::plan;
use super::run::scope;
use super::state::{Definition, OnFailure, Stack, StackStatus, word};
use super::template::Template;
use super::xml::tag;
use super::{CloudFormation, invalid, missing, now_ms};
use crate::AwsError;
use crate::params::Params;
use crate::s3::Location;

/// CloudFormation's limits.
const MAX_NAME_CHARS: usize = 128;
const MAX_TAGS: usize = 50;
/// The largest template sent with the request, in bytes.
const MAX_BODY_BYTES: usize = 51_200;

impl CloudFormation {
    pub(super) fn create_stack(&self, params: &Params) -> Result<String, AwsError> {
        let name = stack_name(params)?;
        let token = params.text("ClientRequestToken");
        if let Some(present) = self.find(name) {
            // The same request again, as after a lost answer.
            if token.is_some() && present.token.as_deref() == token {
                return Ok(tag("StackId", &present.id));
            }
            return Err(AwsError::new(400, "AlreadyExistsException", format!("Stack [{name}] already exists")));
        }
        let mut stack = self.new_stack(name);
        stack.definition = self.definition(params, None)?;
        stack.on_failure = on_failure(params)?;
        stack.protected = params.flag("EnableTerminationProtection");
        stack.token = token.map(str::to_owned);
        check_conditions(self, &stack, &stack.definition)?;
        let answer = tag("StackId", &stack.id);
        self.begin(&stack, StackStatus::CreateInProgress, |_| Ok(()))?;
        Ok(answer)
    }

    pub(super) fn update_stack(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        let token = params.text("ClientRequestToken");
        let answer = tag("StackId", &stack.id);
        if token.is_some() && stack.token.as_deref() == token {
            return Ok(answer);
        }
        let definition = self.definition(params, Some(&stack.definition))?;
        let failure = if params.flag("DisableRollback") { OnFailure::DoNothing } else { OnFailure::Rollback };
        self.begin_update(&stack, definition, failure, token.map(str::to_owned))?;
        Ok(answer)
    }

    pub(super) fn begin_update(
        &self,
        stack: &Stack,
        definition: Definition,
        on_failure: OnFailure,
        token: Option<String>,
    ) -> Result<(), AwsError> {
        check_updatable(stack)?;
        check_conditions(self, stack, &definition)?;
        if !plan(self, stack, &definition)?.anything {
            return Err(invalid("No updates are to be performed.".to_owned()));
        }
        self.begin(stack, StackStatus::UpdateInProgress, |stack| {
            check_updatable(stack)?;
            let before = std::mem::replace(&mut stack.definition, definition);
            // After an update that failed and was left so, the way back is still to what was in force before it.
            stack.previous.get_or_insert(before);
            stack.on_failure = on_failure;
            stack.token = token;
            stack.updated_ms = Some(now_ms());
            Ok(())
        })
    }

    pub(super) fn delete_stack(&self, params: &Params) -> Result<String, AwsError> {
        let name = params.text("StackName").ok_or_else(|| missing("stackName"))?;
        let Some(stack) = self.find(name) else { return Ok(String::new()) };
        if matches!(stack.status, StackStatus::DeleteComplete | StackStatus::DeleteInProgress) {
            return Ok(String::new());
        }
        if stack.protected {
            let what = format!("Stack [{}] cannot be deleted while TerminationProtection is enabled", stack.name);
            return Err(invalid(what));
        }
        let retained = params.texts("RetainResources");
        if !retained.is_empty() && stack.status != StackStatus::DeleteFailed {
            let what = "Invalid operation on stack. specify resources to retain only when the stack is in the DELETE_FAILED state";
            return Err(invalid(what.to_owned()));
        }
        self.begin(&stack, StackStatus::DeleteInProgress, |stack| {
            let kept = stack.resources.iter_mut().filter(|resource| retained.contains(&resource.logical));
            kept.for_each(|resource| resource.retain = true);
            stack.token = params.text("ClientRequestToken").map(str::to_owned);
            Ok(())
        })?;
        Ok(String::new())
    }

    pub(super) fn cancel_update(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        self.begin(&stack, StackStatus::UpdateRollbackInProgress, |stack| {
            if stack.status == StackStatus::UpdateInProgress {
                return Ok(());
            }
            Err(invalid("CancelUpdateStack cannot be called from current stack status".to_owned()))
        })?;
        Ok(String::new())
    }

    pub(super) fn continue_rollback(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        self.begin(&stack, StackStatus::UpdateRollbackInProgress, |stack| {
            if stack.status == StackStatus::UpdateRollbackFailed {
                return Ok(());
            }
            let state = word(&stack.status);
            Err(invalid(format!("Stack:{} is in {state} state and can not continue rollback.", stack.id)))
        })?;
        Ok(String::new())
    }

    pub(super) fn protect(&self, params: &Params) -> Result<String, AwsError> {
        let stack = self.required(params)?;
        self.amend(&stack.uuid, |stack| {
            stack.protected = params.flag("EnableTerminationProtection");
            Ok(())
        })?;
        Ok(tag("StackId", &stack.id))
    }

    // ---- shared with change sets

    pub(super) fn new_stack(&self, name: &str) -> Stack {
        let uuid = uuid::Uuid::new_v4().to_string();
        Stack {
            id: format!("arn:aws:cloudformation:{}:{}:stack/{name}/{uuid}", self.region, self.account),
            uuid,
            name: name.to_owned(),
            status: StackStatus::ReviewInProgress,
            reason: None,
            created_ms: now_ms(),
            updated_ms: None,
            deleted_ms: None,
            definition: Definition::default(),
            previous: None,
            on_failure: OnFailure::default(),
            protected: false,
            token: None,
            operation: 0,
            outputs: Vec::new(),
            resources: Vec::new(),
            superseded: Vec::new(),
            events: Vec::new(),
            change_sets: Vec::new(),
        }
    }

    /// Turns the stack, writes it, and starts its worker. `seen`: the stack as the caller decided on it, or a new one;
    /// `change` is made on the stack as it is now.
    pub(super) fn begin(
        &self,
        seen: &Stack,
        status: StackStatus,
        change: impl FnOnce(&mut Stack) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut stacks = self.lock();
        check_unmoved(&stacks, seen)?;
        let mut stack = stacks.get(&seen.uuid).unwrap_or(seen).clone();
        change(&mut stack)?;
        stack.operation += 1;
        stack.turn(status, Some("User Initiated".to_owned()), now_ms());
        let (uuid, operation) = (stack.uuid.clone(), stack.operation);
        self.prune(&mut stacks);
        self.keep(&mut stacks, stack)?;
        drop(stacks);
        self.work(uuid, operation);
        Ok(())
    }

    /// Changes what no worker minds.
    pub(super) fn amend(
        &self,
        uuid: &str,
        change: impl FnOnce(&mut Stack) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut stacks = self.lock();
        let mut stack = stacks.get(uuid).cloned().ok_or_else(|| invalid("The stack is gone".to_owned()))?;
        change(&mut stack)?;
        self.keep(&mut stacks, stack)
    }

    /// Keeps a stack that only waits for its change set.
    pub(super) fn keep_new(&self, stack: Stack) -> Result<(), AwsError> {
        let mut stacks = self.lock();
        check_unmoved(&stacks, &stack)?;
        self.keep(&mut stacks, stack)
    }

    /// The definition that a request asks for, over the present one.
    pub(super) fn definition(&self, params: &Params, present: Option<&Definition>) -> Result<Definition, AwsError> {
        let template = self.template_text(params, present)?;
        let parsed = Template::parse(&template)?;
        let given = given_parameters(params)?;
        let values = parameters::resolve(&parsed.parameters, &given, present.map(|known| &known.parameters))?;
        let tags = params.members("Tags");
        if tags.len() > MAX_TAGS {
            return Err(invalid(format!("1 validation error detected: a stack takes at most {MAX_TAGS} tags")));
        }
        let pair = |tag: &Params| {
            (tag.get("Key").unwrap_or_default().to_owned(), tag.get("Value").unwrap_or_default().to_owned())
        };
        let mut tags: BTreeMap<_, _> = tags.iter().map(pair).collect();
        if tags.is_empty() {
            tags = present.map(|known| known.tags.clone()).unwrap_or_default();
        }
        let role = params.text("RoleARN").map(str::to_owned).or_else(|| present.and_then(|known| known.role.clone()));
        Ok(Definition { template, parameters: values, tags, capabilities: params.texts("Capabilities"), role })
    }

    /// The template's text: in the request, in the object store, or the present one.
    pub(super) fn template_text(&self, params: &Params, present: Option<&Definition>) -> Result<String, AwsError> {
        if let Some(body) = params.text("TemplateBody") {
            if body.len() > MAX_BODY_BYTES {
                return Err(invalid(format!(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must \
                     have length less than or equal to {MAX_BODY_BYTES}; put it into a bucket and name its TemplateURL"
                )));
            }
            return Ok(body.to_owned());
        }
        if let Some(url) = params.text("TemplateURL") {
            return self.fetch(url);
        }
        if params.flag("UsePreviousTemplate")
            && let Some(present) = present
        {
            return Ok(present.template.clone());
        }
        Err(invalid("Either Template URL or Template Body must be specified.".to_owned()))
    }

    /// A template of this local cloud's object store, whatever host its URL names: nothing is fetched from elsewhere.
    fn fetch(&self, url: &str) -> Result<String, AwsError> {
        let refuse = || invalid(format!("TemplateURL must be a supported URL: {url}"));
        let at = template_location(url).ok_or_else(refuse)?;
        let info = self.s3.head(&at.bucket, &at.key);
        let too_large = info.as_ref().is_ok_and(|info| info.size > super::source::MAX_TEMPLATE_BYTES as u64);
        if too_large {
            return Err(invalid(format!(
                "The template {url} is larger than {} bytes",
                super::source::MAX_TEMPLATE_BYTES
            )));
        }
        let bytes = self.s3.read(&at.bucket, &at.key);
        let bytes = bytes.map_err(|error| invalid(format!("S3 error: {} ({url})", error.message)))?;
        String::from_utf8(bytes).map_err(|_| invalid(format!("The template {url} is not UTF-8 text")))
    }
}

/// Bucket and key of a template's URL: path style, `{bucket}.s3…` style, or `s3://`.
fn template_location(url: &str) -> Option<Location> {
    if let Some(at) = Location::parse(url).filter(|at| !at.key.is_empty()) {
        return Some(at);
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let path = crate::auth::decode(path.split('?').next().unwrap_or_default());
    let bucket = host.split_once(".s3").filter(|(_, rest)| rest.contains("amazonaws.com")).map(|(bucket, _)| bucket);
    if let Some(bucket) = bucket {
        return Some(Location { bucket: bucket.to_owned(), key: path });
    }
    let (bucket, key) = path.split_once('/')?;
    Some(Location { bucket: bucket.to_owned(), key: key.to_owned() })
}

/// Conditions are settled before anything is made, so what is wrong with them is told at once.
fn check_conditions(cloud: &CloudFormation, stack: &Stack, definition: &Definition) -> Result<(), AwsError> {
    let template = Template::parse(&definition.template)?;
    let scope = scope(cloud, stack, definition, &template);
    template.conditions.keys().try_for_each(|name| scope.holds(Some(name)).map(|_| ()))
}

pub(super) fn check_updatable(stack: &Stack) -> Result<(), AwsError> {
    if stack.status.is_updatable() {
        return Ok(());
    }
    let state = word(&stack.status);
    Err(invalid(format!("Stack:{} is in {state} state and can not be updated.", stack.id)))
}

/// Two requests at the same time must not begin two operations, nor make two stacks of one name.
fn check_unmoved(stacks: &BTreeMap<String, Stack>, seen: &Stack) -> Result<(), AwsError> {
    let taken = |other: &Stack| other.name == seen.name && other.status.exists() && other.uuid != seen.uuid;
    if stacks.values().any(taken) {
        return Err(AwsError::new(400, "AlreadyExistsException", format!("Stack [{}] already exists", seen.name)));
    }
    match stacks.get(&seen.uuid) {
        Some(known) if known.operation != seen.operation => {
            let what = format!("Stack [{}]: another operation began at the same time; try again", seen.name);
            Err(AwsError::new(400, "OperationInProgressException", what))
        }
        _ => Ok(()),
    }
}

pub(super) fn stack_name(params: &Params) -> Result<&str, AwsError> {
    let name = params.text("StackName").ok_or_else(|| missing("stackName"))?;
    let fine = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= MAX_NAME_CHARS;
    if fine {
        return Ok(name);
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*, and have at most {MAX_NAME_CHARS} characters"
    )))
}

pub(super) fn on_failure(params: &Params) -> Result<OnFailure, AwsError> {
    let both = params.text("OnFailure").is_some() && params.get("DisableRollback").is_some();
    match params.text("OnFailure") {
        _ if both => Err(invalid("You can specify either DisableRollback or OnFailure, but not both.".to_owned())),
        Some("DO_NOTHING") => Ok(OnFailure::DoNothing),
        Some("DELETE") => Ok(OnFailure::Delete),
        Some("ROLLBACK") => Ok(OnFailure::Rollback),
        Some(other) => Err(invalid(format!(
            "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: Member must \
             satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]"
        ))),
        None if params.flag("DisableRollback") => Ok(OnFailure::DoNothing),
        None => Ok(OnFailure::Rollback),
    }
}

fn given_parameters(params: &Params) -> Result<BTreeMap<String, Given>, AwsError> {
    let mut given = BTreeMap::new();
    for member in params.members("Parameters") {
        let name = member.text("ParameterKey").ok_or_else(|| missing("parameterKey"))?;
        let value = match (member.flag("UsePreviousValue"), member.get("ParameterValue")) {
            (true, Some(_)) => {
                return Err(invalid(format!(
                    "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                )));
            }
            (true, None) => Given::UsePrevious,
            (false, Some(value)) => Given::Value(value.to_owned()),
            (false, None) => {
                return Err(invalid(format!(
                    "Invalid input for parameter key {name}. Need to specify either usePreviousValue as true or a value for a parameter"
                )));
            }
        };
        if given.insert(name.to_owned(), value).is_some() {
            return Err(invalid(format!("Duplicate input for parameter key {name}")));
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_urls() {
        let expected = Some(Location { bucket: "b-1".to_owned(), key: "a/t.yml".to_owned() });
        for url in [
            "s3://b-1/a/t.yml",
            "http://127.0.0.1:4566/b-1/a/t.yml",
            "https://s3.amazonaws.com/b-1/a/t.yml",
            "https://b-1.s3.eu-west-1.amazonaws.com/a/t.yml",
        ] {
            assert_eq!(template_location(url), expected, "{url}");
        }
        assert_eq!(template_location("file:///etc/passwd"), None);
    }
}
