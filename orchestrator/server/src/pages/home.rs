//! The first page: what waits for a person, what runs, and how every pipeline fares.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use haliotis_engine::{BuildFilter, NodeState};
use haliotis_model::{BuildStatus, BuildSummary, Pipeline};
use serde::Deserialize;

use super::{Markup, Page, badge, favourites, mark, respond, time, took};
use crate::access;
use crate::edges::millis;
use crate::error::Failed;
use crate::overview;
use crate::state::AppState;
use crate::words;

/// Bars of a pipeline's history.
const BARS: usize = 24;
/// Pipelines whose history is asked for one by one, when the newest builds are all of others.
const ASKED_ALONE: usize = 60;
/// Pipelines on one page; whoever has more looks for one by name or goes into a folder.
const SHOWN: usize = 300;
/// Height of a history in its own units, and of the smallest bar.
const BAR_HEIGHT: f64 = 26.0;
const BAR_LEAST: f64 = 5.0;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    page: Page,
    waiting: Vec<WaitingRow>,
    running: Vec<RunningRow>,
    pipelines: Vec<PipelineRow>,
    folders: Vec<Folder>,
    states: Vec<(&'static str, &'static str, bool)>,
    q: String,
    folder: String,
    /// There are pipelines, and none fits.
    narrowed: bool,
    total: usize,
    /// Pipelines that fit and are not shown.
    left_out: usize,
}

/// What is asked for in the address, so that a link shows what its sender saw.
#[derive(Default, Deserialize)]
pub(crate) struct HomeQuery {
    /// Part of a name or of a description.
    #[serde(default)]
    q: String,
    /// A folder: all in it.
    #[serde(default)]
    folder: String,
    /// How the last build stands.
    #[serde(default)]
    state: String,
}

/// A folder to go into, or back to.
struct Folder {
    name: String,
    url: String,
    count: usize,
    chosen: bool,
}

/// States to choose from, and the words for them.
const STATES: [(&str, &str); 6] = [
    ("", "Any state"),
    ("running", "Running"),
    ("waiting", "Waiting"),
    ("failure", "Failed"),
    ("success", "Success"),
    ("never", "Never built"),
];

struct WaitingRow {
    url: String,
    what: String,
    message: String,
    since: Markup,
}

struct RunningRow {
    url: String,
    name: String,
    number: u32,
    badge: Markup,
    doing: String,
    done: usize,
    of: usize,
    since: Markup,
}

struct PipelineRow {
    name: String,
    folder: String,
    url: String,
    description: String,
    disabled: bool,
    last: Option<LastBuild>,
    bars: Vec<Bar>,
    bars_width: usize,
    summary: String,
    /// How long it takes, and which way that goes.
    trend: String,
    full_name: String,
    favourite: bool,
    state: &'static str,
}

struct LastBuild {
    url: String,
    number: u32,
    badge: Markup,
    mark: Markup,
    when: Markup,
    took: Markup,
    why: String,
}

/// One build of a history.
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) y: f64,
    pub(super) height: f64,
    pub(super) state: &'static str,
    pub(super) sign: &'static str,
    pub(super) url: String,
    pub(super) title: String,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(query): Query<HomeQuery>,
) -> Response {
    respond(&state, home(&state, query, &favourites::of(&headers)).await)
}

async fn home(state: &AppState, query: HomeQuery, favourites: &[String]) -> Result<Home, Failed> {
    let caller = access::current();
    let mut pipelines = state.catalog.pipelines().await?;
    pipelines.retain(|pipeline| caller.sees(&pipeline.name));
    let mut histories = histories(state, &pipelines).await?;
    let rows = pipelines.into_iter().map(|pipeline| {
        let builds = histories.remove(&pipeline.name).unwrap_or_default();
        let favourite = favourites.contains(&pipeline.name);
        row(pipeline, &builds, favourite)
    });
    let mut rows: Vec<_> = rows.collect();
    let folders = folders(&rows, &query.folder);
    let total = rows.len();
    rows.retain(|row| fits(row, &query));
    rows.sort_by_key(|row| !row.favourite);
    let left_out = rows.len().saturating_sub(SHOWN);
    rows.truncate(SHOWN);
    Ok(Home {
        narrowed: rows.is_empty() && total > 0,
        total,
        pipelines: rows,
        left_out,
        folders,
        states: STATES.iter().map(|(value, word)| (*value, *word, *value == query.state)).collect(),
        waiting: waiting(state).await?,
        running: running(state).await?,
        page: Page::new(state, "pipelines", "Pipelines").live("/events"),
        q: query.q,
        folder: query.folder,
    })
}

