//! Two builds beside each other: definition, parameters, surroundings, timings, outputs, artifacts, and a step's log.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use haliotis_engine::{BuildFilter, BuildView, NodeView};
use haliotis_flow::NodeKind;
use haliotis_model::{BuildId, Object, StepId};
use serde::Deserialize;
use similar::{ChangeTag, TextDiff};

use super::{Markup, Page, mark, picture, respond};
use crate::error::Failed;
use crate::state::AppState;
use crate::{ansi, edges, words};

/// Lines shown around a change.
const AROUND: usize = 3;
/// Lines of one comparison on the page.
const LINES: usize = 2_000;
/// How long one comparison of texts may think; after that it is coarser, never wrong.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(200);
/// Bytes of each log that are compared: their ends.
const LOG_BYTES: u64 = 256 * 1024;
/// A step that took less in both builds is no news.
const NEWS_MS: i64 = 1_000;
/// Builds to choose from.
const CHOICES: u32 = 30;

#[derive(Deserialize)]
pub(crate) struct DiffQuery {
    /// The other build; the one before when absent.
    with: Option<i64>,
    /// A step whose logs are compared.
    log: Option<String>,
}

#[derive(Template)]
#[template(path = "diff.html")]
struct DiffPage {
    page: Page,
    pipeline: String,
    pipeline_url: String,
    left: Side,
    right: Side,
    choices: Vec<(i64, String, bool)>,
    same: bool,
    surroundings: Vec<Changed>,
    parameters: Vec<Changed>,
    outputs: Vec<Changed>,
    /// Outputs that are names and addresses: they differ in every build.
    names: Vec<Changed>,
    artifacts: Vec<Changed>,
    steps: Vec<Step>,
    definition: Vec<Hunk>,
    log_of: String,
    log: Vec<Hunk>,
}

/// One of the two.
struct Side {
    id: BuildId,
    name: String,
    url: String,
    mark: Markup,
}

/// A value that differs.
struct Changed {
    name: String,
    left: String,
    right: String,
    /// By how much, for numbers.
    by: String,
}

impl Changed {
    /// Both values are where something lies or what it is called.
    fn is_name(&self) -> bool {
        let address = |text: &str| {
            text.is_empty()
                || ["arn:", "s3://", "http://", "https://", "/"].iter().any(|start| text.starts_with(start))
                || (text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        self.name.ends_with("name") || (address(&self.left) && address(&self.right))
    }
}

/// A step in both.
struct Step {
    name: String,
    left: Markup,
    right: Markup,
    left_took: String,
    right_took: String,
    by: String,
    slower: bool,
    log_url: String,
}

struct Hunk {
    lines: Vec<Line>,
}

struct Line {
    /// `add`, `del`, `same`.
    kind: &'static str,
    sign: &'static str,
    left: String,
    right: String,
    text: String,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(query): Query<DiffQuery>,
) -> Response {
    respond(&state, diff_page(&state, BuildId(id), &query).await)
}

async fn diff_page(state: &AppState, id: BuildId, query: &DiffQuery) -> Result<DiffPage, Failed> {
    let right = state.engine.view(id).await?;
    let filter = BuildFilter { pipeline: Some(right.build.pipeline.clone()), limit: CHOICES, ..BuildFilter::default() };
    let near = state.catalog.builds(&filter).await?;
    let before = BuildFilter { before: Some(id), limit: 1, ..filter };
    let other = match query.with {
        Some(other) => BuildId(other),
        None => state.catalog.builds(&before).await?.first().map(|build| build.id).ok_or_else(|| {
            Failed::not_found(format!("build {id} is the first of its pipeline; there is none to compare it with"))
        })?,
    };
    let left = state.engine.view(other).await?;
    if !crate::access::current().sees(&left.build.pipeline) {
        return Err(Failed::not_found(format!("there is no build {other}")));
    }
    let log_of = query.log.clone().unwrap_or_default();
    let log = if log_of.is_empty() { Vec::new() } else { logs(state, &left, &right, &log_of).await? };
    let (left_files, right_files) = (files(state, &left).await, files(state, &right).await);
    let choices = near.iter().filter(|build| build.id != id).map(|build| {
        let name = format!("#{} {}", build.number, words::word(words::state_of(build)).to_lowercase());
        (build.id.0, name, build.id == other)
    });
    let (outputs, names) = changed(&outputs(&left), &outputs(&right)).into_iter().partition(|row| !row.is_name());
    let mut page = DiffPage {
        page: Page::new(state, "pipelines", format!("{} against {}", name(&right), name(&left))),
        pipeline_url: words::pipeline_url(&right.build.pipeline),
        pipeline: right.build.pipeline.clone(),
        choices: choices.collect(),
        surroundings: changed(&surroundings(&left), &surroundings(&right)),
        parameters: changed(&texts(&left.build.parameters), &texts(&right.build.parameters)),
        outputs,
        names,
        artifacts: changed(&left_files, &right_files),
        steps: steps(&left, &right),
        definition: hunks(&left.build.source.text, &right.build.source.text),
        left: side(&left),
        right: side(&right),
        same: false,
        log_of,
        log,
    };
    page.same = page.surroundings.is_empty()
        && page.parameters.is_empty()
        && page.outputs.is_empty()
        && page.artifacts.is_empty()
        && page.definition.is_empty();
    Ok(page)
}

fn name(view: &BuildView) -> String {
    format!("{} #{}", view.build.pipeline, view.build.number)
}

fn side(view: &BuildView) -> Side {
    Side { id: view.id, name: name(view), url: words::build_url(view.id), mark: mark(words::state_of_view(view)) }
}

fn surroundings(view: &BuildView) -> BTreeMap<String, String> {
    let source = &view.build.source;
    let mut all = BTreeMap::new();
    all.insert("Result".to_owned(), words::word(words::state_of_view(view)).to_owned());
    all.insert("Why it started".to_owned(), words::causes(&view.build.causes));
    all.insert("Cloud".to_owned(), view.build.cloud.clone());
    for (name, value) in [("Commit", &source.commit), ("Branch", &source.branch), ("Repository", &source.repo)] {
        all.insert(name.to_owned(), value.clone().unwrap_or_default());
    }
    let agents: BTreeSet<_> = view.nodes.iter().filter_map(|node| node.agent.clone()).collect();
    all.insert("Agents".to_owned(), agents.into_iter().collect::<Vec<_>>().join(", "));
    if let (Some(from), Some(to)) = (view.started_at, view.ended_at) {
        all.insert("Took".to_owned(), words::duration(to.since(from)));
    }
    for (path, text) in &source.files {
        all.insert(
            format!("File {path}"),
            format!("{} bytes, {}", text.to_string().len(), short_hash(&text.to_string())),
        );
    }
    all
}

fn short_hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    words::digest(&hex::encode(Sha256::digest(text))).to_owned()
}

fn texts(object: &Object) -> BTreeMap<String, String> {
    object.iter().map(|(name, value)| (name.clone(), words::value(value))).collect()
}

/// All that steps gave, down to the single values; JSON inside a text is looked into as well.
fn outputs(view: &BuildView) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for node in &view.nodes {
        let prefix = node.id.as_str().trim_start_matches('/');
        for (name, value) in &node.outputs {
            leaves(&format!("{prefix}: {name}"), value, 0, &mut all);
        }
    }
    all
}

