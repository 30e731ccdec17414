//! A freestyle job as a pipeline: its shell steps one after another, its checkout before and its reports after them.
//!
//! The definition is YAML written as JSON, which YAML contains. What is not provided does not vanish: a build step of another
//! kind becomes a step that fails and says so.

use haliotis_model::{Object, ParameterKind, Pipeline, Value};
use serde_json::json;

use super::config;
use super::xml::Element;

/// The definition of a freestyle job.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn translate(root: &Element, pipeline: &Pipeline) -> Result<String, String> {
    let mut steps = Object::new();
    let mut before: Option<String> = None;
    let mut add = |id: String, mut step: Value, steps: &mut Object| {
        if let (Some(before), Some(step)) = (&before, step.as_object_mut()) {
            step.insert("needs".to_owned(), json!([before]));
        }
        before = Some(id.clone());
        steps.insert(id, step);
    };
    let checkout = root.child("scm").and_then(config::git);
    if let Some(git) = &checkout {
        let mut with = json!({ "repo": literal(&git.url) });
        if let (false, Some(with)) = (git.branch.is_empty(), with.as_object_mut()) {
            with.insert("branch".to_owned(), json!(literal(&git.branch)));
        }
        let mut step = json!({ "uses": "checkout", "with": with });
        if let (Some(id), Some(step)) = (&git.credential, step.as_object_mut()) {
            step.insert("credentials".to_owned(), json!({ "GIT": id }));
        }
        add("checkout".to_owned(), step, &mut steps);
    }
    let builders = root.child("builders").map_or(&[][..], |builders| &builders.children);
    for (index, builder) in builders.iter().enumerate() {
        add(format!("build-{}", index + 1), builder_step(builder, checkout.as_ref()), &mut steps);
    }
    if steps.is_empty() {
        steps.insert(
            "nothing".to_owned(),
            json!({ "uses": "echo", "with": { "message": "This job has no build steps." } }),
        );
    }
    for (index, publisher) in root.child("publishers").map_or(&[][..], |all| &all.children).iter().enumerate() {
        if let Some(mut step) = publisher_step(publisher) {
            if let (Some(before), Some(step)) = (&before, step.as_object_mut()) {
                step.insert("needs".to_owned(), json!([before]));
            }
            steps.insert(format!("after-{}", index + 1), step);
        }
    }
    let mut document = Object::new();
    if !pipeline.description.is_empty() {
        document.insert("description".to_owned(), json!(pipeline.description));
    }
    document.extend(pipeline.concurrency.map(|most| ("concurrency".to_owned(), json!(most))));
    let on = triggers(pipeline);
    if !on.is_empty() {
        document.insert("on".to_owned(), Value::Object(on));
    }
    if !pipeline.parameters.is_empty() {
        document.insert("parameters".to_owned(), Value::Object(parameters(pipeline)));
    }
    let vars = vars(pipeline);
    if !vars.is_empty() {
        document.insert("vars".to_owned(), Value::Object(vars));
    }
    if let Some(label) = Some(root.text_at("assignedNode").trim()).filter(|label| !label.is_empty()) {
        document.insert("agent".to_owned(), json!(label));
    }
    document.insert("steps".to_owned(), Value::Object(steps));
    serde_json::to_string_pretty(&document).map_err(|error| error.to_string())
}

fn builder_step(builder: &Element, checkout: Option<&config::Git>) -> Value {
    match builder.name.rsplit('.').next().unwrap_or("") {
        "Shell" => json!({ "uses": "sh", "with": { "script": literal(builder.text_at("command")), "trace": true } }),
        "ExecuteDslScripts" => json!({ "uses": "job-dsl", "with": job_dsl(builder, checkout) }),
        _ => {
            let script =
                format!("echo 'This server does not provide the build step {}' >&2\nexit 1\n", plain(&builder.name));
            json!({ "uses": "sh", "with": { "script": literal(&script) } })
        }
    }
}

