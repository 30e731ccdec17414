//! `/generic-webhook-trigger/invoke`: a request of any program starts jobs, with values out of its body.
//!
//! The jobs are those whose config.xml has a `GenericTrigger` with the token that the request carries (in the query, the
//! header `token`, `X-Gitlab-Token`, or as a bearer). A trigger without a token starts for callers who may build the job
//! anyway. Values come by JSONPath from the body, from headers and from the query, and go into the job's parameters of
//! the same names; a filter over them decides whether a build starts at all. XPath is not provided: such a value is its
//! default.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use haliotis_access::{Object as AccessTo, Permission};
use haliotis_model::{Cause, Object, Pipeline, Value};
use serde_json::{Map, json};

use super::call::{self, Call};
use super::queue::{self, Wish};
use super::xml::{self, Element};
use super::{items, path, trigger};
use crate::access::{Need, Routes, current};
use crate::error::Failed;
use crate::state::AppState;

/// The element of the plugin, in `triggers` or in the property of them.
const ELEMENT: &str = "org.jenkinsci.plugins.gwt.GenericTrigger";
/// Values of one trigger; more is a mistake.
const VALUES_MAX: usize = 500;
/// A compiled filter may take so many bytes: a pattern is the configuration's, and may be anything.
const FILTER_MAX: usize = 1 << 20;

pub(crate) fn routes() -> Routes {
    let own =
        Need::public("the token of a job's own trigger stands for a login; without one it starts what the caller may");
    Routes::new().any("/generic-webhook-trigger/invoke", own, serve)
}

async fn serve(State(state): State<AppState>, request: Request) -> Response {
    match invoke(&state, request).await {
        Ok(response) => response,
        Err(failed) => call::refuse(&failed),
    }
}

async fn invoke(state: &AppState, request: Request) -> Result<Response, Failed> {
    let call = Call::read(state, request).await?;
    let token = token_of(&call);
    let dry = call.query.get("gwt-dry-run").is_some() || call.headers.contains_key("gwt-dry-run");
    let mut jobs = Map::new();
    for (full, text) in state.catalog.documents(items::CONFIG).await?.iter().filter(|(_, text)| text.contains(ELEMENT))
    {
        let Ok(root) = xml::parse(text) else { continue };
        let mut triggers = Vec::new();
        root.find_all(ELEMENT, &mut triggers);
        let Some(found) = triggers.into_iter().find(|found| meant(found, full, token.as_deref())) else { continue };
        let Some(pipeline) = state.catalog.pipeline(full).await?.filter(|pipeline| !pipeline.disabled) else {
            continue;
        };
        jobs.insert(full.clone(), one(&call, &pipeline, found, dry).await?);
    }
    if jobs.is_empty() {
        let message = "Did not find any jobs with GenericTrigger configured! If you are using a token, you need to pass \
            it like ...trigger/invoke?token=TOKENHERE. If you are not using a token, you need to authenticate like \
            http://user:passsword@example.org/generic-webhook-trigger/invoke";
        return Ok((StatusCode::NOT_FOUND, axum::Json(json!({"jobs": null, "message": message}))).into_response());
    }
    let any = jobs.values().any(|job| job["triggered"] == true);
    let message = if any { "Triggered jobs." } else { "No jobs were triggered." };
    Ok(axum::Json(json!({"jobs": jobs, "message": message})).into_response())
}

fn token_of(call: &Call) -> Option<String> {
    let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let all = [call.query.get("token"), header("token"), header("x-gitlab-token"), bearer];
    all.into_iter().flatten().find(|token| !token.is_empty()).map(str::to_owned)
}

fn meant(found: &Element, full: &str, given: Option<&str>) -> bool {
    match (found.text_at("token").trim(), given) {
        ("", _) => current().may(Permission::Build, AccessTo::Pipeline(full)),
        (own, Some(given)) => trigger::equal(given.as_bytes(), own.as_bytes()),
        (_, None) => false,
    }
}

