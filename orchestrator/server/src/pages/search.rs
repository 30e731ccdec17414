//! A word looked for in the whole log of a step.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use haliotis_model::BuildId;
use serde::Deserialize;

use super::{Page, respond};
use crate::edges;
use crate::error::Failed;
use crate::find::{self, Hit, WORD_MAX};
use crate::live;
use crate::state::AppState;
use crate::words;

#[derive(Deserialize)]
pub(crate) struct SearchQuery {
    path: String,
    attempt: Option<u32>,
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    page: Page,
    pipeline: String,
    pipeline_url: String,
    number: u32,
    build_url: String,
    name: String,
    path: String,
    attempt: u32,
    action: String,
    step_url: String,
    q: String,
    hits: Vec<Hit>,
    count: u64,
    lines: u64,
    size: String,
    took: String,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<SearchQuery>,
) -> Response {
    respond(&state, search_page(&state, BuildId(id), query).await)
}

async fn search_page(state: &AppState, id: BuildId, query: SearchQuery) -> Result<SearchPage, Failed> {
    let view = state.engine.view(id).await?;
    let node = view.nodes.iter().find(|node| node.id.as_str() == query.path);
    let node = node.ok_or_else(|| Failed::not_found(format!("build {id} has no step {:?}", query.path)))?;
    let attempt = live::attempt(&view, &query.path, query.attempt);
    let word = query.q.trim();
    if word.is_empty() || word.chars().count() > WORD_MAX {
        let help = "Go back and type what you look for.";
        return Err(Failed::bad_request(format!("a search needs 1 to {WORD_MAX} characters"), help));
    }
    let key = edges::key(id, &query.path, attempt);
    let begun = std::time::Instant::now();
    let found = find::find(state.logs.as_ref(), &key, word).await?;
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(SearchPage {
        page: Page::new(
            state,
            "pipelines",
            format!("“{word}” in {} · {} #{}", node.name, view.build.pipeline, view.build.number),
        ),
        pipeline_url: words::pipeline_url(&view.build.pipeline),
        pipeline: view.build.pipeline.clone(),
        number: view.build.number,
        build_url: words::build_url(id),
        name: node.name.clone(),
        action: format!("/builds/{id}/step/search"),
        step_url: format!("{}&attempt={attempt}", words::step_url(id, &node.id)),
        path: query.path,
        attempt,
        q: word.to_owned(),
        hits: found.hits,
        count: found.count,
        lines: found.lines,
        size: words::bytes(found.bytes),
        took: words::duration(took),
    })
}
