//! Groups of a graph that are drawn as one box: those that a person folded, and the largest ones of a graph that is too
//! large to be drawn whole. Which ones stands in the address, so a link shows what its sender saw, and no script is needed.

use std::collections::{BTreeMap, BTreeSet};

use haliotis_engine::{BuildView, NodeView};
use haliotis_flow::NodeKind;
use haliotis_model::StepId;

use crate::graph::NODES_MAX;
use crate::words;

/// What is folded.
pub(super) struct Folded {
    folded: BTreeSet<StepId>,
    /// Groups around each node, the innermost first.
    around: BTreeMap<StepId, Vec<StepId>>,
}

impl Folded {
    /// From the value of `fold` in an address, and from the graph's size.
    pub(super) fn of(view: &BuildView, asked: &str) -> Self {
        let groups: BTreeMap<&StepId, &StepId> =
            view.nodes.iter().filter_map(|node| Some((&node.id, node.group.as_ref()?))).collect();
        let around = |node: &NodeView| {
            let mut path: Vec<StepId> = Vec::new();
            let mut at = node.group.as_ref();
            while let Some(group) = at.filter(|group| !path.contains(group)) {
                path.push(group.clone());
                at = groups.get(group).copied();
            }
            (node.id.clone(), path)
        };
        let around: BTreeMap<_, _> = view.nodes.iter().map(around).collect();
        let known: BTreeSet<&StepId> = around.values().flatten().collect();
        let folded = asked.split(',').filter(|id| !id.is_empty()).map(StepId::new).filter(|id| known.contains(id));
        let mut all = Self { folded: folded.collect(), around };
        all.shrink(view);
        all
    }

    /// Folds the groups with the most in them until the rest can be drawn.
    fn shrink(&mut self, view: &BuildView) {
        loop {
            let visible: Vec<_> = view.nodes.iter().filter(|node| !self.hides(&node.id)).collect();
            if visible.len() <= NODES_MAX {
                return;
            }
            let mut sizes: BTreeMap<&StepId, usize> = BTreeMap::new();
            for node in &visible {
                for group in self.around.get(&node.id).into_iter().flatten() {
                    *sizes.entry(group).or_default() += 1;
                }
            }
            let open = sizes.into_iter().filter(|(group, _)| !self.folded.contains(*group));
            let Some(largest) = open.max_by_key(|(_, size)| *size).map(|(group, _)| group.clone()) else { return };
            self.folded.insert(largest);
        }
    }

    /// Inside something folded.
    fn hides(&self, id: &StepId) -> bool {
        self.around.get(id).is_some_and(|around| around.iter().any(|group| self.folded.contains(group)))
    }

    /// Drawn as one box.
    pub(super) fn is_folded(&self, id: &StepId) -> bool {
        self.folded.contains(id)
    }

    /// The nodes to draw; needs lead to what is drawn instead of what is hidden.
    pub(super) fn nodes(&self, view: &BuildView) -> Vec<NodeView> {
        let stands_for = |id: &StepId| -> StepId {
            let around = self.around.get(id).map(Vec::as_slice).unwrap_or_default();
            around.iter().rev().find(|group| self.folded.contains(*group)).unwrap_or(id).clone()
        };
        let mut gained: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
        for node in view.nodes.iter().filter(|node| self.hides(&node.id)) {
            let place = stands_for(&node.id);
            let needs = node.needs.iter().map(stands_for).filter(|need| *need != place);
            gained.entry(place.clone()).or_default().extend(needs);
        }
        let drawn = |node: &NodeView| {
            let mut node = node.clone();
            let own = node.needs.iter().map(stands_for);
            let mut needs: Vec<_> = own.chain(gained.remove(&node.id).unwrap_or_default()).collect();
            needs.sort();
            needs.dedup();
            node.needs = needs;
            node
        };
        let visible: Vec<&NodeView> = view.nodes.iter().filter(|node| !self.hides(&node.id)).collect();
        let mut drawn = drawn;
        visible.into_iter().map(&mut drawn).collect()
    }

    /// How many steps a folded group holds.
    pub(super) fn inside(&self, id: &StepId) -> usize {
        self.around.values().filter(|around| around.contains(id)).count()
    }

    /// The build's page with this group folded, or unfolded if it is.
    pub(super) fn url(&self, view: &BuildView, id: &StepId) -> String {
        let mut folded = self.folded.clone();
        if !folded.remove(id) {
            folded.insert(id.clone());
        }
        let list: Vec<_> = folded.iter().map(|id| words::part(id.as_str())).collect();
        let query = if list.is_empty() { String::new() } else { format!("?fold={}", list.join(",")) };
        format!("{}{query}#graph-title", words::build_url(view.id))
    }

    /// Whether there is anything to fold.
    pub(super) fn has_groups(view: &BuildView) -> bool {
        view.nodes.iter().any(|node| node.kind == NodeKind::Group)
    }
}
