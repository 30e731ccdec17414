//! `listView('x') { jobs { … } columns { … } }` and `nestedView`.

use super::{Notes, unsupported};
use crate::item::{ItemKind, Summary};
use crate::node::{Node, inside, last};
use crate::xml::Element;

/// Columns by their names in the DSL.
const COLUMNS: &[(&str, &str)] = &[
    ("buildButton", "hudson.views.BuildButtonColumn"),
    ("lastDuration", "hudson.views.LastDurationColumn"),
    ("lastFailure", "hudson.views.LastFailureColumn"),
    ("lastSuccess", "hudson.views.LastSuccessColumn"),
    ("name", "hudson.views.JobColumn"),
    ("status", "hudson.views.StatusColumn"),
    ("weather", "hudson.views.WeatherColumn"),
];

pub(super) fn view(kind: ItemKind, name: &str, nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Element {
    unsupported("view", nodes, notes);
    summary.description = last(nodes, "description").map(Node::value).unwrap_or_default();
    let simple = name.rsplit('/').next().unwrap_or(name);
    let root =
        if kind == ItemKind::ListView { "hudson.model.ListView" } else { "hudson.plugins.nested__view.NestedView" };
    let begin = Element::new(root)
        .leaf("name", simple)
        .leaf("description", &summary.description)
        .leaf("filterExecutors", last(nodes, "filterExecutors").is_some_and(Node::on))
        .leaf("filterQueue", last(nodes, "filterBuildQueue").is_some_and(Node::on))
        .with(Element::new("properties").class("hudson.model.View$PropertyList"));
    if kind == ItemKind::NestedView {
        return begin.with(Element::new("views").all(nested(nodes, notes)));
    }
    let mut names: Vec<String> = Vec::new();
    let mut regex = None;
    for node in inside(nodes, "jobs") {
        match node.name.as_str() {
            "regex" => regex = node.text(0),
            _ => names.extend(node.all_texts()),
        }
    }
    // Jenkins keeps them sorted, whatever their case.
    names.sort_by_key(|name| name.to_lowercase());
    names.dedup();
    let jobs = Element::new("jobNames")
        .with(Element::new("comparator").class("hudson.util.CaseInsensitiveComparator"))
        .all(names.iter().map(|name| Element::text("string", name)));
    begin
        .with(jobs)
        .with(Element::new("jobFilters"))
        .with(Element::new("columns").all(columns(nodes, notes)))
        .maybe("includeRegex", regex)
        .leaf("recurse", last(nodes, "recurse").is_some_and(Node::on))
}

fn columns(nodes: &[Node], notes: &mut Notes) -> Vec<Element> {
    let mut found = Vec::new();
    for node in inside(nodes, "columns") {
        match COLUMNS.iter().find(|(name, _)| *name == node.name) {
            Some((_, class)) => found.push(Element::new(*class)),
            None => notes.ignored("columns", node),
        }
    }
    found
}

fn nested(nodes: &[Node], notes: &mut Notes) -> Vec<Element> {
    let mut found = Vec::new();
    for node in inside(nodes, "views") {
        let kind = if node.name == "nestedView" { ItemKind::NestedView } else { ItemKind::ListView };
        found.push(view(kind, &node.value(), &node.children, &mut Summary::default(), notes));
    }
    found
}
