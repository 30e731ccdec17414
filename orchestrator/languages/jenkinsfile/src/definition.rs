//! What a Jenkinsfile says of its pipeline before it runs: triggers, parameters, concurrency, stages, libraries.

use haliotis_flow::{Definition, NodeKind, Outline, OutlineNode};
use haliotis_groovy_syntax::Script;
use haliotis_groovy_syntax::ast::Literal;
use haliotis_model::{BuildResult, ParameterSpec, Retention, StepId, TriggerSpec, Value as Json};

use crate::convert::literal_json;
use crate::declare::Properties;
use crate::declare::model::{CallArg, Calls, MethodCall, Model, Stage, Stages, ValKind};
use crate::run::parameter;

/// A minute, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// All of it.
pub(crate) fn of(model: Option<&Model>, script: &Script) -> Definition {
    let Some(model) = model else { return scripted(&crate::declare::properties(script)) };
    Definition {
        name: String::new(),
        description: String::new(),
        triggers: model.triggers.as_ref().map(triggers).unwrap_or_default(),
        parameters: model.parameters.as_ref().map(parameters).unwrap_or_default(),
        concurrency: model.options.as_ref().and_then(concurrency),
        retention: model.options.as_ref().and_then(retention),
        outline: outline(model),
        warnings: Vec::new(),
    }
}

/// What `properties([…])` of a scripted pipeline says by constants. In Jenkins the first build says it to the job; here
/// the form is there before the first build.
fn scripted(said: &Properties) -> Definition {
    Definition {
        triggers: triggers(&said.triggers),
        parameters: parameters(&said.parameters),
        concurrency: concurrency(&said.options),
        retention: retention(&said.options),
        ..Definition::default()
    }
}

