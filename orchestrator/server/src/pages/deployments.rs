//! What serves where, what served at any time, and what an endpoint answers.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use haliotis_model::Millis;
use jiff::Timestamp;
use serde::Deserialize;

use super::models::endpoint_badge;
use super::version::{Served, served_row};
use super::{Markup, Page, respond, time};
use crate::access::current;
use crate::edges::{Asked, EndpointInfo, Invocation, Traffic, millis};
use crate::error::Failed;
use crate::identity::Person;
use crate::served;
use crate::state::AppState;
use crate::words;

/// Invocations listed.
const ASKED_ROWS: usize = 20;
/// Deployments listed.
const ROWS: usize = 100;
/// Bytes of one row that a person types.
const BODY_MAX: usize = 64 * 1024;
/// Characters of an answer that are shown.
const ANSWER_MAX: usize = 20_000;
/// What a person may send.
const TYPES: [&str; 3] = ["text/csv", "application/json", "text/libsvm"];

#[derive(Deserialize)]
pub(crate) struct AtQuery {
    /// `2026-11-22T15:04`, in UTC, as a browser's field for a date and a time gives it; or RFC 3339.
    #[serde(default)]
    at: String,
}

#[derive(Template)]
#[template(path = "served.html")]
struct ServedPage {
    page: Page,
    at: String,
    asked: bool,
    bad: bool,
    there: Vec<Served>,
    ledger: Vec<Served>,
}

pub(crate) async fn served(State(state): State<AppState>, Query(query): Query<AtQuery>) -> Response {
    respond(&state, served_page(&state, query.at.trim()).await)
}

async fn served_page(state: &AppState, asked: &str) -> Result<ServedPage, Failed> {
    let ledger = served::ledger(state, None).await?;
    let now = haliotis_engine::now();
    let moment = moment(asked);
    let there = served::at(&ledger, moment.unwrap_or(now));
    let current = served::at(&ledger, now);
    let shown = words::iso(moment.unwrap_or(now));
    Ok(ServedPage {
        page: Page::new(state, "models", "What served when").live("/events"),
        at: shown.get(..16).unwrap_or(&shown).to_owned(),
        asked: moment.is_some(),
        bad: !asked.is_empty() && moment.is_none(),
        there: there.iter().map(|one| served_row(one, &current)).collect(),
        ledger: ledger.iter().take(ROWS).map(|one| served_row(one, &current)).collect(),
    })
}

/// A moment that a person wrote; one without a zone is UTC. A minute counts to its end.
fn moment(text: &str) -> Option<Millis> {
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(Millis(exact.as_millisecond()));
    }
    let minutes = text.len() == 16;
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Millis(at + if minutes { 59_999 } else { 0 }))
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    page: Page,
    endpoint: EndpointInfo,
    badge: Markup,
    model: String,
    model_url: String,
    updated: Markup,
    created: Markup,
    action: String,
    may: bool,
    types: Vec<(&'static str, bool)>,
    body: String,
    answer: Option<Invocation>,
    problem: String,
    took: String,
    /// `None`: this cloud does not say.
    traffic: Option<Vec<Traffic>>,
    recent: Vec<AskedRow>,
}

/// An invocation that is over.
struct AskedRow {
    when: Markup,
    variant: String,
    took: String,
    /// `200`, `none in time`.
    status: String,
    good: bool,
    said: String,
}

fn asked_rows(traffic: &[Traffic]) -> Vec<AskedRow> {
    let mut all: Vec<_> = traffic.iter().flat_map(|of| of.recent.iter().map(move |seen| (of, seen))).collect();
    all.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.at));
    let row = |(of, seen): (&Traffic, &Asked)| AskedRow {
        when: time(millis(seen.at)),
        variant: of.variant.clone(),
        took: if seen.took_us < 1_000 {
            format!("{} µs", seen.took_us)
        } else {
            words::duration(seen.took_us / 1_000)
        },
        status: if seen.status == 0 { "none in time".to_owned() } else { seen.status.to_string() },
        good: (200..300).contains(&seen.status),
        said: seen.said.clone(),
    };
    all.into_iter().take(ASKED_ROWS).map(row).collect()
}

