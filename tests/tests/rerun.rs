//! Builds that are run again from the middle, and questions that their own people may not approve: the real binary, real
//! git, files that a first build left.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use haliotis_tests::{House, Value};

const LIMIT: Duration = Duration::from_secs(60);

/// A repository with one file, and a server that knows it as a pipeline.
fn repository(house: &House, name: &str, text: &str) -> String {
    house.write(&format!("repo/{name}"), text);
    let repo = house.dir.path().join("repo");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com", "commit", "-qm", "one"],
    ] {
        assert!(Command::new("git").args(args).current_dir(&repo).status().unwrap().success());
    }
    repo.to_str().unwrap().to_owned()
}

#[track_caller]
fn wait(house: &House, build: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + LIMIT;
    loop {
        let done = house.run(&["builds", build, "--json"]);
        let now = if done.code == 0 { done.json() } else { Value::Null };
        if enough(&now) {
            return now;
        }
        assert!(Instant::now() < until, "{build} is not there within {LIMIT:?}: {now}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn ended(house: &House, build: &str, result: &str) -> Value {
    let now = wait(house, build, |build| build["result"].is_string());
    assert_eq!(now["result"], result, "{build}: {} {}", now["message"], now["nodes"]);
    now
}

fn carried(build: &Value) -> Vec<&str> {
    let nodes = build["nodes"].as_array().unwrap().iter();
    nodes.filter(|node| node["carried"] == true).filter_map(|node| node["id"].as_str()).collect()
}

fn times(folder: &Path, name: &str) -> usize {
    std::fs::read_to_string(folder.join(name)).unwrap_or_default().lines().count()
}

const MEND: &str = r#"
name: mend
parameters: { size: { type: integer, default: 1 } }
steps:
  make:
    run: |
      echo run >> "$COUNTS/make"
      echo "made of $SIZE" > made.txt
      echo "what=$(cat made.txt)" >> "$HALIOTIS_OUTPUT"
    vars: { COUNTS: "COUNTS_DIR", SIZE: "${{ parameters.size }}" }
  keep: { needs: [make], uses: archive, with: { files: [made.txt] } }
  hand: { needs: [make], uses: stash, with: { name: made, files: [made.txt] } }
  other: { run: 'echo run >> "$COUNTS/other"', vars: { COUNTS: "COUNTS_DIR" } }
  use:
    needs: [keep, hand]
    run: 'test -e "$COUNTS/flag" && cat made.txt && echo "$WHAT"'
    vars: { COUNTS: "COUNTS_DIR", WHAT: "${{ steps.make.outputs.what }}" }
  fetch: { needs: [use], uses: unstash, with: { name: made } }
  note: { when: always, run: 'echo run >> "$COUNTS/note"', vars: { COUNTS: "COUNTS_DIR" } }
"#;

#[test]
fn a_build_goes_on_from_what_failed_with_all_that_was_done() {
    let house = House::new();
    let counts = house.write("counts/x", "").parent().unwrap().to_owned();
    let text = MEND.replace("COUNTS_DIR", counts.to_str().unwrap());
    let repo = repository(&house, "p.yaml", &text);
    let (server, _) = house.serve();
    house.run(&["pipeline", "add", "mend", "--repo", &repo, "--path", "p.yaml"]).expect(0);
    house.run(&["pipeline", "start", "mend"]).expect(0);
    ended(&house, "mend#1", "failure");
    house.run(&["rerun", "mend#1", "--from", "nothing"]).expect(4).says(&["has no step or stage \"nothing\""]);
    // Still broken: it fails at the same place, and nothing before it ran a second time.
    house.run(&["rerun", "mend#1", "--from", "failed"]).expect(0).says(&["mend#2"]);
    let second = ended(&house, "mend#2", "failure");
    assert_eq!(carried(&second), ["/checkout", "/make", "/keep", "/hand", "/other"]);
    assert_eq!((times(&counts, "make"), times(&counts, "other"), times(&counts, "note")), (1, 1, 2));
    // A re-run of a re-run, after a restart of the server: workspace, stash, artifact and outputs came all the way.
    house.write("counts/flag", "");
    server.kill();
    let (_server, _) = house.serve();
    house.run(&["rerun", "mend#2", "--from", "use"]).expect(0).says(&["mend#3"]);
    let third = ended(&house, "mend#3", "success");
    assert_eq!((times(&counts, "make"), times(&counts, "other"), times(&counts, "note")), (1, 1, 3));
    assert_eq!(third["build"]["causes"][0]["kind"], "rerun");
    let log = house.run(&["logs", "mend#3", "use"]).expect(0).stdout;
    assert_eq!(log.matches("made of 1").count(), 2, "{log}");
    let kept = house.data().join("artifacts").join(third["id"].to_string()).join("made.txt");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "made of 1\n");
    house.run(&["replay", "mend#3"]).expect(0).says(&["the same commands"]);
    // All of it is pinned: it replays without the builds it came from. With another parameter, what reads it runs again
    // and so does what needs that; what does not is taken over.
    house.run(&["rerun", "mend#2", "--from", "failed", "-p", "size=2"]).expect(0);
    let fourth = ended(&house, "mend#4", "success");
    assert_eq!(carried(&fourth), ["/checkout", "/other"]);
    assert_eq!((times(&counts, "make"), times(&counts, "other")), (2, 1));
    let log = house.run(&["logs", "mend#4", "use"]).expect(0).stdout;
    assert_eq!(log.matches("made of 2").count(), 2, "{log}");
    house.run(&["rerun", "mend#4", "--from", "failed"]).expect(2).says(&["every step", "ended well"]);
}

#[test]
fn a_declarative_build_restarts_at_a_stage() {
    let house = House::new();
    let counts = house.write("counts/x", "").parent().unwrap().to_owned();
    let text = r#"
pipeline {
  agent any
  stages {
    stage('Build') { steps { sh 'echo run >> COUNTS_DIR/build' } }
    stage('Test') { steps { sh 'echo run >> COUNTS_DIR/test; test -e COUNTS_DIR/flag' } }
    stage('Deploy') { steps { sh 'echo run >> COUNTS_DIR/deploy' } }
  }
}
"#;
    let repo = repository(&house, "Jenkinsfile", &text.replace("COUNTS_DIR", counts.to_str().unwrap()));
    let (_server, _) = house.serve();
    house.run(&["pipeline", "add", "stages", "--repo", &repo, "--path", "Jenkinsfile"]).expect(0);
    house.run(&["pipeline", "start", "stages"]).expect(0);
    ended(&house, "stages#1", "failure");
    house.run(&["rerun", "stages#1", "--from", "Deploy"]).expect(2).says(&["did not reach the stage \"Deploy\""]);
    house.run(&["rerun", "stages#1", "--from", "Nowhere"]).expect(4).says(&["Build, Test, Deploy"]);
    house.write("counts/flag", "");
    house.run(&["rerun", "stages#1", "--from", "Test"]).expect(0);
    let second = ended(&house, "stages#2", "success");
    assert_eq!((times(&counts, "build"), times(&counts, "test"), times(&counts, "deploy")), (1, 2, 1));
    let lines = second["lines"].to_string();
    assert!(
        lines.contains("Stage \\\"Build\\\" skipped due to this build restarting at stage \\\"Test\\\""),
        "{lines}"
    );
    // What Jenkins cannot: a script goes on at the step that failed, in the workspace as it was left.
    std::fs::remove_file(counts.join("flag")).unwrap();
    house.run(&["pipeline", "start", "stages"]).expect(0);
    ended(&house, "stages#3", "failure");
    house.write("counts/flag", "");
    house.run(&["rerun", "stages#3", "--from", "failed"]).expect(0);
    ended(&house, "stages#4", "success");
    assert_eq!((times(&counts, "build"), times(&counts, "test"), times(&counts, "deploy")), (2, 4, 2));
    house.run(&["replay", "stages#4"]).expect(0).says(&["the same commands"]);
}

const EYES: &str = r#"
name: eyes
environments: { production: { self-approval: false } }
steps:
  approve: { environment: production, input: { message: "Deploy?", approvers: [mia, ada, ben] } }
  deploy: { needs: [approve], run: "true" }
"#;

#[test]
fn nobody_approves_their_own_work_where_the_rule_says_so() {
    let house = House::new();
    let repo = repository(&house, "p.yaml", EYES);
    let (_server, _) = house.serve();
    house.run(&["pipeline", "add", "eyes", "--repo", &repo, "--path", "p.yaml"]).expect(0);
    house.run(&["pipeline", "start", "eyes"]).expect(0);
    wait(&house, "eyes#1", |build| build["status"] == "waiting");
    let answer = |build: &str, user: &str, more: &[&str]| {
        house.run(&[&["approve", build, "--user", user, "--reason", "looks good"], more].concat())
    };
    assert_ne!(answer("eyes#1", "mia", &[]).says(&["mia started this build", "a second person"]).code, 0);
    // The commit says `Ada Lovelace <ada@example.com>`.
    assert_ne!(answer("eyes#1", "ada", &[]).says(&["ada wrote its commit"]).code, 0);
    answer("eyes#1", "ben", &[]).expect(0);
    ended(&house, "eyes#1", "success");
    // Who runs it again with other eyes in mind has started that one.
    house.run(&["rerun", "eyes#1", "--user", "ben"]).expect(0);
    wait(&house, "eyes#2", |build| build["status"] == "waiting");
    assert_ne!(answer("eyes#2", "ben", &[]).says(&["ben ran this build again"]).code, 0);
    answer("eyes#2", "ben", &["--reject"]).expect(0);
    ended(&house, "eyes#2", "aborted");
}
