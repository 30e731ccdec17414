//! Stacks: `cfnDescribe`, `cfnOutputs`, `cfnExports`, `cfnValidate`, `cfnDelete`, `cfnCreateChangeSet`,
//! `cfnExecuteChangeSet`.

use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter, Tag};
use haliotis_model::{Object, StepOutput, Value};
use haliotis_plugin_api::StepError;
use serde_json::json;

use super::{Work, answer, done, failure};
use crate::cloudformation::stack;
use crate::error::{Told, is_present};
use crate::{names, uploads};

/// How long a stack may take unless the step says otherwise, as in the plugin.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

impl Work<'_> {
    pub(super) async fn cfn(&self, step: &str) -> Result<StepOutput, StepError> {
        match step {
            "cfnDescribe" | "cfnOutputs" => {
                let name = self.given.required("stack")?;
                match stack::describe(self.clients, &name).await? {
                    Some(found) => Ok(answer(Value::Object(stack::outputs(&found)))),
                    None => Ok(failure(format!("Stack with id {name} does not exist"))),
                }
            }
            "cfnExports" => self.exports().await,
            "cfnValidate" => self.validate().await,
            "cfnDelete" => self.delete_stack().await,
            "cfnCreateChangeSet" => self.create_change_set().await,
            "cfnExecuteChangeSet" => self.execute_change_set().await,
            other => Err(StepError::Usage(format!("there is no step {other}"))),
        }
    }

    async fn exports(&self) -> Result<StepOutput, StepError> {
        let mut all = Object::new();
        let mut token = None;
        loop {
            let page = self.clients.cloudformation.list_exports().set_next_token(token).send().await;
            let page = page.told(&self.clients.cloud, "listing the exports")?;
            for export in page.exports.unwrap_or_default() {
                all.insert(export.name.unwrap_or_default(), export.value.unwrap_or_default().into());
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(answer(Value::Object(all)));
            }
        }
    }

    /// The template: a file of the workspace, a text, or an address.
    fn template(&self) -> Result<(Option<String>, Option<String>), StepError> {
        if let Some(url) = self.given.text("url") {
            return Ok((None, Some(url)));
        }
        if let Some(text) = self.given.text("template") {
            return Ok((Some(text), None));
        }
        let Some(file) = self.given.text("file") else { return Ok((None, None)) };
        let path = uploads::workspace_path(self.ctx, &file)?;
        let text = std::fs::read_to_string(path)
            .map_err(|error| StepError::Usage(format!("the template `{file}` cannot be read: {error}")))?;
        Ok((Some(text), None))
    }

    async fn validate(&self) -> Result<StepOutput, StepError> {
        let (body, url) = self.template()?;
        if body.is_none() && url.is_none() {
            return Err(StepError::Usage(
                "Either a file, url or template for the template must be specified".to_owned(),
            ));
        }
        let sent = self.clients.cloudformation.validate_template().set_template_body(body).set_template_url(url);
        let found = match sent.send().await.told(&self.clients.cloud, "validating the template") {
            Ok(found) => found,
            Err(StepError::Usage(why)) => return Ok(failure(why)),
            Err(other) => return Err(other),
        };
        let parameters = found.parameters.unwrap_or_default().into_iter().map(|parameter| {
            json!({
                "parameterKey": parameter.parameter_key, "defaultValue": parameter.default_value,
                "noEcho": parameter.no_echo, "description": parameter.description,
            })
        });
        Ok(answer(json!({ "description": found.description, "parameters": parameters.collect::<Vec<_>>() })))
    }

    async fn delete_stack(&self) -> Result<StepOutput, StepError> {
        let name = self.given.required("stack")?;
        let Some(found) = stack::describe(self.clients, &name).await? else {
            self.ctx.log.line(&format!("the stack {name} is not there"));
            return Ok(done());
        };
        let id = found.stack_id.unwrap_or_else(|| name.clone());
        let mut request = self.clients.cloudformation.delete_stack().stack_name(&id);
        request = request.set_role_arn(self.given.text("roleArn")).client_request_token(names::token(self.ctx));
        for kept in self.given.texts("retainResources") {
            request = request.retain_resources(kept);
        }
        request.send().await.told(&self.clients.cloud, &format!("deleting the stack {name}"))?;
        let until = Instant::now() + self.timeout();
        loop {
            let Some(found) = stack::describe(self.clients, &id).await? else {
                self.ctx.log.line(&format!("the stack {name} is gone"));
                return Ok(done());
            };
            let status = found.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
            if status.ends_with("_FAILED") {
                let why = found.stack_status_reason.unwrap_or_default();
                return Ok(failure(format!("Failed to delete the stack {name}: {status} {why}")));
            }
            if self.ctx.scratch.join("cancelled").exists() {
                return Ok(StepOutput::aborted(format!("stopped; the stack {name} goes on being deleted")));
            }
            if Instant::now() > until {
                return Ok(failure(format!("the stack {name} was not deleted in time; it is {status}")));
            }
            tokio::time::sleep(self.poll()).await;
        }
    }

    async fn create_change_set(&self) -> Result<StepOutput, StepError> {
        let (name, set) = (self.given.required("stack")?, self.given.required("changeSet")?);
        let before = stack::describe(self.clients, &name).await?;
        let is_new = before.as_ref().is_none_or(|found| {
            found.stack_status.as_ref().is_some_and(|status| stack::meaning(status) == stack::Meaning::Review)
        });
        let (body, url) = self.template()?;
        let mut request = self.clients.cloudformation.create_change_set().stack_name(&name).change_set_name(&set);
        request = request
            .change_set_type(if is_new { ChangeSetType::Create } else { ChangeSetType::Update })
            .set_use_previous_template((body.is_none() && url.is_none()).then_some(true))
            .set_template_body(body)
            .set_template_url(url)
            .set_role_arn(self.given.text("roleArn"))
            .set_capabilities(Some(
                ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"].map(Capability::from).to_vec(),
            ));
        for (key, value) in self.given.pairs("params") {
            request = request.parameters(Parameter::builder().parameter_key(key).parameter_value(value).build());
        }
        for key in self.given.texts("keepParams") {
            request = request.parameters(Parameter::builder().parameter_key(key).use_previous_value(true).build());
        }
        for (key, value) in self.given.pairs("tags") {
            request = request.tags(Tag::builder().key(key).value(value).build());
        }
        match request.send().await {
            Err(error) if is_present(&error) => {}
            other => drop(other.told(&self.clients.cloud, &format!("creating the change set {set} of {name}"))?),
        }
        let until = Instant::now() + self.timeout();
        loop {
            let sent = self.clients.cloudformation.describe_change_set().stack_name(&name).change_set_name(&set);
            let found = sent.send().await.told(&self.clients.cloud, &format!("describing the change set {set}"))?;
            match found.status {
                Some(ChangeSetStatus::CreateComplete) => {
                    let changes =
                        found.changes.unwrap_or_default().into_iter().filter_map(|change| change.resource_change);
                    let changes = changes.map(|change| {
                        json!({
                            "action": change.action.map(|action| action.as_str().to_owned()),
                            "logicalResourceId": change.logical_resource_id,
                            "resourceType": change.resource_type,
                        })
                    });
                    return Ok(answer(changes.collect::<Vec<Value>>()));
                }
                Some(ChangeSetStatus::Failed) => {
                    let why = found.status_reason.unwrap_or_default();
                    let none = ["didn't contain changes", "No updates are to be performed"];
                    return Ok(match none.iter().any(|part| why.contains(part)) {
                        true => answer(Vec::<Value>::new()),
                        false => failure(format!("the change set {set} of {name} failed: {why}")),
                    });
                }
                _ if Instant::now() > until => {
                    return Ok(failure(format!("the change set {set} of {name} was not computed in time")));
                }
                _ => tokio::time::sleep(self.poll()).await,
            }
        }
    }

    async fn execute_change_set(&self) -> Result<StepOutput, StepError> {
        let (name, set) = (self.given.required("stack")?, self.given.required("changeSet")?);
        let request = self.clients.cloudformation.execute_change_set().stack_name(&name).change_set_name(&set);
        match request.client_request_token(names::token(self.ctx)).send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_invalid_change_set_status_exception()) => {
                // Executed before a crash of ours, or there is nothing in it: the stack tells.
                self.ctx.log.line(&format!("the change set {set} cannot be executed (any more)"));
            }
            other => drop(other.told(&self.clients.cloud, &format!("executing the change set {set} of {name}"))?),
        }
        let until = Instant::now() + self.timeout();
        loop {
            let Some(found) = stack::describe(self.clients, &name).await? else {
                return Ok(failure(format!("the stack {name} is gone")));
            };
            if let Some(status) = &found.stack_status {
                match stack::meaning(status) {
                    stack::Meaning::Busy => {}
                    _ if stack::went_well(status) => return Ok(answer(Value::Object(stack::outputs(&found)))),
                    _ => return Ok(failure(format!("the stack {name} is {}", status.as_str()))),
                }
            }
            if Instant::now() > until {
                return Ok(failure(format!("the stack {name} was not ready in time")));
            }
            tokio::time::sleep(self.poll()).await;
        }
    }

    fn timeout(&self) -> Duration {
        let positive = |name: &str| self.given.number(name).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        positive("timeoutInSeconds")
            .or_else(|| positive("timeoutInMinutes").map(|minutes| minutes * 60))
            .map_or(DEFAULT_TIMEOUT, Duration::from_secs)
    }

    fn poll(&self) -> Duration {
        let wanted = self.given.number("pollInterval").and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
        Duration::from_millis(wanted.unwrap_or(self.ctx.cloud.poll_ms).max(50))
    }
}