fn fits(row: &PipelineRow, query: &HomeQuery) -> bool {
    let word = query.q.trim().to_lowercase();
    let named = row.full_name.to_lowercase().contains(&word) || row.description.to_lowercase().contains(&word);
    let inside = haliotis_access::covers(query.folder.trim_end_matches('/'), &row.full_name);
    named && inside && (query.state.is_empty() || row.state == query.state)
}

/// The folders right below the one that is shown, and the way back.
fn folders(rows: &[PipelineRow], shown: &str) -> Vec<Folder> {
    let shown = shown.trim_end_matches('/');
    let prefix = if shown.is_empty() { String::new() } else { format!("{shown}/") };
    let mut below: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let rest = row.full_name.strip_prefix(&prefix).and_then(|rest| rest.split_once('/'));
        if let Some((folder, _)) = rest {
            *below.entry(folder).or_default() += 1;
        }
    }
    let url =
        |folder: &str| if folder.is_empty() { "/".to_owned() } else { format!("/?folder={}", words::part(folder)) };
    let mut all = Vec::new();
    if !shown.is_empty() || !below.is_empty() {
        all.push(Folder { name: "All".to_owned(), url: url(""), count: rows.len(), chosen: shown.is_empty() });
    }
    let parts: Vec<&str> = shown.split('/').filter(|part| !part.is_empty()).collect();
    for end in 1..=parts.len() {
        let folder = parts[..end].join("/");
        let count = rows.iter().filter(|row| haliotis_access::covers(&folder, &row.full_name)).count();
        all.push(Folder { url: url(&folder), count, chosen: end == parts.len(), name: format!("{folder}/") });
    }
    all.extend(below.into_iter().map(|(folder, count)| {
        let folder = format!("{prefix}{folder}");
        Folder { url: url(&folder), count, chosen: false, name: format!("{folder}/") }
    }));
    all
}

/// `typically 3 min; the last took 40 % longer`.
fn trend(builds: &[BuildSummary]) -> String {
    let good =
        |build: &&BuildSummary| build.result.is_some_and(|result| result == haliotis_model::BuildResult::Success);
    let took = |build: &BuildSummary| Some(build.ended_at?.since(build.created_at));
    let spans: Vec<u64> = builds.iter().filter(good).filter_map(took).collect();
    let Some((last, before)) = spans.split_first().filter(|(_, before)| before.len() >= 2) else {
        return String::new();
    };
    let mut sorted = before.to_vec();
    sorted.sort_unstable();
    let typical = sorted[sorted.len() / 2].max(1);
    let percent = |more: u64| more * 100 / typical;
    let tail = if *last > typical && percent(last - typical) >= 20 {
        format!("; the last took {} % longer", percent(last - typical))
    } else if typical > *last && percent(typical - last) >= 20 {
        format!("; the last took {} % less", percent(typical - last))
    } else {
        String::new()
    };
    format!("typically {}{tail}", words::duration(typical))
}

/// The newest builds of each pipeline, newest first.
async fn histories(state: &AppState, pipelines: &[Pipeline]) -> Result<BTreeMap<String, Vec<BuildSummary>>, Failed> {
    let mut histories: BTreeMap<String, Vec<BuildSummary>> = BTreeMap::new();
    let newest = BuildFilter { limit: BuildFilter::MAX, ..BuildFilter::default() };
    let newest = state.catalog.builds(&newest).await?;
    let all_seen = newest.len() < BuildFilter::MAX as usize;
    for build in newest {
        let history = histories.entry(build.pipeline.clone()).or_default();
        if history.len() < BARS {
            history.push(build);
        }
    }
    if all_seen {
        return Ok(histories);
    }
    let short = |name: &&String| histories.get(*name).is_none_or(|history| history.len() < BARS);
    let names: Vec<_> = pipelines.iter().map(|pipeline| &pipeline.name).filter(short).cloned().collect();
    for name in names.into_iter().take(ASKED_ALONE) {
        let limit = u32::try_from(BARS).unwrap_or(u32::MAX);
        let filter = BuildFilter { pipeline: Some(name.clone()), limit, ..BuildFilter::default() };
        let builds = state.catalog.builds(&filter).await?;
        histories.insert(name, builds);
    }
    Ok(histories)
}

