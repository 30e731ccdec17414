//! Arbitrary text never panics, and what loads can be driven.

#![expect(clippy::disallowed_methods, reason = "PROPTEST_CASES may ask for more")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use haliotis_flow::{Event, Language};
use haliotis_model::{BuildId, Millis};
use haliotis_yaml::{Yaml, plan, render};
use proptest::prelude::*;
use support::drive::Script;

/// Whatever it is, all the entry points take it.
fn swallow(text: &str) {
    let source = support::source("f.yaml", text);
    let kinds = support::kinds();
    let _ = Yaml.wants(&source);
    let _ = plan(&source, &haliotis_model::Object::new(), &kinds);
    match Yaml.inspect(&source, &kinds) {
        Err(problems) => {
            let sources = std::collections::BTreeMap::from([("f.yaml".to_owned(), text.to_owned())]);
            assert!(!problems.is_empty());
            assert!(!render(&problems, &sources, true).is_empty());
        }
        Ok(_) => {
            let build = Script::default().build("f", text);
            let mut loaded = Yaml.load(BuildId(1), &build, &kinds).unwrap_or_else(|problems| panic!("{problems:?}"));
            assert!(!loaded.program.resume(Millis(0), &[Event::Begun]).is_empty());
        }
    }
}

/// A pipeline around an arbitrary expression.
fn around(expression: &str) -> String {
    let quoted = serde_json::to_string(&format!("${{{{ {expression} }}}}")).unwrap();
    format!("parameters: {{ N: {{ default: 3 }} }}\nsteps:\n  a: {{ uses: echo, with: {{ message: {quoted} }} }}\n")
}

/// Quick by default; `PROPTEST_CASES=20000` for a night.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        swallow(&text);
    }

    #[test]
    fn yaml_like_text(text in "([ \n]{0,3}(steps|a|needs|run|uses|with|if|on|&x|\\*x|<<|- |\\? |: |\\{|\\}|\\[|\\]|,|'|\"|\\||>|!!str|\\$\\{\\{|\\}\\}|#|é|1\\.0|\t)){0,60}") {
        swallow(&text);
    }

    #[test]
    fn any_expression(text in "\\PC{0,60}") {
        swallow(&around(&text));
    }

    #[test]
    fn expression_like_text(text in "( ?(parameters\\.N|steps\\.a|build|x|\\.map\\(x,|\\.all\\(x,|has\\(|\\.\\?|'s'|\"é\"|b'1'|1|1u|-9223372036854775808|1e308|true|null|size\\(|string\\(|int\\(|double\\(|matches\\(|\\(|\\)|\\[|\\]|\\{|\\}|:|,|\\+|-|\\*|/|%|&&|\\|\\||!|==|<|in|\\?)){0,14}") {
        swallow(&around(&text));
    }

    #[test]
    fn mutated_fixtures(number in 0usize..1000, at in 0usize..2000, with in "[\\PC\n]{0,3}", drop in 0usize..8) {
        let fixtures = support::fixtures("programs");
        let (_, text) = &fixtures[number % fixtures.len()];
        let text: Vec<char> = text.lines().filter(|line| !line.starts_with("#!")).flat_map(|line| line.chars().chain(['\n'])).collect();
        let at = at % text.len();
        let end = (at + drop).min(text.len());
        let mutated: String = text[..at].iter().copied().chain(with.chars()).chain(text[end..].iter().copied()).collect();
        swallow(&mutated);
    }
}
