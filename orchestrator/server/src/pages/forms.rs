//! What the forms of the pages do: the same as the API, then back to a page.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use haliotis_model::{Answer, BuildId, Decision, Object, ParameterKind, ParameterSpec, Value};

use super::after;
use crate::api::{abort_build, find_pipeline, give_answer, rerun_build, set_approval};
use crate::edges::{Rerun, RerunFrom};
use crate::error::Failed;
use crate::identity::Person;
use crate::state::AppState;
use crate::words;

/// Fields of parameters carry this before their name, so that none is taken for a field of the form itself.
const PREFIX: &str = "p.";

type Fields = BTreeMap<String, String>;

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.trim())
}

fn by(person: Result<Person, Failed>, fields: &Fields) -> Result<String, Failed> {
    person?.named(Some(field(fields, "by")))
}

/// Values of parameters as their types want them. What cannot be read is passed on as text, for the engine to refuse
/// by name.
fn values(specs: &[ParameterSpec], fields: &Fields) -> Object {
    let mut values = Object::new();
    for spec in specs {
        let text = fields.get(&format!("{PREFIX}{}", spec.name));
        let value = match (spec.kind, text) {
            // A box that is not ticked is not sent.
            (ParameterKind::Boolean, given) => Value::Bool(given.is_some()),
            (_, None) => continue,
            (ParameterKind::Integer | ParameterKind::Number, Some(text)) if text.trim().is_empty() => continue,
            (ParameterKind::Integer | ParameterKind::Number, Some(text)) => {
                let number = serde_json::from_str::<serde_json::Number>(text.trim());
                number.map_or_else(|_| Value::String(text.clone()), Value::Number)
            }
            (ParameterKind::String | ParameterKind::Choice, Some(text)) => Value::String(text.clone()),
        };
        values.insert(spec.name.clone(), value);
    }
    values
}

pub(crate) async fn start(
    State(state): State<AppState>,
    Path(name): Path<String>,
    person: Result<Person, Failed>,
    Form(fields): Form<Fields>,
) -> Response {
    let done = async {
        let by = by(person, &fields)?;
        let pipeline = find_pipeline(&state, &name).await?;
        let parameters = values(&pipeline.parameters, &fields);
        let created = state.actions.start_build(&name, parameters, &by, None).await?;
        Ok(words::build_url(created.id))
    };
    let done = done.await;
    after(&state, done)
}

pub(crate) async fn abort(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    person: Result<Person, Failed>,
    Form(fields): Form<Fields>,
) -> Response {
    let done = async {
        let by = by(person, &fields)?;
        abort_build(&state, BuildId(id), &by, field(&fields, "reason")).await?;
        Ok(words::build_url(BuildId(id)))
    };
    let done = done.await;
    after(&state, done)
}

/// The same build once more, whole or from a step, with its parameters or others.
pub(crate) async fn rerun(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    person: Result<Person, Failed>,
    Form(fields): Form<Fields>,
) -> Response {
    let done = async {
        let by = by(person, &fields)?;
        let build = state.engine.view(BuildId(id)).await?.build;
        let from = RerunFrom::parse(field(&fields, "from"));
        // A form without parameters leaves them all; one with them has a box for each truth, ticked or not.
        let parameters = if fields.contains_key("parameters") {
            values(&find_pipeline(&state, &build.pipeline).await?.parameters, &fields)
        } else {
            Object::new()
        };
        let created = rerun_build(&state, Rerun { build: BuildId(id), from, parameters, by }).await?;
        Ok(words::build_url(created.id))
    };
    let done = done.await;
    after(&state, done)
}

pub(crate) async fn answer(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    person: Result<Person, Failed>,
    Form(fields): Form<Fields>,
) -> Response {
    let done = async {
        let by = by(person, &fields)?;
        let step = field(&fields, "step");
        let view = state.engine.view(BuildId(id)).await?;
        let question = view.inputs.iter().rev().find(|input| input.id.as_str() == step);
        let specs = question.map(|question| question.input.parameters.as_slice()).unwrap_or_default();
        let decision = match field(&fields, "decision") {
            "approved" => Decision::Approved,
            "rejected" => Decision::Rejected,
            other => {
                return Err(Failed::bad_request(format!("{other:?} is no decision"), "Use one of the two buttons."));
            }
        };
        let values = if decision == Decision::Approved { values(specs, &fields) } else { Object::new() };
        let reason = field(&fields, "reason").to_owned();
        let digest = field(&fields, "digest").to_owned();
        give_answer(&state, BuildId(id), step, Answer { decision, by, reason, values, digest }).await?;
        Ok(words::build_url(BuildId(id)))
    };
    let done = done.await;
    after(&state, done)
}

pub(crate) async fn decide(
    State(state): State<AppState>,
    Path(group): Path<String>,
    person: Result<Person, Failed>,
    Form(fields): Form<Fields>,
) -> Response {
    let done = async {
        let by = by(person, &fields)?;
        let (arn, status) = (field(&fields, "arn"), field(&fields, "status"));
        let package = set_approval(&state, arn, status, &by, field(&fields, "reason")).await?;
        Ok(format!("/models/{}#v{}", words::part(&group), package.version))
    };
    let done = done.await;
    after(&state, done)
}
