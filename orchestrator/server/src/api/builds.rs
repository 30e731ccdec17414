//! Builds: list, look, start, stop, answer.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use haliotis_access::{Name, Object as AccessTo, Permission};
use haliotis_engine::{BuildFilter, BuildView, Standing, journal};
use haliotis_model::{Answer, BuildId, BuildStatus, BuildSummary, Decision, Object, StepId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Body;
use super::pipelines::{StartBuild, Started, audit, start};
use crate::access::current;
use crate::error::{ErrorBody, Failed};
use crate::identity::Person;
use crate::overview;
use crate::state::AppState;

/// Rows of one answer unless asked otherwise.
const LIMIT: u32 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Of this pipeline alone.
    pipeline: Option<String>,
    /// `queued`, `running`, `waiting` or `ended`.
    #[param(value_type = Option<String>)]
    status: Option<BuildStatus>,
    /// Older than this build: the page before.
    before: Option<i64>,
    /// At most so many, up to 500.
    limit: Option<u32>,
}

/// Builds, newest first.
#[utoipa::path(get, path = "/api/v1/builds", tag = "builds", params(ListQuery),
    responses((status = 200, description = "Rows of builds", body = Vec<Object>)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<BuildSummary>>, Failed> {
    let filter = BuildFilter {
        pipeline: query.pipeline,
        status: query.status,
        before: query.before.map(BuildId),
        limit: query.limit.unwrap_or(LIMIT).clamp(1, BuildFilter::MAX),
        ..BuildFilter::default()
    };
    let caller = current();
    let mut builds = state.catalog.builds(&filter).await?;
    builds.retain(|build| caller.sees(&build.pipeline));
    Ok(Json(builds))
}

/// Starts a build; the body names the pipeline.
#[utoipa::path(post, path = "/api/v1/builds", tag = "builds", request_body = StartBuild,
    params(("Idempotency-Key" = Option<String>, Header, description = "At most one build is made for a key")),
    responses((status = 201, description = "It is on disk and will run", body = Started),
        (status = 404, description = "There is no such pipeline", body = ErrorBody),
        (status = 422, description = "A parameter is missing or not allowed", body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<AppState>,
    headers: HeaderMap,
    person: Person,
    Body(body): Body<StartBuild>,
) -> Result<(StatusCode, Json<Started>), Failed> {
    let name = body.pipeline.clone();
    if name.is_empty() {
        return Err(Failed::bad_request("the body names no pipeline", "Add \"pipeline\": \"NAME\"."));
    }
    current().must(Permission::Build, AccessTo::Pipeline(&name))?;
    start(&state, &name, &headers, &person, body).await
}

/// One build as it stands: nodes with state, times, outputs and reasons; questions; lines.
#[utoipa::path(get, path = "/api/v1/builds/{id}", tag = "builds",
    params(("id" = i64, Path, description = "The build's id")),
    responses((status = 200, description = "The build", body = Object),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn get(State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<BuildView>, Failed> {
    Ok(Json(state.engine.view(BuildId(id)).await?))
}

/// Why a build shall stop.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AbortBuild {
    /// For those who wonder later.
    #[serde(default)]
    reason: String,
    /// Who asks, in dev mode.
    by: Option<String>,
}

/// Asks a build to stop; a second time stops what must always run as well.
#[utoipa::path(post, path = "/api/v1/builds/{id}/abort", tag = "builds", request_body = AbortBuild,
    params(("id" = i64, Path, description = "The build's id")),
    responses((status = 202, description = "It was asked to stop"),
        (status = 409, description = "It is not running", body = ErrorBody)))]
pub(crate) async fn abort(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    person: Person,
    Body(body): Body<AbortBuild>,
) -> Result<StatusCode, Failed> {
    let by = person.named(body.by.as_deref())?;
    abort_build(&state, BuildId(id), &by, &body.reason).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Asks a build to stop and notes who did.
pub(crate) async fn abort_build(state: &AppState, id: BuildId, by: &str, reason: &str) -> Result<(), Failed> {
    // A build that never was is another answer than one that has ended.
    state.engine.view(id).await?;
    state.engine.abort(id, by, reason).await?;
    audit(state, by, "build.abort", &format!("build {id}"), reason).await
}

/// An answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerInput {
    /// The question's path, as in `/approve`.
    step: String,
    /// `approved` or `rejected`.
    #[schema(value_type = String)]
    decision: Decision,
    /// Why.
    #[serde(default)]
    reason: String,
    /// Values for the question's parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    values: Object,
    /// The digest of what the person saw; the question has it.
    digest: String,
    /// Who answers, in dev mode.
    by: Option<String>,
}

/// Answers a question of a build. When this answers 200, the answer is on disk.
#[utoipa::path(post, path = "/api/v1/builds/{id}/answer", tag = "builds", request_body = AnswerInput,
    params(("id" = i64, Path, description = "The build's id")),
    responses((status = 200, description = "The answer is on disk", body = Object),
        (status = 403, description = "Not among the approvers, or their own work where that is not allowed", body = ErrorBody),
        (status = 409, description = "Not open any more, or what is approved has changed", body = ErrorBody),
        (status = 422, description = "A reason or a value is missing", body = ErrorBody)))]
