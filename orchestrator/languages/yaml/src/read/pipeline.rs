//! The top of a pipeline file.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use haliotis_model::{Kept, Retention};

use crate::doc::{Doc, Environment, Named, When};
use crate::limits::MAX_STEPS;
use crate::problems::Problems;
use crate::tree::{self, At, Data, Node};

use super::fields::{self, Fields, entries};
use super::graph::{self, Wanted};
use super::{Reading, parameters, step, triggers};

pub(crate) const KEYS: [&str; 16] = [
    "name",
    "description",
    "on",
    "parameters",
    "vars",
    "env",
    "credentials",
    "concurrency",
    "retention",
    "timeout",
    "agent",
    "checkout",
    "environments",
    "steps",
    "post",
    "outputs",
];

/// A limit above this is a slip of the finger; leaving the limit out keeps everything.
const MOST_KEPT: i64 = 1_000_000;
/// The sections of `post:`.
const POST: [(&str, When); 3] = [("always", When::Always), ("failed", When::Failed), ("success", When::Success)];

/// `None`: not even a map.
pub(super) fn read(root: &Node, reading: &mut Reading<'_>) -> Option<Doc> {
    let fields = Fields::of(root, "the pipeline", &KEYS, &mut reading.problems)?;
    let problems = &mut reading.problems;
    let name = fields.text("name", problems).unwrap_or_default();
    check_name(&name, fields.get("name").map_or(root.at, |node| node.at), problems);
    let description = fields.text("description", problems).unwrap_or_default();
    let timeout_ms = fields.duration("timeout", problems);
    let agent = fields.text("agent", problems);
    let checkout = fields.boolean("checkout", problems).unwrap_or(true);
    let credentials = fields.credentials("credentials", problems);
    let concurrency = concurrency(&fields, problems);
    let retention = retention(&fields, problems);
    let environments = environments(&fields, problems);
    let vars_node = fields.either("vars", "env", problems);
    let vars = fields::vars(vars_node, reading);
    let triggers = fields.node.get("on").map_or_else(Vec::new, |node| triggers::read(node, reading));
    let parameters = fields.get("parameters").map_or_else(Vec::new, |node| parameters::read(node, reading));
    let (steps, wanted) = steps(&fields, &environments, reading);
    let outputs = fields.get("outputs").map_or_else(Vec::new, |node| named(node, "outputs", reading));
    let mut doc = Doc {
        file: Rc::clone(&reading.problems.file),
        name,
        description,
        triggers,
        parameters,
        vars,
        credentials,
        concurrency,
        retention,
        timeout_ms,
        agent,
        checkout,
        steps,
        outputs,
        index: BTreeMap::new(),
        gates: Vec::new(),
        feeds: Vec::new(),
    };
    graph::resolve(&mut doc, &wanted, &mut reading.problems);
    Some(doc)
}

fn check_name(name: &str, at: At, problems: &mut Problems) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-');
    if !name.chars().all(fits) || name.len() > 200 || name.starts_with('/') || name.split('/').any(|part| part == "..")
    {
        let help = "letters, digits and . _ / -, at most 200".to_owned();
        problems.error("yaml-name", at, format!("{name:?} is not the name of a pipeline"), help);
    }
}

fn concurrency(fields: &Fields<'_>, problems: &mut Problems) -> Option<u32> {
    let node = fields.get("concurrency")?;
    if matches!(node.data, Data::Map(_)) {
        return Fields::of(node, "concurrency", &["max"], problems)?.whole("max", 1..=10_000, problems);
    }
    fields::whole(node, "concurrency", 1..=10_000, problems)
}

/// `retention: { builds: 50, days: 90, logs: { days: 30 }, artifacts: { builds: 5 } }`
fn retention(fields: &Fields<'_>, problems: &mut Problems) -> Option<Retention> {
    let node = fields.get("retention")?;
    let fields = Fields::of(node, "retention", &["builds", "days", "logs", "artifacts"], problems)?;
    let whole = kept(&fields, problems);
    let mut part = |name| {
        let part = Fields::of(fields.get(name)?, name, &["builds", "days"], problems)?;
        Some(kept(&part, problems))
    };
    let (logs, artifacts) = (part("logs").unwrap_or_default(), part("artifacts").unwrap_or_default());
    Some(Retention { builds: whole.builds, days: whole.days, logs, artifacts, ..Retention::default() })
}

fn kept(fields: &Fields<'_>, problems: &mut Problems) -> Kept {
    Kept {
        builds: fields.whole("builds", 1..=MOST_KEPT, problems),
        days: fields.whole("days", 1..=MOST_KEPT, problems),
    }
}

