//! The pipelines that ship: each is linted, planned and run, alone, without a server, on the local cloud.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use haliotis_tests::{Done, House, root};

fn run_from_root(house: &House, args: &[&str]) -> Done {
    Done::from(house.command(args).current_dir(root()).output().unwrap())
}

fn shipped() -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(root().join("pipelines"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_shipped_pipeline_is_sound() {
    let house = House::new();
    let files = shipped();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let path = file.to_str().unwrap();
        run_from_root(&house, &["lint", path]).expect(0);
        let plan = run_from_root(&house, &["plan", path]).expect(0).stdout;
        assert!(plan.contains("sagemaker") || plan.contains("cloudformation"), "{plan}");
    }
}

#[test]
fn abalone_runs_alone_and_is_deployed() {
    let house = House::new();
    let built = run_from_root(&house, &["run", "pipelines/abalone/build.yaml", "--json"]).expect(0).json();
    let register = built["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "/register").unwrap().clone();
    let arn = register["outputs"]["arn"].as_str().unwrap().to_owned();
    assert!(arn.ends_with(":model-package/abalone/1"), "{arn}");
    // A model that nobody approved is not deployed.
    let refused = run_from_root(
        &house,
        &["run", "pipelines/abalone/deploy.yaml", "--yes", "-p", &format!("ModelPackageArn={arn}")],
    );
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("Approved"), "{}", refused.stderr);
    let data = house.data().join("run");
    let data = data.to_str().unwrap();
    let mut server = house.start(&["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir", data]);
    server.wait_for("answers at", std::time::Duration::from_secs(60));
    house.run(&["model", "approve", "abalone/1", "--reason", "within its bound", "--data-dir", data]).expect(0);
    server.stop();
    let deployed = run_from_root(
        &house,
        &["run", "pipelines/abalone/deploy.yaml", "--yes", "--json", "-p", &format!("ModelPackageArn={arn}")],
    )
    .expect(0)
    .json();
    let test =
        deployed["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "/test_production").unwrap().clone();
    assert_eq!(test["state"], "success", "{test}");
}