fn leaves(name: &str, value: &haliotis_model::Value, depth: usize, all: &mut BTreeMap<String, String>) {
    if all.len() >= LINES || depth > 8 {
        return;
    }
    let inside = value.as_str().filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok());
    match inside.as_ref().unwrap_or(value) {
        haliotis_model::Value::Object(fields) if !fields.is_empty() => {
            for (field, value) in fields {
                leaves(&format!("{name}.{field}"), value, depth + 1, all);
            }
        }
        value => {
            all.insert(name.to_owned(), words::value(value));
        }
    }
}

async fn files(state: &AppState, view: &BuildView) -> BTreeMap<String, String> {
    let files = state.artifacts.list(view.id).await.unwrap_or_default();
    let text = |size: u64, sha: &str| match sha {
        "" => words::bytes(size),
        sha => format!("{}, {}", words::bytes(size), words::digest(sha)),
    };
    files.into_iter().map(|file| (file.path, text(file.size, &file.sha256))).collect()
}

/// What is not the same in both, by name.
fn changed(left: &BTreeMap<String, String>, right: &BTreeMap<String, String>) -> Vec<Changed> {
    let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let row = |name: &String| {
        let (old, new) = (left.get(name), right.get(name));
        (old != new && !(old.is_none_or(String::is_empty) && new.is_none_or(String::is_empty))).then(|| Changed {
            name: name.clone(),
            by: by(old, new),
            left: old.cloned().unwrap_or_default(),
            right: new.cloned().unwrap_or_default(),
        })
    };
    names.into_iter().filter_map(row).collect()
}

/// `+0.12 (+2.6 %)` between two numbers.
fn by(left: Option<&String>, right: Option<&String>) -> String {
    let number =
        |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok()).filter(|value| value.is_finite());
    let (Some(left), Some(right)) = (number(left), number(right)) else { return String::new() };
    let sign = |value: f64| if value > 0.0 { "+" } else { "" };
    let delta = right - left;
    let part =
        if left == 0.0 { String::new() } else { format!(" ({}{:.1} %)", sign(delta), delta / left.abs() * 100.0) };
    format!("{}{}{part}", sign(delta), words::number(delta))
}

