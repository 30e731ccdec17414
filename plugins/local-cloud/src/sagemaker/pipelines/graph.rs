//! Which step comes after which.

use std::collections::{BTreeMap, BTreeSet};

use crate::sagemaker::pipelines::definition::Step;

/// Steps that must be done before this one: what it needs, and the condition it is a branch of.
pub(crate) fn before(step: &Step) -> BTreeSet<&str> {
    let condition = step.branch.iter().map(|(condition, _)| condition.as_str());
    step.needs.iter().map(String::as_str).chain(condition).collect()
}

/// A circle of steps, its first name again at the end; `None` when there is none.
pub(crate) fn cycle(steps: &BTreeMap<String, Step>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    steps.keys().find_map(|start| {
        let mut path = Vec::new();
        visit(start, steps, &mut path, &mut done)
    })
}

/// The depth is bounded by the number of steps, which the size of a definition bounds.
fn visit<'s>(
    name: &'s str,
    steps: &'s BTreeMap<String, Step>,
    path: &mut Vec<&'s str>,
    done: &mut BTreeSet<&'s str>,
) -> Option<Vec<String>> {
    if let Some(at) = path.iter().position(|one| *one == name) {
        return Some(path[at..].iter().chain([&name]).map(|one| (*one).to_owned()).collect());
    }
    if done.contains(name) {
        return None;
    }
    path.push(name);
    let found = steps.get(name).and_then(|step| before(step).into_iter().find_map(|one| visit(one, steps, path, done)));
    path.pop();
    done.insert(name);
    found
}

/// All steps that come before any of these, directly or not; the given ones are not among them unless they are.
pub(crate) fn ancestors<'s>(steps: &'s BTreeMap<String, Step>, of: &BTreeSet<String>) -> BTreeSet<&'s str> {
    let mut found = BTreeSet::new();
    let mut left: Vec<&Step> = of.iter().filter_map(|name| steps.get(name)).collect();
    while let Some(step) = left.pop() {
        for name in before(step) {
            if let Some(earlier) = steps.get(name).filter(|_| found.insert(name)) {
                left.push(earlier);
            }
        }
    }
    found
}
