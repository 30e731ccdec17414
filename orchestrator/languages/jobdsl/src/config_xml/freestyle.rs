//! `job('x') { scm { … } steps { … } publishers { … } }`

use super::{Notes, disabled, git, head, properties, token, triggers, unsupported};
use crate::item::Summary;
use crate::node::{Node, inside, last};
use crate::xml::Element;

pub(super) fn project(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Result<Element, String> {
    unsupported("freeStyleJob", nodes, notes);
    summary.concurrent = last(nodes, "concurrentBuild").is_some_and(Node::on);
    let properties = properties::properties(nodes, false, summary, notes)?;
    let scm: Vec<Node> = inside(nodes, "scm").chain(inside(nodes, "multiscm")).cloned().collect();
    let scm = match git::scm(&scm, notes) {
        Some((source, element)) => {
            summary.source = Some(source);
            element
        }
        None => Element::new("scm").class("hudson.scm.NullSCM"),
    };
    let triggers = triggers::triggers("triggers", nodes, summary, notes);
    let label = last(nodes, "label").map(Node::value).filter(|label| !label.is_empty());
    let builders = listed("steps", nodes, notes, builder);
    let publishers = listed("publishers", nodes, notes, publisher);
    let wrappers = listed("wrappers", nodes, notes, wrapper);
    Ok(head("project", nodes, summary)
        .with(Element::new("properties").all(properties))
        .with(scm)
        .maybe("quietPeriod", last(nodes, "quietPeriod").map(|node| node.text(0).unwrap_or_else(|| "5".into())))
        .leaf("canRoam", label.is_none())
        .maybe("assignedNode", label)
        .leaf("disabled", disabled(nodes, summary))
        .leaf("blockBuildWhenDownstreamBuilding", false)
        .leaf("blockBuildWhenUpstreamBuilding", false)
        .all(token(nodes, summary))
        .with(Element::new("triggers").all(triggers))
        .leaf("concurrentBuild", summary.concurrent)
        .maybe("customWorkspace", last(nodes, "customWorkspace").map(Node::value))
        .with(Element::new("builders").all(builders))
        .with(Element::new("publishers").all(publishers))
        .with(Element::new("buildWrappers").all(wrappers)))
}

fn listed(block: &str, nodes: &[Node], notes: &mut Notes, make: fn(&Node) -> Option<Element>) -> Vec<Element> {
    let mut found = Vec::new();
    for node in inside(nodes, block) {
        match make(node) {
            Some(element) => found.push(element),
            None => notes.ignored(block, node),
        }
    }
    found
}

fn builder(node: &Node) -> Option<Element> {
    Some(match node.name.as_str() {
        "shell" => {
            let command = node.child("command").map_or_else(|| node.value(), Node::value);
            Element::new("hudson.tasks.Shell").leaf("command", command)
        }
        "batchFile" => Element::new("hudson.tasks.BatchFile").leaf("command", node.value()),
        "dsl" | "jobDsl" => dsl(node),
        _ => return None,
    })
}

/// A seed job's own step: "Process Job DSLs".
fn dsl(node: &Node) -> Element {
    let part = |names: [&str; 2]| names.iter().find_map(|name| node.child(name));
    let targets: Vec<String> = part(["external", "targets"]).map(Node::all_texts).unwrap_or_default();
    let text = part(["text", "scriptText"]).map(Node::value);
    let word = |names: [&str; 2], default: &str| {
        part(names).map(Node::value).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    Element::new("javaposse.jobdsl.plugin.ExecuteDslScripts")
        .leaf("targets", targets.join("\n"))
        .leaf("usingScriptText", text.is_some())
        .maybe("scriptText", text)
        .leaf("sandbox", part(["sandbox", "sandbox"]).is_some_and(Node::on))
        .leaf("ignoreExisting", part(["ignoreExisting", "ignoreExisting"]).is_some_and(Node::on))
        .leaf("ignoreMissingFiles", part(["ignoreMissingFiles", "ignoreMissingFiles"]).is_some_and(Node::on))
        .leaf("failOnMissingPlugin", part(["failOnMissingPlugin", "failOnMissingPlugin"]).is_some_and(Node::on))
        .leaf("removedJobAction", word(["removeAction", "removedJobAction"], "IGNORE"))
        .leaf("removedViewAction", word(["removeViewAction", "removedViewAction"], "IGNORE"))
        .leaf("lookupStrategy", word(["lookupStrategy", "lookupStrategy"], "JENKINS_ROOT"))
        .maybe("additionalClasspath", part(["additionalClasspath", "additionalClasspath"]).map(Node::value))
}

fn publisher(node: &Node) -> Option<Element> {
    let part = |name: &str| node.child(name).map(Node::value);
    Some(match node.name.as_str() {
        "archiveArtifacts" => {
            let pattern = node.text(0).or_else(|| node.child("pattern").map(|node| node.all_texts().join(",")));
            Element::new("hudson.tasks.ArtifactArchiver")
                .leaf("artifacts", pattern.or_else(|| part("artifacts")).unwrap_or_default())
                .maybe("excludes", part("exclude").or_else(|| part("excludes")))
                .leaf(
                    "allowEmptyArchive",
                    node.child("allowEmpty").or_else(|| node.child("allowEmptyArchive")).is_some_and(Node::on),
                )
                .leaf("onlyIfSuccessful", node.child("onlyIfSuccessful").is_some_and(Node::on))
                .leaf("fingerprint", node.child("fingerprint").is_some_and(Node::on))
                .leaf("defaultExcludes", node.child("defaultExcludes").is_none_or(Node::on))
        }
        "archiveJunit" | "junit" => Element::new("hudson.tasks.junit.JUnitResultArchiver")
            .leaf("testResults", node.text(0).or_else(|| part("testResults")).unwrap_or_default())
            .leaf("keepLongStdio", node.child("retainLongStdout").is_some_and(Node::on))
            .leaf("allowEmptyResults", node.child("allowEmptyResults").is_some_and(Node::on)),
        "mailer" => Element::new("hudson.tasks.Mailer")
            .leaf("recipients", node.value())
            .leaf("dontNotifyEveryUnstableBuild", node.args.get(1).is_some_and(|arg| arg.is_true()))
            .leaf("sendToIndividuals", node.args.get(2).is_some_and(|arg| arg.is_true())),
        "downstream" => Element::new("hudson.tasks.BuildTrigger")
            .leaf("childProjects", node.value())
            .with(Element::new("threshold").leaf("name", node.text(1).unwrap_or_else(|| "SUCCESS".into()))),
        "wsCleanup" | "cleanWs" => Element::new("hudson.plugins.ws__cleanup.WsCleanup").leaf("deleteDirs", false),
        _ => return None,
    })
}

fn wrapper(node: &Node) -> Option<Element> {
    Some(match node.name.as_str() {
        "timestamps" => Element::new("hudson.plugins.timestamper.TimestamperBuildWrapper"),
        "colorizeOutput" | "ansiColor" => Element::new("hudson.plugins.ansicolor.AnsiColorBuildWrapper")
            .leaf("colorMapName", node.text(0).unwrap_or_else(|| "xterm".into())),
        "preBuildCleanup" => Element::new("hudson.plugins.ws__cleanup.PreBuildCleanup").leaf("deleteDirs", false),
        _ => return None,
    })
}
