//! `haliotis watch BUILD`: a build of a server as a tree that moves; on a pipe, a line for each thing that changes.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use console::style;
use haliotis_engine::{NodeState, now};
use haliotis_model::Millis;
use serde::Deserialize;
use serde_json::Value;

use crate::client::Client;
use crate::commands::screen::Screen;
use crate::context::Context;
use crate::failure::{Failure, Outcome, code};
use crate::show;

/// Time between two looks: short enough to feel live, and a server answers one in a few milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Builds of a pipeline that are looked through for a number.
const LOOKED_THROUGH: u32 = 500;

/// Arguments of `watch`.
#[derive(Args)]
pub struct WatchBuild {
    /// The build: its id, PIPELINE#NUMBER, or PIPELINE for its newest
    build: String,
    /// Come back with an exit code that says how the build ended
    #[arg(long)]
    exit_status: bool,
    /// Come back as soon as it waits for a person
    #[arg(long)]
    until_input: bool,
}

/// A build as the API tells it.
#[derive(Deserialize)]
pub(super) struct Seen {
    build: Pinned,
    status: String,
    result: Option<String>,
    message: Option<String>,
    ended_at: Option<i64>,
    pub(super) nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Pinned {
    pipeline: String,
    number: u32,
    created_at: i64,
}

/// A node of it.
#[derive(Deserialize)]
pub(super) struct Node {
    id: String,
    pub(super) name: String,
    kind: String,
    group: Option<String>,
    pub(super) state: String,
    attempt: u32,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    message: Option<String>,
}

impl Node {
    pub(super) fn is_group(&self) -> bool {
        self.kind == "group"
    }

    pub(super) fn ended(&self) -> bool {
        !matches!(self.state.as_str(), "pending" | "queued" | "running" | "waiting")
    }

    fn took(&self, now: Millis) -> String {
        let (Some(from), false) = (self.started_at, self.state == "skipped") else { return String::new() };
        show::duration(self.ended_at.map_or(now, Millis).since(Millis(from)))
    }
}

/// The sign of a state as the API words it.
pub(super) fn sign(state: &str) -> String {
    use NodeState::{Aborted, Failure, Interrupted, Pending, Queued, Running, Skipped, Success, Unstable, Waiting};
    let all = [Aborted, Failure, Interrupted, Pending, Queued, Running, Skipped, Success, Unstable, Waiting];
    let found = all.into_iter().find(|known| known.as_str() == state).unwrap_or(Pending);
    show::sign(found).to_string()
}

/// A build of the server by its id, `PIPELINE#NUMBER`, or `PIPELINE` for its newest.
async fn find(client: &Client, name: &str) -> Result<i64, Failure> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let (pipeline, number) = match name.rsplit_once('#') {
        Some((pipeline, number)) => (pipeline, number.parse::<u64>().ok()),
        None => (name, None),
    };
    let limit = if number.is_some() { LOOKED_THROUGH } else { 1 };
    let query = [("pipeline", pipeline.to_owned()), ("limit", limit.to_string())];
    let builds = client.get("/api/v1/builds", &query).await?;
    let mut rows = builds.as_array().into_iter().flatten();
    let found = rows.find(|row| number.is_none() || row["number"].as_u64() == number);
    let none = || Failure::not_found(format!("there is no build `{name}`; `haliotis builds` lists them"));
    found.and_then(|row| row["id"].as_i64()).ok_or_else(none)
}

/// One look at a build.
pub(super) async fn look(client: &Client, id: i64) -> Result<Seen, Failure> {
    let answer: Value = client.get(&format!("/api/v1/builds/{id}"), &[]).await?;
    serde_json::from_value(answer).map_err(|error| Failure::world(format!("unexpected answer: {error}")))
}