/// Libraries that a script names, as `name@version`: `@Library`, `library '…'`, `libraries { lib('…') }`.
pub(crate) fn libraries(script: &Script) -> Vec<String> {
    let mut found = Vec::new();
    let text = script.lines.text();
    for (at, _) in text.match_indices("@Library") {
        let rest = &text[at + "@Library".len()..];
        let end = rest.find(')').unwrap_or(rest.len());
        found.extend(quoted(&rest[..end]));
    }
    for (at, _) in text.match_indices("lib(") {
        let before = text[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric()) {
            let rest = &text[at..];
            found.extend(quoted(&rest[..rest.find(')').unwrap_or(rest.len())]));
        }
    }
    for stmt in &script.body.stmts {
        let Some(call) = crate::declare::call_named(stmt, "library") else { continue };
        // One with an address of its own is read when the script comes to it.
        if call.named().any(|entry| entry.key.as_str() == Some("retriever")) {
            continue;
        }
        let named = call.named().find(|entry| entry.key.as_str() == Some("identifier")).map(|entry| &entry.value);
        found.extend(named.or_else(|| call.positional().next()).and_then(|expr| expr.as_str()).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// Whether anything of a library may be among the names of a script.
pub(crate) fn names_a_library(script: &Script) -> bool {
    !libraries(script).is_empty() || loads_later(script)
}

/// Whether the script may load a library while it runs: by a name that is computed, from an address of its own, or below
/// the top level.
pub(crate) fn loads_later(script: &Script) -> bool {
    let text = script.lines.text();
    let calls = text.match_indices("library").filter(|(at, word)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.') && matches!(after, Some('(' | ' '))
    });
    let pinned = script.body.stmts.iter().filter(|stmt| {
        crate::declare::call_named(stmt, "library").is_some_and(|call| {
            let named = call.named().find(|entry| entry.key.as_str() == Some("identifier")).map(|entry| &entry.value);
            let own = call.named().any(|entry| entry.key.as_str() == Some("retriever"));
            !own && named.or_else(|| call.positional().next()).is_some_and(|expr| expr.as_str().is_some())
        })
    });
    calls.count() > pinned.count()
}

/// Strings in quotes.
pub(crate) fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"']) {
        let quote = &rest[at..=at];
        let inner = &rest[at + 1..];
        let Some(end) = inner.find(quote) else { break };
        found.push(inner[..end].to_owned());
        rest = &inner[end + 1..];
    }
    found
}

fn concurrency(options: &Calls) -> Option<u32> {
    options.calls.iter().any(|call| call.name == "disableConcurrentBuilds").then_some(1)
}

/// `buildDiscarder(logRotator(numToKeepStr: '10', artifactNumToKeepStr: '2'))`; the older names without `Str` as well.
fn retention(options: &Calls) -> Option<Retention> {
    let discarder = options.calls.iter().find(|call| call.name == "buildDiscarder")?;
    let CallArg::Call(rotator) = discarder.lone()? else { return None };
    let limit = |name: &str| {
        let arg = rotator.named(&format!("{name}Str")).or_else(|| rotator.named(name));
        match arg {
            Some(CallArg::Val(val)) => match &val.kind {
                ValKind::Literal(literal) => match literal_json(literal) {
                    Json::String(text) => text,
                    other => other.to_string(),
                },
                ValKind::Code { .. } => String::new(),
            },
            _ => String::new(),
        }
    };
    let [days, builds] = ["daysToKeep", "numToKeep"].map(limit);
    let [artifact_days, artifact_builds] = ["artifactDaysToKeep", "artifactNumToKeep"].map(limit);
    Some(Retention::log_rotator(&days, &builds, &artifact_days, &artifact_builds))
}

fn triggers(triggers: &Calls) -> Vec<TriggerSpec> {
    triggers.calls.iter().flat_map(trigger).collect()
}

fn trigger(call: &MethodCall) -> Vec<TriggerSpec> {
    match call.name.as_str() {
        "cron" | "parameterizedCron" => {
            let text = call.text("spec").unwrap_or_default();
            let zone = text.lines().find_map(|line| line.trim().strip_prefix("TZ=")).unwrap_or_default().to_owned();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', 'T']));
            lines.map(|line| TriggerSpec::Cron { cron: line.to_owned(), zone: zone.clone() }).collect()
        }
        "pollSCM" => {
            let every_ms = interval(call.text("scmpoll_spec").unwrap_or_default());
            vec![TriggerSpec::Poll { repo: String::new(), branch: String::new(), every_ms }]
        }
        "githubPush" | "bitbucketPush" | "gitlab" => {
            vec![TriggerSpec::Webhook { repo: String::new(), branch: String::new() }]
        }
        "upstream" => {
            let projects = call.text("upstreamProjects").unwrap_or_default();
            let threshold = match call.named("threshold") {
                Some(CallArg::Val(val)) => match &val.kind {
                    ValKind::Code { text, .. } if text.contains("FAILURE") => BuildResult::Failure,
                    ValKind::Code { text, .. } if text.contains("UNSTABLE") => BuildResult::Unstable,
                    _ => BuildResult::Success,
                },
                _ => BuildResult::Success,
            };
            let results: Vec<BuildResult> =
                BuildResult::ALL.into_iter().filter(|result| *result <= threshold).collect();
            let names = projects.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| TriggerSpec::Upstream { pipeline: name.to_owned(), results: results.clone() }).collect()
        }
        _ => Vec::new(),
    }
}

/// How often a polling specification looks, from its minute field; an hour when it does not look each hour.
fn interval(spec: &str) -> u64 {
    let line = spec.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['#', 'T'])).unwrap_or("");
    let minute = line.split_whitespace().next().unwrap_or("");
    if minute == "*" {
        return MINUTE_MS;
    }
    let every = minute.split_once('/').and_then(|(_, every)| every.parse::<u64>().ok());
    every.filter(|every| *every > 0).map_or(60 * MINUTE_MS, |every| every * MINUTE_MS)
}

fn parameters(parameters: &Calls) -> Vec<ParameterSpec> {
    parameters.calls.iter().filter_map(|call| parameter(&call_json(call))).collect()
}

