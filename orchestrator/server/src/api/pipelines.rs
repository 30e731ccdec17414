//! Pipelines: list, look, register, remove, start.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use haliotis_engine::AuditEntry;
use haliotis_model::{BuildId, Object, Pipeline};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::access::current;
use crate::error::{ErrorBody, Failed};
use crate::identity::Person;
use crate::state::AppState;

/// Which pipelines a list has.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// At most so many; all without it.
    limit: Option<usize>,
    /// Those after this name.
    after: Option<String>,
}

/// All pipelines, by name, or a part of them.
#[utoipa::path(get, path = "/api/v1/pipelines", tag = "pipelines", params(Part),
    responses((status = 200, description = "Pipelines with their triggers and parameters", body = Vec<Object>)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(part): Query<Part>,
) -> Result<Json<Vec<Pipeline>>, Failed> {
    let caller = current();
    let mut pipelines = state.catalog.pipelines().await?;
    let later = |name: &str| part.after.as_deref().is_none_or(|after| name > after);
    pipelines.retain(|pipeline| later(&pipeline.name) && caller.sees(&pipeline.name));
    pipelines.truncate(part.limit.unwrap_or(usize::MAX));
    Ok(Json(pipelines))
}

/// One pipeline.
#[utoipa::path(get, path = "/api/v1/pipelines/{name}", tag = "pipelines",
    params(("name" = String, Path, description = "Its name; a `/` in it is written %2F")),
    responses((status = 200, description = "The pipeline", body = Object),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn get(State(state): State<AppState>, Path(name): Path<String>) -> Result<Json<Pipeline>, Failed> {
    Ok(Json(find(&state, &name).await?))
}

/// The pipeline of a name.
pub(crate) async fn find(state: &AppState, name: &str) -> Result<Pipeline, Failed> {
    state.catalog.pipeline(name).await?.ok_or_else(|| Failed::not_found(format!("there is no pipeline named {name:?}")))
}

/// Adds or replaces a pipeline. The definition is read and checked before anything is kept.
#[utoipa::path(put, path = "/api/v1/pipelines/{name}", tag = "pipelines",
    params(("name" = String, Path, description = "Its name; the one in the body must be the same or absent")),
    request_body(content = Object, description = "`language`, `path`, and either `text` or `repo` and `branch`"),
    responses((status = 200, description = "The pipeline as registered", body = Object),
        (status = 422, description = "The definition has errors, all of them listed", body = ErrorBody)))]
pub(crate) async fn put(
    State(state): State<AppState>,
    Path(name): Path<String>,
    person: Person,
    Body(mut body): Body<Object>,
) -> Result<Json<Pipeline>, Failed> {
    let by = person.named(None)?;
    let given = body.entry("name").or_insert_with(|| name.clone().into());
    if given.as_str() != Some(&name) {
        let help = "Leave the name out of the body, or make both the same.";
        return Err(Failed::bad_request(format!("the body names {given} and the URL names {name:?}"), help));
    }
    let pipeline: Pipeline = serde_json::from_value(body.into())
        .map_err(|error| Failed::bad_request(format!("the pipeline cannot be read: {error}"), "Correct the field."))?;
    let registered = state.actions.put_pipeline(pipeline, &by).await?;
    audit(&state, &by, "pipeline.register", &name, "").await?;
    Ok(Json(registered))
}

/// Removes a pipeline. Its builds stay.
#[utoipa::path(delete, path = "/api/v1/pipelines/{name}", tag = "pipelines",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone"),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    Path(name): Path<String>,
    person: Person,
) -> Result<StatusCode, Failed> {
    let by = person.named(None)?;
    if !state.catalog.remove_pipeline(&name).await? {
        return Err(Failed::not_found(format!("there is no pipeline named {name:?}")));
    }
    audit(&state, &by, "pipeline.remove", &name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a new build is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartBuild {
    /// The pipeline; only for `POST /api/v1/builds`.
    #[serde(default)]
    pub(crate) pipeline: String,
    /// Parameters by name; those left out have their defaults.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(crate) parameters: Object,
    /// Who asks, in dev mode.
    pub(crate) by: Option<String>,
}

/// The build that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    /// Its id.
    #[schema(value_type = i64)]
    pub(crate) id: BuildId,
    /// Its pipeline.
    pub(crate) pipeline: String,
    /// Its number in the pipeline.
    pub(crate) number: u32,
    /// The key was used before, and this is the build it made then.
    pub(crate) existing: bool,
    /// Its page.
    pub(crate) url: String,
}

/// Starts a build of a pipeline. With an `Idempotency-Key`, a second call finds the first build.
#[utoipa::path(post, path = "/api/v1/pipelines/{name}/builds", tag = "builds",
    params(("name" = String, Path, description = "The pipeline"),
        ("Idempotency-Key" = Option<String>, Header, description = "At most one build is made for a key")),
    request_body = StartBuild,
    responses((status = 201, description = "It is on disk and will run", body = Started),
        (status = 422, description = "A parameter is missing or not allowed", body = ErrorBody)))]
pub(crate) async fn build(
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    person: Person,
    Body(body): Body<StartBuild>,
) -> Result<(StatusCode, Json<Started>), Failed> {
    start(&state, &name, &headers, &person, body).await
}

/// Starts a build, for both calls that can.
pub(crate) async fn start(
    state: &AppState,
    name: &str,
    headers: &HeaderMap,
    person: &Person,
    body: StartBuild,
) -> Result<(StatusCode, Json<Started>), Failed> {
    let by = person.named(body.by.as_deref())?;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let once = key.map(|key| format!("api:{name}:{key}"));
    let created = state.actions.start_build(name, body.parameters, &by, once).await?;
    let status = if created.existing { StatusCode::OK } else { StatusCode::CREATED };
    let url = format!("{}{}", state.config.base_url.trim_end_matches('/'), crate::words::build_url(created.id));
    let (id, number, existing) = (created.id, created.number, created.existing);
    Ok((status, Json(Started { id, pipeline: name.to_owned(), number, existing, url })))
}

/// Notes who did what.
pub(crate) async fn audit(state: &AppState, by: &str, action: &str, subject: &str, reason: &str) -> Result<(), Failed> {
    let entry = AuditEntry {
        at: haliotis_engine::now(),
        by: by.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        reason: reason.to_owned(),
        detail: Object::new(),
    };
    Ok(state.catalog.record_audit(&entry).await?)
}
