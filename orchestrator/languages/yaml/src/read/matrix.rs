//! `matrix:`: the cells of a step.

use std::collections::BTreeSet;

use haliotis_model::{Object, Value};

use crate::doc::{Cell, Matrix};
use crate::expr::show;
use crate::limits::MAX_CELLS;
use crate::problems::Problems;
use crate::tree::{Data, Node};

use super::fields::{Fields, entries, wrong};
use super::step::check_id;

pub(super) fn read(fields: &Fields<'_>, problems: &mut Problems) -> Option<Matrix> {
    let fail_fast = fields.boolean("fail-fast", problems);
    let Some(node) = fields.get("matrix") else {
        if fail_fast.is_some() {
            let at = fields.get("fail-fast").map_or(fields.node.at, |node| node.at);
            problems.error("yaml-conflict", at, "fail-fast is about a matrix, and there is none", None);
        }
        return None;
    };
    let before = problems.errors();
    let (axes, include, exclude) = axes(node, problems);
    let cells = cells(&axes, &include, &exclude);
    if cells.is_empty() && problems.errors() == before {
        let help = "write matrix: { py: [\"3.11\", \"3.12\"] }".to_owned();
        problems.error("yaml-matrix", node.at, "the matrix has no cells", help);
    }
    if cells.len() > MAX_CELLS {
        let message = format!("the matrix has more than {MAX_CELLS} cells");
        problems.error("yaml-matrix", node.at, message, None);
        return None;
    }
    let mut names: Vec<String> = axes.into_iter().map(|(name, _)| name).collect();
    for more in include.iter().flat_map(Object::keys) {
        if !names.contains(more) {
            names.push(more.clone());
        }
    }
    Some(Matrix { axes: names, cells: label(cells), fail_fast: fail_fast.unwrap_or(true) })
}

type Axes = Vec<(String, Vec<Value>)>;

fn axes(node: &Node, problems: &mut Problems) -> (Axes, Vec<Object>, Vec<Object>) {
    let (mut axes, mut include, mut exclude) = (Axes::new(), Vec::new(), Vec::new());
    for (key, value) in entries(node, "matrix", problems) {
        match key.text().unwrap_or_default() {
            "include" => include = combinations(value, "include", problems),
            "exclude" => exclude = combinations(value, "exclude", problems),
            name => {
                check_id(key, "a matrix axis", problems);
                let Data::List(items) = &value.data else {
                    wrong(value, name, "a list of values", problems);
                    continue;
                };
                let values = items.iter().filter_map(|item| scalar(item, problems)).collect();
                axes.push((name.to_owned(), values));
            }
        }
    }
    (axes, include, exclude)
}

fn combinations(node: &Node, what: &str, problems: &mut Problems) -> Vec<Object> {
    let Data::List(items) = &node.data else {
        wrong(node, what, "a list of maps", problems);
        return Vec::new();
    };
    let mut list = Vec::new();
    for item in items {
        let mut object = Object::new();
        for (key, value) in entries(item, what, problems) {
            if let Some(value) = scalar(value, problems) {
                object.insert(key.text().unwrap_or_default().to_owned(), value);
            }
        }
        list.push(object);
    }
    list
}

fn scalar(node: &Node, problems: &mut Problems) -> Option<Value> {
    let Some(text) = node.text() else {
        wrong(node, "a value of a matrix", "text, a number or a boolean", problems);
        return None;
    };
    if text.contains("${{") {
        problems.error("yaml-matrix", node.at, "the values of a matrix are fixed in the file", None);
        return None;
    }
    let value = node.scalar();
    if value.is_number() && show(&value) != text && text.contains('.') {
        let message = format!("{text} is the number {} here", show(&value));
        problems.warn("yaml-number", node.at, message, Some(format!("write \"{text}\" for the text")));
    }
    Some(value)
}

/// All combinations but the excluded ones, then the included: one that agrees with a cell extends it, else it is new.
fn cells(axes: &Axes, include: &[Object], exclude: &[Object]) -> Vec<Object> {
    let mut cells = if axes.is_empty() { Vec::new() } else { vec![Object::new()] };
    for (name, values) in axes {
        let mut more = Vec::new();
        for cell in &cells {
            for value in values {
                if more.len() > MAX_CELLS {
                    return more;
                }
                let mut cell = cell.clone();
                cell.insert(name.clone(), value.clone());
                more.push(cell);
            }
        }
        cells = more;
    }
    cells.retain(|cell| !exclude.iter().any(|out| out.iter().all(|(key, value)| cell.get(key) == Some(value))));
    for extra in include {
        let axis = |key: &String| axes.iter().any(|(name, _)| name == key);
        let agrees =
            |cell: &Object| extra.iter().filter(|(key, _)| axis(key)).all(|(key, value)| cell.get(key) == Some(value));
        let mut extended = false;
        if extra.keys().any(axis) {
            for cell in cells.iter_mut().filter(|cell| agrees(cell)) {
                extended = true;
                extra.iter().for_each(|(key, value)| {
                    cell.insert(key.clone(), value.clone());
                });
            }
        }
        if !extended {
            cells.push(extra.clone());
        }
    }
    cells
}

/// Names the cells; a name is part of a path, so it holds no slash, and is unique.
fn label(cells: Vec<Object>) -> Vec<Cell> {
    let mut seen = BTreeSet::new();
    let clean =
        |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '=' | ',' | ':') { c } else { '-' };
    cells
        .into_iter()
        .map(|values| {
            let pairs: Vec<String> = values.iter().map(|(key, value)| format!("{key}={}", show(value))).collect();
            let plain: String = pairs.join(",").chars().map(clean).take(120).collect();
            let mut label = plain.clone();
            let mut number = 2;
            while !seen.insert(label.clone()) {
                label = format!("{plain}~{number}");
                number += 1;
            }
            Cell { label, values }
        })
        .collect()
}
