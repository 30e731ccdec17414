//! The pipelines that ship: each is linted, planned and run, alone, without a server, on the local cloud.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use haliotis_tests::{Done, House, Value, python, root};

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
    let arn = node(&built, "/register")["outputs"]["arn"].as_str().unwrap().to_owned();
    assert!(arn.ends_with(":model-package/abalone/1"), "{arn}");
    // A model that nobody approved is not deployed.
    let refused = run_from_root(
        &house,
        &["run", "pipelines/abalone/deploy.yaml", "--yes", "-p", &format!("ModelPackageArn={arn}")],
    );
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("Approved"), "{}", refused.stderr);
    approve(&house, "abalone/1");
    let deployed = run_from_root(
        &house,
        &["run", "pipelines/abalone/deploy.yaml", "--yes", "--json", "-p", &format!("ModelPackageArn={arn}")],
    )
    .expect(0)
    .json();
    assert_eq!(node(&deployed, "/test_production")["state"], "success");
    assert_eq!(served(&house), arn);

    // A second version passes staging and is not good enough for production: what was there before is served again.
    let built = run_from_root(&house, &["run", "pipelines/abalone/build.yaml", "--json", "-p", "MaxDepth=4"]).expect(0);
    let second = node(&built.json(), "/register")["outputs"]["arn"].as_str().unwrap().to_owned();
    assert!(second.ends_with(":model-package/abalone/2"), "{second}");
    approve(&house, "abalone/2");
    let package = format!("ModelPackageArn={second}");
    let bound = "ProductionMaxMse=0.001";
    let args = ["run", "pipelines/abalone/deploy.yaml", "--yes", "--json", "-p", &package, "-p", bound];
    let deployed = run_from_root(&house, &args).expect(1).json();
    for (step, state) in [
        ("/test_staging", "success"),
        ("/deploy_production", "success"),
        ("/test_production", "failure"),
        ("/rollback", "success"),
        ("/test_rollback", "success"),
    ] {
        assert_eq!(node(&deployed, step)["state"], state, "{step}: {}", node(&deployed, step));
    }
    let mse = |step: &str| node(&deployed, step)["outputs"]["mse"].clone();
    assert_ne!(mse("/test_rollback"), mse("/test_staging"), "another version answers than the one that staging has");
    assert_eq!(served(&house), arn, "production serves the version before");
}

fn node(run: &Value, id: &str) -> Value {
    run["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id).unwrap().clone()
}

/// The data folder of `haliotis run`, served for the time of a call.
fn with_server<T>(house: &House, work: impl FnOnce(&str) -> T) -> T {
    let data = house.data().join("run");
    let data = data.to_str().unwrap();
    let mut server = house.start(&["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir", data]);
    server.wait_for("answers at", std::time::Duration::from_secs(60));
    let done = work(data);
    server.stop();
    done
}

fn approve(house: &House, version: &str) {
    with_server(house, |data| {
        house.run(&["model", "approve", version, "--reason", "within its bound", "--data-dir", data]).expect(0);
    });
}

/// The model package behind the production endpoint: from the endpoint to its configuration, its model, its package.
fn served(house: &House) -> String {
    const ASK: &str = "import boto3
c = boto3.client('sagemaker')
endpoint = c.describe_endpoint(EndpointName='abalone-prod')
assert endpoint['EndpointStatus'] == 'InService', endpoint
variant = c.describe_endpoint_config(EndpointConfigName=endpoint['EndpointConfigName'])['ProductionVariants'][0]
print(c.describe_model(ModelName=variant['ModelName'])['Containers'][0]['ModelPackageName'])
rows = 'M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15'
answer = boto3.client('sagemaker-runtime').invoke_endpoint(EndpointName='abalone-prod', ContentType='text/csv', Body=rows)
assert 3 < float(answer['Body'].read()) < 20
";
    with_server(house, |data| {
        let port = std::fs::read_to_string(std::path::Path::new(data).join("cloud/port")).unwrap();
        let mut asked = std::process::Command::new(python());
        asked.args(["-c", ASK]).env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", port.trim()));
        asked.env("AWS_DEFAULT_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "AKIALOCALHALIOTIS000");
        asked.env("AWS_SECRET_ACCESS_KEY", "haliotis-local-cloud-secret");
        Done::from(asked.output().unwrap()).expect(0).stdout.trim().to_owned()
    })
}
