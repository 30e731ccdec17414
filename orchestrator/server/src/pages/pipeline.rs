//! A pipeline: its builds, how to start one, what starts it by itself, where its definition comes from.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use haliotis_engine::BuildFilter;
use haliotis_model::{BuildId, BuildSummary, Object, ParameterKind, ParameterSpec, Pipeline};
use serde::Deserialize;

use super::home::{Bar, bars, summary};
use super::{Markup, Page, after, badge, respond, time, took};
use crate::api::find_pipeline;
use crate::error::Failed;
use crate::state::AppState;
use crate::words;

/// Rows of one page.
const ROWS: u32 = 30;

#[derive(Deserialize)]
pub(crate) struct PipelineQuery {
    /// Builds older than this one.
    before: Option<i64>,
    /// Parameters as in this build.
    from: Option<i64>,
}

#[derive(Template)]
#[template(path = "pipeline.html")]
struct PipelinePage {
    page: Page,
    pipeline: Pipeline,
    triggers: Vec<String>,
    fields: Vec<Field>,
    from: Option<u32>,
    open: bool,
    builds: Vec<BuildRow>,
    bars: Vec<Bar>,
    bars_width: usize,
    summary: String,
    next: Option<String>,
    start_url: String,
}

/// A row of a table of builds.
pub(super) struct BuildRow {
    url: String,
    number: u32,
    badge: Markup,
    why: String,
    message: String,
    when: Markup,
    took: Markup,
}

/// One field of a form.
pub(super) struct Field {
    pub(super) name: String,
    /// `text`, `integer`, `number`, `boolean`, `choice`.
    pub(super) kind: &'static str,
    pub(super) description: String,
    pub(super) value: String,
    /// Choices, and which is chosen.
    pub(super) choices: Vec<(String, bool)>,
    pub(super) required: bool,
}

impl Field {
    /// The field of a parameter, filled with `given` or the default.
    pub(super) fn of(spec: &ParameterSpec, given: Option<&Object>) -> Self {
        let value = given.and_then(|given| given.get(&spec.name)).or(spec.default.as_ref());
        let value = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let value = value.unwrap_or_default();
        Self {
            kind: match spec.kind {
                ParameterKind::String => "text",
                ParameterKind::Integer => "integer",
                ParameterKind::Number => "number",
                ParameterKind::Boolean => "boolean",
                ParameterKind::Choice => "choice",
            },
            name: spec.name.clone(),
            description: spec.description.clone(),
            choices: spec.choices.iter().map(|choice| (choice.clone(), *choice == value)).collect(),
            required: spec.default.is_none(),
            value,
        }
    }
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<PipelineQuery>,
) -> Response {
    respond(&state, pipeline_page(&state, &name, &query).await)
}

async fn pipeline_page(state: &AppState, name: &str, query: &PipelineQuery) -> Result<PipelinePage, Failed> {
    let pipeline = find_pipeline(state, name).await?;
    let filter = BuildFilter {
        pipeline: Some(name.to_owned()),
        before: query.before.map(BuildId),
        limit: ROWS,
        ..BuildFilter::default()
    };
    let builds = state.catalog.builds(&filter).await?;
    let model = match query.from {
        Some(id) => Some(state.engine.view(BuildId(id)).await?.build).filter(|build| build.pipeline == name),
        None => None,
    };
    let given = model.as_ref().map(|build| &build.parameters);
    let url = words::pipeline_url(name);
    let more = builds.len() >= ROWS as usize;
    Ok(PipelinePage {
        page: Page::new(state, "pipelines", name).live("/events"),
        triggers: pipeline.triggers.iter().map(words::trigger).collect(),
        fields: pipeline.parameters.iter().map(|spec| Field::of(spec, given)).collect(),
        from: model.as_ref().map(|build| build.number),
        open: model.is_some() || builds.is_empty(),
        bars: bars(&builds),
        bars_width: builds.len() * 10,
        summary: summary(&builds),
        next: builds.last().filter(|_| more).map(|last| format!("{url}?before={}", last.id)),
        builds: builds.iter().map(build_row).collect(),
        start_url: format!("{url}/start"),
        pipeline,
    })
}

fn build_row(build: &BuildSummary) -> BuildRow {
    BuildRow {
        url: words::build_url(build.id),
        number: build.number,
        badge: badge(words::state_of(build)),
        why: words::causes(&build.causes),
        message: build.message.clone().unwrap_or_default(),
        when: time(build.created_at),
        took: took(Some(build.created_at), build.ended_at),
    }
}

/// The address people type: a pipeline and a number.
pub(crate) async fn by_number(State(state): State<AppState>, Path((name, number)): Path<(String, u32)>) -> Response {
    let found = state.catalog.find_build(&name, number).await.map_err(Failed::from);
    let url = found.and_then(|found| {
        let missing = || Failed::not_found(format!("there is no build {name} #{number}"));
        found.map(words::build_url).ok_or_else(missing)
    });
    after(&state, url)
}