fn steps(left: &BuildView, right: &BuildView) -> Vec<Step> {
    let find = |view: &BuildView, id: &StepId| view.nodes.iter().find(|node| node.id == *id).cloned();
    let mut ids: Vec<&StepId> =
        right.nodes.iter().filter(|node| node.kind != NodeKind::Group).map(|node| &node.id).collect();
    let gone = left.nodes.iter().filter(|node| node.kind != NodeKind::Group && find(right, &node.id).is_none());
    ids.extend(gone.map(|node| &node.id));
    let row = |id: &StepId| {
        let (old, new) = (find(left, id), find(right, id));
        let took = |node: &Option<NodeView>| {
            node.as_ref()
                .and_then(|node| Some(i64::try_from(node.ended_at?.since(node.started_at?)).unwrap_or(i64::MAX)))
        };
        let (old_took, new_took) = (took(&old), took(&new));
        let delta = old_took.zip(new_took).map(|(old, new)| new - old).filter(|delta| delta.abs() >= NEWS_MS);
        let text = |took: Option<i64>| took.map(|took| words::duration(took.unsigned_abs())).unwrap_or_default();
        let stands = |view: &BuildView, node: &Option<NodeView>| {
            node.as_ref().map(|node| mark(picture::state(view, node))).unwrap_or_default()
        };
        Step {
            name: new.as_ref().or(old.as_ref()).map(|node| node.name.clone()).unwrap_or_default(),
            left: stands(left, &old),
            right: stands(right, &new),
            left_took: text(old_took),
            right_took: text(new_took),
            by: delta
                .map(|delta| format!("{}{}", if delta > 0 { "+" } else { "−" }, words::duration(delta.unsigned_abs())))
                .unwrap_or_default(),
            slower: delta.is_some_and(|delta| delta > 0),
            log_url: match (&old, &new) {
                (Some(old), Some(new)) if old.attempt > 0 && new.attempt > 0 => {
                    format!("/builds/{}/diff?with={}&log={}#log", right.id, left.id, words::part(id.as_str()))
                }
                _ => String::new(),
            },
        }
    };
    ids.into_iter().map(row).collect()
}

async fn logs(state: &AppState, left: &BuildView, right: &BuildView, step: &str) -> Result<Vec<Hunk>, Failed> {
    let mut texts = Vec::new();
    for view in [left, right] {
        let key = edges::key(view.id, step, crate::live::attempt(view, step, None));
        let total = state.logs.read(&key, 0, 1).await?.total;
        let from = total.saturating_sub(LOG_BYTES);
        let chunk = state.logs.read(&key, from, usize::try_from(LOG_BYTES).unwrap_or(usize::MAX)).await?;
        let lines = chunk.bytes.split(|byte| *byte == b'\n').skip(usize::from(from > 0));
        texts.push(lines.map(|line| steady(&ansi::plain(line)) + "\n").collect::<String>());
    }
    Ok(match texts.as_slice() {
        [left, right] => hunks(left, right),
        _ => Vec::new(),
    })
}

/// A line without what differs in every build: clock times, durations, hashes and temporary names.
fn steady(line: &str) -> String {
    use std::sync::LazyLock;
    static MOVING: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
        let times =
            r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b";
        let rest = r"\b\d+(?:\.\d+)? ?(?:ms|s|sec|seconds)\b|\b[0-9a-f]{32,}\b|/tmp/[\w./-]+";
        regex::Regex::new(&format!("{times}|{rest}")).ok()
    });
    match MOVING.as_ref() {
        Some(moving) => moving.replace_all(line, "…").into_owned(),
        None => line.to_owned(),
    }
}

fn hunks(left: &str, right: &str) -> Vec<Hunk> {
    if left == right {
        return Vec::new();
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(left, right);
    let mut room = LINES;
    let mut hunks = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        let number = |at: Option<usize>| at.map(|at| (at + 1).to_string()).unwrap_or_default();
        let line = |change: similar::Change<&str>| {
            let (kind, sign) = match change.tag() {
                ChangeTag::Insert => ("add", "+"),
                ChangeTag::Delete => ("del", "−"),
                ChangeTag::Equal => ("same", " "),
            };
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            Line { kind, sign, left: number(change.old_index()), right: number(change.new_index()), text }
        };
        let lines: Vec<_> = changes.map(line).take(room).collect();
        room -= lines.len();
        hunks.push(Hunk { lines });
        if room == 0 {
            break;
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_stand_with_their_neighbours() {
        let left = "a\nb\nc\nd\ne\nf\ng\nh\ni\n";
        let right = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        let hunks = hunks(left, right);
        assert_eq!(hunks.len(), 1);
        let text: Vec<_> = hunks[0].lines.iter().map(|line| format!("{}{}", line.sign, line.text)).collect();
        assert_eq!(text, [" b", " c", " d", "−e", "+E", " f", " g", " h"]);
        assert!(super::hunks(left, left).is_empty());
    }

    #[test]
    fn what_moves_in_every_build_is_no_difference() {
        assert_eq!(steady("2026-11-22T10:00:00.123Z took 1.4 s in /tmp/x.1/y"), "… took … in …");
        assert_eq!(steady("rows 627"), "rows 627");
    }

    #[test]
    fn numbers_say_by_how_much() {
        let text = |value: &str| value.to_owned();
        assert_eq!(by(Some(&text("4.5")), Some(&text("5"))), "+0.5000 (+11.1 %)");
        assert_eq!(by(Some(&text("x")), Some(&text("5"))), "");
    }
}
