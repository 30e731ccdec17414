//! How pages say things: states, times, durations, causes, links. Plain text; templates escape it.

use haliotis_engine::{BuildView, NodeState, NodeView};
use haliotis_model::{BuildId, BuildStatus, BuildSummary, Cause, Millis, StepId, TriggerSpec, Value};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in one part of a path or in a query value as it is.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// People tell commits apart by so many digits.
const COMMIT_DIGITS: usize = 8;
/// People tell digests apart by so many digits.
const DIGEST_DIGITS: usize = 12;
/// A value longer than this is cut on a page; the API has all of it.
const VALUE_CHARS: usize = 400;

/// A number in a sentence with more decimals than this is rounded.
const DECIMALS_MAX: usize = 6;

/// In a build of more nodes the ones that a node waits for are counted and not looked up: each look-up walks all nodes.
const NAMED_UP_TO: usize = 1_000;

/// Where a build of a list stands, in the words of nodes.
pub(crate) fn state_of(build: &BuildSummary) -> NodeState {
    standing(build.status, build.result)
}

/// Where a build stands, in the words of nodes.
pub(crate) fn state_of_view(view: &BuildView) -> NodeState {
    standing(view.status, view.result)
}

fn standing(status: BuildStatus, result: Option<haliotis_model::BuildResult>) -> NodeState {
    match (result, status) {
        (Some(result), _) => result.into(),
        (None, BuildStatus::Queued) => NodeState::Queued,
        (None, BuildStatus::Waiting) => NodeState::Waiting,
        (None, BuildStatus::Running | BuildStatus::Ended) => NodeState::Running,
    }
}

/// The word a person reads.
pub(crate) fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Pending => "Pending",
        NodeState::Queued => "Queued",
        NodeState::Running => "Running",
        NodeState::Waiting => "Waiting",
        NodeState::Success => "Success",
        NodeState::Unstable => "Unstable",
        NodeState::Failure => "Failed",
        NodeState::Aborted => "Aborted",
        NodeState::Skipped => "Skipped",
        NodeState::Interrupted => "Unknown",
    }
}

/// `1.2 s`, `2 min 5 s`, `3 h 7 min`, `2 d 4 h`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 if ms < 100 => format!("{ms} ms"),
        0..=9 => format!("{}.{} s", seconds, (ms % 1000) / 100),
        10..=59 => format!("{seconds} s"),
        60..=3599 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..=86_399 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
}

/// A moment, in all the forms a page needs.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// RFC 3339, UTC; what a machine reads.
    pub(crate) iso: String,
    /// `2026-11-22 15:04:05 UTC`.
    pub(crate) full: String,
    /// `3 min ago`; a script keeps it fresh.
    pub(crate) ago: String,
}

/// A moment seen from `now`.
pub(crate) fn moment(at: Millis, now: Millis) -> Moment {
    let iso = iso(at);
    let full = format!("{} UTC", iso.get(..19).unwrap_or(&iso).replace('T', " "));
    let ago = if now.since(at) < 1000 { "just now".to_owned() } else { format!("{} ago", coarse(now.since(at))) };
    Moment { iso, full, ago }
}

/// RFC 3339 with milliseconds; empty for a time no calendar has.
pub(crate) fn iso(at: Millis) -> String {
    Timestamp::from_millisecond(at.0).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// One unit is enough for how long ago something was.
fn coarse(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=86_399 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Why a build started, as a sentence without a full stop.
pub(crate) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::User { by } => format!("Started by {by}"),
        Cause::Commit { branch, commit: hash, via, author, subject, .. } => {
            let subject = if subject.is_empty() { String::new() } else { format!(" “{subject}”") };
            let author = if author.is_empty() { String::new() } else { format!(" by {author}") };
            let via = if via == "poll" { "found by polling".to_owned() } else { format!("told by {via}") };
            format!("Commit {}{subject}{author} on {branch}, {via}", commit(hash))
        }
        Cause::Cron { cron } => format!("Scheduled by {cron}"),
        Cause::ModelPackage { arn, status, by, reason } => {
            let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
            let reason = if reason.is_empty() { String::new() } else { format!(": “{reason}”") };
            format!("Model {} was {}{by}{reason}", short_arn(arn), status.to_lowercase())
        }
        Cause::Upstream { pipeline, number } => format!("Build {pipeline} #{number} ended"),
        Cause::Remote { host, note } if note.is_empty() => format!("Started by the remote host {host}"),
        Cause::Remote { host, note } => format!("Started by the remote host {host}: “{note}”"),
        Cause::Rerun { number, by } => format!("Build #{number} run again by {by}"),
    }
}

