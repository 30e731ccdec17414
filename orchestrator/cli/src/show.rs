//! How builds look in a terminal: signs, durations, tables. State is a sign and a word, never a colour alone.

use comfy_table::{ContentArrangement, Table, presets};
use console::{StyledObject, style};
use haliotis_engine::{BuildView, NodeState, NodeView};
use haliotis_model::{BuildResult, BuildStatus, BuildSummary, Cause, Millis};
use jiff::Timestamp;

/// A sign for a node's state.
pub fn sign(state: NodeState) -> StyledObject<&'static str> {
    match state {
        NodeState::Success => style("✓").green(),
        NodeState::Failure => style("✗").red(),
        NodeState::Unstable => style("!").yellow(),
        NodeState::Aborted => style("■").magenta(),
        NodeState::Skipped => style("○").dim(),
        NodeState::Interrupted => style("?").yellow(),
        NodeState::Waiting => style("?").cyan(),
        NodeState::Running => style("●").blue(),
        NodeState::Queued | NodeState::Pending => style("·").dim(),
    }
}

/// A build's state as one coloured word.
pub fn word(status: BuildStatus, result: Option<BuildResult>) -> StyledObject<&'static str> {
    match result {
        Some(BuildResult::Success) => style("success").green(),
        Some(BuildResult::Unstable) => style("unstable").yellow(),
        Some(BuildResult::Failure) => style("failure").red(),
        Some(BuildResult::NotBuilt) => style("not-built").dim(),
        Some(BuildResult::Aborted) => style("aborted").magenta(),
        None => match status {
            BuildStatus::Queued => style("queued").dim(),
            BuildStatus::Waiting => style("waiting").cyan(),
            BuildStatus::Running | BuildStatus::Ended => style("running").blue(),
        },
    }
}

/// Local time to a tenth of a second, as `2026-11-23T14:05:09.3`.
pub fn moment(at: i64) -> String {
    let time = Timestamp::from_millisecond(at).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    format!("{}.{}", time.strftime("%Y-%m-%dT%H:%M:%S"), at.rem_euclid(1000) / 100)
}

/// `0.4s`, `12s`, `3m 05s`, `2h 10m`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{:.1}s", ms as f64 / 1000.0),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Local time, to the second.
pub fn time(at: Millis) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.0.to_string(),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// How long a node took, or has taken.
pub fn node_duration(node: &NodeView, now: Millis) -> Option<u64> {
    let start = node.started_at.or(node.queued_at)?;
    Some(node.ended_at.unwrap_or(now).since(start))
}

/// One line for a node.
pub fn node_line(node: &NodeView, now: Millis) -> String {
    let took = node_duration(node, now).map(duration).unwrap_or_default();
    let note = match node.state {
        NodeState::Success | NodeState::Running | NodeState::Pending => String::new(),
        _ => node.message.clone().unwrap_or_default(),
    };
    let attempt = if node.attempt > 1 { format!(" (attempt {})", node.attempt) } else { String::new() };
    let name = node.id.as_str().trim_start_matches('/');
    let line = format!("{} {name}{attempt}  {}  {}", sign(node.state), style(took).dim(), style(note).dim());
    line.trim_end().to_owned()
}

/// One line for a stage or matrix that has ended: its steps are folded into it.
pub fn group_line(node: &NodeView, steps: usize, now: Millis) -> String {
    let took = node_duration(node, now).map(duration).unwrap_or_default();
    let name = node.id.as_str().trim_start_matches('/');
    let noun = if steps == 1 { "step" } else { "steps" };
    format!("{} {name}  {}  {}", sign(node.state), style(took).dim(), style(format!("{steps} {noun}")).dim())
}

/// Why a build started, in one line.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::User { by } => format!("started by {by}"),
        Cause::Commit { branch, commit, via, subject, .. } => {
            format!("commit {} on {branch} ({via}) {subject}", short(commit)).trim_end().to_owned()
        }
        Cause::Cron { cron } => format!("cron {cron}"),
        Cause::ModelPackage { arn, status, by, .. } => format!("{} was {status} by {by}", model_name(arn)),
        Cause::Upstream { pipeline, number } => format!("after {pipeline} #{number}"),
        Cause::Remote { host, note } => format!("remote host {host} {note}").trim_end().to_owned(),
        Cause::Rerun { number, by } => format!("re-run of #{number} by {by}"),
    }
}

/// The first 10 characters of a commit.
pub fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// `group/3` out of a model package ARN.
pub fn model_name(arn: &str) -> &str {
    arn.split_once(":model-package/").map_or(arn, |(_, name)| name)
}

/// A table without lines around it.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|cell| style(*cell).dim().to_string()));
    table
}

/// A list of builds.
pub fn builds(builds: &[BuildSummary], now: Millis) -> String {
    let mut table = table(&["BUILD", "STATE", "STARTED", "TOOK", "WHY"]);
    for build in builds {
        let took = build.ended_at.unwrap_or(now).since(build.created_at);
        table.add_row([
            format!("{} #{}", build.pipeline, build.number),
            word(build.status, build.result).to_string(),
            time(build.created_at),
            duration(took),
            build.causes.first().map(cause).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

/// A whole build.
pub fn build(view: &BuildView, now: Millis) -> String {
    let mut text =
        format!("{} #{}  {}\n", style(&view.build.pipeline).bold(), view.build.number, word(view.status, view.result));
    for cause in &view.build.causes {
        text += &format!("  why       {}\n", self::cause(cause));
    }
    text += &format!("  started   {}\n", time(view.build.created_at));
    text += &format!("  cloud     {}\n", view.build.cloud);
    if let Some(commit) = &view.build.source.commit {
        text += &format!("  commit    {}\n", short(commit));
    }
    for (name, value) in &view.build.parameters {
        text += &format!("  parameter {name} = {value}\n");
    }
    if let Some(message) = &view.message {
        text += &format!("  {message}\n");
    }
    for node in &view.nodes {
        text += &format!("  {}\n", node_line(node, now));
    }
    for (_, line) in &view.lines {
        text += &format!("  {line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (ms, text) in [(400, "0.4s"), (12_000, "12s"), (185_000, "3m 05s"), (7_800_000, "2h 10m")] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn model_names_are_short() {
        assert_eq!(model_name("arn:aws:sagemaker:us-east-1:000000000000:model-package/abalone/3"), "abalone/3");
        assert_eq!(model_name("x"), "x");
    }
}
