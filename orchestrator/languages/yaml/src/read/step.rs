//! One step.

use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_model::{ArgumentKind, Placement};

use crate::doc::{Action, Environment, Named, Retry, Step, When};
use crate::limits::MAX_RETRIES;
use crate::problems::Problems;
use crate::tree::{At, Data, Node};

use super::fields::{self, Fields, wrong};
use super::{Reading, input, matrix, pipeline, with};

pub(crate) const KEYS: [&str; 19] = [
    "name",
    "needs",
    "if",
    "run",
    "uses",
    "with",
    "input",
    "vars",
    "env",
    "credentials",
    "agent",
    "environment",
    "retry",
    "timeout",
    "matrix",
    "fail-fast",
    "when",
    "continue-on-error",
    "outputs",
];
const WHEN: [(&str, When); 3] = [("success", When::Success), ("failed", When::Failed), ("always", When::Always)];

/// Ids are names in expressions and parts of paths.
pub(super) fn check_id(key: &Node, what: &str, problems: &mut Problems) {
    let text = key.text().unwrap_or_default();
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !first || !text.chars().all(fits) || text.len() > 100 {
        let help = "letters, digits, _ and -, beginning with a letter or _, at most 100; put other words into name:"
            .to_owned();
        problems.error("yaml-name", key.at, format!("{text:?} is not the id of {what}"), help);
    }
}

/// A step, and the node of its needs.
pub(super) fn read(
    id: String,
    at: At,
    node: &Node,
    post: Option<When>,
    environments: &BTreeMap<String, Environment>,
    reading: &mut Reading<'_>,
) -> (Step, Option<Rc<Node>>) {
    let Some(fields) = Fields::of(node, "a step", &KEYS, &mut reading.problems) else {
        return (Step { action: nothing(), ..blank(id, at) }, None);
    };
    let action = action(&id, at, &fields, reading);
    let condition = fields.get("if").and_then(|node| reading.compiler.condition(node, &mut reading.problems));
    let vars_node = fields.either("vars", "env", &mut reading.problems);
    let vars = fields::vars(vars_node, reading);
    let outputs = fields.get("outputs").map_or_else(Vec::new, |node| pipeline::named(node, "outputs", reading));
    let problems = &mut reading.problems;
    let mut step = Step {
        name: fields.text("name", problems).unwrap_or_else(|| id.clone()),
        after_all: post.is_some(),
        condition,
        action,
        vars,
        outputs,
        credentials: fields.credentials("credentials", problems),
        agent: fields.text("agent", problems),
        environment: environment(&fields, environments, problems),
        retry: fields.get("retry").map_or_else(Retry::default, |node| retry(node, problems)),
        timeout_ms: fields.duration("timeout", problems),
        matrix: matrix::read(&fields, problems),
        when: post.unwrap_or_else(|| when(&fields, problems)),
        continue_on_error: fields.boolean("continue-on-error", problems).unwrap_or(false),
        ..blank(id, at)
    };
    if post.is_some() && fields.get("when").is_some() {
        let at = fields.get("when").map_or(at, |node| node.at);
        problems.error(
            "yaml-conflict",
            at,
            "the section of post says when this step runs",
            Some("remove when:".to_owned()),
        );
    }
    settle(&mut step, &fields, environments, problems);
    (step, fields.get("needs").cloned())
}

/// What hangs together.
fn settle(step: &mut Step, fields: &Fields<'_>, environments: &BTreeMap<String, Environment>, problems: &mut Problems) {
    let retry_at = fields.get("retry").map_or(step.at, |node| node.at);
    match &mut step.action {
        Action::Input(question) => {
            if question.approvers.is_empty()
                && let Some(environment) = step.environment.as_ref().and_then(|name| environments.get(name))
            {
                question.approvers.clone_from(&environment.approvers);
            }
            let environment = step.environment.as_ref().and_then(|name| environments.get(name));
            if environment.is_some_and(|environment| environment.four_eyes) {
                // An environment's rule is not softened by a step.
                question.self_approval = Some(false);
            }
            if step.retry.max > 0 {
                problems.error(
                    "yaml-conflict",
                    retry_at,
                    "an input cannot be retried",
                    Some("remove retry:".to_owned()),
                );
            }
        }
        Action::File { .. } if step.retry.max > 0 => {
            let help = "put retry: on the steps inside that file".to_owned();
            problems.error("yaml-conflict", retry_at, "a called file cannot be retried as a whole", help);
        }
        _ => {}
    }
}

