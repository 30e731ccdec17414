//! The list of failpoints and the sources say the same, and every point belongs to a test that dies at it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use haliotis_failpoints::POINTS;

/// First word of a point to the test that dies at every point with it, from the root of the checkout.
const DIED_AT_BY: [(&str, &str); 6] = [
    ("agent", "orchestrator/agent/src/agent_tests.rs"),
    ("cloud", "plugins/local-cloud/src/durable.rs"),
    ("keys", "orchestrator/store/tests/conformance/points.rs"),
    ("postgres", "orchestrator/store/tests/conformance/points.rs"),
    ("sqlite", "orchestrator/store/tests/conformance/points.rs"),
    ("supervisor", "orchestrator/agent/tests/supervisor.rs"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Sources of crates, without what a build makes.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') && name != "node_modules" {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// Each point in the sources, and where it stands.
fn in_sources() -> BTreeMap<String, Vec<PathBuf>> {
    let mut files = Vec::new();
    for part in ["orchestrator", "plugins", "seed"] {
        sources(&root().join(part), &mut files);
    }
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files.into_iter().filter(|file| !file.starts_with(root().join("orchestrator/failpoints"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for part in text.split("failpoint!(\"").skip(1) {
            let point = part.split('"').next().unwrap().to_owned();
            found.entry(point).or_default().push(file.clone());
        }
    }
    found
}

#[test]
fn every_point_of_the_sources_is_in_the_list_and_stands_in_one_place() {
    let found = in_sources();
    assert_eq!(found.keys().collect::<Vec<_>>(), POINTS.iter().collect::<Vec<_>>());
    let twice: Vec<_> = found.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "a point is one place: {twice:?}");
}

#[test]
fn every_point_is_died_at_by_a_test() {
    for point in POINTS {
        let word = point.split('.').next().unwrap();
        let (_, file) = DIED_AT_BY.iter().find(|(known, _)| *known == word).unwrap();
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains("POINTS") && text.contains(&format!("\"{word}.")), "{file} does not die at {point}");
    }
}
