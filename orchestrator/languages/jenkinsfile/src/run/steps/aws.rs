//! Steps of pipeline-aws, over the step kinds of the AWS plugin.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{Object, Value as Json};

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn aws_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        match name {
            "cfnUpdate" => self.cfn_update(ctx, given).await,
            _ => self.aws_cli(ctx, name, given).await,
        }
    }

    /// `cfnUpdate`: its answer is the stack's outputs.
    async fn cfn_update(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let mut call = self.call(ctx, "cfnUpdate", "cloudformation.deploy");
        let stack = self.vm(|vm| given.required(vm, "stack"))?;
        call.with.insert("stack".to_owned(), stack.into());
        let template = match (self.arg(given, "file")?, self.arg(given, "template")?) {
            (Some(file), _) => file,
            (None, Some(text)) => {
                let path = ".haliotis-template".to_owned();
                self.write_text(ctx, "cfnUpdate", &path, text).await?;
                path
            }
            (None, None) => {
                return Err(self.abort_exception("cfnUpdate: give the template with file: (url: is not supported yet)"));
            }
        };
        call.with.insert("template".to_owned(), template.into());
        if let Some(params) = self.json_arg(given, "params")? {
            call.with.insert("parameters".to_owned(), pairs(&params));
        }
        if let Some(tags) = self.json_arg(given, "tags")? {
            call.with.insert("tags".to_owned(), pairs(&tags));
        }
        for (theirs, ours) in [("paramsFile", "parameters-file"), ("tagsFile", "tags-file"), ("roleArn", "role")] {
            if let Some(value) = self.arg(given, theirs)? {
                call.with.insert(ours.to_owned(), value.into());
            }
        }
        if let Some(minutes) = given.integer("timeoutInMinutes") {
            call.with.insert("timeout".to_owned(), format!("{minutes}m").into());
        }
        // The plugin always allows what templates of roles need.
        let capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];
        call.with.insert("capabilities".to_owned(), Json::from(capabilities.map(str::to_owned).to_vec()));
        let on_failure = match self.arg(given, "onFailure")?.as_deref() {
            Some("DELETE") => "delete",
            Some("DO_NOTHING") => "keep",
            _ => "rollback",
        };
        call.with.insert("on-failure".to_owned(), on_failure.into());
        let output = self.run_call(ctx, call).await?;
        let outputs = output.outputs.get("outputs").cloned().unwrap_or_else(|| Json::Object(Object::new()));
        self.vm(|vm| values::from_json(vm, &outputs))
    }

    /// The others go through the step kind `aws.call`, which knows them by name.
    async fn aws_cli(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        if !self.shared.has_kind("aws.call") {
            return Err(self.abort_exception(&format!(
                "The step {name} is known and cannot be run yet; the aws command does the same with sh"
            )));
        }
        let mut call = self.call(ctx, name, "aws.call");
        if ctx.node.is_none() {
            // Only what touches no file is allowed outside of a node.
            call.slot = None;
        }
        call.with.insert("step".to_owned(), name.into());
        let mut arguments = Object::new();
        for (key, value) in &given.named {
            let json = self.vm(|vm| values::to_json(vm, value))?;
            arguments.insert(key.clone(), json);
        }
        call.with.insert("arguments".to_owned(), arguments.into());
        let output = self.run_call(ctx, call).await?;
        let value = output.outputs.get("value").cloned().unwrap_or_default();
        if value.is_null() { Ok(Value::Null) } else { self.vm(|vm| values::from_json(vm, &value)) }
    }
}

/// A map, or a list of `key=value`.
fn pairs(json: &Json) -> Json {
    match json {
        Json::Array(items) => {
            let pairs = items.iter().filter_map(Json::as_str).filter_map(|text| text.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), Json::from(value))).collect::<Object>().into()
        }
        other => other.clone(),
    }
}