fn blank(id: String, at: At) -> Step {
    Step {
        name: id.clone(),
        id,
        at,
        gate: None,
        after_all: false,
        condition: None,
        action: nothing(),
        vars: Vec::new(),
        credentials: haliotis_model::Vars::new(),
        agent: None,
        environment: None,
        retry: Retry::default(),
        timeout_ms: None,
        matrix: None,
        when: When::Success,
        continue_on_error: false,
        outputs: Vec::new(),
    }
}

/// The action of a step that is broken; it is never run.
fn nothing() -> Action {
    Action::Use { kind: String::new(), placement: Placement::Server, cloud: false, with: Vec::new() }
}

fn action(id: &str, at: At, fields: &Fields<'_>, reading: &mut Reading<'_>) -> Action {
    let given: Vec<&str> = ["run", "uses", "input"].into_iter().filter(|key| fields.node.get(key).is_some()).collect();
    if given.len() > 1 {
        let message = format!("the step {id:?} has {}; a step does one thing", given.join(" and "));
        reading.problems.error("yaml-conflict", at, message, Some("make two steps of it".to_owned()));
        return nothing();
    }
    match (fields.get("run"), fields.get("uses"), fields.get("input")) {
        (Some(script), _, _) => run(script, fields, reading),
        (_, Some(uses), _) => named_kind(uses, fields, reading),
        (_, _, Some(node)) => {
            if let Some(with) = fields.get("with") {
                let help = "put the keys under input:".to_owned();
                reading.problems.error("yaml-conflict", with.at, "an input takes no with:", help);
            }
            Action::Input(input::read(node, reading))
        }
        _ => {
            let help = "add run: SCRIPT, uses: KIND or input: { message: ... }".to_owned();
            reading.problems.error("yaml-missing", at, format!("the step {id:?} does nothing"), help);
            nothing()
        }
    }
}

/// `run: script` is `uses: sh` with the script.
fn run(script: &Rc<Node>, fields: &Fields<'_>, reading: &mut Reading<'_>) -> Action {
    if script.text().is_none() {
        wrong(script, "run", "a script (text)", &mut reading.problems);
    }
    let value = reading.compiler.text_template(script, &mut reading.problems);
    let mut arguments =
        vec![Named { name: "script".to_owned(), at: script.at, value, kind: Some(ArgumentKind::String) }];
    let Some(schema) = reading.catalog.get("sh") else {
        reading.problems.error("yaml-unknown-step", script.at, "this server has no step kind \"sh\" for run:", None);
        return nothing();
    };
    if let Some(node) = fields.get("with") {
        if let Some(second) = node.get("script") {
            reading.problems.error("yaml-conflict", second.at, "run: is the script already", None);
        }
        arguments.extend(with::read(node, reading, |name| schema.argument(name).map(|argument| argument.kind)));
    }
    with::check(&arguments, schema, script.at, &mut reading.problems);
    warn_injection(&arguments, reading);
    Action::Use { kind: "sh".to_owned(), placement: schema.placement, cloud: schema.cloud, with: arguments }
}

fn named_kind(uses: &Rc<Node>, fields: &Fields<'_>, reading: &mut Reading<'_>) -> Action {
    let Some(kind) = fields::text(uses, "uses", &mut reading.problems) else { return nothing() };
    match local_file(&kind) {
        Some(Ok(path)) => {
            let with = fields.get("with").map_or_else(Vec::new, |node| with::read(node, reading, |_| None));
            return Action::File { path, with, doc: None, at: uses.at };
        }
        Some(Err(why)) => {
            reading.problems.error("yaml-no-file", uses.at, why, Some("as in uses: ./pipelines/test.yaml".to_owned()));
            return nothing();
        }
        None => {}
    }
    let Some(schema) = reading.catalog.get(&kind) else {
        let known: Vec<&str> = reading.catalog.names().collect();
        reading.problems.unknown("yaml-unknown-step", uses.at, "step kind", &kind, known);
        return nothing();
    };
    let kinds = |name: &str| schema.argument(name).map(|argument| argument.kind);
    let arguments = fields.get("with").map_or_else(Vec::new, |node| with::read(node, reading, kinds));
    with::check(&arguments, schema, uses.at, &mut reading.problems);
    if kind == "sh" {
        warn_injection(&arguments, reading);
    }
    Action::Use { kind, placement: schema.placement, cloud: schema.cloud, with: arguments }
}

