//! What the real Groovy 2.4.21 accepts is accepted, and what it refuses is refused: each construct by itself, with
//! Groovy's own verdict and message above it, and the whole corpus.

#![expect(clippy::disallowed_methods, reason = "a test reads files")]

use std::path::Path;

use haliotis_groovy_syntax::parse;

/// Where we differ on purpose: constructs that Groovy's parser lets pass and its compiler or run then refuses, or that
/// nobody writes.
const DIFFERENT: &[&str] = &["a === b", "08", "a.{foo}", "foo(String x = 1)"];

#[test]
fn each_construct_meets_groovys_verdict() {
    let mut wrong = Vec::new();
    let (mut same_message, mut refused) = (0, 0);
    for case in include_str!("scripts/cases.txt").split("==== ").skip(1) {
        let (verdict, source) = case.split_once('\n').unwrap();
        let source = source.strip_suffix('\n').unwrap_or(source);
        if DIFFERENT.contains(&source) {
            continue;
        }
        match (parse(source, "x.groovy"), verdict.strip_prefix("refused ")) {
            (Ok(_), None) => {}
            (Err(errors), Some(message)) => {
                refused += 1;
                let ours = errors.first().unwrap().to_string();
                same_message += usize::from(ours == message.replace("; @", " @"));
            }
            (Ok(_), Some(message)) => wrong.push(format!("accepted, Groovy says {message}\n{source}")),
            (Err(errors), None) => wrong.push(format!("refused: {}\n{source}", errors.first().unwrap())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
    assert!(refused > 50, "{refused} cases");
    // The words and the place are Groovy's too, in most.
    assert!(same_message * 5 >= refused * 3, "{same_message} of {refused} messages are Groovy's");
}

#[test]
fn the_corpus_is_accepted() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/groovy-corpus");
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for entry in std::fs::read_dir(corpus.join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let category = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let golden =
            std::fs::read_to_string(corpus.join("golden").join(format!("{category}.json"))).unwrap_or_default();
        let golden: serde_json::Value = serde_json::from_str(&golden).unwrap_or_default();
        for case in text.split("// case: ").skip(1) {
            let (name, source) = case.split_once('\n').unwrap();
            let made = golden["cases"].as_array().into_iter().flatten().find(|case| case["name"] == name.trim());
            let compiles = made.is_none_or(|case| case["error"] != "compile");
            match parse(source, "case") {
                Ok(_) => accepted += 1,
                Err(errors) if compiles => {
                    wrong.push(format!("{category}/{}: {}", name.trim(), errors.first().unwrap()));
                }
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(accepted > 300, "{accepted} accepted: the corpus was not found");
}
