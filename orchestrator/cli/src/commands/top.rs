//! `haliotis top`: what a server is doing now: slots, what runs, what waits for a person, what ended last.

use std::time::Duration;

use clap::Args;
use console::style;
use haliotis_engine::now;
use haliotis_model::{BuildSummary, Millis};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Client;
use crate::commands::screen::Screen;
use crate::commands::watch_build::{look, sign};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Builds whose steps are counted; a screen shows no more.
const OPEN: usize = 20;
/// Builds that ended, shown below.
const ENDED: usize = 10;
/// Width of a bar.
const BAR: usize = 20;

/// Arguments of `top`.
#[derive(Args)]
pub struct Top {
    /// Show it once
    #[arg(long)]
    once: bool,
    /// Seconds between two looks
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

/// What there is now.
struct Now {
    agents: Vec<Value>,
    open: Vec<Open>,
    waiting: Vec<Value>,
    ended: Vec<BuildSummary>,
}

/// A build that goes on.
struct Open {
    build: BuildSummary,
    done: usize,
    of: usize,
    doing: String,
}

/// Shows it again and again, until Ctrl-C; once on a pipe.
pub async fn run(args: Top, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    let mut screen = Screen::new(ctx);
    // One for all looks: a Ctrl-C during a look counts after it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        let seen = see(&client).await?;
        if ctx.json {
            ctx.print_json(&data(&seen));
            return Ok(());
        }
        let lines = picture(&seen, now());
        if args.once || !screen.moves() {
            ctx.print(lines.join("\n"));
            return Ok(());
        }
        screen.draw(&lines);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(args.every)) => {}
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

async fn see(client: &Client) -> Result<Now, Failure> {
    let list = |value: Value| value.as_array().cloned().unwrap_or_default();
    let mut builds: Vec<BuildSummary> = Vec::new();
    for (status, limit) in [("running", OPEN), ("waiting", OPEN), ("queued", OPEN), ("ended", ENDED)] {
        let query = [("status", status.to_owned()), ("limit", limit.to_string())];
        let rows = client.get("/api/v1/builds", &query).await?;
        let rows: Vec<BuildSummary> =
            serde_json::from_value(rows).map_err(|error| Failure::world(format!("unexpected answer: {error}")))?;
        builds.extend(rows);
    }
    let (ended, going): (Vec<_>, Vec<_>) = builds.into_iter().partition(|build| build.result.is_some());
    let mut open = Vec::new();
    for build in going.into_iter().take(OPEN) {
        let steps = look(client, build.id.0).await?.nodes;
        let steps: Vec<_> = steps.iter().filter(|node| !node.is_group()).collect();
        let names = steps.iter().filter(|node| node.state == "running").map(|node| node.name.clone());
        open.push(Open {
            done: steps.iter().filter(|node| node.ended()).count(),
            of: steps.len(),
            doing: names.take(4).collect::<Vec<_>>().join(", "),
            build,
        });
    }
    Ok(Now {
        agents: list(client.get("/api/v1/agents", &[]).await?),
        waiting: list(client.get("/api/v1/inputs", &[]).await?),
        open,
        ended,
    })
}

fn data(seen: &Now) -> Value {
    let open = seen
        .open
        .iter()
        .map(|one| json!({ "build": one.build, "steps": one.of, "done": one.done, "doing": one.doing }));
    json!({ "agents": seen.agents, "open": open.collect::<Vec<_>>(), "waiting": seen.waiting, "ended": seen.ended })
}

fn picture(seen: &Now, now: Millis) -> Vec<String> {
    let mut lines = Vec::new();
    for agent in &seen.agents {
        let number = |name: &str| usize::try_from(agent[name].as_u64().unwrap_or(0)).unwrap_or(0);
        let (busy, slots) = (number("busy"), number("slots"));
        lines.push(format!(
            "{}  {}  {busy} of {slots} slots",
            style(agent["name"].as_str().unwrap_or("")).bold(),
            bar(busy, slots)
        ));
    }
    let title = |text: &str, count: usize| format!("\n{}", style(format!("{text} ({count})")).bold());
    if !seen.waiting.is_empty() {
        lines.extend(title("Waits for a person", seen.waiting.len()).split('\n').map(str::to_owned));
        for one in &seen.waiting {
            let since = one["input"]["asked_at"].as_i64().map_or(0, |at| now.since(Millis(at)));
            let what = one["input"]["input"]["message"].as_str().unwrap_or("");
            let build = &one["build"];
            let name = format!("{} #{}", build["pipeline"].as_str().unwrap_or(""), build["number"]);
            lines.push(format!("{} {name}  {}  {}", sign("waiting"), show::duration(since), style(what).dim()));
        }
    }
    lines.extend(title("Goes on", seen.open.len()).split('\n').map(str::to_owned));
    for one in &seen.open {
        let state = show::word(one.build.status, None);
        let name = format!("{} #{}", one.build.pipeline, one.build.number);
        let took = show::duration(now.since(one.build.created_at));
        let line = format!(
            "{} {}/{}  {name}  {state}  {took}  {}",
            bar(one.done, one.of),
            one.done,
            one.of,
            style(&one.doing).dim()
        );
        lines.push(line.trim_end().to_owned());
    }
    if !seen.ended.is_empty() {
        lines.extend(title("Ended last", seen.ended.len()).split('\n').map(str::to_owned));
        for build in &seen.ended {
            let state = build.result.map_or("aborted", |result| result.as_str());
            let took = build.ended_at.map_or(0, |end| end.since(build.created_at));
            let ago = build.ended_at.map_or(0, |end| now.since(end));
            lines.push(format!(
                "{} {} #{}  {}  {} ago",
                sign(state),
                build.pipeline,
                build.number,
                show::duration(took),
                show::duration(ago)
            ));
        }
    }
    lines
}

fn bar(done: usize, of: usize) -> String {
    let full = (done * BAR).checked_div(of).unwrap_or(0).min(BAR);
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_it_says() {
        assert_eq!(bar(1, 2), format!("[{}{}]", "#".repeat(10), ".".repeat(10)));
        assert_eq!(bar(5, 0), format!("[{}]", ".".repeat(20)));
    }
}