/// One job: its values, its filter, its build.
async fn one(call: &Call, pipeline: &Pipeline, found: &Element, dry: bool) -> Result<Value, Failed> {
    let values = values(call, found);
    let filled = |text: &str| fill(text, &values);
    let (text, expression) = (filled(found.text_at("regexpFilterText")), found.text_at("regexpFilterExpression"));
    let fits = expression.is_empty() || regex(expression).is_some_and(|regex| regex.is_match(&text));
    let mut told = json!({
        "regexpFilterExpression": expression,
        "regexpFilterText": text,
        "resolvedVariables": values,
        "triggered": false,
    });
    if !fits || dry {
        return Ok(told);
    }
    let mut parameters = Object::new();
    for spec in &pipeline.parameters {
        if let Some(value) = values.get(&spec.name).and_then(Value::as_str) {
            parameters.insert(spec.name.clone(), trigger::converted(spec, &Value::from(value))?);
        }
    }
    let note = Some(filled(found.text_at("causeString"))).filter(|note| !note.is_empty());
    let note = note.unwrap_or_else(|| "Generic Cause".to_owned());
    let cause = Cause::Remote { host: call.peer(), note };
    let wish = Wish { pipeline: pipeline.clone(), parameters, cause, delay: std::time::Duration::ZERO };
    let (id, _) = queue::schedule(&call.state, wish).await?;
    told["triggered"] = Value::Bool(true);
    told["id"] = Value::from(id);
    told["url"] = Value::from(format!("queue/item/{id}/"));
    Ok(told)
}

/// All values by name; each is a text.
fn values(call: &Call, found: &Element) -> Map<String, Value> {
    let mut all = Map::new();
    let list = |name: &str, item: &str| {
        let mut listed = Vec::new();
        found.child(name).into_iter().for_each(|list| list.find_all(item, &mut listed));
        listed
    };
    let json: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
    for one in list("genericVariables", "org.jenkinsci.plugins.gwt.GenericVariable") {
        let name = one.text_at("key");
        let xpath = one.text_at("expressionType").trim().eq_ignore_ascii_case("xpath");
        let hits = if xpath { Vec::new() } else { path::find(&json, one.text_at("value").trim()) };
        put(&mut all, name, &hits, one);
        if let [Value::Array(list)] = hits.as_slice() {
            for (at, value) in list.iter().enumerate().take(VALUES_MAX) {
                all.insert(format!("{name}_{at}"), Value::from(plain(value)));
            }
        }
    }
    for one in list("genericRequestVariables", "org.jenkinsci.plugins.gwt.GenericRequestVariable") {
        let given = call.query.get(one.text_at("key")).map(Value::from);
        put(&mut all, one.text_at("key"), &given.iter().collect::<Vec<_>>(), one);
    }
    for one in list("genericHeaderVariables", "org.jenkinsci.plugins.gwt.GenericHeaderVariable") {
        // A header's name becomes a variable's, as the plugin does it.
        let name = one.text_at("key").to_lowercase().replace('-', "_");
        let given = call.headers.get(one.text_at("key").to_lowercase()).and_then(|value| value.to_str().ok());
        let given = given.map(Value::from);
        put(&mut all, &name, &given.iter().collect::<Vec<_>>(), one);
    }
    all
}

fn put(all: &mut Map<String, Value>, name: &str, hits: &[&Value], one: &Element) {
    if name.is_empty() || all.len() >= VALUES_MAX {
        return;
    }
    let text = hits.first().map_or_else(|| one.text_at("defaultValue").to_owned(), |value| plain(value));
    let unwanted = one.text_at("regexpFilter");
    let text = match regex(unwanted).filter(|_| !unwanted.is_empty()) {
        Some(regex) => regex.replace_all(&text, "").into_owned(),
        None => text,
    };
    all.insert(name.to_owned(), Value::from(text));
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn regex(pattern: &str) -> Option<regex::Regex> {
    regex::RegexBuilder::new(pattern).size_limit(FILTER_MAX).build().ok()
}

/// `$name` and `${name}`; the longest name wins.
fn fill(text: &str, values: &Map<String, Value>) -> String {
    let mut names: Vec<_> = values.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        filled.push_str(before);
        let after = after.get(1..).unwrap_or("");
        let hit = names.iter().find_map(|(name, value)| {
            let braced = after.strip_prefix('{').and_then(|text| text.strip_prefix(name.as_str()));
            let end = braced.and_then(|text| text.strip_prefix('}')).or_else(|| after.strip_prefix(name.as_str()));
            end.map(|end| (end, plain(value)))
        });
        match hit {
            Some((end, value)) => {
                filled.push_str(&value);
                rest = end;
            }
            None => {
                filled.push('$');
                rest = after;
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_texts() {
        let values = json!({"ref": "refs/heads/main", "ref_name": "main"});
        let values = values.as_object().unwrap();
        for (text, filled) in [
            ("$ref", "refs/heads/main"),
            ("$ref_name!", "main!"),
            ("${ref}x", "refs/heads/mainx"),
            ("cost: 5$ $other", "cost: 5$ $other"),
        ] {
            assert_eq!(fill(text, values), filled);
        }
    }
}