pub(crate) async fn answer(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    person: Person,
    Body(body): Body<AnswerInput>,
) -> Result<Json<Answer>, Failed> {
    let by = person.named(body.by.as_deref())?;
    let AnswerInput { step, decision, reason, values, digest, .. } = body;
    let answer = Answer { decision, by, reason, values, digest };
    give_answer(&state, BuildId(id), &step, answer.clone()).await?;
    Ok(Json(answer))
}

/// Gives an answer and notes who did.
pub(crate) async fn give_answer(state: &AppState, id: BuildId, step: &str, answer: Answer) -> Result<(), Failed> {
    let view = state.engine.view(id).await?;
    if !view.inputs.iter().any(|input| input.id.as_str() == step) {
        return Err(Failed::not_found(format!("build {id} asks no question {step:?}")));
    }
    let (by, reason) = (answer.by.clone(), answer.reason.clone());
    let action = match answer.decision {
        Decision::Approved => "input.approve",
        Decision::Rejected => "input.reject",
    };
    // The engine compares names; who is in which group is known here.
    let standing = standing(state, &by).await;
    state.engine.answer_as(id, StepId::new(step), answer, standing).await?;
    audit(state, &by, action, &format!("build {id}{step}"), &reason).await
}

/// Groups and further names of an account.
pub(crate) async fn standing(state: &AppState, by: &str) -> Standing {
    let Ok(name) = Name::parse(by) else { return Standing::default() };
    let directory = state.access.directory().await;
    let names = directory.users.get(&name).map(|user| user.full_name.clone()).filter(|name| !name.is_empty());
    Standing {
        groups: directory.groups_of(&name).into_iter().map(String::from).collect(),
        names: names.into_iter().collect(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JournalQuery {
    /// `json` or `text`.
    #[serde(default)]
    format: String,
}

/// A build's journal: what was pinned, and every turn since.
#[utoipa::path(get, path = "/api/v1/builds/{id}/journal", tag = "builds",
    params(("id" = i64, Path, description = "The build's id"), JournalQuery),
    responses((status = 200, description = "`{build, turns}`, or one line per entry as text", body = Object),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn journal(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<JournalQuery>,
) -> Result<Response, Failed> {
    let (build, turns) = state.engine.journal(BuildId(id)).await?;
    if query.format == "text" {
        let text = journal::print(&build, &turns);
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    Ok(Json(json!({ "build": build, "turns": turns })).into_response())
}

/// All open questions, the longest waiting first.
#[utoipa::path(get, path = "/api/v1/inputs", tag = "builds",
    responses((status = 200, description = "Open questions with their builds", body = Vec<Object>)))]
pub(crate) async fn waiting(State(state): State<AppState>) -> Result<Json<Vec<Value>>, Failed> {
    let open = overview::waiting(&state).await?;
    Ok(Json(open.into_iter().map(|open| json!({ "build": open.build, "input": open.input })).collect()))
}
