//! The short form of the fault suite, by the command that people have.

#![expect(clippy::print_stderr, reason = "a test shows the report")]

use haliotis_tests::{House, Postgres, Value};

/// The faults that are part of every run of the tests.
const FAULTS: [&str; 11] = ["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F10", "F11", "F12", "F13"];

#[test]
fn the_short_form_of_the_fault_suite_holds() {
    let house = House::new();
    let dir = house.dir.path().join("report");
    let postgres = Postgres::start();
    let mut args = vec!["selftest", "chaos", "--short", "--report", dir.to_str().unwrap()];
    let url = postgres.as_ref().map(Postgres::url);
    if let Some(url) = &url {
        args.extend(["--postgres", url]);
    }
    args.extend(FAULTS.iter().flat_map(|fault| ["--only", fault]));
    let seed = std::env::var("HALIOTIS_CHAOS_SEED").unwrap_or_default();
    if !seed.is_empty() {
        args.extend(["--seed", &seed]);
    }
    let done = house.run(&args);
    eprintln!("{}", done.stderr);
    done.expect(0);
    let report: Value = serde_json::from_slice(&std::fs::read(dir.join("report.json")).unwrap()).unwrap();
    let outcomes = report["outcomes"].as_array().unwrap();
    let tried: Vec<_> = outcomes.iter().filter(|outcome| outcome["tried"] == true).collect();
    assert_eq!(tried.len(), FAULTS.len(), "only {} faults could be tried: {report}", tried.len());
    assert!(std::fs::read_to_string(dir.join("report.md")).unwrap().contains("| F1 |"));
}
