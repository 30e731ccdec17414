//! Promises of docs/reliability.md that need whole servers: a wish given to another server arrives, a build that brings its
//! server down is put aside, systemd hears what it should, and a backup of PostgreSQL becomes a server again.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test says when it could not run, and may panic")]

use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use haliotis_tests::{House, Postgres, Value};

/// Something that takes a second on a quiet machine.
const SOON: Duration = Duration::from_secs(60);

/// Waits for a person in the middle.
const ASKS: &str = "name: asks
steps:
  one: { run: 'echo a word from the first' }
  ask: { needs: [one], input: { message: 'Go?' } }
  two: { needs: [ask], run: 'echo went on' }
";

fn git(repo: &std::path::Path, args: &[&str]) {
    assert!(Command::new("git").args(args).current_dir(repo).status().unwrap().success());
}

/// A repository in the house with these definitions, as `NAME.yaml`; registers them.
fn register(house: &House, url: &str, definitions: &[(&str, &str)]) {
    let repo = house.dir.path().join("repo");
    for (name, text) in definitions {
        house.write(&format!("repo/{name}.yaml"), text);
    }
    git(&repo, &["init", "-q", "-b", "main"]);
    git(&repo, &["add", "."]);
    git(&repo, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "one"]);
    for (name, _) in definitions {
        let path = format!("{name}.yaml");
        let repo = repo.to_str().unwrap();
        house.run(&["pipeline", "add", name, "--repo", repo, "--path", &path, "--server", url]).expect(0);
    }
}