/// Follows it to its end.
pub async fn run(args: WatchBuild, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    let id = find(&client, &args.build).await?;
    let mut screen = Screen::new(ctx);
    let mut told = BTreeMap::new();
    loop {
        let seen = look(&client, id).await?;
        if screen.moves() {
            screen.draw(&picture(&seen, now()));
        } else if !ctx.json {
            tell(&seen, &mut told, ctx);
        }
        let asked = args.until_input && seen.status == "waiting";
        if seen.result.is_some() || asked {
            return finish(&seen, &args, ctx, screen.moves());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The tree. A group whose steps all ended well is one line; one that did not stays open.
fn picture(seen: &Seen, now: Millis) -> Vec<String> {
    let from = Millis(seen.build.created_at);
    let took = show::duration(seen.ended_at.map_or(now, Millis).since(from));
    let state = seen.result.clone().unwrap_or_else(|| seen.status.clone());
    let head = format!("{} {}", seen.build.pipeline, format_args!("#{}", seen.build.number));
    let mut lines = vec![format!("{} {}  {}  {}", sign(&state), style(head).bold(), state, style(took).dim())];
    branch(seen, None, 1, now, &mut lines);
    lines
}

fn branch(seen: &Seen, group: Option<&str>, depth: usize, now: Millis, lines: &mut Vec<String>) {
    let inner: Vec<&Node> = seen.nodes.iter().filter(|node| node.group.as_deref() == group).collect();
    for (at, node) in inner.iter().enumerate() {
        let stem = if at + 1 == inner.len() { "└" } else { "├" };
        let indent = format!("{}{} ", "│ ".repeat(depth - 1), stem);
        let steps = seen.nodes.iter().filter(|other| other.group.as_deref() == Some(&node.id));
        let steps: Vec<&Node> = steps.collect();
        let fine = steps.iter().all(|step| matches!(step.state.as_str(), "success" | "skipped"));
        let folded = node.is_group() && fine && !steps.is_empty();
        let note = match (folded, node.state.as_str()) {
            (true, _) => format!("{} steps", steps.len()),
            (_, "success" | "running" | "pending") => String::new(),
            _ => node.message.clone().unwrap_or_default(),
        };
        let attempt = if node.attempt > 1 { format!(" (attempt {})", node.attempt) } else { String::new() };
        let shown = if folded { "success" } else { node.state.as_str() };
        let line = format!(
            "{}{} {}{attempt}  {}  {}",
            style(indent).dim(),
            sign(shown),
            node.name,
            style(node.took(now)).dim(),
            style(note).dim()
        );
        lines.push(line.trim_end().to_owned());
        if node.is_group() && !folded && depth < 8 {
            branch(seen, Some(&node.id), depth + 1, now, lines);
        }
    }
}

/// A line for each node that stands otherwise than last told.
fn tell(seen: &Seen, told: &mut BTreeMap<String, (String, u32)>, ctx: &Context) {
    for node in seen.nodes.iter().filter(|node| !node.is_group() && node.state != "pending") {
        let stands = (node.state.clone(), node.attempt);
        if told.get(&node.id) == Some(&stands) {
            continue;
        }
        let note = if node.state == "success" { String::new() } else { node.message.clone().unwrap_or_default() };
        let name = node.id.trim_start_matches('/');
        let line = format!("{} {name}  {}  {}  {note}", sign(&node.state), node.state, node.took(now()));
        ctx.print(line.trim_end());
        told.insert(node.id.clone(), stands);
    }
}

fn finish(seen: &Seen, args: &WatchBuild, ctx: &Context, moved: bool) -> Outcome {
    let state = seen.result.clone().unwrap_or_else(|| seen.status.clone());
    let name = format!("{} #{}", seen.build.pipeline, seen.build.number);
    if ctx.json {
        ctx.print_json(&serde_json::json!({ "build": name, "status": seen.status, "result": seen.result }));
    } else if !moved {
        ctx.print(format!("{} {name}  {state}", sign(&state)));
    }
    if let Some(message) = seen.message.as_ref().filter(|_| !ctx.json) {
        ctx.say(message);
    }
    match state.as_str() {
        _ if !args.exit_status => Ok(()),
        "success" | "waiting" => Ok(()),
        "aborted" => Err(Failure::new(code::ABORTED, String::new())),
        _ => Err(Failure::new(code::FAILED, String::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let node = |id: &str, kind: &str, group: Option<&str>, state: &str| {
            serde_json::json!({ "id": id, "name": id.trim_start_matches('/'), "kind": kind, "group": group, "state": state,
                "attempt": 1, "started_at": 1000, "ended_at": 3000, "message": "why" })
        };
        serde_json::from_value(serde_json::json!({
            "build": { "pipeline": "p", "number": 7, "created_at": 0 }, "status": "running", "result": null, "message": null, "ended_at": null,
            "nodes": [node("/a", "group", None, "success"), node("/b", "step", Some("/a"), "success"), node("/c", "group", None, "failure"), node("/d", "step", Some("/c"), "failure")]
        }))
        .unwrap()
    }

    #[test]
    fn a_finished_group_is_one_line_and_a_failed_one_stays_open() {
        console::set_colors_enabled(false);
        let lines = picture(&seen(), Millis(5_000));
        assert_eq!(lines, ["● p #7  running  5.0s", "├ ✓ a  2.0s  1 steps", "└ ✗ c  2.0s  why", "│ └ ✗ d  2.0s  why"]);
    }
}
