//! The model registry, and what serves from it.

use axum::Json;
use axum::extract::{Path, State};
use haliotis_access::{Object, Permission};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Body;
use crate::access::current;
use crate::edges::{EndpointInfo, ModelGroup, ModelPackage};
use crate::error::{ErrorBody, Failed};
use crate::identity::Person;
use crate::state::AppState;

/// All model package groups.
#[utoipa::path(get, path = "/api/v1/models", tag = "models",
    responses((status = 200, description = "Groups, by name", body = Vec<ModelGroup>)))]
pub(crate) async fn groups(State(state): State<AppState>) -> Result<Json<Vec<ModelGroup>>, Failed> {
    Ok(Json(state.models.groups().await?))
}

/// The versions of a group, newest first, with metrics and approvals.
#[utoipa::path(get, path = "/api/v1/models/{group}", tag = "models",
    params(("group" = String, Path, description = "The group's name")),
    responses((status = 200, description = "Its versions", body = Vec<ModelPackage>),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn packages(
    State(state): State<AppState>,
    Path(group): Path<String>,
) -> Result<Json<Vec<ModelPackage>>, Failed> {
    Ok(Json(state.models.packages(&group).await?))
}

/// A decision on a model version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// The model package's ARN.
    arn: String,
    /// `Approved` or `Rejected`.
    status: String,
    /// Why; must be given.
    reason: String,
    /// Who decides, in dev mode.
    by: Option<String>,
}

/// Approves or rejects a model version, and starts what waits for that.
#[utoipa::path(post, path = "/api/v1/models/approval", tag = "models", request_body = Approval,
    responses((status = 200, description = "The version as it stands now", body = ModelPackage),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 422, description = "The status or the reason is not right", body = ErrorBody)))]
pub(crate) async fn decide(
    State(state): State<AppState>,
    person: Person,
    Body(body): Body<Approval>,
) -> Result<Json<ModelPackage>, Failed> {
    let by = person.named(body.by.as_deref())?;
    Ok(Json(set_approval(&state, &body.arn, &body.status, &by, &body.reason).await?))
}

/// Decides on a model version, for the API and the page.
pub(crate) async fn set_approval(
    state: &AppState,
    arn: &str,
    status: &str,
    by: &str,
    reason: &str,
) -> Result<ModelPackage, Failed> {
    use axum::http::StatusCode;
    // A model group is an object of its own beside the pipelines: a grant over `models/GROUP`, or over everything.
    let group = arn.split_once(":model-package/").and_then(|(_, rest)| rest.split('/').next()).unwrap_or("");
    current().must(Permission::Approve, Object::Pipeline(&format!("models/{group}")))?;
    if !matches!(status, "Approved" | "Rejected") {
        let message = format!("{status:?} is no decision on a model version");
        return Err(Failed::new(StatusCode::UNPROCESSABLE_ENTITY, "status", message, "Say Approved or Rejected."));
    }
    if reason.trim().is_empty() {
        let message = "a decision on a model version needs a reason";
        return Err(Failed::new(StatusCode::UNPROCESSABLE_ENTITY, "reason", message, "Write a sentence on why."));
    }
    Ok(state.models.set_approval(arn, status, by, reason.trim()).await?)
}

/// What serves models.
#[utoipa::path(get, path = "/api/v1/endpoints", tag = "models",
    responses((status = 200, description = "Endpoints, by name", body = Vec<EndpointInfo>)))]
pub(crate) async fn endpoints(State(state): State<AppState>) -> Result<Json<Vec<EndpointInfo>>, Failed> {
    Ok(Json(state.models.endpoints().await?))
}
