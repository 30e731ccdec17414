//! The command line as a person uses it, and what it says when things go wrong.

use std::net::TcpListener;
use std::time::Duration;

use haliotis_tests::House;

#[test]
fn a_pipeline_runs_without_a_server() {
    let house = House::new();
    house.write(
        "p.yaml",
        "name: hello\nparameters:\n  who: { type: string, default: world }\nsteps:\n  a: { run: 'echo \"hello $WHO\" > out.txt', vars: { WHO: '${{ parameters.who }}' } }\n  b: { needs: [a], run: cat out.txt }\n",
    );
    house.run(&["run", "p.yaml", "-p", "who=abalone", "--logs"]).expect(0).says(&[
        "hello abalone",
        "✓ a",
        "✓ b",
        "success",
    ]);
    let data = house.data().join("run");
    let builds = house.run(&["builds", "--json", "--data-dir", data.to_str().unwrap()]).expect(0).json();
    assert_eq!(builds[0]["result"], "success");
    house.run(&["replay", "hello#1", "--data-dir", data.to_str().unwrap()]).expect(0).says(&["the same commands"]);
    let logs = house.run(&["logs", "hello#1", "b", "--data-dir", data.to_str().unwrap()]).expect(0);
    assert_eq!(logs.stdout, "hello abalone\n");
}

#[test]
fn a_failing_script_fails_the_build_and_shows_why() {
    let house = House::new();
    house.write(
        "p.yaml",
        "name: bad\nsteps:\n  a: { run: 'echo about to break; exit 7' }\n  b: { needs: [a], run: 'true' }\n",
    );
    house.run(&["run", "p.yaml"]).expect(1).says(&["about to break", "7", "b", "haliotis logs"]);
}

#[test]
fn all_problems_of_a_file_are_located() {
    let house = House::new();
    house.write(
        "p.yaml",
        "name: x\nstep: {}\nsteps:\n  a: { runs: 'true' }\n  b: { needs: [c], run: 'true' }\n  d: { uses: slep }\n",
    );
    let done =
        house.run(&["lint", "p.yaml"]).expect(1).says(&["p.yaml:2", "p.yaml:4", "p.yaml:5", "p.yaml:6", "sleep"]);
    assert!(done.stderr.contains('^'), "no caret:\n{}", done.stderr);
    house.run(&["run", "p.yaml"]).expect(2).says(&["nothing was started"]);
}

#[test]
fn what_is_not_there_is_named() {
    let house = House::new();
    house.run(&["run", "missing.yaml"]).expect(4).says(&["missing.yaml"]);
    house.run(&["builds"]).expect(4).says(&["no data in"]);
    house.run(&["steps", "nothing"]).expect(4).says(&["sagemaker.training"]);
    house.run(&["approve", "x#1"]).expect(3).says(&["haliotis serve"]);
}

#[test]
fn a_port_in_use_and_a_held_folder_are_named() {
    let house = House::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    house.run(&["serve", "--dev", "--listen", &address]).expect(3).says(&["in use", "--listen"]);
    house.run(&["serve", "--dev", "--listen", "0.0.0.0:0"]).expect(2).says(&["no login"]);
    let (server, _) = house.serve();
    house.run(&["serve", "--dev", "--listen", "127.0.0.1:0"]).expect(3).says(&[&server.child.id().to_string()]);
    server.stop();
}

