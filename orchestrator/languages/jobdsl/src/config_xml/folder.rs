//! Folders: plain ones, multibranch pipelines and organisation folders.

use super::{Notes, unsupported};
use crate::item::{Source, Summary};
use crate::node::{Node, inside, last};
use crate::xml::Element;

const MULTIBRANCH: &str = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject";

pub(super) fn folder(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Element {
    unsupported("folder", nodes, notes);
    begin("com.cloudbees.hudson.plugins.folder.Folder", nodes, summary).with(Element::new("properties"))
}

fn begin(root: &str, nodes: &[Node], summary: &mut Summary) -> Element {
    summary.description = last(nodes, "description").map(Node::value).unwrap_or_default();
    Element::new(root)
        .with(Element::new("actions"))
        .leaf("description", &summary.description)
        .maybe("displayName", last(nodes, "displayName").map(Node::value))
}

pub(super) fn multibranch(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Element {
    unsupported("multibranchPipelineJob", nodes, notes);
    let mut sources = Vec::new();
    for node in inside(nodes, "branchSources") {
        match source(node, summary) {
            Some(element) => sources.push(
                Element::new("jenkins.branch.BranchSource")
                    .with(element)
                    .with(Element::new("strategy").class("jenkins.branch.DefaultBranchPropertyStrategy")),
            ),
            None => notes.ignored("branchSources", node),
        }
    }
    let path = script_path(nodes, "factory", "workflowBranchProjectFactory");
    summary.script_path = Some(path.clone());
    let factory = Element::new("factory")
        .class("org.jenkinsci.plugins.workflow.multibranch.WorkflowBranchProjectFactory")
        .leaf("scriptPath", path);
    begin(MULTIBRANCH, nodes, summary)
        .with(Element::new("properties"))
        .with(orphans(nodes))
        .with(Element::new("triggers").all(periodic(nodes, summary, notes)))
        .leaf("disabled", last(nodes, "disabled").is_some_and(Node::on))
        .with(
            Element::new("sources")
                .class("jenkins.branch.MultiBranchProject$BranchSourceList")
                .with(Element::new("data").all(sources)),
        )
        .with(factory)
}

/// A branch source: `git { … }`, `github { … }`, or `branchSource { source { git { … } } }`.
fn source(node: &Node, summary: &mut Summary) -> Option<Element> {
    let node = match node.name.as_str() {
        "branchSource" => node.child("source").and_then(|source| source.children.last())?,
        _ => node,
    };
    let part = |names: &[&str]| names.iter().find_map(|name| node.child(name)).map(Node::value);
    let credential = part(&["credentialsId", "scanCredentialsId"]).filter(|id| !id.is_empty());
    let found = Source { url: String::new(), branches: Vec::new(), credential: credential.clone() };
    let element = match node.name.as_str() {
        "git" | "gitSource" => {
            let remote = part(&["remote"]).unwrap_or_default();
            summary.source = Some(Source { url: remote.clone(), ..found });
            Element::new("source")
                .class("jenkins.plugins.git.GitSCMSource")
                .maybe("id", part(&["id"]))
                .leaf("remote", remote)
                .maybe("credentialsId", credential)
                .leaf("includes", part(&["includes"]).unwrap_or_else(|| "*".into()))
                .leaf("excludes", part(&["excludes"]).unwrap_or_default())
                .leaf("ignoreOnPushNotifications", node.child("ignoreOnPushNotifications").is_some_and(Node::on))
        }
        "github" => {
            let owner = part(&["repoOwner"]).unwrap_or_default();
            let repository = part(&["repository"]).unwrap_or_default();
            summary.source = Some(Source { url: format!("https://github.com/{owner}/{repository}.git"), ..found });
            Element::new("source")
                .class("org.jenkinsci.plugins.github_branch_source.GitHubSCMSource")
                .maybe("id", part(&["id"]))
                .maybe("apiUri", part(&["apiUri"]))
                .maybe("credentialsId", credential)
                .leaf("repoOwner", owner)
                .leaf("repository", repository)
        }
        _ => return None,
    };
    Some(element)
}

fn script_path(nodes: &[Node], block: &str, factory: &str) -> String {
    let named =
        inside(nodes, block).filter(|node| node.name == factory).filter_map(|node| node.child("scriptPath")).last();
    named.map(Node::value).filter(|path| !path.is_empty()).unwrap_or_else(|| "Jenkinsfile".to_owned())
}

fn orphans(nodes: &[Node]) -> Element {
    let discard = inside(nodes, "orphanedItemStrategy")
        .filter(|node| matches!(node.name.as_str(), "discardOldItems" | "defaultOrphanedItemStrategy"))
        .last();
    let part = |names: [&str; 2]| {
        let found = discard.and_then(|node| names.iter().find_map(|name| node.child(name)));
        found.map(Node::value).filter(|value| !value.is_empty()).unwrap_or_else(|| "-1".to_owned())
    };
    Element::new("orphanedItemStrategy")
        .class("com.cloudbees.hudson.plugins.folder.computed.DefaultOrphanedItemStrategy")
        .leaf("pruneDeadBranches", discard.is_some())
        .leaf("daysToKeep", part(["daysToKeep", "daysToKeepStr"]))
        .leaf("numToKeep", part(["numToKeep", "numToKeepStr"]))
}

/// `periodic(15)`, `periodicFolderTrigger { interval('15m') }`
fn periodic(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Vec<Element> {
    const MINUTE_MS: u64 = 60_000;
    let mut found = Vec::new();
    for node in inside(nodes, "triggers") {
        let interval = match node.name.as_str() {
            "periodic" | "periodicIfNotOtherwiseTriggered" => {
                node.value().parse::<u64>().ok().map(|minutes| minutes.saturating_mul(MINUTE_MS))
            }
            "periodicFolderTrigger" => node.child("interval").and_then(|interval| milliseconds(&interval.value())),
            _ => None,
        };
        let Some(interval) = interval else {
            notes.ignored("triggers", node);
            continue;
        };
        summary.triggers.push(format!("periodic: {} min", interval / MINUTE_MS));
        found.push(
            Element::new("com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger")
                .leaf("spec", "H/15 * * * *")
                .leaf("interval", interval),
        );
    }
    found
}

/// `15m`, `1h`, `2d`, or minutes without a letter, in milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let number: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = match text.get(number.len()..)?.trim() {
        "" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

pub(super) fn organization(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Element {
    unsupported("organizationFolder", nodes, notes);
    let mut navigators = Vec::new();
    for node in inside(nodes, "organizations") {
        let part = |names: &[&str]| names.iter().find_map(|name| node.child(name)).map(Node::value);
        if node.name != "github" {
            notes.ignored("organizations", node);
            continue;
        }
        navigators.push(
            Element::new("org.jenkinsci.plugins.github__branch__source.GitHubSCMNavigator")
                .leaf("repoOwner", part(&["repoOwner"]).unwrap_or_default())
                .maybe("apiUri", part(&["apiUri"]))
                .maybe("credentialsId", part(&["credentialsId", "scanCredentialsId"])),
        );
    }
    let path = script_path(nodes, "projectFactories", "workflowMultiBranchProjectFactory");
    summary.script_path = Some(path.clone());
    let factory = Element::new("org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProjectFactory")
        .leaf("scriptPath", path);
    begin("jenkins.branch.OrganizationFolder", nodes, summary)
        .with(Element::new("properties"))
        .with(orphans(nodes))
        .with(Element::new("triggers").all(periodic(nodes, summary, notes)))
        .leaf("disabled", last(nodes, "disabled").is_some_and(Node::on))
        .with(Element::new("navigators").all(navigators))
        .with(Element::new("projectFactories").with(factory))
}
