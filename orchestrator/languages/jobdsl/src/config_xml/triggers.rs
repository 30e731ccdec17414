//! `triggers { … }`.

use super::Notes;
use crate::item::Summary;
use crate::node::{Node, inside};
use crate::xml::Element;

/// The elements of all blocks of this name.
pub(super) fn triggers(block: &str, nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Vec<Element> {
    let mut found = Vec::new();
    for node in inside(nodes, block) {
        match trigger(node) {
            Some((shown, element)) => {
                summary.triggers.push(shown);
                found.push(element);
            }
            None => notes.ignored("triggers", node),
        }
    }
    found
}

fn trigger(node: &Node) -> Option<(String, Element)> {
    let part = |names: &[&str]| names.iter().find_map(|name| node.child(name)).map(Node::value);
    Some(match node.name.as_str() {
        "scm" | "pollSCM" => {
            let spec = node.text(0).or_else(|| part(&["scmpoll_spec", "spec"])).unwrap_or_default();
            let quiet = part(&["ignorePostCommitHooks"]).is_some_and(|value| value == "true");
            let element =
                Element::new("hudson.triggers.SCMTrigger").leaf("spec", &spec).leaf("ignorePostCommitHooks", quiet);
            (format!("scm: {spec}"), element)
        }
        "cron" | "timerTrigger" => {
            let spec = node.text(0).or_else(|| part(&["spec"])).unwrap_or_default();
            (format!("cron: {spec}"), Element::new("hudson.triggers.TimerTrigger").leaf("spec", &spec))
        }
        "githubPush" | "gitHubPushTrigger" => {
            ("githubPush".to_owned(), Element::new("com.cloudbees.jenkins.GitHubPushTrigger").leaf("spec", ""))
        }
        "upstream" => {
            let projects = node.text(0).or_else(|| part(&["upstreamProjects"])).unwrap_or_default();
            let threshold = node.text(1).or_else(|| part(&["threshold"])).unwrap_or_else(|| "SUCCESS".to_owned());
            let element = Element::new("jenkins.triggers.ReverseBuildTrigger")
                .leaf("spec", "")
                .leaf("upstreamProjects", &projects)
                .with(self::threshold(&threshold));
            (format!("upstream: {projects}"), element)
        }
        _ => return None,
    })
}

fn threshold(name: &str) -> Element {
    let (ordinal, colour) = match name {
        "UNSTABLE" => (1, "YELLOW"),
        "FAILURE" => (2, "RED"),
        _ => (0, "BLUE"),
    };
    Element::new("threshold")
        .leaf("name", name)
        .leaf("ordinal", ordinal)
        .leaf("color", colour)
        .leaf("completeBuild", true)
}
