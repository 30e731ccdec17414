//! Our own routes beside AWS': logs of jobs and endpoints by byte offset, counts of endpoints, capabilities.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sagemaker::SageMaker;
use crate::sagemaker::job::{JobKind, Phase};

/// Bytes of a log in one answer; the caller asks again from where it ended.
const MAX_CHUNK: u64 = 1024 * 1024;
/// The offset to go on from.
const NEXT_OFFSET: HeaderName = HeaderName::from_static("x-haliotis-next-offset");
/// `true` when the job has ended, so that nothing will be added any more.
const COMPLETE: HeaderName = HeaderName::from_static("x-haliotis-complete");

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    offset: u64,
}

impl SageMaker {
    /// Our own routes, which the front mounts:
    /// - `GET /_haliotis/jobs/{kind}/{name}/log?offset=N`: bytes from N on, at most 1 MiB, with the headers
    ///   `x-haliotis-next-offset` and `x-haliotis-complete`; 404 for a job that is not there.
    /// - `GET /_haliotis/endpoints`: status, process logs, invocations and errors of each endpoint.
    /// - `GET /_haliotis/endpoints/{name}/log?offset=N`: the log of its newest fleet's first container.
    /// - `GET /_haliotis/pipelines/{name}/executions/{id}`: an execution with why each step was or was not taken from an
    ///   earlier one, and the arguments of each step.
    /// - `GET /_haliotis/capabilities`: whether jobs can run on this host, and what to do if not.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/_haliotis/jobs/{kind}/{name}/log", get(job_log))
            .route("/_haliotis/endpoints", get(endpoints))
            .route("/_haliotis/endpoints/{name}/log", get(endpoint_log))
            .route("/_haliotis/pipelines/{name}/executions/{id}", get(execution))
            .route("/_haliotis/capabilities", get(capabilities))
            .with_state(Arc::clone(self))
    }
}

async fn job_log(
    State(cloud): State<Arc<SageMaker>>,
    UrlPath((kind, name)): UrlPath<(String, String)>,
    Query(from): Query<From>,
) -> Response {
    let found = JobKind::parse(&kind).and_then(|kind| cloud.jobs(kind).get(&name));
    let Some(job) = found else { return missing(&format!("there is no {kind} job {name}")) };
    chunk(&cloud.job_log(job.kind, &job.name), from.offset, job.phase == Phase::Ended).await
}

async fn endpoint_log(
    State(cloud): State<Arc<SageMaker>>,
    UrlPath(name): UrlPath<String>,
    Query(from): Query<From>,
) -> Response {
    let Some(endpoint) = cloud.endpoints.get(&name) else { return missing(&format!("there is no endpoint {name}")) };
    match endpoint.next.as_ref().or(endpoint.current.as_ref()).and_then(|plan| Some((plan, plan.variants.first()?))) {
        Some((plan, variant)) => {
            let file = format!("{name}-{}-{}.log", plan.id, variant.name);
            chunk(&cloud.logs.join("endpoints").join(file), from.offset, false).await
        }
        None => missing(&format!("the endpoint {name} runs nothing")),
    }
}

fn missing(what: &str) -> Response {
    (StatusCode::NOT_FOUND, what.to_owned()).into_response()
}

/// A log that is not there yet is empty.
async fn chunk(path: &Path, offset: u64, complete: bool) -> Response {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_from(&path, offset)).await;
    let (bytes, more) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot read the log: {error}")).into_response();
        }
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(NEXT_OFFSET, HeaderValue::from(offset + bytes.len() as u64));
    headers.insert(COMPLETE, HeaderValue::from_static(if complete && !more { "true" } else { "false" }));
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    (headers, bytes).into_response()
}

/// Bytes from the offset on, and whether there are more.
fn read_from(path: &Path, offset: u64) -> std::io::Result<(Vec<u8>, bool)> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset.min(length)))?;
    let mut bytes = Vec::new();
    file.take(MAX_CHUNK).read_to_end(&mut bytes)?;
    let end = offset + bytes.len() as u64;
    Ok((bytes, end < length))
}

async fn endpoints(State(cloud): State<Arc<SageMaker>>) -> Json<Value> {
    let endpoints = cloud.endpoints.all().into_iter().map(|endpoint| {
        let fleet = cloud.fleet_of(&endpoint.name);
        let variants =
            fleet.iter().flat_map(|fleet| &fleet.variants).map(|variant| variant.traffic.told(&variant.name));
        json!({
            "name": endpoint.name,
            "status": endpoint.status.word(),
            "failure": endpoint.failure,
            "config": endpoint.current.as_ref().map(|plan| &plan.config),
            "variants": variants.collect::<Value>(),
        })
    });
    Json(json!({ "endpoints": endpoints.collect::<Value>() }))
}

async fn execution(State(cloud): State<Arc<SageMaker>>, UrlPath((name, id)): UrlPath<(String, String)>) -> Response {
    match cloud.execution_report(&name, &id) {
        Some(report) => Json(report).into_response(),
        None => missing(&format!("the pipeline {name} has no execution {id}")),
    }
}

async fn capabilities(State(cloud): State<Arc<SageMaker>>) -> Json<Value> {
    let found = cloud.capabilities().await;
    Json(json!({"namespaces": found.namespaces, "explanation": found.explanation}))
}
