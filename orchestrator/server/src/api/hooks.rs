//! The door for git hosts. What stands behind it verifies the signature; nothing is believed here.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use haliotis_engine::trigger::same_repo;
use haliotis_model::{Pipeline, TriggerSpec};
use serde::Deserialize;

use crate::access::{Need, Routes, current};
use crate::error::Failed;
use crate::state::AppState;

/// GitHub sends at most 25 MB; nobody sends more.
const BODY_MAX: usize = 25 * 1024 * 1024;

pub(crate) fn routes() -> Routes {
    let signed = Need::public("git hosts have no login; their deliveries are signed, and an unsigned one only polls");
    Routes::new()
        // Jenkins' address, so that a hook set up for it goes on working.
        .post("/github-webhook/", signed, github)
        .post("/bitbucket-hook/", signed, bitbucket)
        .post("/gitlab-webhook/post", signed, gitlab)
        .post("/gitea-webhook/post", signed, gitea)
        .any("/git/notifyCommit", Need::public("Jenkins' address for hooks of git itself; it only polls"), notify)
        .post("/hooks/{host}", signed, host)
        .body_limit(BODY_MAX)
}

async fn github(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, "github", &headers, body).await
}

async fn bitbucket(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, "bitbucket", &headers, body).await
}

async fn gitlab(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, "gitlab", &headers, body).await
}

async fn gitea(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, "gitea", &headers, body).await
}

#[derive(Deserialize)]
struct Notice {
    #[serde(default)]
    url: String,
}

/// Jenkins' git plugin: looks at the repository now. `sha1` and `branches` are not believed, since nothing signs them;
/// the names of pipelines are told to those who may see them.
async fn notify(State(state): State<AppState>, Query(notice): Query<Notice>) -> Result<Response, Failed> {
    if notice.url.is_empty() {
        return Err(Failed::bad_request("the notice names no repository", "Add ?url=REPOSITORY."));
    }
    let pipelines = state.catalog.pipelines().await?;
    let watches = |pipeline: &Pipeline| {
        pipeline.triggers.iter().any(|trigger| match trigger {
            TriggerSpec::Poll { repo, .. } | TriggerSpec::Webhook { repo, .. } => same_repo(repo, &notice.url),
            _ => false,
        })
    };
    let own: Vec<_> = pipelines.iter().filter(|pipeline| !pipeline.disabled && watches(pipeline)).collect();
    if own.is_empty() {
        return Ok("No git jobs using this repository\n".into_response());
    }
    state.actions.poll().await;
    let caller = current();
    let text: String = own
        .iter()
        .filter(|one| caller.sees(&one.name))
        .map(|one| format!("Scheduled polling of {}\n", one.name))
        .collect();
    Ok(if text.is_empty() { "Scheduled polling\n".into_response() } else { text.into_response() })
}

async fn host(State(state): State<AppState>, Path(host): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, &host, &headers, body).await
}

async fn receive(state: &AppState, host: &str, headers: &HeaderMap, body: Bytes) -> Response {
    let answer = state.hooks.receive(host, headers, body).await;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, format!("{}\n", answer.message)).into_response()
}
