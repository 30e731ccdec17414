//! Reads maps with known keys and scalars of known types.

use std::rc::Rc;

use haliotis_model::{Value, Vars};

use crate::expr::Template;
use crate::problems::Problems;
use crate::tree::{Data, Node};

use super::Reading;
use super::schedule::duration_ms;

/// A map whose keys are all known.
pub(super) struct Fields<'n> {
    pub(super) node: &'n Node,
}

/// The entries of a map; nothing counts as an empty one.
pub(super) fn entries<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> &'n [(Rc<Node>, Rc<Node>)] {
    match &node.data {
        Data::Map(entries) => entries,
        _ if node.is_null() => &[],
        _ => {
            wrong(node, what, "a map (key: value)", problems);
            &[]
        }
    }
}

/// Says that a thing has the wrong type.
pub(super) fn wrong(node: &Node, what: &str, wanted: &str, problems: &mut Problems) {
    problems.error("yaml-type", node.at, format!("{what} must be {wanted}, this is {}", node.kind()), None);
}

impl<'n> Fields<'n> {
    /// Reports keys that are not known. `None`: not a map.
    pub(super) fn of(node: &'n Node, what: &str, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let Data::Map(entries) = &node.data else {
            if !node.is_null() {
                wrong(node, what, "a map (key: value)", problems);
                return None;
            }
            return Some(Self { node });
        };
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) {
                problems.unknown("yaml-unknown-key", key.at, &format!("key in {what}:"), name, known.iter().copied());
            }
        }
        Some(Self { node })
    }

    /// The value of a key; an empty one counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'n Rc<Node>> {
        self.node.get(key).filter(|value| !value.is_null())
    }

    /// The value of one of two names of the same thing.
    pub(super) fn either(&self, key: &str, alias: &str, problems: &mut Problems) -> Option<&'n Rc<Node>> {
        let (first, second) = (self.get(key), self.get(alias));
        if let (Some(_), Some(second)) = (first, second) {
            let message = format!("{alias} is another name of {key}");
            problems.error("yaml-duplicate-key", second.at, message, Some(format!("put all under {key}")));
        }
        first.or(second)
    }

    pub(super) fn text(&self, key: &str, problems: &mut Problems) -> Option<String> {
        text(self.get(key)?, key, problems)
    }

    pub(super) fn boolean(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        let node = self.get(key)?;
        match node.scalar() {
            Value::Bool(flag) => Some(flag),
            _ => {
                wrong(node, key, "true or false", problems);
                None
            }
        }
    }

    pub(super) fn whole(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<u32> {
        whole(self.get(key)?, key, range, problems)
    }

    pub(super) fn duration(&self, key: &str, problems: &mut Problems) -> Option<u64> {
        duration(self.get(key)?, key, problems)
    }

    pub(super) fn texts(&self, key: &str, problems: &mut Problems) -> Vec<String> {
        self.get(key).map_or_else(Vec::new, |node| texts(node, key, problems))
    }

    /// `NAME: credential-id`.
    pub(super) fn credentials(&self, key: &str, problems: &mut Problems) -> Vars {
        let Some(node) = self.get(key) else { return Vars::new() };
        let mut credentials = Vars::new();
        for (name, value) in entries(node, key, problems) {
            check_variable(name, problems);
            if let Some(id) = text(value, "a credential id", problems) {
                if id.contains("${{") {
                    let help = "which credentials a step may use is fixed in the file".to_owned();
                    problems.error("yaml-credential", value.at, "a credential id cannot be an expression", help);
                }
                credentials.insert(name.text().unwrap_or_default().to_owned(), id);
            }
        }
        credentials
    }
}

/// `NAME: value`, expressions allowed.
pub(super) fn vars(node: Option<&Rc<Node>>, reading: &mut Reading<'_>) -> Vec<(String, Template)> {
    let Some(node) = node else { return Vec::new() };
    let mut vars = Vec::new();
    for (name, value) in entries(node, "vars", &mut reading.problems) {
        check_variable(name, &mut reading.problems);
        if value.text().is_none() {
            wrong(value, "a variable", "text", &mut reading.problems);
            continue;
        }
        let value = reading.compiler.text_template(value, &mut reading.problems);
        vars.push((name.text().unwrap_or_default().to_owned(), value));
    }
    vars
}

fn check_variable(name: &Node, problems: &mut Problems) {
    let text = name.text().unwrap_or_default();
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let help = "letters, digits and _, not beginning with a digit".to_owned();
        problems.error("yaml-name", name.at, format!("{text:?} is not the name of a variable"), help);
    }
}

/// Text, numbers and booleans as written.
pub(super) fn text(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    match node.text() {
        Some(text) => Some(text.to_owned()),
        None => {
            wrong(node, what, "text", problems);
            None
        }
    }
}

/// One text or a list of them.
pub(super) fn texts(node: &Node, what: &str, problems: &mut Problems) -> Vec<String> {
    match &node.data {
        Data::Scalar { text, .. } => vec![text.to_string()],
        Data::List(items) => items.iter().filter_map(|item| text(item, what, problems)).collect(),
        Data::Map(_) => {
            wrong(node, what, "text or a list of texts", problems);
            Vec::new()
        }
    }
}

pub(super) fn whole(
    node: &Node,
    what: &str,
    range: std::ops::RangeInclusive<i64>,
    problems: &mut Problems,
) -> Option<u32> {
    match node.scalar().as_i64() {
        Some(number) if range.contains(&number) => u32::try_from(number).ok(),
        _ => {
            let wanted = format!("a whole number from {} to {}", range.start(), range.end());
            wrong(node, what, &wanted, problems);
            None
        }
    }
}

pub(super) fn duration(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    match node.text().and_then(duration_ms) {
        Some(ms) => Some(ms),
        None => {
            let message = format!("{what}: {:?} is not a duration", node.text().unwrap_or(node.kind()));
            let help = "write 90s, 15m, 2h, 1h30m, 7d, or a number of seconds; at most 366 days".to_owned();
            problems.error("yaml-duration", node.at, message, help);
            None
        }
    }
}
