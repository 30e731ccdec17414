//! The door for git hosts. What stands behind it verifies the signature; nothing is believed here.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::access::{Need, Routes};
use crate::state::AppState;

/// GitHub sends at most 25 MB; nobody sends more.
const BODY_MAX: usize = 25 * 1024 * 1024;

pub(crate) fn routes() -> Routes {
    let signed = Need::public("git hosts have no login; their deliveries are signed, and an unsigned one only polls");
    Routes::new()
        // Jenkins' address, so that a hook set up for it goes on working.
        .post("/github-webhook/", signed, github)
        .post("/hooks/{host}", signed, host)
        .body_limit(BODY_MAX)
}

async fn github(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, "github", &headers, body).await
}

async fn host(State(state): State<AppState>, Path(host): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    receive(&state, &host, &headers, body).await
}

async fn receive(state: &AppState, host: &str, headers: &HeaderMap, body: Bytes) -> Response {
    let answer = state.hooks.receive(host, headers, body).await;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, format!("{}\n", answer.message)).into_response()
}
