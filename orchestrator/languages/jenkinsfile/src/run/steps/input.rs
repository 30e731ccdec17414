//! `input`: asks people. No slot is held while it waits.

use std::rc::Rc;

use haliotis_flow::InputOutcome;
use haliotis_groovy::{Raise, Value};
use haliotis_model::{BuildResult, Decision, InputSpec, Object, ParameterKind, ParameterSpec, Value as Json};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

/// What is asked.
pub(crate) struct Question {
    pub(crate) message: String,
    pub(crate) id: Option<String>,
    pub(crate) ok: Option<String>,
    pub(crate) submitter: Option<String>,
    pub(crate) submitter_parameter: Option<String>,
    pub(crate) parameters: Vec<ParameterSpec>,
}

/// Who answered, and the values given.
pub(crate) struct Reply {
    pub(crate) by: String,
    pub(crate) values: Object,
}

impl Run {
    pub(super) async fn input_step(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let parameters = match given.get("parameters") {
            Some(list) => {
                let json = self.vm(|vm| values::to_json(vm, list))?;
                json.as_array().into_iter().flatten().filter_map(parameter).collect()
            }
            None => Vec::new(),
        };
        let question = Question {
            message: self.arg(given, "message")?.unwrap_or_default(),
            id: self.arg(given, "id")?,
            ok: self.arg(given, "ok")?,
            submitter: self.arg(given, "submitter")?,
            submitter_parameter: self.arg(given, "submitterParameter")?,
            parameters,
        };
        let answer = self.ask(ctx, &question).await?;
        let mut entries = answer.values;
        if let Some(name) = &question.submitter_parameter {
            if question.parameters.is_empty() {
                return Ok(Value::from(answer.by));
            }
            entries.insert(name.clone(), answer.by.into());
        }
        match entries.len() {
            0 => Ok(Value::Null),
            1 => self.vm(|vm| values::from_json(vm, entries.values().next().unwrap_or(&Json::Null))),
            _ => self.vm(|vm| values::from_json(vm, &Json::Object(entries))),
        }
    }

    /// Asks and waits. A refusal is an interruption that aborts the build.
    pub(crate) async fn ask(self: &Rc<Self>, ctx: &Ctx, question: &Question) -> Result<Reply, Raise> {
        let id = question.id.clone().unwrap_or_else(|| default_id(&question.message));
        let ok = question.ok.clone().unwrap_or_else(|| "Proceed".to_owned());
        self.shared.say(&question.message);
        self.shared.say(&format!("{ok} or Abort"));
        let approvers: Vec<String> = question
            .submitter
            .iter()
            .flat_map(|list| list.split(','))
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        let mut input = InputSpec {
            message: question.message.clone(),
            ok,
            approvers,
            parameters: question.parameters.clone(),
            reason_required: false,
            self_approval: true,
            binds: Object::from_iter([("id".to_owned(), Json::from(id))]),
            digest: String::new(),
        };
        input.digest = digest(&input, self.shared.facts.script.lines.text());
        if let Some(node) = &ctx.node {
            node.pause(&self.shared.root);
        }
        let step = self.shared.fresh(&ctx.path, "input");
        let outcome = ctx.flow().ask(step, input).await;
        match outcome {
            InputOutcome::Answered(answer) if answer.decision == Decision::Approved => {
                self.shared.say(&format!("Approved by {}", answer.by));
                let mut values = Object::new();
                for parameter in &question.parameters {
                    let value = answer.values.get(&parameter.name).cloned().or_else(|| parameter.default.clone());
                    values.insert(parameter.name.clone(), value.unwrap_or_default());
                }
                Ok(Reply { by: answer.by, values })
            }
            InputOutcome::Answered(answer) => {
                self.shared.say(&format!("Rejected by {}", answer.by));
                Err(self.interruption(&format!("Rejected by {}", answer.by), BuildResult::Aborted))
            }
            InputOutcome::Stopped(reason) => {
                Err(self.delivered(ctx).unwrap_or_else(|| self.interruption(&reason.message(), BuildResult::Aborted)))
            }
        }
    }
}

/// As Jenkins makes it: the MD5 of the message in hexadecimal, its first letter upper case.
pub(crate) fn default_id(message: &str) -> String {
    let hex = hex::encode(Md5::digest(message.as_bytes()));
    let mut chars = hex.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// Over everything that an answer approves, the definition included.
fn digest(input: &InputSpec, definition: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(input).unwrap_or_default());
    hash.update(definition.as_bytes());
    hex::encode(hash.finalize())
}

/// A parameter from `string(name: …)` or `[$class: 'StringParameterDefinition', …]`.
pub(crate) fn parameter(json: &Json) -> Option<ParameterSpec> {
    let symbol = json.get("$symbol").or_else(|| json.get("$class"))?.as_str()?;
    let symbol = symbol.rsplit('.').next().unwrap_or_default();
    let name = json.get("name")?.as_str()?.to_owned();
    let default = json.get("defaultValue").cloned();
    let (kind, choices) = match symbol {
        "booleanParam" | "BooleanParameterDefinition" => (ParameterKind::Boolean, Vec::new()),
        "choice" | "ChoiceParameterDefinition" => (ParameterKind::Choice, choices(json.get("choices"))),
        _ => (ParameterKind::String, Vec::new()),
    };
    let default = match kind {
        ParameterKind::Boolean => Some(default.unwrap_or(Json::Bool(false))),
        ParameterKind::Choice => choices.first().map(|first| Json::from(first.as_str())),
        _ => Some(default.unwrap_or_else(|| "".into())),
    };
    let description = json.get("description").and_then(Json::as_str).unwrap_or_default().to_owned();
    Some(ParameterSpec { name, kind, default, choices, description })
}

/// A list, or lines of text.
pub(crate) fn choices(json: Option<&Json>) -> Vec<String> {
    match json {
        Some(Json::Array(items)) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        Some(Json::String(text)) => text.lines().map(|line| line.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}
