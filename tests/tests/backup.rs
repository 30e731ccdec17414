//! Backup beside a running server, restore with verification, what a newer version would do, and what retention removes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use haliotis_tests::{Done, House, Value};

const QUICK: &str = "name: quick
retention: { builds: 2, logs: { builds: 1 } }
steps: { a: { run: 'echo hi' } }
";
/// Its second step is at work when the backup is made.
const SLOW: &str = "name: slow
steps:
  a: { run: 'echo began >> LEDGER' }
  b: { needs: [a], run: 'echo b >> LEDGER; sleep 60' }
";

/// A running server with five ended builds and one at work.
fn prepare(house: &House) -> (haliotis_tests::Started, String) {
    let ledger = house.dir.path().join("ledger");
    house.write("repo/quick.yaml", QUICK);
    house.write("repo/slow.yaml", &SLOW.replace("LEDGER", ledger.to_str().unwrap()));
    let repo = house.dir.path().join("repo");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "one"],
    ] {
        assert!(std::process::Command::new("git").args(args).current_dir(&repo).status().unwrap().success());
    }
    let (server, url) = house.serve();
    for name in ["quick", "slow"] {
        let path = format!("{name}.yaml");
        let repo = repo.to_str().unwrap();
        house.run(&["pipeline", "add", name, "--repo", repo, "--path", &path, "--server", &url]).expect(0);
    }
    for _ in 0..5 {
        house.run(&["pipeline", "start", "quick", "--server", &url]).expect(0);
    }
    house.run(&["pipeline", "start", "slow", "--server", &url]).expect(0);
    let begin = Instant::now();
    loop {
        let builds = house.run(&["builds", "--json", "--server", &url]).expect(0).json();
        let ended = builds.as_array().unwrap().iter().filter(|build| build["status"] == "ended").count();
        let at_work = std::fs::read_to_string(&ledger).unwrap_or_default().contains("b\n");
        if ended == 5 && at_work {
            return (server, url);
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{builds}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn into(house: &House, folder: &str, args: &[&str]) -> Done {
    let mut command = house.command(args);
    command.env("HALIOTIS_DATA_DIR", house.dir.path().join(folder));
    Done::from(command.output().unwrap())
}

#[test]
fn a_backup_is_whole_verified_and_restored_without_running_anything_again() {
    let house = House::new();
    let (server, _) = prepare(&house);
    let backup = house.dir.path().join("backup");
    let name = backup.to_str().unwrap();
    house.run(&["backup", name]).expect(0).says(&["files"]);
    house.run(&["backup", name]).expect(2).says(&["is there already"]);
    house.run(&["restore", name, "--check"]).expect(0).says(&["as listed"]);
    house.run(&["restore", name]).expect(2).says(&["is not empty"]);
    house.run(&["upgrade", "--check"]).expect(0).says(&["nothing to migrate", "1 unfinished builds would go on"]);

    into(&house, "other", &["restore", name]).expect(0).says(&["1 steps of 1 builds were at work"]);
    let restored = into(&house, "other", &["builds", "slow", "--json"]).expect(0).json();
    let node = |name: &str| -> Value {
        restored["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap().clone()
    };
    assert_eq!(node("b")["state"], "interrupted", "{restored}");
    assert_eq!(restored["status"], "waiting", "a person is asked");
    assert_eq!(into(&house, "other", &["logs", "quick#5", "a"]).expect(0).stdout, "hi\n");
    let ledger = std::fs::read_to_string(house.dir.path().join("ledger")).unwrap();
    assert_eq!(ledger, "began\nb\n", "nothing ran again");

    // One byte more in one file, and nothing is restored.
    let log = std::fs::read_dir(backup.join("files/logs/1")).unwrap().next().unwrap().unwrap().path();
    let said = std::fs::read(&log).unwrap();
    std::fs::write(&log, [&said[..], b"x"].concat()).unwrap();
    into(&house, "third", &["restore", name]).expect(1).says(&["files/logs/1", "nothing was restored"]);
    assert!(!house.dir.path().join("third").exists());
    std::fs::write(&log, said).unwrap();

    // A list that speaks of a newer schema is refused in one line.
    let list = backup.join("manifest.json");
    let text = std::fs::read_to_string(&list).unwrap();
    let mut newer: Value = serde_json::from_str(&text).unwrap();
    newer["schema"] = 9_999.into();
    std::fs::write(&list, newer.to_string()).unwrap();
    let done = into(&house, "third", &["restore", name]).expect(3).says(&["schema 9999", "newer haliotis"]);
    assert_eq!(done.stderr.trim().lines().count(), 1, "{}", done.stderr);
    server.stop();
}

#[test]
fn retention_removes_what_is_over_and_says_so_first() {
    let house = House::new();
    let (server, url) = prepare(&house);
    let plan = house.run(&["prune", "--dry-run", "--json"]).expect(0).json();
    let lines: Vec<String> = plan
        .as_array()
        .unwrap()
        .iter()
        .map(|goes| {
            format!("{}#{} {}", goes["pipeline"].as_str().unwrap(), goes["number"], goes["what"].as_str().unwrap())
        })
        .collect();
    assert_eq!(lines, ["quick#1 build", "quick#2 build", "quick#3 build", "quick#4 logs"]);
    let count = || house.run(&["builds", "--json", "--server", &url]).expect(0).json().as_array().unwrap().len();
    assert_eq!(count(), 6, "a dry run removes nothing");
    // A build stays until what its end asks of the outside is done, which may be a moment.
    let begin = Instant::now();
    while count() != 3 {
        assert!(begin.elapsed() < Duration::from_secs(20), "{} builds are left", count());
        house.run(&["prune"]).expect(0).says(&["removed"]);
    }
    house.run(&["logs", "quick#5", "a"]).expect(0);
    assert_eq!(house.run(&["logs", "quick#4", "a"]).expect(0).stdout, "");
    house.run(&["builds", "quick#1"]).expect(4);
    assert_eq!(house.run(&["prune"]).expect(0).says(&["0 removed"]).code, 0);
    let next = house.run(&["pipeline", "start", "quick", "--server", &url]).expect(0);
    assert!(format!("{}{}", next.stdout, next.stderr).contains("#6"), "a number is never used twice: {next:?}");
    house.run(&["prune", "--set", "nothing", "--builds", "3"]).expect(4);
    house.run(&["prune", "--set", "*", "--builds", "3"]).expect(0);
    house.run(&["doctor", "--json"]);
    server.stop();
}
