//! Who holds which resource and who waits, as data; every change is one function, so that one swap of the text keeps it.
//!
//! A waiter gets all it wants at once or nothing. The queue is looked through from its front; one that cannot be served
//! does not hold up those behind it. Priority puts a waiter before those of lower priority; `inverse` puts it before its
//! equals, so that the newest is served first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::casc::Resource;

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// This resource.
    Resource(String),
    /// So many with this label; 0: all.
    Label(String, usize),
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Want::Resource(name) => write!(f, "Resource: {name}"),
            Want::Label(label, 0) => write!(f, "Label: {label}"),
            Want::Label(label, count) => write!(f, "Label: {label}, Quantity: {count}"),
        }
    }
}

/// One that holds or waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// The step.
    pub key: String,
    /// Its build.
    pub build: i64,
    /// All it wants.
    pub wants: Vec<Want>,
    /// Higher first.
    #[serde(default)]
    pub priority: i64,
    /// Before its equals.
    #[serde(default)]
    pub inverse: bool,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Resource to the step and build that hold it.
    held: BTreeMap<String, (String, i64)>,
    /// In the order they are served.
    queue: Vec<Waiter>,
}

impl Table {
    /// Enters the queue; once, however often it is told.
    pub fn enter(&mut self, waiter: Waiter) {
        if self.queue.iter().any(|known| known.key == waiter.key) || self.names(&waiter.key).is_some() {
            return;
        }
        let behind = |other: &Waiter| match other.priority.cmp(&waiter.priority) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => waiter.inverse,
            std::cmp::Ordering::Greater => false,
        };
        let at = self.queue.iter().position(behind).unwrap_or(self.queue.len());
        self.queue.insert(at, waiter);
    }

    /// Serves all that can be served.
    pub fn serve(&mut self, known: &[Resource]) {
        let mut at = 0;
        while let Some(waiter) = self.queue.get(at) {
            match self.pick(&waiter.wants, known) {
                Some(names) => {
                    let waiter = self.queue.remove(at);
                    for name in names {
                        self.held.insert(name, (waiter.key.clone(), waiter.build));
                    }
                }
                None => at += 1,
            }
        }
    }

    /// Free resources for all wishes, or `None`.
    fn pick(&self, wants: &[Want], known: &[Resource]) -> Option<Vec<String>> {
        let mut picked: Vec<String> = Vec::new();
        for want in wants {
            match want {
                Want::Resource(name) => {
                    if self.held.contains_key(name) {
                        return None;
                    }
                    if !picked.contains(name) {
                        picked.push(name.clone());
                    }
                }
                Want::Label(label, count) => {
                    let with: Vec<&Resource> =
                        known.iter().filter(|resource| resource.labels.contains(label)).collect();
                    let count = if *count == 0 { with.len() } else { *count };
                    let free = with.iter().map(|resource| &resource.name);
                    let free = free.filter(|name| !self.held.contains_key(*name) && !picked.contains(name));
                    let free: Vec<String> = free.take(count).cloned().collect();
                    if free.len() < count || count == 0 {
                        return None;
                    }
                    picked.extend(free);
                }
            }
        }
        Some(picked)
    }

    /// What a step holds; `None`: it waits, or is not there.
    pub fn names(&self, key: &str) -> Option<Vec<String>> {
        let names: Vec<String> =
            self.held.iter().filter(|(_, (holder, _))| holder == key).map(|(name, _)| name.clone()).collect();
        (!names.is_empty()).then_some(names)
    }

    /// Whether it stands in the queue.
    pub fn waits(&self, key: &str) -> bool {
        self.queue.iter().any(|waiter| waiter.key == key)
    }

    /// A step gives back what it holds, and waits no more.
    pub fn leave(&mut self, key: &str) {
        self.held.retain(|_, (holder, _)| holder != key);
        self.queue.retain(|waiter| waiter.key != key);
    }

    /// Builds that hold or wait.
    pub fn builds(&self) -> Vec<i64> {
        let mut builds: Vec<i64> = self.held.values().map(|(_, build)| *build).collect();
        builds.extend(self.queue.iter().map(|waiter| waiter.build));
        builds.sort_unstable();
        builds.dedup();
        builds
    }

    /// Forgets what ended builds hold or wait for.
    pub fn forget(&mut self, ended: &[i64]) {
        self.held.retain(|_, (_, build)| !ended.contains(build));
        self.queue.retain(|waiter| !ended.contains(&waiter.build));
    }

    /// The builds that hold something of what is wanted.
    pub fn holders(&self, wants: &[Want], known: &[Resource]) -> Vec<i64> {
        let wanted = |name: &String| {
            wants.iter().any(|want| match want {
                Want::Resource(one) => one == name,
                Want::Label(label, _) => {
                    known.iter().any(|resource| resource.name == *name && resource.labels.contains(label))
                }
            })
        };
        let mut builds: Vec<i64> =
            self.held.iter().filter(|(name, _)| wanted(name)).map(|(_, (_, build))| *build).collect();
        builds.dedup();
        builds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(key: &str, wants: &[Want]) -> Waiter {
        let build = i64::from(key.bytes().last().unwrap() - b'0');
        Waiter { key: key.to_owned(), build, wants: wants.to_vec(), priority: 0, inverse: false }
    }

    fn one(name: &str) -> Want {
        Want::Resource(name.to_owned())
    }

    #[test]
    fn first_come_first_served_and_all_or_nothing() {
        let mut table = Table::default();
        for key in ["b1", "b2"] {
            table.enter(waiter(key, &[one("a")]));
        }
        table.enter(waiter("b3", &[one("a"), one("b")]));
        table.enter(waiter("b4", &[one("b")]));
        table.serve(&[]);
        table.serve(&[]);
        assert_eq!((table.names("b1"), table.names("b4")), (Some(vec!["a".to_owned()]), Some(vec!["b".to_owned()])));
        assert!(table.waits("b2") && table.waits("b3"));
        assert_eq!(table.holders(&[one("a")], &[]), [1]);
        // Told twice is once.
        table.enter(waiter("b1", &[one("a")]));
        assert!(!table.waits("b1"));
        table.leave("b1");
        table.serve(&[]);
        assert!(table.names("b2").is_some());
        table.leave("b4");
        table.serve(&[]);
        assert!(table.waits("b3"), "it needs both");
        table.forget(&[2]);
        table.serve(&[]);
        assert_eq!(table.names("b3").map(|names| names.len()), Some(2));
    }

    #[test]
    fn labels_count_and_orders() {
        let gpu = |name: &str| Resource { name: name.to_owned(), labels: vec!["gpu".to_owned()] };
        let known = [gpu("g1"), gpu("g2")];
        let label = |count| Want::Label("gpu".to_owned(), count);
        let mut table = Table::default();
        table.enter(waiter("b1", &[label(1)]));
        table.enter(waiter("b2", &[label(0)]));
        table.serve(&known);
        assert_eq!(table.names("b1"), Some(vec!["g1".to_owned()]));
        assert!(table.waits("b2"), "all means both");
        table.enter(Waiter { inverse: true, ..waiter("b3", &[one("g1")]) });
        table.enter(Waiter { priority: 5, ..waiter("b4", &[one("g1")]) });
        table.leave("b1");
        table.forget(&[2]);
        table.serve(&known);
        assert!(table.names("b4").is_some() && table.waits("b3"));
        table.enter(Waiter { inverse: true, ..waiter("b5", &[one("g1")]) });
        table.leave("b4");
        table.serve(&known);
        assert!(table.names("b5").is_some(), "the newest first");
        table.enter(waiter("b6", &[Want::Label("none".to_owned(), 1)]));
        table.serve(&known);
        assert!(table.waits("b6"));
    }

    #[test]
    fn the_text_is_read_back() {
        let mut table = Table::default();
        table.enter(waiter("b1", &[one("a"), Want::Label("x".to_owned(), 2)]));
        table.enter(waiter("b2", &[one("a")]));
        table.serve(&[]);
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
    }
}
