//! The JSON API under `/api/v1`, and the OpenAPI document made from the same routes.

mod builds;
mod hooks;
mod logs;
mod models;
mod pipelines;
mod system;

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Failed;
use crate::state::AppState;

pub(crate) use builds::{abort_build, give_answer};
pub(crate) use models::set_approval;
pub(crate) use pipelines::find as find_pipeline;
pub(crate) use system::{AgentRow, agent_rows};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Haliotis",
        description = "Pipelines, builds, logs, approvals and models. Times are milliseconds since 1970 in UTC. \
            A step is named by its path, as in `/train`, in the query value `step`. \
            Errors are `{\"error\": {\"code\", \"message\", \"help\"}}`."
    ),
    tags(
        (name = "pipelines", description = "Definitions that builds are made of"),
        (name = "builds", description = "Runs of pipelines"),
        (name = "logs", description = "What steps printed, what builds kept"),
        (name = "models", description = "The model registry and what serves from it"),
        (name = "system", description = "Agents, audit, health")
    ),
    components(schemas(crate::error::ErrorBody))
)]
struct Header;

/// All documented routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Header::openapi())
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::get, pipelines::put, pipelines::delete))
        .routes(routes!(pipelines::build))
        .routes(routes!(builds::list, builds::create))
        .routes(routes!(builds::get))
        .routes(routes!(builds::abort))
        .routes(routes!(builds::answer))
        .routes(routes!(builds::journal))
        .routes(routes!(builds::waiting))
        .routes(routes!(logs::log))
        .routes(routes!(logs::raw))
        .routes(routes!(logs::artifacts))
        .routes(routes!(logs::artifact))
        .routes(routes!(models::groups))
        .routes(routes!(models::packages))
        .routes(routes!(models::decide))
        .routes(routes!(models::endpoints))
        .routes(routes!(system::agents))
        .routes(routes!(system::steps))
        .routes(routes!(system::audit))
        .routes(routes!(system::deliveries))
}

/// Routes that are no part of the API: the document, probes, webhooks.
pub(crate) fn unlisted() -> Router<AppState> {
    Router::new()
        .route("/api/openapi.json", get(|| async { Json(document()) }))
        .route("/api/{*rest}", axum::routing::any(unknown))
        .route("/healthz", get(system::healthz))
        .route("/readyz", get(system::readyz))
        .route("/metrics", get(system::metrics))
        .merge(hooks::routes())
}

/// The OpenAPI document.
pub fn document() -> Document {
    let mut document = routes().split_for_parts().1;
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document
}

async fn unknown() -> Failed {
    Failed::new(StatusCode::NOT_FOUND, "not-found", "there is no such call", "See /api/openapi.json for all calls.")
}

/// A body of JSON; what is wrong with it is said in our own shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: serde::de::DeserializeOwned> axum::extract::FromRequest<AppState> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: axum::extract::Request, state: &AppState) -> Result<Self, Failed> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => {
                let help = "Send a JSON object with Content-Type: application/json, as /api/openapi.json says.";
                Err(Failed::new(rejection.status(), "bad-body", rejection.body_text(), help))
            }
        }
    }
}
