//! Stages and matrices as a tree: which group a step stands in, and how much of each group has ended.

use std::collections::BTreeMap;

use haliotis_engine::{BuildView, NodeView};
use haliotis_flow::NodeKind;
use haliotis_model::StepId;

/// Groups around a step that are counted; deeper ones belong to the outer ones.
const DEEPEST: usize = 8;

/// The groups of a build.
#[derive(Default)]
pub(super) struct Tree {
    parents: BTreeMap<StepId, StepId>,
    /// Steps ended and steps in all, of each group.
    counts: BTreeMap<StepId, (usize, usize)>,
}

impl Tree {
    /// As the build stands. Linear in its nodes.
    pub(super) fn of(view: &BuildView) -> Tree {
        let groups: BTreeMap<&str, &StepId> = view
            .nodes
            .iter()
            .filter(|node| node.kind == NodeKind::Group)
            .map(|node| (node.id.as_str(), &node.id))
            .collect();
        let mut tree = Tree::default();
        for node in &view.nodes {
            let parent = node.group.clone().or_else(|| around(node, &groups).cloned());
            tree.parents.extend(parent.map(|parent| (node.id.clone(), parent)));
        }
        for node in view.nodes.iter().filter(|node| node.kind != NodeKind::Group) {
            let (mut at, mut depth) = (tree.parents.get(&node.id), 0);
            while let Some(group) = at.filter(|_| depth < DEEPEST) {
                let count = tree.counts.entry(group.clone()).or_default();
                count.0 += usize::from(node.state.ended());
                count.1 += 1;
                (at, depth) = (tree.parents.get(group), depth + 1);
            }
        }
        tree
    }

    /// The group a node stands in.
    pub(super) fn parent(&self, id: &StepId) -> Option<&StepId> {
        self.parents.get(id)
    }

    /// How many groups are around it.
    pub(super) fn depth(&self, id: &StepId) -> usize {
        std::iter::successors(self.parent(id), |group| self.parent(group)).take(DEEPEST).count()
    }

    /// Steps ended and steps in all.
    pub(super) fn count(&self, group: &StepId) -> (usize, usize) {
        self.counts.get(group).copied().unwrap_or_default()
    }
}

/// The nearest group whose path the node's begins with: stages of scripts are not told otherwise.
fn around<'g>(node: &NodeView, groups: &BTreeMap<&str, &'g StepId>) -> Option<&'g StepId> {
    let mut path = node.id.as_str();
    while let Some(at) = path.rfind(['/', '[']).filter(|at| *at > 0) {
        path = &path[..at];
        if let Some(group) = groups.get(path) {
            return Some(group);
        }
    }
    None
}
