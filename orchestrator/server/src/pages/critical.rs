//! Where the time of a build went: the chain of steps that each waited for the one before, back from the last to end.
//!
//! From the step that ended last, the chain goes back to whichever of the steps it needed ended last, and so on. A step
//! that needs nothing, in a build whose definition names needs, began by itself: the chain ends there. In a definition
//! without any needs (a Jenkinsfile) the step that ended last before it began takes that place.

use std::collections::{BTreeMap, BTreeSet};

use haliotis_engine::{BuildView, NodeState, NodeView};
use haliotis_flow::NodeKind;
use haliotis_model::{Millis, StepId};

/// The steps of the chain, the first one first.
pub(super) fn path(view: &BuildView) -> Vec<&NodeView> {
    let nodes: BTreeMap<&StepId, &NodeView> = view.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut children: BTreeMap<&StepId, Vec<&NodeView>> = BTreeMap::new();
    for node in &view.nodes {
        if let Some(group) = &node.group {
            children.entry(group).or_default().push(node);
        }
    }
    let ran = |node: &&NodeView| {
        node.kind != NodeKind::Group && node.state != NodeState::Skipped && node.started_at.is_some()
    };
    let needs_are_named = view.nodes.iter().any(|node| !node.needs.is_empty());
    let now = haliotis_engine::now();
    let end = |node: &NodeView| node.ended_at.unwrap_or(now);
    let mut chain: Vec<&NodeView> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = view.nodes.iter().filter(ran).max_by_key(|node| end(node));
    while let Some(node) = next.filter(|node| seen.insert(&node.id)) {
        chain.push(node);
        next = if needs_are_named {
            before(node, &nodes, &children).into_iter().filter(ran).max_by_key(|node| end(node))
        } else {
            let begun = node.queued_at.or(node.started_at).unwrap_or(Millis(0));
            let earlier =
                view.nodes.iter().filter(ran).filter(|other| other.ended_at.is_some_and(|ended| ended <= begun));
            earlier.max_by_key(|other| (other.ended_at, other.started_at))
        };
    }
    chain.reverse();
    chain
}

/// The steps that a step waited for: those it needs, or that a group around it needs; for a group, all in it.
fn before<'v>(
    node: &'v NodeView,
    nodes: &BTreeMap<&'v StepId, &'v NodeView>,
    children: &BTreeMap<&'v StepId, Vec<&'v NodeView>>,
) -> Vec<&'v NodeView> {
    let mut around = Some(node);
    let mut needed: Vec<&NodeView> = Vec::new();
    while let Some(at) = around.filter(|_| needed.is_empty()) {
        needed.extend(at.needs.iter().filter_map(|id| nodes.get(id).copied()));
        around = at.group.as_ref().and_then(|group| nodes.get(group).copied());
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    while let Some(node) = needed.pop() {
        if !seen.insert(&node.id) {
            continue;
        }
        match children.get(&node.id).filter(|_| node.kind == NodeKind::Group) {
            Some(inner) => needed.extend(inner.iter().copied()),
            // What was skipped took no time; it passes on what it waited for.
            None if node.state == NodeState::Skipped => {
                needed.extend(node.needs.iter().filter_map(|id| nodes.get(id).copied()));
            }
            None => found.push(node),
        }
    }
    found
}

/// The chain in a sentence, and its share of the build's time in percent; empty for fewer than two steps.
pub(super) fn summary(view: &BuildView, chain: &[&NodeView]) -> String {
    if chain.len() < 2 {
        return String::new();
    }
    let now = haliotis_engine::now();
    let took = |node: &NodeView| node.started_at.map_or(0, |from| node.ended_at.unwrap_or(now).since(from));
    let whole = view.ended_at.unwrap_or(now).since(view.build.created_at).max(1);
    let spent: u64 = chain.iter().map(|node| took(node)).sum();
    let longest = chain.iter().max_by_key(|node| took(node));
    let name = |node: &&NodeView| node.name.clone();
    let names = match chain.len() {
        0..=7 => chain.iter().map(name).collect::<Vec<_>>().join(" → "),
        count => {
            let ends = |part: &[&NodeView]| part.iter().map(name).collect::<Vec<_>>().join(" → ");
            format!("{} → … {} more … → {}", ends(&chain[..3]), count - 6, ends(&chain[count - 3..]))
        }
    };
    let longest =
        longest.map(|node| format!("; the longest is {} with {}", node.name, crate::words::duration(took(node))));
    format!("{names}: {} % of the build's time{}", (spent * 100 / whole).min(100), longest.unwrap_or_default())
}