/// A path that begins with `./`, cleaned; `Err`: it leaves the repository or is no YAML file.
pub(super) fn local_file(uses: &str) -> Option<Result<String, String>> {
    if !uses.starts_with("./") && !uses.starts_with("../") && !uses.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in uses.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return Some(Err(format!("{uses:?} leaves the repository"))),
            ".." => {}
            part => parts.push(part),
        }
    }
    if uses.starts_with('/') {
        return Some(Err(format!("{uses:?} leaves the repository")));
    }
    let path = parts.join("/");
    if !path.ends_with(".yaml") && !path.ends_with(".yml") {
        return Some(Err(format!("{uses:?} is not a pipeline file (.yaml)")));
    }
    Some(Ok(path))
}

/// Values that outsiders choose do not belong into the text of a script: a branch may be called `$(curl ...)`.
fn warn_injection(arguments: &[Named], reading: &mut Reading<'_>) {
    let Some(script) = arguments.iter().find(|argument| argument.name == "script") else { return };
    let mut found = Vec::new();
    script.value.each(&mut |expr| {
        for reference in &expr.parsed.references {
            let path = reference.path.iter().map(String::as_str).collect::<Vec<_>>();
            if matches!(path.as_slice(), ["build", "branch", ..] | ["event", ..]) {
                found.push((expr.place(reference), path.join(".")));
            }
        }
    });
    for (at, path) in found {
        let message = format!("{path} is chosen by whoever pushes or triggers, and becomes part of the script here");
        let help = format!(
            "hand it over as a variable: vars: {{ VALUE: \"${{{{ {path} }}}}\" }} and \"$VALUE\" in the script"
        );
        reading.problems.warn("yaml-injection", at, message, help);
    }
}

fn environment(
    fields: &Fields<'_>,
    environments: &BTreeMap<String, Environment>,
    problems: &mut Problems,
) -> Option<String> {
    let name = fields.text("environment", problems)?;
    if !environments.contains_key(&name) {
        let at = fields.get("environment").map_or(At::START, |node| node.at);
        if environments.is_empty() {
            let help = format!("add environments: {{ {name}: {{ }} }} at the top of the file");
            problems.error("yaml-environment", at, format!("unknown environment {name:?}"), help);
        } else {
            problems.unknown("yaml-environment", at, "environment", &name, environments.keys().map(String::as_str));
        }
    }
    Some(name)
}

fn when(fields: &Fields<'_>, problems: &mut Problems) -> When {
    let Some(node) = fields.get("when") else { return When::Success };
    let word = node.text().unwrap_or_default();
    match WHEN.iter().find(|(known, _)| *known == word) {
        Some((_, when)) => *when,
        None => {
            problems.unknown("yaml-when", node.at, "when", word, WHEN.map(|(word, _)| word));
            When::Success
        }
    }
}

fn retry(node: &Node, problems: &mut Problems) -> Retry {
    let most = 0..=i64::from(MAX_RETRIES);
    if matches!(node.data, Data::Scalar { .. }) {
        return Retry { max: fields::whole(node, "retry", most, problems).unwrap_or(0), ..Retry::default() };
    }
    let Some(fields) = Fields::of(node, "retry", &["max", "delay", "backoff"], problems) else {
        return Retry::default();
    };
    let backoff = match fields.get("backoff") {
        None => 1.0,
        Some(node) => match node.scalar().as_f64() {
            Some(factor) if (1.0..=100.0).contains(&factor) => factor,
            _ => {
                wrong(node, "backoff", "a number from 1 to 100", problems);
                1.0
            }
        },
    };
    Retry {
        max: fields.whole("max", most, problems).unwrap_or(1),
        delay_ms: fields.duration("delay", problems).unwrap_or(0),
        backoff,
    }
}

/// The type under which an argument's scalars are read.
pub(super) fn keeps_text(kind: Option<ArgumentKind>) -> bool {
    matches!(kind, Some(ArgumentKind::String | ArgumentKind::Path | ArgumentKind::Strings))
}
