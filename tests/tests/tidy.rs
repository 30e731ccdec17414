//! The laws of the house that no compiler checks: who may name whom, what a file must open with, what may not be said.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use haliotis_tests::root;

/// Which of our crates a crate may name, as ARCHITECTURE.md draws it. `haliotis` (the binary) may name all.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("flow", &["model"]),
    ("engine", &["flow", "model"]),
    ("yaml", &["flow", "model"]),
    ("jenkinsfile", &["flow", "groovy", "groovy-syntax", "model"]),
    ("groovy", &["groovy-syntax"]),
    ("groovy-syntax", &[]),
    ("groovy-syntax-fuzz", &["groovy-syntax"]),
    ("jenkinsfile-fuzz", &["flow", "jenkinsfile"]),
    ("jobdsl", &["groovy", "groovy-syntax"]),
    ("plugin-api", &["model"]),
    ("plugin-builtin", &["plugin-api", "model"]),
    ("plugin-aws", &["plugin-api", "model"]),
    ("plugin-dummy", &["plugin-api", "model"]),
    ("local-cloud", &["failpoints", "plugin-api", "model"]),
    ("access", &["model"]),
    ("failpoints", &[]),
    ("store", &["access", "engine", "failpoints", "flow", "model"]),
    ("scm", &["engine", "model"]),
    ("agent", &["engine", "failpoints", "plugin-api", "model"]),
    ("server", &["access", "engine", "flow", "model"]),
    ("seed", &["engine", "scm", "model"]),
    ("tests", &[]),
    ("fault", &[]),
];

/// A crate of the world, and the only ones of ours that may name it.
const FENCED: &[(&str, &[&str])] =
    &[("sqlx", &["store"]), ("rusqlite", &["store"]), ("aws-sdk-", &["plugin-aws"]), ("aws-config", &["plugin-aws"])];

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "__pycache__"].contains(&name.as_str()) {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    assert!(!found.is_empty(), "no {ending} files: the test looks in the wrong place");
    found
}

/// Names under `[dependencies]` of every member, by the member's short name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for manifest in files("Cargo.toml") {
        let text = std::fs::read_to_string(&manifest).unwrap();
        let mut name = String::new();
        let mut section = String::new();
        let mut names = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
            } else if let Some((key, value)) = line.split_once('=') {
                let key = key.trim();
                if section == "package" && key == "name" {
                    name = value.trim().trim_matches('"').to_owned();
                } else if section == "dependencies" {
                    names.insert(key.split('.').next().unwrap_or(key).to_owned());
                }
            }
        }
        if !name.is_empty() {
            all.insert(name.strip_prefix("haliotis-").unwrap_or(&name).to_owned(), names);
        }
    }
    all
}

#[test]
fn crates_name_only_whom_they_may() {
    let all = dependencies();
    for (name, dependencies) in &all {
        if name == "haliotis" {
            continue;
        }
        let allowed = ARROWS
            .iter()
            .find(|(of, _)| of == name)
            .unwrap_or_else(|| panic!("{name} is not drawn: add it here and in ARCHITECTURE.md"))
            .1;
        for other in dependencies.iter().filter_map(|dependency| dependency.strip_prefix("haliotis-")) {
            assert!(allowed.contains(&other), "{name} may not name {other}; see ARCHITECTURE.md");
        }
    }
    assert!(all.len() > 12, "only {} manifests were found", all.len());
}

#[test]
fn the_world_is_named_in_one_place() {
    for (name, dependencies) in dependencies() {
        for (fenced, allowed) in FENCED {
            let named = dependencies.iter().any(|dependency| dependency.starts_with(fenced));
            assert!(!named || allowed.contains(&name.as_str()), "{name} names {fenced}*; only {allowed:?} may");
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for file in files(".rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with a //! line", file.display());
    }
}

#[test]
fn no_path_of_a_machine_and_no_marks_left() {
    // Put together here, so that this file does not find itself.
    let forbidden =
        [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["to", "do!("].concat(), ["unimpl", "emented!("].concat()];
    for ending in [".rs", ".py", ".md", ".yaml", ".html", ".js", ".css", ".toml", ".sh"] {
        for file in files(ending) {
            let text = std::fs::read_to_string(&file).unwrap();
            for word in &forbidden {
                assert!(!text.contains(word.as_str()), "{} says {word}", file.display());
            }
        }
    }
}
