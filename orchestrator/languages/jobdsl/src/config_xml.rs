//! What a script said of an item, as Jenkins' config.xml and as a summary. The one place that knows the format.
//!
//! Elements stand in the order in which Jenkins writes them, as far as clients have been seen to look at it.

mod definition;
mod folder;
mod freestyle;
mod git;
mod parameters;
mod properties;
mod triggers;
mod view;

use crate::item::{Item, ItemKind, Summary};
use crate::node::{Node, last};
use crate::xml::Element;

pub use git::{branch_spec, git_scm};

/// What is accepted and has no effect.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn ignored(&mut self, block: &str, node: &Node) {
        let note = format!("{block}: `{}` is accepted and has no effect here", node.name);
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }
}

/// An item of what its block said.
///
/// # Errors
/// One sentence on what cannot be: a pipeline without a definition, a choice without choices.
pub fn item(kind: ItemKind, name: &str, nodes: &[Node]) -> Result<Item, String> {
    let mut summary = Summary::default();
    let mut notes = Notes::default();
    let in_item = |message: String| format!("{name}: {message}");
    let root = match kind {
        ItemKind::Pipeline => pipeline(nodes, &mut summary, &mut notes).map_err(in_item)?,
        ItemKind::Freestyle => freestyle::project(nodes, &mut summary, &mut notes).map_err(in_item)?,
        ItemKind::Folder => folder::folder(nodes, &mut summary, &mut notes),
        ItemKind::Multibranch => folder::multibranch(nodes, &mut summary, &mut notes),
        ItemKind::OrganizationFolder => folder::organization(nodes, &mut summary, &mut notes),
        ItemKind::ListView | ItemKind::NestedView => view::view(kind, name, nodes, &mut summary, &mut notes),
    };
    Ok(Item { name: name.to_owned(), kind, summary, notes: notes.0, config: root.document() })
}

/// `flow-definition`
fn pipeline(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Result<Element, String> {
    unsupported("pipelineJob", nodes, notes);
    summary.concurrent = true;
    let definition = definition::definition(nodes, summary, notes)?;
    let properties = properties::properties(nodes, true, summary, notes)?;
    let triggers = triggers::triggers("triggers", nodes, summary, notes);
    Ok(head("flow-definition", nodes, summary)
        .with(Element::new("properties").all(properties))
        .with(Element::new("triggers").all(triggers))
        .all(token(nodes, summary))
        .maybe("quietPeriod", last(nodes, "quietPeriod").map(|node| node.text(0).unwrap_or_else(|| "5".into())))
        .with(definition)
        .leaf("disabled", disabled(nodes, summary)))
}

/// What every job begins with.
fn head(root: &str, nodes: &[Node], summary: &mut Summary) -> Element {
    summary.description = last(nodes, "description").map(Node::value).unwrap_or_default();
    let keep = last(nodes, "keepDependencies").is_some_and(Node::on);
    Element::new(root)
        .with(Element::new("actions"))
        .leaf("description", &summary.description)
        .maybe("displayName", last(nodes, "displayName").map(Node::value))
        .leaf("keepDependencies", keep)
}

fn token(nodes: &[Node], summary: &mut Summary) -> Option<Element> {
    summary.token = last(nodes, "authenticationToken").map(Node::value).filter(|token| !token.is_empty());
    summary.token.as_ref().map(|token| Element::text("authToken", token))
}

fn disabled(nodes: &[Node], summary: &mut Summary) -> bool {
    summary.disabled = last(nodes, "disabled").is_some_and(Node::on);
    summary.disabled
}

/// Methods that every job has and that mean nothing to Haliotis.
fn unsupported(block: &str, nodes: &[Node], notes: &mut Notes) {
    const IGNORED: &[&str] = &[
        "authorization",
        "batchTask",
        "blockOn",
        "blockOnDownstreamProjects",
        "blockOnUpstreamProjects",
        "checkoutRetryCount",
        "compressBuildLog",
        "configure",
        "deliveryPipelineConfiguration",
        "icon",
        "jdk",
        "lockableResources",
        "notifications",
        "previousNames",
        "primaryView",
        "priority",
        "rebuild",
        "throttleConcurrentBuilds",
        "using",
        "weight",
    ];
    for node in nodes.iter().filter(|node| IGNORED.contains(&node.name.as_str())) {
        notes.ignored(block, node);
    }
}
