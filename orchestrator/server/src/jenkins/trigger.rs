//! `build` and `buildWithParameters`.

use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use haliotis_model::{Cause, Object, ParameterKind, ParameterSpec, Pipeline, Value};
use serde::Deserialize;

use super::call::{Call, bad, leads, lenient};
use super::queue::{self, Wish};
use super::{items, xml};
use crate::error::Failed;

/// The longest delay a request may ask for: a year; more is a mistake of units.
const DELAY_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// A build without, or with, parameters of its own.
pub(crate) async fn build(call: &Call, pipeline: &Pipeline, with_parameters: bool) -> Result<Response, Failed> {
    let config = call.state.catalog.document(items::CONFIG, &pipeline.name).await?;
    let config = config.as_deref().and_then(|text| xml::parse(text).ok());
    let cause = match may_build(call, config.as_ref().map_or("", |config| config.text_at("authToken")))? {
        Permit::Person(by) => Cause::User { by },
        Permit::Token => {
            let note = call.value("cause").unwrap_or("").to_owned();
            Cause::Remote { host: call.peer(), note }
        }
        Permit::No(response) => return Ok(*response),
    };
    if pipeline.disabled {
        let message = format!("{} is not buildable", pipeline.name);
        return Err(Failed::new(StatusCode::CONFLICT, "disabled", message, "Enable the job first."));
    }
    let parameters = match (with_parameters, pipeline.parameters.is_empty()) {
        (true, true) => return Err(bad(format!("{} is not parameterized", pipeline.name))),
        (true, false) => from_pairs(call, pipeline)?,
        (false, true) => Object::new(),
        (false, false) => from_json(call, pipeline)?,
    };
    let quiet_period =
        config.as_ref().and_then(|config| config.text_at("quietPeriod").trim().parse().ok()).unwrap_or(0);
    let delay = delay(call.value("delay"), quiet_period)?;
    let wish = Wish { pipeline: pipeline.clone(), parameters, cause, delay };
    let (id, was_there) = queue::schedule(&call.state, wish).await?;
    let status = if was_there { StatusCode::SEE_OTHER } else { StatusCode::CREATED };
    Ok(leads(status, &call.url(&format!("queue/item/{id}/"))))
}

enum Permit {
    Person(String),
    Token,
    No(Box<Response>),
}

/// The job's token allows a build without a login and on GET too; nothing else allows a GET.
fn may_build(call: &Call, token: &str) -> Result<Permit, Failed> {
    if let Some(given) = call.value("token").filter(|_| !token.is_empty()) {
        if equal(given.as_bytes(), token.as_bytes()) {
            return Ok(Permit::Token);
        }
        let help = "Give the token of the job's configuration.";
        return Err(Failed::new(StatusCode::FORBIDDEN, "token", "Invalid token provided.", help));
    }
    if call.method != Method::POST {
        let text = "A build is asked for by POST; a GET needs the job's token.\n";
        let mut response = (StatusCode::METHOD_NOT_ALLOWED, text).into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Ok(Permit::No(Box::new(response)));
    }
    Ok(Permit::Person(call.by()?))
}

/// The same bytes, in a time that does not tell where they differ.
pub(crate) fn equal(given: &[u8], token: &[u8]) -> bool {
    let differs = given.iter().zip(token).fold(given.len() ^ token.len(), |sum, (a, b)| sum | usize::from(a ^ b));
    differs == 0
}

fn delay(asked: Option<&str>, quiet_period: u64) -> Result<Duration, Failed> {
    let seconds = match asked.map(|text| text.trim().trim_end_matches("sec").trim_end_matches("secs").trim()) {
        None | Some("") => quiet_period,
        Some(text) => text.parse().map_err(|_| bad(format!("the delay {text:?} is no number of seconds")))?,
    };
    Some(Duration::from_secs(seconds))
        .filter(|delay| *delay <= DELAY_MAX)
        .ok_or_else(|| bad(format!("a delay of {seconds} seconds is more than a year")))
}

/// Values of the query or form by the parameters' names; others are ignored, as in Jenkins.
fn from_pairs(call: &Call, pipeline: &Pipeline) -> Result<Object, Failed> {
    let mut parameters = Object::new();
    for spec in &pipeline.parameters {
        if let Some(text) = call.value(&spec.name) {
            parameters.insert(spec.name.clone(), converted(spec, &Value::from(text))?);
        }
    }
    Ok(parameters)
}

/// One parameter or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Given),
    Many(Vec<Given>),
}

#[derive(Deserialize)]
struct Given {
    name: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    parameter: Option<OneOrMany>,
}

/// The form field `json` of Jenkins' own page: `{"parameter": [{"name", "value"}]}`.
fn from_json(call: &Call, pipeline: &Pipeline) -> Result<Object, Failed> {
    let text = call.value("json").ok_or_else(|| bad("Nothing is submitted"))?;
    values(text, &pipeline.parameters)
}

/// Values of a form field `json` for these parameters.
pub(crate) fn values(json: &str, specs: &[ParameterSpec]) -> Result<Object, Failed> {
    let form: Form = lenient(json)?;
    let given = match form.parameter {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    };
    let mut parameters = Object::new();
    for Given { name, value } in given {
        if let Some(spec) = specs.iter().find(|spec| spec.name == name) {
            parameters.insert(name, converted(spec, &value)?);
        }
    }
    Ok(parameters)
}

/// As Jenkins reads a value: whatever is not `true` is false; a choice must be one of its list.
pub(crate) fn converted(spec: &ParameterSpec, value: &Value) -> Result<Value, Failed> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match spec.kind {
        ParameterKind::Boolean => Ok(Value::Bool(text.eq_ignore_ascii_case("true"))),
        ParameterKind::Choice if !spec.choices.contains(&text) => {
            Err(bad(format!("Illegal choice for parameter {}: {text}", spec.name)))
        }
        _ => Ok(Value::String(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_and_tokens() {
        assert_eq!(delay(Some("0sec"), 5).unwrap(), Duration::ZERO);
        assert_eq!(delay(Some("7"), 5).unwrap(), Duration::from_secs(7));
        assert_eq!(delay(None, 5).unwrap(), Duration::from_secs(5));
        assert!(delay(Some("soon"), 0).is_err() && delay(Some("99999999999"), 0).is_err());
        assert!(equal(b"abc", b"abc") && !equal(b"abc", b"abd") && !equal(b"ab", b"abc") && !equal(b"", b"a"));
    }
}
