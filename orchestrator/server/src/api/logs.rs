//! What steps printed and what builds kept.

use std::io;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use haliotis_model::BuildId;
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use crate::edges::{self, ArtifactInfo};
use crate::error::{ErrorBody, Failed};
use crate::live::{self, Follower, LogPiece, LogQuery, attempt};
use crate::state::AppState;
use crate::words;

/// Bytes of one read of a download.
const CHUNK: usize = 1 << 20;
/// Whatever a build wrote, a browser may show it as nothing but text, and run none of it.
const SANDBOX: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Bytes of a step's log from an offset: one piece as JSON, or, with `Accept: text/event-stream`, all that is there and
/// all that comes, each event with the offset after it as its id, and an `end` event.
#[utoipa::path(get, path = "/api/v1/builds/{id}/steps/log", tag = "logs",
    params(("id" = i64, Path, description = "The build's id"),
        ("step" = String, Query, description = "The step's path, as in /train"),
        ("attempt" = Option<u32>, Query, description = "From 1; the last one when absent"),
        ("offset" = Option<u64>, Query, description = "The first byte wanted"),
        ("limit" = Option<usize>, Query, description = "Bytes of one piece, up to 1 MiB")),
    responses((status = 200, description = "A piece, or a stream of pieces", body = LogPiece),
        (status = 404, description = "There is no such build", body = ErrorBody)))]
pub(crate) async fn log(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(mut query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let build = BuildId(id);
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    if !accepts.contains("text/event-stream") {
        return Ok(live::read(&state, build, &query).await?.into_response());
    }
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    query.offset = resumed.unwrap_or(query.offset);
    let view = state.engine.view(build).await?;
    let key = edges::key(build, &query.step, attempt(&view, &query.step, query.attempt));
    Ok(live::bytes_events(Follower::new(state, key, query.offset).await?).into_response())
}

/// The whole log of a step, byte for byte.
#[utoipa::path(get, path = "/api/v1/builds/{id}/steps/log/raw", tag = "logs",
    params(("id" = i64, Path, description = "The build's id"),
        ("step" = String, Query, description = "The step's path, as in /train"),
        ("attempt" = Option<u32>, Query, description = "From 1; the last one when absent"),
        ("offset" = Option<u64>, Query, description = "The first byte wanted")),
    responses((status = 200, description = "The bytes", content_type = "text/plain", body = String),
        (status = 404, description = "There is no such build", body = ErrorBody)))]
pub(crate) async fn raw(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Failed> {
    let build = BuildId(id);
    let view = state.engine.view(build).await?;
    let key = edges::key(build, &query.step, attempt(&view, &query.step, query.attempt));
    // The end is fixed now, so that a download of a growing log ends.
    let total = state.logs.read(&key, 0, 1).await?.total;
    let name = format!("{}.log", key.slug());
    let bytes = stream::try_unfold((state, key, query.offset), move |(state, key, offset)| async move {
        let limit = usize::try_from(total.saturating_sub(offset)).unwrap_or(CHUNK).min(CHUNK);
        if limit == 0 {
            return Ok::<_, io::Error>(None);
        }
        let chunk = state.logs.read(&key, offset, limit).await.map_err(io::Error::other)?;
        if chunk.bytes.is_empty() {
            return Ok(None);
        }
        let next = offset + chunk.bytes.len() as u64;
        Ok(Some((Bytes::from(chunk.bytes), (state, key, next))))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"{name}\"")),
        (header::CONTENT_SECURITY_POLICY, SANDBOX.to_owned()),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

/// The files a build kept.
#[utoipa::path(get, path = "/api/v1/builds/{id}/artifacts", tag = "logs",
    params(("id" = i64, Path, description = "The build's id")),
    responses((status = 200, description = "Paths and sizes", body = Vec<ArtifactInfo>)))]
pub(crate) async fn artifacts(
    State(state): State<AppState>,
    Path(id): Path<i64>,
) -> Result<Json<Vec<ArtifactInfo>>, Failed> {
    state.engine.view(BuildId(id)).await?;
    Ok(Json(state.artifacts.list(BuildId(id)).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ArtifactQuery {
    /// The artifact's path, as listed.
    path: String,
}

/// One artifact, byte for byte.
#[utoipa::path(get, path = "/api/v1/builds/{id}/artifacts/content", tag = "logs",
    params(("id" = i64, Path, description = "The build's id"), ArtifactQuery),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream", body = String),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn artifact(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<ArtifactQuery>,
) -> Result<Response, Failed> {
    let body = state.artifacts.open(BuildId(id), &query.path).await?;
    let name = words::part(query.path.rsplit('/').next().unwrap_or("artifact"));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, body.size.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
        (header::CONTENT_SECURITY_POLICY, SANDBOX.to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(body.reader))).into_response())
}
