//! The JSON API under `/api/v1`, and the OpenAPI document made from the same routes.

mod builds;
mod git_hosts;
mod hooks;
mod logs;
mod models;
mod pipelines;
mod rerun;
mod system;

use axum::Json;
use axum::http::StatusCode;
use haliotis_access::Permission;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::routes;

use crate::access::{Need, Routes};
use crate::error::Failed;
use crate::state::AppState;

pub(crate) use builds::{abort_build, give_answer, standing};
pub(crate) use models::set_approval;
pub(crate) use pipelines::{audit, find as find_pipeline};
pub(crate) use rerun::rerun_build;
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
pub(crate) fn routes() -> Routes {
    use Permission::{Administer, Approve, Build, Configure, View};
    let lists = Need::somewhere(View);
    let pipeline = |permission| Need::pipeline(permission, "name");
    let build = |permission| Need::build(permission, "id");
    Routes::with_document(Header::openapi())
        .documented(lists, routes!(pipelines::list))
        .documented(pipeline(View), routes!(pipelines::get))
        .documented(pipeline(Configure), routes!(pipelines::put, pipelines::delete))
        .documented(pipeline(Build), routes!(pipelines::build))
        .documented(lists, routes!(builds::list))
        .documented(Need::somewhere(Build), routes!(builds::create))
        .documented(build(View), routes!(builds::get))
        .documented(build(Build), routes!(builds::abort))
        .documented(build(Build), routes!(rerun::rerun))
        .documented(build(Approve), routes!(builds::answer))
        .documented(build(View), routes!(builds::journal))
        .documented(lists, routes!(builds::waiting))
        .documented(build(View), routes!(logs::log))
        .documented(build(View), routes!(logs::raw))
        .documented(build(View), routes!(logs::artifacts))
        .documented(build(View), routes!(logs::artifact))
        .documented(lists, routes!(models::groups))
        .documented(lists, routes!(models::packages))
        .documented(Need::somewhere(Approve), routes!(models::decide))
        .documented(lists, routes!(models::endpoints))
        .documented(lists, routes!(system::agents))
        .documented(lists, routes!(system::steps))
        .documented(Need::system(Administer), routes!(system::audit))
        .documented(Need::system(Administer), routes!(system::deliveries))
        .documented(Need::system(Administer), routes!(system::delivery))
        .documented(Need::system(Administer), routes!(system::redeliver))
        .documented(Need::system(Administer), routes!(git_hosts::list))
        .documented(Need::system(Administer), routes!(git_hosts::put))
        .documented(Need::system(Administer), routes!(git_hosts::remove))
}

/// Routes that are no part of the API: the document, probes, webhooks.
pub(crate) fn unlisted() -> Routes {
    let probe = Need::public("a probe has no login and is told nothing but yes or no");
    Routes::new()
        .get("/api/openapi.json", Need::public("the document is the same for everybody"), || async { Json(document()) })
        .any("/api/{*rest}", Need::LOGIN, unknown)
        .get("/healthz", probe, system::healthz)
        .get("/readyz", probe, system::readyz)
        .get("/metrics", Need::system(Permission::View), system::metrics)
        .merge(hooks::routes())
}

/// The OpenAPI document.
pub fn document() -> Document {
    let mut document = routes().finish(unknown).1;
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
