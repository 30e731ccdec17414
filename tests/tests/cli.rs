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
        house.run(&["lint", "p.yaml"]).expect(2).says(&["p.yaml:2", "p.yaml:4", "p.yaml:5", "p.yaml:6", "sleep"]);
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