fn environments(fields: &Fields<'_>, problems: &mut Problems) -> BTreeMap<String, Environment> {
    let mut all = BTreeMap::new();
    let Some(node) = fields.get("environments") else { return all };
    for (key, value) in entries(node, "environments", problems) {
        let mut environment = Environment::default();
        if let Some(fields) =
            Fields::of(value, "an environment", &["description", "approvers", "self-approval"], problems)
        {
            fields.text("description", problems);
            environment.approvers = fields.texts("approvers", problems);
            environment.four_eyes = fields.boolean("self-approval", problems) == Some(false);
        }
        all.insert(key.text().unwrap_or_default().to_owned(), environment);
    }
    all
}

/// `NAME: value`, expressions allowed.
pub(super) fn named(node: &Node, what: &str, reading: &mut Reading<'_>) -> Vec<Named> {
    let mut list = Vec::new();
    for (key, value) in entries(node, what, &mut reading.problems) {
        let value = reading.compiler.template(value, &mut reading.problems);
        list.push(Named { name: key.text().unwrap_or_default().to_owned(), at: key.at, value, kind: None });
    }
    list
}

fn steps(
    fields: &Fields<'_>,
    environments: &BTreeMap<String, Environment>,
    reading: &mut Reading<'_>,
) -> (Vec<crate::doc::Step>, Vec<Wanted>) {
    let (mut steps, mut wanted) = (Vec::new(), Vec::new());
    let mut ids = BTreeSet::new();
    match fields.get("steps") {
        None => {
            let at = fields.node.get("steps").map_or(At { length: 1, ..fields.node.at }, |node| node.at);
            let help = "add steps: with at least one step, as in  hello: { run: echo hello }".to_owned();
            reading.problems.error("yaml-missing", at, "the pipeline has no steps", help);
        }
        Some(node) => section(node, None, environments, &mut ids, reading, &mut steps, &mut wanted),
    }
    if let Some(post) = fields.get("post") {
        let known = POST.map(|(name, _)| name);
        if let Some(fields) = Fields::of(post, "post", &known, &mut reading.problems) {
            for (name, when) in POST {
                if let Some(node) = fields.get(name) {
                    section(node, Some(when), environments, &mut ids, reading, &mut steps, &mut wanted);
                }
            }
        }
    }
    (steps, wanted)
}

fn section(
    node: &Node,
    post: Option<When>,
    environments: &BTreeMap<String, Environment>,
    ids: &mut BTreeSet<String>,
    reading: &mut Reading<'_>,
    steps: &mut Vec<crate::doc::Step>,
    wanted: &mut Vec<Wanted>,
) {
    if let Data::List(items) = &node.data {
        let at = items.first().map_or(node.at, |item| item.at);
        let help = "write steps as a map: each step under its id, as in  build: { run: make }".to_owned();
        reading.problems.error("yaml-type", at, "steps must be a map, this is a list", help);
        return;
    }
    for (key, value) in entries(node, "steps", &mut reading.problems) {
        if steps.len() >= MAX_STEPS {
            reading.problems.error("yaml-too-large", key.at, format!("more than {MAX_STEPS} steps"), None);
            return;
        }
        let id = key.text().unwrap_or_default().to_owned();
        step::check_id(key, "a step", &mut reading.problems);
        if !ids.insert(id.clone()) {
            let help = "ids are unique over steps and post".to_owned();
            reading.problems.error("yaml-duplicate-key", key.at, format!("there is another step {id:?}"), help);
            continue;
        }
        let (step, needs) = step::read(id, key.at, value, post, environments, reading);
        steps.push(step);
        wanted.push(Wanted { needs, post: post.is_some() });
    }
}

/// The files that a source calls, as far as it can be read.
pub(crate) fn calls(path: &str, text: &str) -> Vec<String> {
    let mut problems = Problems::new(&path.into());
    let Some(root) = tree::parse(text, &mut problems) else { return Vec::new() };
    let mut found = BTreeSet::new();
    let sections = root
        .get("steps")
        .into_iter()
        .chain(root.get("post").into_iter().flat_map(|post| POST.iter().filter_map(|(name, _)| post.get(name))));
    for section in sections {
        let Data::Map(entries) = &section.data else { continue };
        for (_, step) in entries {
            if let Some(uses) = step.get("uses").and_then(|node| node.text())
                && let Some(Ok(file)) = step::local_file(uses)
            {
                found.insert(file);
            }
        }
    }
    found.into_iter().collect()
}