/// A call of constants as JSON; what is computed is left out.
fn call_json(call: &MethodCall) -> Json {
    let mut object = haliotis_model::Object::new();
    object.insert("$symbol".to_owned(), call.name.as_str().into());
    for arg in &call.args {
        let (key, arg) = match arg {
            CallArg::Named(key, inner) => (key.name.clone(), inner.as_ref()),
            other => ("name".to_owned(), other),
        };
        if let CallArg::Val(val) = arg {
            match &val.kind {
                ValKind::Literal(Literal::Null) => {}
                ValKind::Literal(literal) => drop(object.insert(key, literal_json(literal))),
                // `choices: ['a', 'b']` is a list of constants most of the time.
                ValKind::Code { text, .. } => {
                    let listed = text.trim_start_matches("${").trim_end_matches('}');
                    if listed.starts_with('[') {
                        object.insert(key, Json::from(quoted(listed)));
                    }
                }
            }
        }
    }
    object.into()
}

fn outline(model: &Model) -> Outline {
    let mut outline = Outline::default();
    if let Some(stages) = &model.stages {
        nodes(stages, &StepId::new(""), None, false, &mut outline);
    }
    outline
}

/// Stages in the order of the source; a stage needs the one before it, a parallel one what its group needs.
fn nodes(stages: &Stages, path: &StepId, group: Option<&StepId>, beside: bool, outline: &mut Outline) {
    let mut before: Option<StepId> = None;
    for stage in &stages.stages {
        let id = path.child(&stage.name.replace('/', "-"));
        outline.nodes.push(node(stage, id.clone(), group.cloned(), before.filter(|_| !beside)));
        for (inner, beside) in [(&stage.stages, false), (&stage.parallel, true)] {
            if let Some(inner) = inner {
                nodes(inner, &id, Some(&id), beside, outline);
            }
        }
        before = Some(id);
    }
}

fn node(stage: &Stage, id: StepId, group: Option<StepId>, needs: Option<StepId>) -> OutlineNode {
    OutlineNode {
        id,
        name: stage.name.clone(),
        kind: NodeKind::Group,
        needs: needs.into_iter().collect(),
        uses: String::new(),
        slot: None,
        condition: None,
        approvers: Vec::new(),
        environment: None,
        group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_intervals() {
        assert_eq!(interval("* * * * *"), MINUTE_MS);
        assert_eq!(interval("H/5 * * * *"), 5 * MINUTE_MS);
        assert_eq!(interval("# often\nH/15 * * * *"), 15 * MINUTE_MS);
        assert_eq!(interval("H 4 * * *"), 60 * MINUTE_MS);
    }

    #[test]
    fn properties_of_a_script() {
        let text = "def days = '5'\nnode { stage('a') { properties([disableConcurrentBuilds(), \
                    buildDiscarder(logRotator(numToKeepStr: '3')), pipelineTriggers([cron('H 4 * * *'), pollSCM('H/5 * * * *')]), \
                    parameters([string(name: 'A', defaultValue: 'b'), choice(name: 'C', choices: ['x', 'y']), \
                    booleanParam(name: 'D', defaultValue: true), string(name: 'E', defaultValue: days)])]) } }";
        let script = haliotis_groovy_syntax::parse(text, "x").unwrap();
        let found = of(None, &script);
        let shown: Vec<_> = found.parameters.iter().map(|one| (one.name.as_str(), one.default.clone())).collect();
        let wanted = [("A", "b".into()), ("C", "x".into()), ("D", true.into()), ("E", "".into())];
        assert_eq!(shown, wanted.map(|(name, default): (_, Json)| (name, Some(default))));
        assert_eq!((found.concurrency, found.triggers.len()), (Some(1), 2));
        assert!(found.retention.is_some());
        let older = "properties([[$class: 'ParametersDefinitionProperty', parameterDefinitions: \
                     [[$class: 'StringParameterDefinition', name: 'OLD', defaultValue: '1']]]])";
        let found = of(None, &haliotis_groovy_syntax::parse(older, "x").unwrap());
        assert_eq!(
            found.parameters.first().map(|one| (one.name.as_str(), one.default.clone())),
            Some(("OLD", Some("1".into())))
        );
    }

    #[test]
    fn libraries_by_all_spellings() {
        let text = "@Library(['a@1', 'b']) _\nlibrary 'c@main'\npipeline { libraries { lib('d') } }";
        let script = haliotis_groovy_syntax::parse(text, "x").unwrap();
        assert_eq!(libraries(&script), ["a@1", "b", "c@main", "d"]);
    }
}
