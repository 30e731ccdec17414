//! `on:`: what starts a build.

use std::rc::Rc;

use haliotis_model::{BuildResult, TriggerSpec};

use crate::limits::MIN_POLL_MS;
use crate::tree::{At, Data, Node};

use super::Reading;
use super::fields::{Fields, text, texts, wrong};
use super::schedule::cron_problem;

const KEYS: [&str; 5] = ["poll", "webhook", "cron", "model-package", "upstream"];
/// Approval states of a model package.
const STATES: [&str; 3] = ["Approved", "Rejected", "PendingManualApproval"];
/// Between two looks of a poll unless the file says otherwise.
const POLL_MS: u64 = 60_000;

pub(super) fn read(node: &Node, reading: &mut Reading<'_>) -> Vec<TriggerSpec> {
    let mut triggers = Vec::new();
    if let Some(word) = node.text() {
        let help = format!("write on: {{ {word}: ... }}");
        reading.problems.error("yaml-type", node.at, "on must be a map of triggers, this is text", help);
        return triggers;
    }
    let Some(fields) = Fields::of(node, "on", &KEYS, &mut reading.problems) else { return triggers };
    // A bare `poll:` is a poll with all its defaults.
    if let Some(node) = fields.node.get("poll") {
        triggers.extend(poll(node, reading));
    }
    if let Some(node) = fields.node.get("webhook") {
        triggers.extend(webhook(node, reading));
    }
    for (key, one) in [
        ("cron", cron as fn(&Node, &mut Reading<'_>) -> Option<TriggerSpec>),
        ("model-package", model),
        ("upstream", upstream),
    ] {
        if let Some(node) = fields.get(key) {
            each(node).iter().for_each(|node| triggers.extend(one(node, reading)));
        }
    }
    triggers
}

/// A list, or the one thing.
fn each(node: &Rc<Node>) -> Vec<Rc<Node>> {
    match &node.data {
        Data::List(items) => items.clone(),
        _ => vec![Rc::clone(node)],
    }
}

/// The repository and branch: as written, else those the pipeline itself is read from.
fn place(fields: &Fields<'_>, at: At, what: &str, reading: &mut Reading<'_>) -> Option<(String, String)> {
    let repo = fields.text("repo", &mut reading.problems).or_else(|| reading.source.repo.clone());
    let branch = fields.text("branch", &mut reading.problems).or_else(|| reading.source.branch.clone());
    let Some(repo) = repo else {
        let message =
            format!("{what} has no repo, so it starts nothing unless the pipeline is registered from a repository");
        reading.problems.warn("yaml-trigger", at, message, Some("add repo: URL".to_owned()));
        return None;
    };
    Some((repo, branch.unwrap_or_else(|| "main".to_owned())))
}

fn poll(node: &Node, reading: &mut Reading<'_>) -> Option<TriggerSpec> {
    let fields = Fields::of(node, "poll", &["repo", "branch", "every"], &mut reading.problems)?;
    let every_ms = fields.duration("every", &mut reading.problems).unwrap_or(POLL_MS);
    if every_ms < MIN_POLL_MS {
        let at = fields.get("every").map_or(node.at, |node| node.at);
        reading.problems.error("yaml-duration", at, "every must be at least 1s", None);
    }
    let (repo, branch) = place(&fields, node.at, "poll", reading)?;
    Some(TriggerSpec::Poll { repo, branch, every_ms })
}

fn webhook(node: &Node, reading: &mut Reading<'_>) -> Option<TriggerSpec> {
    let fields = Fields::of(node, "webhook", &["repo", "branch"], &mut reading.problems)?;
    let (repo, branch) = place(&fields, node.at, "webhook", reading)?;
    Some(TriggerSpec::Webhook { repo, branch })
}

fn cron(node: &Node, reading: &mut Reading<'_>) -> Option<TriggerSpec> {
    let (expression, zone) = match &node.data {
        Data::Scalar { .. } => (node, String::new()),
        _ => {
            let fields = Fields::of(node, "cron", &["cron", "zone"], &mut reading.problems)?;
            let zone = fields.text("zone", &mut reading.problems).unwrap_or_default();
            let Some(expression) = fields.get("cron") else {
                reading.problems.error(
                    "yaml-missing",
                    node.at,
                    "cron: is missing",
                    Some("as in cron: \"H 3 * * *\"".into()),
                );
                return None;
            };
            (&**expression, zone)
        }
    };
    let cron = text(expression, "cron", &mut reading.problems)?.trim().to_owned();
    if let Some((offset, length, reason)) = cron_problem(&cron) {
        let at = part_of(expression, offset, length);
        reading.problems.error("yaml-cron", at, reason, Some("as in H 3 * * * (once a day after 3, spread)".into()));
        return None;
    }
    let plausible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    if !zone.chars().all(plausible) {
        let at = node.get("zone").map_or(node.at, |node| node.at);
        let help = "write an IANA name, as in Europe/Berlin".to_owned();
        reading.problems.error("yaml-cron", at, format!("{zone:?} is not a time zone"), help);
    }
    Some(TriggerSpec::Cron { cron, zone })
}

/// A part of a quoted or plain scalar on one line.
fn part_of(node: &Node, offset: usize, length: usize) -> At {
    let quoted = u32::from(matches!(node.data, Data::Scalar { plain: false, .. }));
    let offset = u32::try_from(offset).unwrap_or(0);
    At { line: node.at.line, column: node.at.column + quoted + offset, length: u32::try_from(length).unwrap_or(1) }
}

fn model(node: &Node, reading: &mut Reading<'_>) -> Option<TriggerSpec> {
    let problems = &mut reading.problems;
    let fields = Fields::of(node, "model-package", &["group", "status"], problems)?;
    let status = match fields.get("status") {
        None => vec!["Approved".to_owned()],
        Some(node) => texts(node, "status", problems),
    };
    for state in &status {
        if !STATES.contains(&state.as_str()) {
            let at = fields.get("status").map_or(node.at, |node| node.at);
            problems.unknown("yaml-trigger", at, "approval state", state, STATES);
        }
    }
    match fields.text("group", problems) {
        Some(group) => Some(TriggerSpec::ModelPackage { group, status }),
        None => {
            problems.error("yaml-missing", node.at, "model-package needs a group", Some("add group: NAME".to_owned()));
            None
        }
    }
}

fn upstream(node: &Node, reading: &mut Reading<'_>) -> Option<TriggerSpec> {
    let problems = &mut reading.problems;
    if let Data::Scalar { text, .. } = &node.data {
        return Some(TriggerSpec::Upstream { pipeline: text.to_string(), results: vec![BuildResult::Success] });
    }
    let fields = Fields::of(node, "upstream", &["pipeline", "results"], problems)?;
    let mut results = Vec::new();
    if let Some(list) = fields.get("results") {
        for word in texts(list, "results", problems) {
            match BuildResult::parse(&word) {
                Some(result) => results.push(result),
                None => {
                    let known = BuildResult::ALL.map(BuildResult::as_str);
                    problems.unknown("yaml-trigger", list.at, "result", &word, known);
                }
            }
        }
    } else {
        results.push(BuildResult::Success);
    }
    match fields.text("pipeline", problems) {
        Some(pipeline) => Some(TriggerSpec::Upstream { pipeline, results }),
        None if node.is_null() => None,
        None => {
            wrong(node, "upstream", "a pipeline's name or { pipeline: NAME }", problems);
            None
        }
    }
}
