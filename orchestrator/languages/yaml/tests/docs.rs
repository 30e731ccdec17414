//! Every example of the user's reference is linted, and what it says of defaults and limits is what the code has.

#![expect(clippy::disallowed_methods, reason = "reads the page")]

mod support;

use haliotis_flow::Language;
use haliotis_yaml::{Yaml, limits, render};

/// Path and text of each ```yaml block; the path is given as ```yaml file=PATH.
fn examples(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, Some(info)) if info.starts_with("yaml") => {
                let path = info.split_once("file=").map_or("example.yaml", |(_, path)| path);
                open = Some((path.to_owned(), String::new()));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn examples_are_linted() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/pipelines.md");
    let examples = examples(&std::fs::read_to_string(path).unwrap());
    assert!(examples.len() >= 12, "examples are gone");
    let files: haliotis_model::Object =
        examples.iter().map(|(path, text)| (path.clone(), text.clone().into())).collect();
    for (path, text) in examples {
        let whole = if text.contains("steps:\n") { text } else { format!("{text}steps: {{ a: {{ uses: noop }} }}\n") };
        let mut source = support::source(&path, &whole);
        source.files = files.clone();
        source.repo = Some("https://git.example/team/repo.git".to_owned());
        match Yaml.inspect(&source, &support::kinds()) {
            Ok(definition) => assert!(definition.warnings.is_empty(), "{whole}\n{:?}", definition.warnings),
            Err(problems) => {
                let sources = std::collections::BTreeMap::from([(path, whole.clone())]);
                panic!("{whole}\n{}", render(&problems, &sources, false));
            }
        }
    }
}

#[test]
fn limits_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/pipelines.md");
    let text = std::fs::read_to_string(path).unwrap();
    for (what, limit) in [
        ("steps", limits::MAX_STEPS),
        ("cells", limits::MAX_CELLS),
        ("bytes of one expression", limits::MAX_EXPRESSION_BYTES),
        ("values in one file", limits::MAX_NODES),
        ("files deep", limits::MAX_CALL_DEPTH),
    ] {
        assert!(text.contains(&format!("{limit} {what}")), "{limit} {what}");
    }
}
