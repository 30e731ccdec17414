//! The stage view's API: a build as stages with times, what it waits for, and the log of a node.
//!
//! A stage is a group of the build's graph; a build without groups shows each of its steps as a stage. A node's id is its
//! place in the graph, which only grows.

use axum::Json;
use axum::response::{IntoResponse, Response};
use haliotis_engine::{BuildView, InputView, NodeState, NodeView, now};
use haliotis_flow::NodeKind;
use haliotis_model::{BuildStatus, Pipeline, StepKey};
use serde_json::{Value, json};

use super::build::Target;
use super::call::Call;
use super::history::History;
use super::inputs;
use crate::error::Failed;

/// Builds of one `runs`.
const RUNS: usize = 10;
/// Ids of nodes begin here, as in Jenkins, whose first node is the start of the build.
const FIRST: usize = 3;
/// Bytes of a node's log in one answer; the console has the rest.
const LOG_MAX: usize = 150 << 10;

/// `wfapi/describe` of a build.
pub(crate) async fn describe(call: &Call, target: &Target) -> Result<Response, Failed> {
    Ok(Json(run(call, target).await?).into_response())
}

/// `wfapi` of a job.
pub(crate) fn job(pipeline: &Pipeline, runs: u32) -> Value {
    let href = format!("/{}wfapi/describe", super::items::path(&pipeline.name));
    json!({ "_links": { "self": { "href": href } }, "name": super::items::short(&pipeline.name), "runCount": runs })
}

/// `wfapi/runs`: the newest builds, or those newer than `since=#N`.
pub(crate) async fn runs(call: &Call, pipeline: &Pipeline) -> Result<Response, Failed> {
    let history = History::recent(&call.state, &pipeline.name).await?;
    let since = call.value("since").and_then(|since| since.trim_start_matches('#').parse::<u32>().ok());
    let newer = history.builds.iter().filter(|build| since.is_none_or(|since| build.number >= since));
    let mut all = Vec::new();
    for build in newer.take(RUNS) {
        let note = history.notes.of(build.number);
        all.push(run(call, &Target { pipeline: pipeline.clone(), build: build.clone(), note }).await?);
    }
    Ok(Json(all).into_response())
}

async fn run(call: &Call, target: &Target) -> Result<Value, Failed> {
    let view = call.state.engine.view(target.build.id).await?;
    let base = format!("/{}", target.path());
    let mut links = json!({
        "self": { "href": format!("{base}wfapi/describe") },
        "changesets": { "href": format!("{base}wfapi/changesets") },
        "artifacts": { "href": format!("{base}wfapi/artifacts") },
    });
    if let (true, Some(links)) = (view.inputs.iter().any(InputView::open), links.as_object_mut()) {
        links.insert("pendingInputActions".to_owned(), json!({ "href": format!("{base}wfapi/pendingInputActions") }));
    }
    let begun = view.started_at.unwrap_or(target.build.created_at);
    let end = view.ended_at.unwrap_or_else(now);
    let stages: Vec<Value> = stages(&view).into_iter().map(|at| stage(&view, &base, at)).collect();
    Ok(json!({
        "_links": links,
        "id": target.build.number.to_string(),
        "name": target.note.name.clone().unwrap_or_else(|| format!("#{}", target.build.number)),
        "status": status_of_build(&view),
        "startTimeMillis": begun.0,
        "endTimeMillis": view.ended_at.map_or(0, |at| at.0),
        "durationMillis": end.since(begun),
        "queueDurationMillis": begun.since(target.build.created_at),
        "pauseDurationMillis": paused(&view, None),
        "stages": stages,
    }))
}

/// Places of the nodes that are stages.
fn stages(view: &BuildView) -> Vec<usize> {
    let kind = |wanted: fn(&NodeView) -> bool| -> Vec<usize> {
        view.nodes.iter().enumerate().filter(|(_, node)| wanted(node)).map(|(at, _)| at).collect()
    };
    let groups = kind(|node| node.kind == NodeKind::Group);
    if groups.is_empty() { kind(|node| node.group.is_none()) } else { groups }
}

fn stage(view: &BuildView, base: &str, at: usize) -> Value {
    let Some(node) = view.nodes.get(at) else { return Value::Null };
    let mut stage = json!({
        "_links": { "self": { "href": format!("{base}execution/node/{}/wfapi/describe", at + FIRST) } },
        "id": (at + FIRST).to_string(),
        "name": node.name,
        "execNode": node.agent.clone().unwrap_or_default(),
        "status": status(node.state),
        "startTimeMillis": node.started_at.or(node.queued_at).unwrap_or_default().0,
        "durationMillis": took(node),
        "pauseDurationMillis": paused(view, Some(node)),
    });
    if let (NodeState::Failure | NodeState::Interrupted | NodeState::Aborted, Some(stage)) =
        (node.state, stage.as_object_mut())
    {
        let message = node.message.clone().unwrap_or_default();
        stage.insert("error".to_owned(), json!({ "message": message, "type": "hudson.AbortException" }));
    }
    stage
}

fn took(node: &NodeView) -> u64 {
    match (node.started_at, node.ended_at) {
        (Some(from), Some(to)) => to.since(from),
        (Some(from), None) => now().since(from),
        (None, _) => 0,
    }
}

