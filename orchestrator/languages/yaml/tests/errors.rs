//! Errors: each file gives all its problems, each with its place and its help.

mod support;

use std::collections::BTreeMap;

use haliotis_flow::Language;
use haliotis_yaml::{Yaml, render};
use support::drive::Script;

#[test]
fn errors() {
    let mut failed = Vec::new();
    let fixtures = support::fixtures("errors");
    assert!(fixtures.len() >= 25, "fixtures are gone");
    for (name, text) in fixtures {
        let path = format!("{name}.yaml");
        let mut source = support::source(&path, &text);
        source.files = Script::parse(&text).files;
        let problems = match Yaml.inspect(&source, &support::kinds()) {
            Ok(definition) => definition.warnings,
            Err(problems) => problems,
        };
        assert!(!problems.is_empty(), "{name} has no problem");
        let mut sources = BTreeMap::from([(path, text)]);
        for (path, text) in &source.files {
            sources.insert(path.clone(), text.as_str().unwrap().to_owned());
        }
        for problem in &problems {
            let line = sources[&problem.file].lines().nth(problem.line - 1).unwrap_or("");
            assert!(problem.column <= line.chars().count() + 1, "{name}: {problem:?}");
            assert!(problem.length >= 1, "{name}: {problem:?}");
        }
        if let Err(why) = support::golden("errors", &name, &render(&problems, &sources, false)) {
            failed.push(why);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn colours_are_optional() {
    let problems = Yaml.inspect(&support::source("f.yaml", "steps: 3"), &support::kinds()).err().unwrap();
    let sources = BTreeMap::from([("f.yaml".to_owned(), "steps: 3".to_owned())]);
    assert!(render(&problems, &sources, true).contains('\u{1b}'));
    assert!(!render(&problems, &sources, false).contains('\u{1b}'));
    assert!(render(&problems, &BTreeMap::new(), false).contains("f.yaml:1:8"));
}