/// All causes in one line.
pub(crate) fn causes(all: &[Cause]) -> String {
    let sentences: Vec<_> = all.iter().map(cause).collect();
    if sentences.is_empty() { "No cause was recorded".to_owned() } else { sentences.join("; ") }
}

/// What starts a pipeline, as a sentence without a full stop.
pub(crate) fn trigger(trigger: &TriggerSpec) -> String {
    match trigger {
        TriggerSpec::Poll { repo, branch, every_ms } => {
            format!("A new commit on {branch} of {repo}, looked for every {}", duration(*every_ms))
        }
        TriggerSpec::Webhook { repo, branch } => format!("A push to {branch} of {repo}, told by webhook"),
        TriggerSpec::Cron { cron, zone } if zone.is_empty() => format!("The clock: {cron} (UTC)"),
        TriggerSpec::Cron { cron, zone } => format!("The clock: {cron} ({zone})"),
        TriggerSpec::ModelPackage { group, status } => {
            format!("A model of {group} becomes {}", status.join(" or ").to_lowercase())
        }
        TriggerSpec::Upstream { pipeline, results } => {
            let words: Vec<_> = results.iter().map(|result| result.as_str()).collect();
            format!("A build of {pipeline} ends with {}", words.join(" or "))
        }
    }
}

/// A commit's first digits.
pub(crate) fn commit(hash: &str) -> &str {
    hash.get(..COMMIT_DIGITS).unwrap_or(hash)
}

/// A digest's first digits.
pub(crate) fn digest(hash: &str) -> &str {
    hash.get(..DIGEST_DIGITS).unwrap_or(hash)
}

/// `group/3` of a model package's ARN; other text stays as it is.
pub(crate) fn short_arn(arn: &str) -> &str {
    arn.split_once(":model-package/").map_or(arn, |(_, name)| name)
}

/// A value on a page: text as it is, the rest as JSON; long ones are cut.
pub(crate) fn value(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(VALUE_CHARS) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text,
    }
}

/// A number with four significant digits at most, as metrics are read.
pub(crate) fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e9 {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..9.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=7")]
    let decimals = (3.0 - magnitude).clamp(0.0, 7.0) as usize;
    format!("{value:.decimals$}")
}

/// A sentence whose numbers have four significant digits at most: people read it, programs read the values themselves.
pub(crate) fn sentence(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
        let (before, tail) = rest.split_at(start);
        let (word, tail) = tail.split_at(end.unwrap_or(tail.len()));
        let number = word.trim_end_matches('.');
        // Part of a name, a path or an ARN: no number by itself.
        let alone =
            !before.ends_with(|c: char| c.is_alphanumeric() || "/:._-".contains(c)) && !tail.starts_with(['/', ':']);
        let long = number.split_once('.').is_some_and(|(_, decimals)| decimals.len() > DECIMALS_MAX);
        out.push_str(before);
        match number
            .parse::<f64>()
            .ok()
            .filter(|_| alone && long && number.bytes().all(|b| b == b'.' || b.is_ascii_digit()))
        {
            Some(value) => {
                out.push_str(&self::number(value));
                out.push_str(&word[number.len()..]);
            }
            None => out.push_str(word),
        }
        rest = tail;
    }
    out + rest
}

/// Bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// One part of a path or a query value.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// The page of a build.
pub(crate) fn build_url(build: BuildId) -> String {
    format!("/builds/{build}")
}

