//! What a person sees in a terminal: `run`, `watch` and `top` in a real pseudo-terminal, moving; and nothing that moves or
//! has a colour where that is not wanted.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use haliotis_tests::{Done, House, Value, binary, root};

const PIPELINE: &str = r#"
name: tty
steps:
  build: { run: sleep 0.6 }
  test: { needs: [build], matrix: { n: [1, 2, 3] }, run: sleep 0.4 }
  pack: { needs: [test], run: 'sleep 0.3; echo packed' }
"#;

/// The command in a terminal. `limit`: seconds until `keys` are typed.
#[track_caller]
fn terminal(house: &House, limit: &str, keys: &str, args: &[&str]) -> Value {
    // The house's own environment says that no colours are wanted; a person's does not.
    let given = house.command(args);
    let mut python = Command::new("python3");
    python.arg(root().join("tests/terminal/inside.py")).args([limit, keys]).arg(binary()).args(args);
    python.current_dir(house.dir.path()).env("TERM", "xterm-256color");
    for (name, value) in given.get_envs() {
        match value {
            Some(value) if name != "NO_COLOR" => python.env(name, value),
            _ => python.env_remove(name),
        };
    }
    Done::from(python.output().unwrap()).expect(0).json()
}

/// Text without escape sequences, and what a line was overwritten with at last.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // `ESC [ ... letter`
            if chars.next() == Some('[') {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[test]
fn a_run_moves_and_folds_what_has_ended() {
    let house = House::new();
    house.write("p.yaml", PIPELINE);
    let seen = terminal(&house, "60", "", &["run", "p.yaml"]);
    let text = seen["text"].as_str().unwrap();
    assert_eq!(seen["code"], 0, "{text}");
    assert!(seen["frames"].as_u64().unwrap() > 8, "it does not move: {seen}");
    assert!(text.contains('\u{1b}') && text.contains('⠙'), "no spinner: {text}");
    let shown = plain(text);
    let ended: Vec<&str> =
        shown.lines().filter_map(|line| line.rsplit('✓').next().filter(|_| line.contains('✓'))).collect();
    let names: Vec<&str> = ended.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["build", "test", "pack"], "{shown}");
    assert!(shown.contains("3 steps") && shown.contains("test  0/3"), "{shown}");
    // What went wrong stays visible below its stage.
    house.write(
        "q.yaml",
        &PIPELINE.replace("sleep 0.4", "'test ${{ matrix.n }} -ne 2'").replace("name: tty", "name: bad"),
    );
    let seen = terminal(&house, "60", "", &["run", "q.yaml"]);
    let shown = plain(seen["text"].as_str().unwrap());
    assert_eq!(seen["code"], 1, "{shown}");
    assert!(shown.contains("✗ test[n=2]") && shown.contains("✗ test "), "{shown}");
}

#[test]
fn plain_is_plain() {
    let house = House::new();
    house.write("p.yaml", PIPELINE);
    let seen = terminal(&house, "60", "", &["run", "p.yaml", "--plain"]);
    let text = seen["text"].as_str().unwrap();
    assert!(!text.contains('\u{1b}') && text.contains("✓ test[n=2]"), "{text}");
    let mut quiet = House::new();
    quiet.vars.push(("NO_COLOR".to_owned(), "1".to_owned()));
    quiet.write("p.yaml", PIPELINE);
    let done = quiet.run(&["run", "p.yaml"]).expect(0);
    assert!(!done.stderr.contains('\u{1b}') && done.stderr.contains("✓ pack"), "{}", done.stderr);
}

#[test]
fn watch_and_top_follow_a_server() {
    let house = House::new();
    house.write("repo/p.yaml", &PIPELINE.replace("sleep 0.6", "sleep 2"));
    let repo = house.dir.path().join("repo");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "one"],
    ] {
        assert!(Command::new("git").args(args).current_dir(&repo).status().unwrap().success());
    }
    let (_server, _) = house.serve();
    house.run(&["pipeline", "add", "tty", "--repo", repo.to_str().unwrap(), "--path", "p.yaml"]).expect(0);
    house.run(&["pipeline", "start", "tty"]).expect(0);
    let seen = terminal(&house, "60", "", &["watch", "tty"]);
    let shown = plain(seen["text"].as_str().unwrap());
    assert_eq!(seen["code"], 0, "{shown}");
    assert!(seen["frames"].as_u64().unwrap() > 5 && shown.contains("build") && shown.contains("success"), "{seen}");
    house.run(&["pipeline", "start", "tty"]).expect(0);
    let seen = terminal(&house, "4", "\u{3}", &["top"]);
    let shown = plain(seen["text"].as_str().unwrap());
    assert!(seen["frames"].as_u64().unwrap() > 1 && shown.contains("tty #2"), "{seen}");
    assert_eq!(seen["code"], 0, "Ctrl-C ends it: {shown}");
}
