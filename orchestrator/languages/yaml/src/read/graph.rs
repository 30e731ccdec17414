//! From lists of needs to gates, and the proof that there is no circle.
//!
//! A gate is a set of needs; all steps with the same set share it. So two layers of a thousand steps, each needing the
//! whole layer before, are two thousand edges around one gate and not a million. A list shared by an anchor is known by
//! its address and looked at once.

use std::collections::BTreeMap;
use std::rc::Rc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::doc::{Doc, Gate, When};
use crate::problems::Problems;
use crate::tree::{At, Data, Node};

/// What a step asked for.
pub(super) struct Wanted {
    pub(super) needs: Option<Rc<Node>>,
    /// It stands under `post:`.
    pub(super) post: bool,
}

/// Fills in the gates of a document.
pub(super) fn resolve(doc: &mut Doc, wanted: &[Wanted], problems: &mut Problems) {
    let index: BTreeMap<String, usize> = doc.steps.iter().enumerate().map(|(i, step)| (step.id.clone(), i)).collect();
    let mut by_address: BTreeMap<*const Node, Vec<usize>> = BTreeMap::new();
    let mut by_set: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    let mut gate_of_address: BTreeMap<*const Node, usize> = BTreeMap::new();
    for (step, want) in wanted.iter().enumerate() {
        let Some(node) = &want.needs else { continue };
        let address = Rc::as_ptr(node);
        if let Some(gate) = gate_of_address.get(&address) {
            doc.gates[*gate].waiters.push(step);
            doc.steps[step].gate = Some(*gate);
            continue;
        }
        let needs = by_address.entry(address).or_insert_with(|| lookup(node, &index, problems));
        if needs.is_empty() {
            continue;
        }
        let gate = *by_set.entry(needs.clone()).or_insert_with(|| {
            doc.gates.push(Gate { needs: needs.clone(), waiters: Vec::new() });
            doc.gates.len() - 1
        });
        gate_of_address.insert(address, gate);
        doc.gates[gate].waiters.push(step);
        doc.steps[step].gate = Some(gate);
    }
    doc.feeds = vec![Vec::new(); doc.steps.len()];
    for (gate, Gate { needs, .. }) in doc.gates.iter().enumerate() {
        for need in needs {
            doc.feeds[*need].push(gate);
        }
    }
    doc.index = index;
    after_all(doc, wanted, problems);
    cycles(doc, wanted, problems);
}

/// The indexes of needed steps, sorted, each once.
fn lookup(node: &Node, index: &BTreeMap<String, usize>, problems: &mut Problems) -> Vec<usize> {
    let single;
    let items = match &node.data {
        Data::List(items) => items.as_slice(),
        Data::Scalar { .. } => {
            single = [(node.text().unwrap_or_default(), node.at)];
            return find(&single, index, problems);
        }
        Data::Map(_) => {
            problems.error("yaml-type", node.at, "needs must be an id or a list of ids, this is a map", None);
            return Vec::new();
        }
    };
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        match item.text() {
            Some(text) => names.push((text, item.at)),
            None => problems.error("yaml-type", item.at, format!("needs lists ids, this is {}", item.kind()), None),
        }
    }
    find(&names, index, problems)
}

fn find(names: &[(&str, At)], index: &BTreeMap<String, usize>, problems: &mut Problems) -> Vec<usize> {
    let mut needs = Vec::with_capacity(names.len());
    for (name, at) in names {
        match index.get(*name) {
            Some(step) => needs.push(*step),
            None => problems.unknown("yaml-unknown-need", *at, "step", name, index.keys().map(String::as_str)),
        }
    }
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// Which steps run after all others: those of `post:`, `when: failed|always` without needs, and what needs such a step.
fn after_all(doc: &mut Doc, wanted: &[Wanted], problems: &mut Problems) {
    let mut late: Vec<usize> = Vec::new();
    for (index, step) in doc.steps.iter_mut().enumerate() {
        step.after_all |= step.when != When::Success && step.gate.is_none();
        if step.after_all {
            late.push(index);
        }
    }
    while let Some(need) = late.pop() {
        for gate in &doc.feeds[need] {
            for waiter in &doc.gates[*gate].waiters {
                let step = &mut doc.steps[*waiter];
                if wanted[need].post && !wanted[*waiter].post {
                    let message = format!(
                        "{:?} stands under post: and runs after {:?}",
                        doc.steps[need].id, doc.steps[*waiter].id
                    );
                    let at = wanted[*waiter].needs.as_ref().map_or(At::START, |node| node.at);
                    problems.error("yaml-unknown-need", at, message, None);
                } else if !step.after_all {
                    step.after_all = true;
                    late.push(*waiter);
                }
            }
        }
    }
}

/// Names each circle once, by its path.
fn cycles(doc: &Doc, wanted: &[Wanted], problems: &mut Problems) {
    let mut graph: DiGraph<usize, ()> = DiGraph::new();
    let steps: Vec<NodeIndex> = (0..doc.steps.len()).map(|step| graph.add_node(step)).collect();
    for gate in &doc.gates {
        let node = graph.add_node(usize::MAX);
        gate.needs.iter().for_each(|need| {
            graph.add_edge(steps[*need], node, ());
        });
        gate.waiters.iter().for_each(|waiter| {
            graph.add_edge(node, steps[*waiter], ());
        });
    }
    let mut circles: Vec<Vec<usize>> = kosaraju_scc(&graph)
        .into_iter()
        .filter(|part| part.len() > 1)
        .map(|part| part.into_iter().map(|node| graph[node]).filter(|step| *step != usize::MAX).collect())
        .collect();
    for circle in &mut circles {
        circle.sort_unstable();
        let path = path(doc, circle);
        let names: Vec<&str> = path.iter().map(|step| doc.steps[*step].id.as_str()).collect();
        let first = path.first().copied().unwrap_or_default();
        let at = wanted[first].needs.as_ref().map_or(At::START, |node| node.at);
        let message = match names.as_slice() {
            [one] | [one, _] if path.len() < 3 => format!("the step {one:?} needs itself"),
            _ => format!("these steps wait for each other: {}", names.join(" -> ")),
        };
        problems.error("yaml-cycle", at, message, Some("remove one of these needs".to_owned()));
    }
}

/// A way round, from the first step back to it, each needing the next.
fn path(doc: &Doc, circle: &[usize]) -> Vec<usize> {
    let Some(first) = circle.first().copied() else { return Vec::new() };
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([first]);
    while let Some(step) = queue.pop_front() {
        let Some(gate) = doc.steps[step].gate else { continue };
        for need in &doc.gates[gate].needs {
            if *need == first {
                let mut way = vec![first];
                let mut at = step;
                while at != first {
                    way.push(at);
                    at = from[&at];
                }
                way.push(first);
                way.reverse();
                return way;
            }
            if circle.binary_search(need).is_ok() && !from.contains_key(need) {
                from.insert(*need, step);
                queue.push_back(*need);
            }
        }
    }
    vec![first]
}