fn row(pipeline: Pipeline, builds: &[BuildSummary], favourite: bool) -> PipelineRow {
    let bars = bars(builds);
    let full_name = pipeline.name.clone();
    let (folder, name) = match pipeline.name.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name.to_owned()),
        None => (String::new(), pipeline.name.clone()),
    };
    let last = builds.first().map(|build| LastBuild {
        url: words::build_url(build.id),
        number: build.number,
        badge: badge(words::state_of(build)),
        mark: mark(words::state_of(build)),
        when: time(build.ended_at.unwrap_or(build.created_at)),
        took: took(Some(build.created_at), build.ended_at),
        why: words::causes(&build.causes),
    });
    PipelineRow {
        url: words::pipeline_url(&pipeline.name),
        bars_width: bars.len() * 10,
        summary: summary(builds),
        trend: trend(builds),
        state: builds.first().map_or("never", |build| words::state_of(build).as_str()),
        full_name,
        favourite,
        description: pipeline.description,
        disabled: pipeline.disabled,
        name,
        folder,
        last,
        bars,
    }
}

/// Oldest first. The height says how long a build took beside its neighbours; a sign below says how it ended, for
/// those who do not tell colours apart.
pub(super) fn bars(builds: &[BuildSummary]) -> Vec<Bar> {
    let length = |build: &BuildSummary| build.ended_at.map_or(0, |end| end.since(build.created_at));
    let longest = builds.iter().map(length).max().unwrap_or(0).max(1);
    let bar = |(at, build): (usize, &BuildSummary)| {
        let state = words::state_of(build);
        #[expect(clippy::cast_precision_loss, reason = "a height in a picture")]
        let part = if build.ended_at.is_some() { length(build) as f64 / longest as f64 } else { 0.6 };
        let height = crate::graph::round(BAR_LEAST + (BAR_HEIGHT - BAR_LEAST) * part);
        let span = build.ended_at.map(|end| format!(", {}", words::duration(end.since(build.created_at))));
        Bar {
            x: at * 10,
            y: BAR_HEIGHT - height,
            height,
            state: state.as_str(),
            sign: sign(state),
            url: words::build_url(build.id),
            title: format!("#{} {}{}", build.number, words::word(state), span.unwrap_or_default()),
        }
    };
    builds.iter().rev().enumerate().map(bar).collect()
}

fn sign(state: NodeState) -> &'static str {
    match state {
        NodeState::Failure => "×",
        NodeState::Unstable => "!",
        NodeState::Aborted | NodeState::Skipped => "–",
        NodeState::Interrupted | NodeState::Waiting => "?",
        NodeState::Pending | NodeState::Queued | NodeState::Running => "…",
        NodeState::Success => "",
    }
}

/// The history in words.
pub(super) fn summary(builds: &[BuildSummary]) -> String {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for build in builds {
        let word = words::word(words::state_of(build));
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let parts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {}", word.to_lowercase())).collect();
    match builds.len() {
        1 => format!("One build: {}", parts.join(", ")),
        count => format!("Last {count} builds: {}", parts.join(", ")),
    }
}

async fn waiting(state: &AppState) -> Result<Vec<WaitingRow>, Failed> {
    let mut rows: Vec<_> = overview::waiting(state)
        .await?
        .into_iter()
        .map(|open| WaitingRow {
            url: format!("{}#input", words::build_url(open.build.id)),
            what: format!("{} #{}", open.build.pipeline, open.build.number),
            message: words::sentence(&open.input.input.message),
            since: took(Some(open.input.asked_at), None),
        })
        .collect();
    rows.extend(overview::pending_models(state).await.into_iter().map(|package| WaitingRow {
        url: format!("/models/{}#v{}", words::part(&package.group), package.version),
        what: format!("{} version {}", package.group, package.version),
        message: "A new model version waits for a decision".to_owned(),
        since: took(Some(millis(package.created_at)), None),
    }));
    Ok(rows)
}

async fn running(state: &AppState) -> Result<Vec<RunningRow>, Failed> {
    let mut builds = overview::with_status(state, BuildStatus::Running).await?;
    builds.extend(overview::with_status(state, BuildStatus::Queued).await?);
    let mut rows = Vec::new();
    for build in builds {
        let view = state.engine.view(build.id).await?;
        let at_work = view.nodes.iter().filter(|node| node.state == NodeState::Running);
        let names: Vec<_> = at_work.map(|node| node.name.as_str()).take(4).collect();
        rows.push(RunningRow {
            url: words::build_url(build.id),
            name: build.pipeline.clone(),
            number: build.number,
            badge: badge(words::state_of(&build)),
            doing: names.join(", "),
            done: view.nodes.iter().filter(|node| node.state.ended()).count(),
            of: view.nodes.len(),
            since: took(Some(build.created_at), None),
        });
    }
    Ok(rows)
}
