//! Problems: broken Jenkinsfiles give Jenkins' sentences with their places, all at once; whole ones give none.

mod support;

use std::fmt::Write as _;

#[test]
fn problems() {
    let mut failed = Vec::new();
    let fixtures = support::fixtures("lint");
    assert!(fixtures.len() >= 10, "fixtures are gone");
    for (name, text) in fixtures {
        let mut shown = String::new();
        for problem in haliotis_jenkinsfile::validate(&text) {
            let hint = problem.hint.map(|hint| format!("  [{hint}]")).unwrap_or_default();
            let (line, column) = (problem.line, problem.column);
            let _ = writeln!(
                shown,
                "{line}:{column}-{}:{} {}{hint}",
                problem.end_line, problem.end_column, problem.message
            );
        }
        assert!(!shown.is_empty(), "{name} has no problem");
        if let Err(why) = support::golden("lint", &name, &shown) {
            failed.push(why);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn programs_have_no_problem_and_survive_jenkins_json() {
    let mut declarative = 0;
    for (name, text) in support::fixtures("programs") {
        assert_eq!(haliotis_jenkinsfile::validate(&text), [], "{name}");
        if !haliotis_jenkinsfile::is_declarative(&text) {
            assert!(haliotis_jenkinsfile::to_json(&text).is_err(), "{name} has no pipeline block");
            continue;
        }
        declarative += 1;
        let json = haliotis_jenkinsfile::to_json(&text).unwrap();
        let back =
            haliotis_jenkinsfile::to_jenkinsfile(&json).unwrap_or_else(|error| panic!("{name}: {error}\n{json:#}"));
        let again = haliotis_jenkinsfile::to_json(&back).unwrap_or_else(|error| panic!("{name}: {error:#?}\n{back}"));
        // Groovy inside `script` is indented anew.
        let squeezed = |json: &haliotis_model::Value| {
            json.to_string().replace("\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(squeezed(&again), squeezed(&json), "{name}:\n{back}");
    }
    assert!(declarative >= 8, "only {declarative} are Declarative");
}
