//! `git { remote { … }; branch(…) }`, as the Git plugin's elements.

use super::Notes;
use crate::item::Source;
use crate::node::{Arg, Node, all, last};
use crate::xml::Element;

/// How the Git plugin understands a branch: a name with a slash or a pattern is meant as it stands, another one stands
/// for that branch of any remote.
pub fn branch_spec(branch: &str) -> String {
    let literal = branch.contains(['/', '*', ':', '$']) || is_commit(branch) || branch.is_empty();
    if literal { branch.to_owned() } else { format!("*/{branch}") }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An `scm` element for a source; `extensions` are its children of that name.
pub fn git_scm(source: &Source, remote: Option<&str>, refspec: Option<&str>, extensions: Vec<Element>) -> Element {
    let config = Element::new("hudson.plugins.git.UserRemoteConfig")
        .maybe("name", remote)
        .maybe("refspec", refspec)
        .leaf("url", &source.url)
        .maybe("credentialsId", source.credential.as_ref());
    let branches =
        source.branches.iter().map(|branch| Element::new("hudson.plugins.git.BranchSpec").leaf("name", branch));
    Element::new("scm")
        .class("hudson.plugins.git.GitSCM")
        .leaf("configVersion", 2)
        .with(Element::new("userRemoteConfigs").with(config))
        .with(Element::new("branches").all(branches))
        .leaf("doGenerateSubmoduleConfigurations", false)
        .leaf("gitTool", "Default")
        .with(Element::new("extensions").all(extensions))
}

/// The Git source of an `scm { … }` block, with its element.
pub(super) fn scm(nodes: &[Node], notes: &mut Notes) -> Option<(Source, Element)> {
    let node = nodes.iter().rev().find(|node| matches!(node.name.as_str(), "git" | "github" | "gitSCM"))?;
    for other in nodes.iter().filter(|other| !std::ptr::eq(*other, node) && other.name != "none") {
        notes.ignored("scm", other);
    }
    if node.name == "gitSCM" {
        return Some(dynamic(node, notes));
    }
    let mut source = Source::default();
    let mut refspec = None;
    let mut name = None;
    if node.name == "github" {
        source.url = github(&node.all_texts());
        source.branches.extend(node.text(1).map(|branch| branch_spec(&branch)));
    } else if let Some(Arg::Map(entries)) = node.args.first() {
        for (key, value) in entries {
            let value = value.text().unwrap_or_default();
            match key.as_str() {
                "url" => source.url = value,
                "branch" => source.branches.push(branch_spec(&value)),
                "credentialsId" => source.credential = Some(value),
                _ => {}
            }
        }
    } else if let Some(url) = node.text(0) {
        source.url = url;
        source.branches.extend(node.text(1).map(|branch| branch_spec(&branch)));
    }
    for remote in all(&node.children, "remote") {
        for part in &remote.children {
            match part.name.as_str() {
                "url" => source.url = part.value(),
                "credentials" => source.credential = part.text(0),
                "refspec" => refspec = part.text(0),
                "name" => name = part.text(0),
                "github" => source.url = github(&part.all_texts()),
                _ => {}
            }
        }
    }
    for branch in node.children.iter().filter(|part| matches!(part.name.as_str(), "branch" | "branches")) {
        source.branches.extend(branch.all_texts().iter().map(|branch| branch_spec(branch)));
    }
    if source.branches.is_empty() {
        source.branches.push("**".to_owned());
    }
    let extensions = extensions(node, notes);
    let element = git_scm(&source, name.as_deref(), refspec.as_deref(), extensions);
    Some((source, element))
}

/// `github('owner/project', 'https', 'github.com')`
fn github(args: &[String]) -> String {
    let project = args.first().map_or("", String::as_str);
    let host = args.get(2).map_or("github.com", String::as_str);
    match args.get(1).map(String::as_str) {
        Some("ssh") => format!("git@{host}:{project}.git"),
        Some("git") => format!("git://{host}/{project}.git"),
        _ => format!("https://{host}/{project}.git"),
    }
}

/// The form of the dynamic DSL: `gitSCM { userRemoteConfigs { userRemoteConfig { url(..) } } branches { branchSpec { name } } }`.
fn dynamic(node: &Node, notes: &mut Notes) -> (Source, Element) {
    let mut source = Source::default();
    let configs = node.child("userRemoteConfigs").map_or(&[][..], |configs| &configs.children);
    for part in configs.iter().flat_map(|config| &config.children) {
        match part.name.as_str() {
            "url" => source.url = part.value(),
            "credentialsId" => source.credential = part.text(0).filter(|id| !id.is_empty()),
            _ => {}
        }
    }
    let branches = node.child("branches").map_or(&[][..], |branches| &branches.children);
    for branch in branches {
        source.branches.extend(branch.child("name").map(|name| branch_spec(&name.value())));
    }
    let extensions = extensions(node, notes);
    let element = git_scm(&source, None, None, extensions);
    (source, element)
}

fn extensions(git: &Node, notes: &mut Notes) -> Vec<Element> {
    let mut found = Vec::new();
    for node in git.child("extensions").map_or(&[][..], |extensions| &extensions.children) {
        match extension(node) {
            Some(element) => found.push(element),
            None => notes.ignored("extensions", node),
        }
    }
    for node in &git.children {
        match node.name.as_str() {
            "clean" if node.on() => found.push(plain("CleanCheckout")),
            "wipeOutWorkspace" if node.on() => found.push(plain("WipeWorkspace")),
            "pruneBranches" if node.on() => found.push(plain("PruneStaleBranch")),
            "shallowClone" if node.on() => found.push(clone_option(true, None, None)),
            "localBranch" => found.push(plain("LocalBranch").maybe("localBranch", node.text(0))),
            "relativeTargetDir" => {
                found.push(plain("RelativeTargetDirectory").maybe("relativeTargetDir", node.text(0)))
            }
            "configure" | "browser" | "strategy" | "mergeOptions" | "createTag" => notes.ignored("git", node),
            _ => {}
        }
    }
    found
}

fn plain(name: &str) -> Element {
    Element::new(format!("hudson.plugins.git.extensions.impl.{name}"))
}

fn clone_option(shallow: bool, depth: Option<String>, timeout: Option<String>) -> Element {
    plain("CloneOption")
        .leaf("shallow", shallow)
        .leaf("noTags", false)
        .leaf("reference", "")
        .maybe("depth", depth)
        .maybe("timeout", timeout)
}

/// An extension by its name in the DSL.
fn extension(node: &Node) -> Option<Element> {
    let child = |name: &str| last(&node.children, name);
    Some(match node.name.as_str() {
        "cleanAfterCheckout" | "cleanCheckout" => plain("CleanCheckout"),
        "cleanBeforeCheckout" => plain("CleanBeforeCheckout"),
        "wipeOutWorkspace" | "wipeWorkspace" => plain("WipeWorkspace"),
        "pruneBranches" | "pruneStaleBranch" => plain("PruneStaleBranch"),
        "perBuildTag" => plain("PerBuildTag"),
        "ignoreNotifyCommit" => plain("IgnoreNotifyCommit"),
        "disableRemotePoll" => plain("DisableRemotePoll"),
        "localBranch" => plain("LocalBranch").leaf("localBranch", node.text(0).unwrap_or_else(|| "**".into())),
        "relativeTargetDirectory" => plain("RelativeTargetDirectory").leaf("relativeTargetDir", node.value()),
        "cloneOptions" | "cloneOption" => clone_option(
            child("shallow").is_some_and(Node::on),
            child("depth").and_then(|depth| depth.text(0)),
            child("timeout").and_then(|timeout| timeout.text(0)),
        ),
        "submoduleOptions" | "submoduleOption" => plain("SubmoduleOption")
            .leaf("disableSubmodules", child("disable").is_some_and(Node::on))
            .leaf("recursiveSubmodules", child("recursive").is_some_and(Node::on))
            .leaf("trackingSubmodules", child("tracking").is_some_and(Node::on)),
        "mergeOptions" => plain("PreBuildMerge").with(
            Element::new("options")
                .maybe("mergeRemote", child("remote").and_then(|remote| remote.text(0)))
                .maybe("mergeTarget", child("branch").and_then(|branch| branch.text(0))),
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_means_what_the_plugin_means() {
        assert_eq!(branch_spec("main"), "*/main");
        assert_eq!(branch_spec("origin/main"), "origin/main");
        assert_eq!(branch_spec("**"), "**");
        assert_eq!(branch_spec("${BRANCH}"), "${BRANCH}");
        assert_eq!(branch_spec(":release-.*"), ":release-.*");
        assert_eq!(branch_spec(&"a".repeat(40)), "a".repeat(40));
    }
}
