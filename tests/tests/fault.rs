//! The short form of the fault suite, by the command that people have.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and shows the report")]

use haliotis_tests::{House, Postgres, Value};

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
    assert!(tried.len() >= 9, "only {} faults could be tried: {report}", tried.len());
    assert!(std::fs::read_to_string(dir.join("report.md")).unwrap().contains("| F1 |"));
}
