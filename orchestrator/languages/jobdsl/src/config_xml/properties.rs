//! `properties { … }`, and the methods of a job that Jenkins keeps as properties.

use super::{Notes, parameters, triggers};
use crate::item::Summary;
use crate::node::{Arg, Node, all, inside, last};
use crate::xml::Element;

/// The children of `<properties>`.
pub(super) fn properties(
    nodes: &[Node],
    pipeline: bool,
    summary: &mut Summary,
    notes: &mut Notes,
) -> Result<Vec<Element>, String> {
    let mut found = Vec::new();
    found.extend(discarder(nodes));
    for node in inside(nodes, "properties") {
        match node.name.as_str() {
            "disableConcurrentBuilds" => {
                summary.concurrent = false;
                let abort = node.child("abortPrevious").is_some_and(Node::on);
                found.push(
                    Element::new("org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty")
                        .leaf("abortPrevious", abort),
                );
            }
            "githubProjectUrl" | "githubProjectProperty" => {
                let url = node
                    .child("projectUrlStr")
                    .or_else(|| node.child("projectUrl"))
                    .map_or_else(|| node.value(), Node::value);
                found.push(
                    Element::new("com.coravy.hudson.plugins.github.GithubProjectProperty")
                        .leaf("projectUrl", url)
                        .leaf("displayName", ""),
                );
            }
            "pipelineTriggers" => {
                let list = triggers::triggers("triggers", &node.children, summary, notes);
                found.push(
                    Element::new("org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty")
                        .with(Element::new("triggers").all(list)),
                );
            }
            "disableResume" => {
                found.push(Element::new("org.jenkinsci.plugins.workflow.job.properties.DisableResumeJobProperty"))
            }
            "durabilityHint" => found.push(
                Element::new("org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty")
                    .maybe("hint", node.text(0).or_else(|| node.child("hint").and_then(|hint| hint.text(0)))),
            ),
            "buildDiscarder" => {}
            _ => notes.ignored("properties", node),
        }
    }
    if pipeline && last(nodes, "concurrentBuild").is_some_and(|node| !node.on()) && summary.concurrent {
        summary.concurrent = false;
        found.push(
            Element::new("org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty")
                .leaf("abortPrevious", false),
        );
    }
    found.extend(parameters::property(nodes, summary, notes)?);
    found.extend(environment(nodes, notes));
    Ok(found)
}

/// `logRotator(days, number, artifactDays, artifactNumber)`, its block, or `properties { buildDiscarder { … } }`.
fn discarder(nodes: &[Node]) -> Option<Element> {
    const PARTS: [&str; 4] = ["daysToKeep", "numToKeep", "artifactDaysToKeep", "artifactNumToKeep"];
    let in_property = inside(nodes, "properties")
        .filter(|node| node.name == "buildDiscarder")
        .flat_map(|node| all(&node.children, "strategy"))
        .flat_map(|node| all(&node.children, "logRotator"))
        .last();
    let node = last(nodes, "logRotator").or(in_property)?;
    let mut rotator = Element::new("strategy").class("hudson.tasks.LogRotator");
    for (at, part) in PARTS.iter().enumerate() {
        let named = match node.args.first() {
            Some(Arg::Map(entries)) => entries.iter().find(|(key, _)| key == part).and_then(|(_, value)| value.text()),
            _ => node.text(at),
        };
        let child = node.child(part).or_else(|| node.child(&format!("{part}Str"))).and_then(|child| child.text(0));
        rotator = rotator.leaf(part, child.or(named).filter(|value| !value.is_empty()).unwrap_or_else(|| "-1".into()));
    }
    Some(Element::new("jenkins.model.BuildDiscarderProperty").with(rotator))
}

/// `environmentVariables { env('A', 'b'); envs(C: 'd') }`, `environmentVariables(A: 'b')`
fn environment(nodes: &[Node], notes: &mut Notes) -> Option<Element> {
    let mut lines = Vec::new();
    let mut map = |arg: Option<&Arg>| {
        if let Some(Arg::Map(entries)) = arg {
            lines.extend(entries.iter().map(|(key, value)| format!("{key}={}", value.text().unwrap_or_default())));
        }
    };
    for node in all(nodes, "environmentVariables") {
        map(node.args.first());
        for part in &node.children {
            match part.name.as_str() {
                "env" => map(Some(&Arg::Map(vec![(part.value(), Arg::Text(part.text(1).unwrap_or_default()))]))),
                "envs" => map(part.args.first()),
                _ => notes.ignored("environmentVariables", part),
            }
        }
    }
    if lines.is_empty() {
        return None;
    }
    let info = Element::new("info").leaf("propertiesContent", lines.join("\n")).leaf("loadFilesFromMaster", false);
    Some(
        Element::new("EnvInjectJobProperty")
            .with(info)
            .leaf("on", true)
            .leaf("keepJenkinsSystemVariables", true)
            .leaf("keepBuildVariables", true)
            .leaf("overrideBuildParameters", false),
    )
}