pub(crate) async fn endpoint(State(state): State<AppState>, Path(name): Path<String>) -> Response {
    let page = endpoint_page(&state, &name, None).await;
    respond(&state, page)
}

#[derive(Deserialize)]
pub(crate) struct Try {
    #[serde(default)]
    body: String,
    #[serde(default)]
    content_type: String,
}

/// Sends one request; it costs the endpoint what any other costs, and is noted nowhere but by the endpoint.
pub(crate) async fn invoke(
    State(state): State<AppState>,
    Path(name): Path<String>,
    person: Result<Person, Failed>,
    Form(given): Form<Try>,
) -> Response {
    let made = async {
        person?;
        endpoint_page(&state, &name, Some(given)).await
    };
    let made = made.await;
    respond(&state, made)
}

async fn endpoint_page(state: &AppState, name: &str, given: Option<Try>) -> Result<EndpointPage, Failed> {
    let all = state.models.endpoints().await?;
    let endpoint = all.into_iter().find(|endpoint| endpoint.name == name);
    let endpoint = endpoint.ok_or_else(|| Failed::not_found(format!("there is no endpoint named {name:?}")))?;
    let (answer, problem) = match &given {
        Some(given) => asked(state, name, given).await,
        None => (None, String::new()),
    };
    let chosen = given.as_ref().map_or(TYPES[0], |given| given.content_type.as_str());
    let permission = haliotis_access::Permission::Build;
    // After the row that was just tried, so that it is among them.
    let traffic = state.models.traffic(name).await;
    Ok(EndpointPage {
        page: Page::new(state, "endpoints", name),
        badge: endpoint_badge(&endpoint.status),
        model: words::short_arn(&endpoint.model_package).to_owned(),
        model_url: words::version_url(&endpoint.model_package),
        updated: time(millis(endpoint.updated_at)),
        created: time(millis(endpoint.created_at)),
        action: format!("{}/invoke", words::endpoint_url(name)),
        may: current().may(permission, haliotis_access::Object::Somewhere),
        types: TYPES.iter().map(|kind| (*kind, *kind == chosen)).collect(),
        body: given.map(|given| given.body).unwrap_or_default(),
        took: answer.as_ref().map(|answer| words::duration(answer.took_ms)).unwrap_or_default(),
        answer,
        problem,
        recent: traffic.as_deref().map(asked_rows).unwrap_or_default(),
        traffic,
        endpoint,
    })
}

async fn asked(state: &AppState, name: &str, given: &Try) -> (Option<Invocation>, String) {
    let body = given.body.trim_end();
    if body.is_empty() || body.len() > BODY_MAX || !TYPES.contains(&given.content_type.as_str()) {
        return (None, format!("Give a row of at most {} and one of the types.", words::bytes(BODY_MAX as u64)));
    }
    match state.models.invoke(name, &given.content_type, body.as_bytes().to_vec()).await {
        Ok(mut answer) => {
            if let Some((at, _)) = answer.body.char_indices().nth(ANSWER_MAX) {
                answer.body.truncate(at);
                answer.body.push('…');
            }
            (Some(answer), String::new())
        }
        Err(error) => (None, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_as_a_browser_writes_it_is_the_end_of_that_minute_in_utc() {
        assert_eq!(moment("1970-01-01T00:01"), Some(Millis(119_999)));
        assert_eq!(moment("1970-01-01T00:01:00Z"), Some(Millis(60_000)));
        assert_eq!(moment("1970-01-01T01:00:00+01:00"), Some(Millis(0)));
        assert_eq!(moment("yesterday"), None);
    }
}
