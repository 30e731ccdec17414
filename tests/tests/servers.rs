//! Two servers on one PostgreSQL: one is killed, one is paused; the other goes on with their builds, and late writes are
//! refused.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test says when it could not run, and may panic")]

use std::process::Command;
use std::time::{Duration, Instant};

use haliotis_tests::{House, Postgres, Value};

/// A lease and two looks at it, and time for the machine.
const FAIL_OVER: Duration = Duration::from_secs(15);

/// Step `two` outlives what happens to its server; `ask` waits for a person.
const PIPELINE: &str = "name: p
steps:
  one: { run: 'echo one' }
  two: { needs: [one], run: 'echo began >> LEDGER; sleep 60; echo ended >> LEDGER' }
  ask: { needs: [one], input: { message: 'Go?' } }
  after: { needs: [ask], run: 'echo after' }
";

fn git(repo: &std::path::Path, args: &[&str]) {
    assert!(Command::new("git").args(args).current_dir(repo).status().unwrap().success());
}

fn node<'a>(build: &'a Value, name: &str) -> &'a Value {
    let found = build["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name);
    found.unwrap_or_else(|| panic!("no node {name}: {build}"))
}

fn build(house: &House) -> Value {
    house.run(&["builds", "p", "--json"]).expect(0).json()
}

/// Waits until `enough` holds of the build.
#[track_caller]
fn wait(house: &House, limit: Duration, enough: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let now = build(house);
        if enough(&now) {
            return now;
        }
        assert!(begin.elapsed() < limit, "not within {limit:?}: {now}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Both servers' houses, and a pipeline whose build the first one drives.
fn prepare(postgres: &Postgres) -> (House, House, std::path::PathBuf) {
    let (mut one, mut two) = (House::new(), House::new());
    for house in [&mut one, &mut two] {
        house.vars.push(("HALIOTIS_DATABASE".to_owned(), postgres.url()));
    }
    let ledger = one.dir.path().join("ledger");
    one.write("repo/haliotis.yaml", &PIPELINE.replace("LEDGER", ledger.to_str().unwrap()));
    let repo = one.dir.path().join("repo");
    git(&repo, &["init", "-q", "-b", "main"]);
    git(&repo, &["add", "."]);
    git(&repo, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "one"]);
    (one, two, ledger)
}

#[test]
fn a_killed_and_a_paused_server_lose_their_builds_to_the_other() {
    let Some(postgres) = Postgres::start() else { return eprintln!("not run: no PostgreSQL server is installed") };
    for paused in [false, true] {
        let (one, two, ledger) = prepare(&postgres);
        let (first, url) = one.serve();
        let mut first = Some(first);
        let (second, other) = two.serve();
        let repo = one.dir.path().join("repo");
        one.run(&["pipeline", "add", "p", "--repo", repo.to_str().unwrap(), "--server", &url]).expect(0);
        one.run(&["pipeline", "start", "p", "--server", &url]).expect(0);
        let at_work = |build: &Value| {
            node(build, "two")["state"] == "running" && node(build, "ask")["state"] == "waiting" && ledger.exists()
        };
        let before = wait(&two, Duration::from_secs(30), at_work);

        let pid = first.as_ref().unwrap().child.id().to_string();
        let begin = Instant::now();
        if paused {
            assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
        } else {
            first.take().unwrap().kill();
        }
        let interrupted = |build: &Value| node(build, "two")["state"] == "interrupted";
        let after = wait(&two, FAIL_OVER, interrupted);
        eprintln!("paused: {paused}; taken over after {:.1} s", begin.elapsed().as_secs_f64());
        assert_eq!(after["id"], before["id"]);
        let why = node(&after, "two")["message"].as_str().unwrap().to_owned();
        assert!(why.contains("whose server is gone"), "{why}");

        two.run(&["approve", "p", "ask", "--reason", "still good", "--server", &other]).expect(0);
        let failed = ["approve", "p", "two/interrupted", "-p", "outcome=failure", "--server", &other];
        two.run(&failed).expect(0);
        let end = wait(&two, Duration::from_secs(20), |build| build["status"] == "ended");
        assert_eq!(node(&end, "after")["state"], "success", "{end}");
        assert_eq!(end["result"], "failure", "a person said so of the step whose outcome is unknown: {end}");
        assert_eq!(std::fs::read_to_string(&ledger).unwrap(), "began\n", "nobody ran it twice");

        if let Some(first) = first {
            assert!(Command::new("kill").args(["-CONT", &pid]).status().unwrap().success());
            // It is alive again, and what it writes late changes nothing.
            let turns = || two.run(&["replay", "p"]).expect(0).stdout;
            let (journal, settle) = (turns(), Instant::now());
            while settle.elapsed() < Duration::from_secs(4) {
                std::thread::sleep(Duration::from_millis(500));
                assert_eq!(turns(), journal);
            }
            one.run(&["builds", "--server", &url]).expect(0);
            first.stop();
        }
        two.run(&["pipeline", "remove", "p", "--server", &other]).expect(0);
        second.stop();
    }
}