/// The page of a model version, from its ARN; empty when it is none.
pub(crate) fn model_url(arn: &str) -> String {
    let name = arn.split_once(":model-package/").map(|(_, name)| name);
    match name.and_then(|name| name.rsplit_once('/')) {
        Some((group, version)) => format!("/models/{}#v{}", part(group), part(version)),
        None => String::new(),
    }
}

/// The page of one model version, from its ARN; empty when it is none.
pub(crate) fn version_url(arn: &str) -> String {
    let name = arn.split_once(":model-package/").and_then(|(_, name)| name.rsplit_once('/'));
    name.map(|(group, version)| format!("/models/{}/{}", part(group), part(version))).unwrap_or_default()
}

/// The page of an endpoint.
pub(crate) fn endpoint_url(name: &str) -> String {
    format!("/endpoints/{}", part(name))
}

/// The page of a pipeline.
pub(crate) fn pipeline_url(name: &str) -> String {
    format!("/pipelines/{}", part(name))
}

/// The page of a step.
pub(crate) fn step_url(build: BuildId, step: &StepId) -> String {
    format!("/builds/{build}/step?path={}", part(step.as_str()))
}

/// Why a node waits, was skipped or failed; empty when there is nothing to explain.
pub(crate) fn why(node: &NodeView, view: &BuildView) -> String {
    if let Some(carry) = view.build.carry.as_ref().filter(|_| node.carried) {
        return format!("Not run again: taken over from #{}", carry.number);
    }
    if let Some(message) = node.message.as_ref().filter(|message| !message.is_empty()) {
        return sentence(message);
    }
    match node.state {
        NodeState::Pending if view.nodes.len() > NAMED_UP_TO => match node.needs.len() {
            0 => String::new(),
            count => format!("Waits for some of the {count} steps before it"),
        },
        NodeState::Pending => {
            let open = view.nodes.iter().filter(|other| node.needs.contains(&other.id) && !other.state.ended());
            let names: Vec<_> = open.map(|other| other.name.as_str()).collect();
            if names.is_empty() { String::new() } else { format!("Waits for {}", names.join(", ")) }
        }
        NodeState::Queued => "Waits for a free slot of an agent".to_owned(),
        NodeState::Skipped => match &node.condition {
            Some(condition) => format!("Its condition was not met: {condition}"),
            None => "Not needed in this build".to_owned(),
        },
        NodeState::Interrupted => "It was started, and nobody can tell how it ended".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        for (ms, text) in [
            (40, "40 ms"),
            (1_250, "1.2 s"),
            (59_000, "59 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (11_220_000, "3 h 7 min"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [(4.718_281, "4.718"), (2923.0, "2923"), (0.012_345_6, "0.01235"), (1.0e-7, "1.000e-7")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_sentence_has_numbers_that_people_read() {
        for (text, read) in [
            (
                "MSE was 4.705806411373126 over 627 rows; with 4.705806411373134.",
                "MSE was 4.706 over 627 rows; with 4.706.",
            ),
            ("1.25 of 3", "1.25 of 3"),
            (
                "v1.123456789 at /a/1.123456789 is 10.0.0.123456789",
                "v1.123456789 at /a/1.123456789 is 10.0.0.123456789",
            ),
            ("arn:aws:x:1.12345678:y, é9", "arn:aws:x:1.12345678:y, é9"),
        ] {
            assert_eq!(sentence(text), read);
        }
    }

    #[test]
    fn moments_are_utc_to_the_second() {
        let seen = moment(Millis(1_000), Millis(62_000));
        assert_eq!((seen.full.as_str(), seen.ago.as_str()), ("1970-01-01 00:00:01 UTC", "1 min ago"));
        assert_eq!(seen.iso, "1970-01-01T00:00:01.000Z");
    }

    #[test]
    fn a_part_of_a_path_cannot_leave_it() {
        assert_eq!(part("a/b?c#d\"<"), "a%2Fb%3Fc%23d%22%3C");
    }
}