/// Milliseconds that questions waited: all of the build's, or those of a node and what stands in it.
fn paused(view: &BuildView, of: Option<&NodeView>) -> u64 {
    let inside = |input: &&InputView| {
        of.is_none_or(|node| {
            let rest = input.id.as_str().strip_prefix(node.id.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let waited = |input: &InputView| input.closed_at.unwrap_or_else(now).since(input.asked_at);
    view.inputs.iter().filter(inside).map(waited).sum()
}

fn status(state: NodeState) -> &'static str {
    match state {
        NodeState::Pending | NodeState::Queued | NodeState::Skipped => "NOT_EXECUTED",
        NodeState::Running => "IN_PROGRESS",
        NodeState::Waiting => "PAUSED_PENDING_INPUT",
        NodeState::Success => "SUCCESS",
        NodeState::Unstable => "UNSTABLE",
        NodeState::Failure | NodeState::Interrupted => "FAILED",
        NodeState::Aborted => "ABORTED",
    }
}

fn status_of_build(view: &BuildView) -> &'static str {
    match (view.status, view.result) {
        (BuildStatus::Queued, _) => "NOT_EXECUTED",
        (BuildStatus::Running, _) => "IN_PROGRESS",
        (BuildStatus::Waiting, _) => "PAUSED_PENDING_INPUT",
        (BuildStatus::Ended, result) => result.map_or("NOT_EXECUTED", |result| status(result.into())),
    }
}

/// `wfapi/pendingInputActions`.
pub(crate) async fn pending(call: &Call, target: &Target) -> Result<Vec<Value>, Failed> {
    let view = call.state.engine.view(target.build.id).await?;
    Ok(view.inputs.iter().filter(|input| input.open()).map(|input| inputs::row(target, input)).collect())
}

/// `wfapi/artifacts`.
pub(crate) async fn artifacts(call: &Call, target: &Target) -> Result<Response, Failed> {
    let kept = call.state.artifacts.list(target.build.id).await?;
    let rows: Vec<Value> = kept
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let parts: Vec<String> = file.path.split('/').map(super::items::encode).collect();
            json!({
                "id": format!("n{}", index + 1),
                "name": file.path.rsplit('/').next().unwrap_or(&file.path),
                "path": file.path,
                "url": format!("/{}artifact/{}", target.path(), parts.join("/")),
                "size": file.size,
            })
        })
        .collect();
    Ok(Json(rows).into_response())
}

/// `wfapi/changesets`: the one commit that is known.
pub(crate) fn changesets(target: &Target) -> Response {
    let commits: Vec<Value> = target
        .build
        .causes
        .iter()
        .filter_map(|cause| match cause {
            haliotis_model::Cause::Commit { commit, author, subject, .. } => Some(json!({
                "commitId": commit,
                "commitUrl": Value::Null,
                "message": subject,
                "authorJenkinsId": author,
                "timestamp": target.build.created_at.0,
            })),
            _ => None,
        })
        .collect();
    let sets = if commits.is_empty() {
        Vec::new()
    } else {
        vec![json!({ "kind": "git", "commitCount": commits.len(), "commits": commits })]
    };
    Json(sets).into_response()
}

/// `execution/node/ID/wfapi/describe` and `.../log`.
pub(crate) async fn node(call: &Call, target: &Target, id: &str, log: bool) -> Result<Response, Failed> {
    let view = call.state.engine.view(target.build.id).await?;
    let none = || Failed::not_found(format!("build {} has no node {id}", target.build.number));
    let at = id.parse::<usize>().ok().and_then(|id| id.checked_sub(FIRST)).ok_or_else(none)?;
    let node = view.nodes.get(at).ok_or_else(none)?;
    let base = format!("/{}", target.path());
    if !log {
        let mut described = stage(&view, &base, at);
        let inside: Vec<Value> = view
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, other)| other.group.as_ref() == Some(&node.id))
            .map(|(at, other)| {
                let mut row = stage(&view, &base, at);
                let log = json!({ "href": format!("{base}execution/node/{}/wfapi/log", at + FIRST) });
                if let Some(links) = row.pointer_mut("/_links").and_then(Value::as_object_mut) {
                    links.insert("log".to_owned(), log);
                }
                if let Some(row) = row.as_object_mut() {
                    row.insert("parameterDescription".to_owned(), json!(script(other)));
                    row.insert("parentNodes".to_owned(), json!([id]));
                }
                row
            })
            .collect();
        if let Some(described) = described.as_object_mut() {
            described.insert("stageFlowNodes".to_owned(), json!(inside));
        }
        return Ok(Json(described).into_response());
    }
    let key = StepKey { build: target.build.id, step: node.id.clone(), attempt: node.attempt.max(1) };
    let total = call.state.logs.read(&key, 0, 1).await?.total;
    let from = total.saturating_sub(LOG_MAX as u64);
    let chunk = call.state.logs.read(&key, from, LOG_MAX).await?;
    Ok(Json(json!({
        "nodeId": id,
        "nodeStatus": status(node.state),
        "length": chunk.bytes.len(),
        "hasMore": from > 0,
        "text": String::from_utf8_lossy(&chunk.bytes),
        "consoleUrl": format!("{base}console"),
    }))
    .into_response())
}

fn script(node: &NodeView) -> String {
    node.with.get("script").and_then(Value::as_str).unwrap_or(&node.uses).to_owned()
}