#[test]
fn a_process_tree_is_gone_after_its_timeout() {
    let house = House::new();
    let marker = format!("29{}", std::process::id());
    house.write(
        "p.yaml",
        &format!(
            "name: slow\nsteps:\n  a: {{ run: '(trap \"\" TERM; sleep {marker}) & sleep {marker}', timeout: 1s }}\n"
        ),
    );
    house.run(&["run", "p.yaml"]).expect(1).says(&["timed out"]);
    let until = std::time::Instant::now() + Duration::from_secs(15);
    loop {
        let found = std::process::Command::new("pgrep").args(["-f", &format!("sleep {marker}")]).output().unwrap();
        if found.stdout.is_empty() {
            break;
        }
        assert!(std::time::Instant::now() < until, "left behind: {}", String::from_utf8_lossy(&found.stdout));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn schema_steps_and_completions_print() {
    let house = House::new();
    let schema = house.run(&["schema"]).expect(0).json();
    assert!(schema["properties"]["steps"].is_object(), "{schema}");
    let steps = house.run(&["steps", "--json"]).expect(0).json();
    let names: Vec<_> = steps.as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    for name in ["sh", "checkout", "junit", "sagemaker.training", "cloudformation.deploy", "sagemaker.test-endpoint"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(house.run(&["completions", "bash"]).expect(0).stdout.contains("haliotis"));
}

#[test]
fn seeding_is_done_once_and_never_over_other_content() {
    let house = House::new();
    let repo = house.dir.path().join("repo.git");
    let git = |args: &[&str], dir: &std::path::Path| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"];
        let done = std::process::Command::new("git").args(identity).args(args).current_dir(dir).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    };
    git(&["init", "-q", "--bare", "repo.git"], house.dir.path());
    let url = repo.to_str().unwrap();
    let mut args = vec!["seed", "--repo", url, "--template", "abalone-model-build"];
    for pair in [
        "project_name=abalone",
        "project_id=p-1",
        "region=us-east-1",
        "bucket=some-bucket",
        "role_arn=arn:aws:iam::000000000000:role/x",
        "model_package_group=abalone",
    ] {
        args.extend(["--set", pair]);
    }
    house.run(&args).expect(0).says(&["main"]);
    let head = git(&["rev-parse", "main"], &repo);
    house.run(&args).expect(0).says(&["nothing was changed"]);
    assert_eq!(git(&["rev-parse", "main"], &repo), head);
    house.write("other/file.txt", "mine\n");
    let other = house.dir.path().join("other");
    for command in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "mine"]] {
        git(command, &other);
    }
    let before = git(&["rev-parse", "main"], &other);
    let mut over = args.clone();
    over[2] = other.to_str().unwrap();
    house.run(&over).expect(3).says(&["already has other content", "nothing was changed"]);
    assert_eq!(git(&["rev-parse", "main"], &other), before);
    house.run(&["seed", "--repo", "/nowhere/at-all.git", "--template", "abalone-model-build"]).expect(3);
    house.run(&["seed", "--repo", url, "--template", "nothing"]).expect(3).says(&["abalone-model-build"]);
}

#[test]
fn a_secret_is_bound_and_never_shown() {
    let house = House::new();
    let secret = "tOp-s3cret-value-42";
    let mut add = house.command(&["credential", "add", "deploy-key", "--from-env", "CANARY", "--data-dir"]);
    let run_dir = house.data().join("run");
    let done = add.arg(&run_dir).env("CANARY", secret).output().unwrap();
    haliotis_tests::Done::from(done).expect(0);
    house.write("p.yaml", "name: s\nsteps:\n  a: { run: 'echo \"key is $KEY\"; test ${#KEY} -eq 19', credentials: { KEY: deploy-key } }\n");
    let done = house.run(&["run", "p.yaml", "--logs"]).expect(0).says(&["key is ****"]);
    assert!(!done.stderr.contains(secret) && !done.stdout.contains(secret));
    let logs = house.run(&["logs", "s", "--data-dir", run_dir.to_str().unwrap()]).expect(0);
    assert!(logs.stdout.contains("key is ****") && !logs.stdout.contains(secret), "{}", logs.stdout);
    let journal = house.run(&["replay", "s", "--json", "--data-dir", run_dir.to_str().unwrap()]).expect(0);
    assert!(!journal.stdout.contains(secret));
}

#[test]
fn a_build_killed_in_the_middle_of_a_step_goes_on_and_runs_nothing_twice() {
    let house = House::new();
    let ledger = house.dir.path().join("ledger");
    house.write(
        "repo/p.yaml",
        &format!(
            "name: k\nsteps:\n  a: {{ run: 'echo a >> {0}' }}\n  b: {{ needs: [a], run: 'echo b >> {0}; for i in $(seq 30); do echo line $i; sleep 0.1; done' }}\n  c: {{ needs: [b], run: 'echo c >> {0}' }}\n",
            ledger.display()
        ),
    );
    let repo = house.dir.path().join("repo");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "one"],
    ] {
        assert!(std::process::Command::new("git").args(args).current_dir(&repo).status().unwrap().success());
    }
    let (server, url) = house.serve();
    house
        .run(&["pipeline", "add", "k", "--repo", repo.to_str().unwrap(), "--path", "p.yaml", "--server", &url])
        .expect(0);
    house.run(&["pipeline", "start", "k", "--server", &url]).expect(0);
    let lines = || std::fs::read_to_string(&ledger).unwrap_or_default();
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while !lines().contains('b') {
        assert!(std::time::Instant::now() < until, "step b did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(700));
    server.kill();
    std::thread::sleep(Duration::from_millis(700));
    let (server, url) = house.serve();
    loop {
        let builds = house.run(&["builds", "--json", "--server", &url]).expect(0).json();
        if builds[0]["status"] == "ended" {
            assert_eq!(builds[0]["result"], "success", "{builds}");
            break;
        }
        assert!(std::time::Instant::now() < until, "the build did not end: {builds}");
        std::thread::sleep(Duration::from_millis(100));
    }
    server.stop();
    assert_eq!(lines(), "a\nb\nc\n", "every step ran once");
    let log = house.run(&["logs", "k", "b"]).expect(0).stdout;
    let expected: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    assert_eq!(log, expected, "the log is whole");
}
