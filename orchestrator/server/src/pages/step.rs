//! A step: what it was given, how it stands, what it printed.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use haliotis_engine::{BuildView, NodeView};
use haliotis_flow::NodeKind;
use haliotis_model::BuildId;
use serde::Deserialize;

use super::{Markup, Page, badge, mark, picture, respond, time, took};
use crate::edges;
use crate::error::Failed;
use crate::lines::{self, Line, Wanted};
use crate::live;
use crate::shown::{self, Shown};
use crate::state::AppState;
use crate::words;

/// Lines of a log on one page.
const LINES: u64 = 1_000;
/// Lines shown before one that a permalink names.
const LINES_BEFORE: u64 = 20;
/// Steps in the list beside the log.
const NEIGHBOURS: usize = 300;

#[derive(Deserialize)]
pub(crate) struct StepQuery {
    path: String,
    attempt: Option<u32>,
    /// A line to show, from 1.
    line: Option<u64>,
}

#[derive(Template)]
#[template(path = "step.html")]
struct StepPage {
    page: Page,
    pipeline: String,
    pipeline_url: String,
    number: u32,
    build_url: String,
    name: String,
    uses: String,
    badge: Markup,
    why: String,
    when: Markup,
    took: Markup,
    /// The word before how long.
    took_word: &'static str,
    agent: String,
    /// The page of the step in the build that it was taken over from; empty: it ran here.
    carried_url: String,
    attempts: Vec<Attempt>,
    neighbours: Vec<Neighbour>,
    with: Vec<Shown>,
    outputs: Vec<Shown>,
    /// A question or a group prints nothing.
    prints: bool,
    lines: Vec<Line>,
    /// When the step began, milliseconds since 1970; 0: it did not.
    begun: i64,
    marked: u64,
    size: String,
    before: String,
    after: String,
    /// Of this page, for permalinks.
    url: String,
    raw_url: String,
    search_url: String,
    path: String,
    attempt: u32,
    /// The stream of what is still to come; empty: nothing.
    stream: String,
}

struct Attempt {
    number: u32,
    url: String,
    shown: bool,
}

struct Neighbour {
    name: String,
    url: String,
    mark: Markup,
    shown: bool,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<StepQuery>,
) -> Response {
    respond(&state, step_page(&state, BuildId(id), &query).await)
}

async fn step_page(state: &AppState, id: BuildId, query: &StepQuery) -> Result<StepPage, Failed> {
    let view = state.engine.view(id).await?;
    let found = view.nodes.iter().find(|node| node.id.as_str() == query.path);
    let node = found.ok_or_else(|| Failed::not_found(format!("build {id} has no step {:?}", query.path)))?;
    let attempt = live::attempt(&view, &query.path, query.attempt);
    let key = edges::key(id, &query.path, attempt);
    let ended = live::ended(&view, &key);
    let first = query.line.map(|line| line.saturating_sub(LINES_BEFORE).max(1));
    let wanted = Wanted { first, count: LINES, grows: !ended };
    let window = lines::window(&state.own.indexes, state.logs.as_ref(), &key, wanted).await?;
    let here = format!("{}&attempt={attempt}", words::step_url(id, &node.id));
    let path = words::part(&query.path);
    let shown_first = window.lines.first().map_or(1, |line| line.number);
    // An unfinished last line is left to the stream.
    let all_shown = window.next_line + u64::from(!ended) > window.count;
    let stream = format!(
        "/live/log?build={id}&step={path}&attempt={attempt}&offset={}&line={}",
        window.next_offset, window.next_line
    );
    let page = Page::new(state, "pipelines", format!("{} · {} #{}", node.name, view.build.pipeline, view.build.number));
    let to_line = |line: u64| format!("{here}&line={line}#L{line}");
    let state_now = picture::state(&view, node);
    Ok(StepPage {
        page: if view.result.is_none() { page.live(format!("/events?build={id}")) } else { page },
        pipeline_url: words::pipeline_url(&view.build.pipeline),
        pipeline: view.build.pipeline.clone(),
        number: view.build.number,
        build_url: words::build_url(id),
        name: node.name.clone(),
        uses: node.uses.clone(),
        badge: badge(state_now),
        why: words::why(node, &view),
        when: node.started_at.map(time).unwrap_or_default(),
        took: took(node.started_at, node.ended_at),
        took_word: if node.ended_at.is_some() { "took" } else { "for" },
        agent: node.agent.clone().unwrap_or_default(),
        carried_url: match view.build.carry.as_ref().filter(|_| node.carried) {
            Some(carry) => words::step_url(carry.from, &node.id),
            None => String::new(),
        },
        attempts: attempts(&view, node, attempt),
        neighbours: view.nodes.iter().take(NEIGHBOURS).map(|other| neighbour(&view, other, node)).collect(),
        begun: node.started_at.map_or(0, |at| at.0),
        with: shown::all_whole(&node.with),
        outputs: shown::all_whole(&node.outputs),
        prints: !(matches!(node.kind, NodeKind::Input | NodeKind::Group) || node.carried) || window.total > 0,
        marked: query.line.unwrap_or(0),
        size: size(window.count, window.total),
        before: if shown_first > 1 {
            to_line(shown_first.saturating_sub(LINES - LINES_BEFORE).max(1))
        } else {
            String::new()
        },
        after: if all_shown { String::new() } else { to_line(window.next_line) },
        search_url: format!("/builds/{id}/step/search"),
        path: query.path.clone(),
        attempt,
        raw_url: format!("/api/v1/builds/{id}/steps/log/raw?step={path}&attempt={attempt}"),
        stream: if ended || !all_shown { String::new() } else { stream },
        url: here,
        lines: window.lines,
    })
}

/// `1 line · 12 B`.
fn size(lines: u64, bytes: u64) -> String {
    let noun = if lines == 1 { "line" } else { "lines" };
    format!("{lines} {noun} · {}", words::bytes(bytes))
}

fn attempts(view: &BuildView, node: &NodeView, shown: u32) -> Vec<Attempt> {
    let url = words::step_url(view.id, &node.id);
    (1..=node.attempt)
        .map(|number| Attempt { number, url: format!("{url}&attempt={number}"), shown: number == shown })
        .collect()
}

fn neighbour(view: &BuildView, other: &NodeView, shown: &NodeView) -> Neighbour {
    Neighbour {
        name: other.name.clone(),
        url: words::step_url(view.id, &other.id),
        mark: mark(picture::state(view, other)),
        shown: other.id == shown.id,
    }
}