/// Waits until `enough` holds of a build, as this house sees it.
#[track_caller]
fn wait(house: &House, build: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let done = house.run(&["builds", build, "--json"]);
        if done.code == 0 && enough(&done.json()) {
            return done.json();
        }
        assert!(begin.elapsed() < SOON, "not within {SOON:?}: {}{}", done.stdout, done.stderr);
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn state(build: &Value, name: &str) -> String {
    let found = build["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name);
    found.map(|node| node["state"].as_str().unwrap().to_owned()).unwrap_or_default()
}

/// What a server answers to a GET.
fn get(url: &str, path: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_answer_an_abort_and_a_look_at_a_log_reach_the_server_that_has_the_build() {
    let Some(postgres) = Postgres::start() else { return eprintln!("not run: no PostgreSQL server is installed") };
    let (mut one, mut two) = (House::new(), House::new());
    for house in [&mut one, &mut two] {
        house.vars.push(("HALIOTIS_DATABASE".to_owned(), postgres.url()));
    }
    let ((first, url), (second, other)) = (one.serve(), two.serve());
    register(&one, &url, &[("asks", ASKS)]);
    for _ in 0..2 {
        one.run(&["pipeline", "start", "asks", "--server", &url]).expect(0);
    }
    let asked = |build: &Value| state(build, "ask") == "waiting";
    let build = wait(&two, "asks#1", asked);
    wait(&two, "asks#2", asked);

    two.run(&["approve", "asks#1", "ask", "--reason", "from over there", "--server", &other]).expect(0);
    let end = wait(&two, "asks#1", |build| build["status"] == "ended");
    assert_eq!((end["result"].as_str(), state(&end, "two")), (Some("success"), "success".to_owned()), "{end}");
    assert!(end.to_string().contains("from over there"), "who and why is in the build: {end}");
    two.run(&["abort", "asks#2", "--server", &other]).expect(0);
    assert_eq!(wait(&two, "asks#2", |build| build["status"] == "ended")["result"], "aborted");

    // Its log is on the first one's disk alone.
    let path = format!("/api/v1/builds/{}/steps/log/raw?step=%2Fone&attempt=1", build["id"]);
    assert!(get(&other, &path).contains("a word from the first"), "{}", get(&other, &path));
    assert!(!two.data().join(format!("logs/{}", build["id"])).exists());

    // A second answer is refused over there as it is here.
    let late = two.run(&["approve", "asks#1", "ask", "--reason", "again", "--server", &other]);
    assert_ne!(late.code, 0, "{late:?}");
    first.stop();
    second.stop();
}

#[test]
fn a_build_that_brings_its_server_down_three_times_is_put_aside_and_the_others_go_on() {
    if !cfg!(debug_assertions) {
        return eprintln!("not run: only a build for development has failpoints");
    }
    let mut house = House::new();
    let (server, url) = house.serve();
    register(&house, &url, &[("asks", ASKS), ("bad", "name: bad\nsteps: { a: { run: 'true' } }\n")]);
    house.run(&["pipeline", "start", "asks", "--server", &url]).expect(0);
    wait(&house, "asks#1", |build| state(build, "ask") == "waiting");
    server.stop();

    // Build 2 is the next; whoever asks its program dies of it.
    house.vars.push(("HALIOTIS_FAILPOINT".to_owned(), "driving.2=1".to_owned()));
    let serve = ["serve", "--dev", "--listen", "127.0.0.1:0"];
    let (mut server, url) = house.serve();
    // The server may die before it has answered.
    let _ = house.run(&["pipeline", "start", "bad", "--server", &url]);
    let ends = |server: &mut haliotis_tests::Started| {
        let begin = Instant::now();
        while server.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < SOON, "the server should have died of build 2");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    ends(&mut server);
    for _ in 0..2 {
        let mut again = house.start(&serve);
        ends(&mut again);
    }
    let (server, url) = house.serve();
    let bad = wait(&house, "bad#1", |build| build["status"] == "ended");
    assert_eq!(bad["result"], "failure", "{bad}");
    let message = bad["message"].as_str().unwrap();
    assert!(message.contains("quarantined") && message.contains("3 times"), "{message}");
    house
        .run(&["approve", "asks#1", "ask", "--reason", "it has nothing to do with the other", "--server", &url])
        .expect(0);
    assert_eq!(wait(&house, "asks#1", |build| build["status"] == "ended")["result"], "success");
    server.stop();
}

#[test]
fn systemd_hears_that_the_server_is_ready_alive_and_stopping() {
    let mut house = House::new();
    let socket = house.dir.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(SOON)).unwrap();
    let hear = || {
        let mut bytes = [0; 512];
        let length = systemd.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    house.vars.push(("NOTIFY_SOCKET".to_owned(), socket.display().to_string()));
    house.vars.push(("WATCHDOG_USEC".to_owned(), "400000".to_owned()));
    let (server, url) = house.serve();
    let ready = hear();
    assert!(ready.starts_with("READY=1\n") && ready.contains(&format!("STATUS=answers at {url}")), "{ready}");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    server.stop();
    let begin = Instant::now();
    while hear() != "STOPPING=1" {
        assert!(begin.elapsed() < SOON, "nobody said that it stops");
    }
}

#[test]
fn a_backup_of_postgres_becomes_a_server_again() {
    let (Some(postgres), Some(empty)) = (Postgres::start(), Postgres::start()) else {
        return eprintln!("not run: no PostgreSQL server is installed");
    };
    let mut house = House::new();
    house.vars.push(("HALIOTIS_DATABASE".to_owned(), postgres.url()));
    let (server, url) = house.serve();
    register(&house, &url, &[("asks", ASKS)]);
    for _ in 0..2 {
        house.run(&["pipeline", "start", "asks", "--server", &url]).expect(0);
    }
    for build in ["asks#1", "asks#2"] {
        wait(&house, build, |build| state(build, "ask") == "waiting");
    }
    house.run(&["approve", "asks#1", "ask", "--reason", "before", "--server", &url]).expect(0);
    let before = wait(&house, "asks#1", |build| build["status"] == "ended");
    let backup = house.dir.path().join("backup");
    let name = backup.to_str().unwrap();
    // Beside the running server, and without any program of PostgreSQL's.
    house.run(&["backup", name]).expect(0);
    house.run(&["restore", name, "--check"]).expect(0).says(&["as listed"]);
    server.stop();

    let mut other = House::new();
    let refused = other.run(&["restore", name]).expect(2);
    refused.says(&["of PostgreSQL", "--database"]);
    other.vars.push(("HALIOTIS_DATABASE".to_owned(), empty.url()));
    other.run(&["restore", name]).expect(0).says(&["restored into"]);
    let (server, url) = other.serve();
    let after = wait(&other, "asks#1", |build| build["status"] == "ended");
    assert_eq!(after, before, "an ended build is the same to the letter");
    let path = format!("/api/v1/builds/{}/steps/log/raw?step=%2Ftwo&attempt=1", after["id"]);
    assert!(get(&url, &path).contains("went on"));
    // The other one goes on where it was.
    other.run(&["approve", "asks#2", "ask", "--reason", "after", "--server", &url]).expect(0);
    assert_eq!(wait(&other, "asks#2", |build| build["status"] == "ended")["result"], "success");
    let next = other.run(&["pipeline", "start", "asks", "--server", &url]).expect(0);
    assert!(format!("{}{}", next.stdout, next.stderr).contains("#3"), "numbers go on: {next:?}");
    server.stop();
}