/// "Process Job DSLs". What becomes of jobs that the seed job made once and that its scripts do not describe any more is
/// said by `removedJobAction`: IGNORE (the default), DISABLE or DELETE. Views likewise, where only DELETE does something.
fn job_dsl(builder: &Element, checkout: Option<&config::Git>) -> Object {
    let mut with = Object::new();
    if builder.text_at("usingScriptText").trim() == "true" {
        with.insert("script".to_owned(), json!(literal(builder.text_at("scriptText"))));
    } else {
        let targets = builder.text_at("targets").lines().map(str::trim).filter(|line| !line.is_empty());
        with.insert("targets".to_owned(), json!(targets.map(literal).collect::<Vec<_>>()));
    }
    for (theirs, ours) in [("ignoreExisting", "ignore-existing"), ("ignoreMissingFiles", "ignore-missing-files")] {
        with.insert(ours.to_owned(), json!(builder.text_at(theirs).trim() == "true"));
    }
    for (theirs, ours) in [("removedJobAction", "removed-jobs"), ("removedViewAction", "removed-views")] {
        let action = builder.text_at(theirs).trim().to_lowercase();
        if matches!(action.as_str(), "disable" | "delete") {
            with.insert(ours.to_owned(), json!(action));
        }
    }
    if let Some(git) = checkout {
        with.insert("git-url".to_owned(), json!(literal(&git.url)));
        with.insert("git-branch".to_owned(), json!(literal(&git.branch)));
        if let Some(id) = &git.credential {
            with.insert("git-credential".to_owned(), json!(literal(id)));
        }
    }
    with
}

/// A step after the build, whatever became of it.
fn publisher_step(publisher: &Element) -> Option<Value> {
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(literal).collect()
    };
    let (uses, with) = match publisher.name.rsplit('.').next().unwrap_or("") {
        "ArtifactArchiver" => {
            let allow = publisher.text_at("allowEmptyArchive").trim() == "true";
            let mut with = json!({ "files": list(publisher.text_at("artifacts")), "allow-empty": allow });
            let excludes = list(publisher.text_at("excludes"));
            if let (false, Some(with)) = (excludes.is_empty(), with.as_object_mut()) {
                with.insert("exclude".to_owned(), json!(excludes));
            }
            ("archive", with)
        }
        "JUnitResultArchiver" => {
            let allow = publisher.text_at("allowEmptyResults").trim() == "true";
            ("junit", json!({ "files": list(publisher.text_at("testResults")), "allow-empty": allow }))
        }
        _ => return None,
    };
    Some(json!({ "uses": uses, "with": with, "when": "always" }))
}

fn triggers(pipeline: &Pipeline) -> Object {
    use haliotis_model::TriggerSpec;
    let (mut on, mut crons, mut polls, mut hooks, mut ups) = (Object::new(), vec![], vec![], vec![], vec![]);
    for trigger in &pipeline.triggers {
        match trigger {
            TriggerSpec::Cron { cron, zone } if zone.is_empty() => crons.push(json!(cron)),
            TriggerSpec::Cron { cron, zone } => crons.push(json!({ "cron": cron, "zone": zone })),
            TriggerSpec::Poll { repo, branch, every_ms } => {
                polls.push(json!({ "repo": repo, "branch": branch, "every": format!("{}s", every_ms / 1000) }));
            }
            TriggerSpec::Webhook { repo, branch } => hooks.push(json!({ "repo": repo, "branch": branch })),
            TriggerSpec::Upstream { pipeline, results } => {
                let results: Vec<_> = results.iter().map(|result| result.as_str()).collect();
                ups.push(json!({ "pipeline": pipeline, "results": results }));
            }
            TriggerSpec::ModelPackage { .. } => {}
        }
    }
    for (name, mut list) in [("cron", crons), ("poll", polls), ("webhook", hooks), ("upstream", ups)] {
        match list.len() {
            0 => {}
            1 => drop(on.insert(name.to_owned(), list.remove(0))),
            _ => drop(on.insert(name.to_owned(), Value::Array(list))),
        }
    }
    on
}

fn parameters(pipeline: &Pipeline) -> Object {
    let mut all = Object::new();
    for spec in &pipeline.parameters {
        let kind = match spec.kind {
            ParameterKind::Boolean => "boolean",
            ParameterKind::Choice => "choice",
            _ => "string",
        };
        let mut one = json!({ "type": kind, "default": spec.default, "description": spec.description });
        if let (false, Some(one)) = (spec.choices.is_empty(), one.as_object_mut()) {
            one.insert("choices".to_owned(), json!(spec.choices));
        }
        all.insert(spec.name.clone(), one);
    }
    all
}

/// Parameters are variables of the shell, as far as they can be.
fn vars(pipeline: &Pipeline) -> Object {
    let good = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let names = pipeline.parameters.iter().map(|spec| spec.name.as_str()).filter(|name| good(name));
    names.map(|name| (name.to_owned(), json!(format!("${{{{ parameters.{name} }}}}")))).collect()
}

/// Text in which nothing is an expression.
fn literal(text: &str) -> String {
    text.replace("${{", "$${{")
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$')).collect()
}
