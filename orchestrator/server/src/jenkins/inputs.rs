//! Questions of a build, as Jenkins' `input` step shows and takes them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use haliotis_engine::{BuildView, InputView};
use haliotis_model::{Answer, Decision, Object, ParameterKind};
use serde_json::{Value, json};

use super::build::Target;
use super::call::{Call, redirect};
use super::trigger;
use crate::error::Failed;

/// The id in addresses: the last part of the question's path, its first letter capital, as Jenkins makes its own.
pub(crate) fn id_of(input: &InputView) -> String {
    let name = input.id.name();
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The question of an id; an open one before one that was answered.
fn find<'v>(view: &'v BuildView, id: &str) -> Result<&'v InputView, Failed> {
    let named = |input: &&InputView| id_of(input).eq_ignore_ascii_case(id) || input.id.as_str() == id;
    let open = view.inputs.iter().filter(|input| input.open()).find(named);
    let none = || Failed::not_found(format!("build {} asks no question {id:?}", view.build.number));
    open.or_else(|| view.inputs.iter().rev().find(named)).ok_or_else(none)
}

/// An open question as `wfapi` lists it.
pub(crate) fn row(target: &Target, input: &InputView) -> Value {
    let id = id_of(input);
    let base = format!("/{}", target.path());
    let encoded = super::items::encode(&id);
    let inputs: Vec<_> = input.input.parameters.iter().map(parameter).collect();
    let submit = format!("{base}wfapi/inputSubmit?inputId={encoded}");
    json!({
        "id": id,
        "proceedText": input.input.ok,
        "message": input.input.message,
        "inputs": inputs,
        "proceedUrl": submit,
        "abortUrl": format!("{base}input/{encoded}/abort"),
        "redirectApprovalUrl": format!("{base}input/"),
    })
}

fn parameter(spec: &haliotis_model::ParameterSpec) -> Value {
    let kind = match spec.kind {
        ParameterKind::Boolean => "BooleanParameterDefinition",
        ParameterKind::Choice => "ChoiceParameterDefinition",
        _ => "StringParameterDefinition",
    };
    let mut definition = json!({ "defaultVal": spec.default });
    if let (ParameterKind::Choice, Some(definition)) = (spec.kind, definition.as_object_mut()) {
        definition.insert("choices".to_owned(), json!(spec.choices));
    }
    json!({ "type": kind, "name": spec.name, "description": spec.description, "definition": definition })
}

/// How an answer is answered.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reply {
    /// 200.
    Plain,
    /// To the build's console.
    Console,
}

/// Gives an answer: the values of the form field `json` over the question's defaults.
pub(crate) async fn answer(
    call: &Call,
    target: &Target,
    id: &str,
    decision: Decision,
    reply: Reply,
) -> Result<Response, Failed> {
    let by = call.by()?;
    let view = call.state.engine.view(target.build.id).await?;
    let input = find(&view, id)?;
    let mut values = match call.value("json") {
        Some(json) if decision == Decision::Approved => trigger::values(json, &input.input.parameters)?,
        _ => Object::new(),
    };
    if decision == Decision::Approved {
        for spec in &input.input.parameters {
            if let (false, Some(default)) = (values.contains_key(&spec.name), &spec.default) {
                values.insert(spec.name.clone(), default.clone());
            }
        }
    }
    let reason = call.value("reason").unwrap_or("").to_owned();
    let answer = Answer { decision, by, reason, values, digest: input.input.digest.clone() };
    let step = input.id.to_string();
    crate::api::give_answer(&call.state, target.build.id, &step, answer).await?;
    Ok(match reply {
        Reply::Plain => StatusCode::OK.into_response(),
        Reply::Console => redirect(&call.url(&format!("{}console", target.path()))),
    })
}
