//! Running a build again: whole, from what failed, from a step, from a stage, with other parameters.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use haliotis_engine::Created;
use haliotis_model::{BuildId, Object};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Body;
use super::pipelines::{Started, audit};
use crate::edges::{Rerun, RerunFrom};
use crate::error::{ErrorBody, Failed};
use crate::identity::Person;
use crate::state::AppState;
use crate::words;

/// How a build is run again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunBuild {
    /// Empty: the whole. `failed`: what did not end well and all that comes after it. Else the path or the name of a step,
    /// or the name of a stage of a Declarative Jenkinsfile: that and all that comes after it.
    #[serde(default)]
    from: String,
    /// Parameters to change; the rest stays as it was.
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Object,
    /// Who asks, in dev mode.
    by: Option<String>,
}

/// Runs a build again: the same pinned definition, commit and event. From a step on, the new build takes over the outputs,
/// stashes and artifacts of the steps that ended well and are not run again; questions are asked anew.
#[utoipa::path(post, path = "/api/v1/builds/{id}/rerun", tag = "builds", request_body = RerunBuild,
    params(("id" = i64, Path, description = "The build's id")),
    responses((status = 201, description = "It is on disk and will run", body = Started),
        (status = 404, description = "There is no such build or step", body = ErrorBody),
        (status = 409, description = "It has not ended, or what it needs is gone", body = ErrorBody),
        (status = 422, description = "A parameter is not allowed", body = ErrorBody)))]
pub(crate) async fn rerun(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    person: Person,
    Body(body): Body<RerunBuild>,
) -> Result<(StatusCode, Json<Started>), Failed> {
    let by = person.named(body.by.as_deref())?;
    let from = RerunFrom::parse(&body.from);
    let pipeline = state.engine.view(BuildId(id)).await?.build.pipeline;
    let created = rerun_build(&state, Rerun { build: BuildId(id), from, parameters: body.parameters, by }).await?;
    Ok((
        StatusCode::CREATED,
        Json(Started {
            id: created.id,
            pipeline,
            number: created.number,
            existing: created.existing,
            url: words::build_url(created.id),
        }),
    ))
}

/// Does it and notes who asked.
pub(crate) async fn rerun_build(state: &AppState, asked: Rerun) -> Result<Created, Failed> {
    // A build that never was is another answer than one that cannot be run again.
    let view = state.engine.view(asked.build).await?;
    let (by, from) = (asked.by.clone(), asked.from.clone());
    let created = state.actions.rerun(asked).await?;
    let what = match from {
        RerunFrom::Whole => "the whole".to_owned(),
        RerunFrom::Failed => "from what failed".to_owned(),
        RerunFrom::Named(name) => format!("from {name}"),
    };
    let subject = format!("{} #{}", view.build.pipeline, created.number);
    let reason = format!("#{} again, {what}", view.build.number);
    audit(state, &by, "build.rerun", &subject, &reason).await?;
    Ok(created)
}
