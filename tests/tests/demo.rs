//! The main job: the whole abalone story with real data, real scikit-learn and XGBoost, real git; once undisturbed and
//! then looked at with boto3, and once with the server killed in each of its ten phases.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;
use std::time::Duration;

use haliotis_tests::{Done, House, Value, python, root};

/// The story takes about a minute on two quiet cores; the first time the Python environment is made as well.
const PHASE_LIMIT: Duration = Duration::from_secs(600);

fn demo(house: &House) -> Done {
    house.run(&["demo", "--yes", "--json", "--listen", "127.0.0.1:0"])
}

/// What must be true at the end, whatever happened on the way.
#[track_caller]
fn check_summary(summary: &Value) {
    let builds = summary["builds"].as_array().unwrap();
    let of = |name: &str| builds.iter().filter(|build| build["pipeline"] == name).collect::<Vec<_>>();
    assert_eq!(of("abalone-model-build").len(), 2, "{builds:#?}");
    assert_eq!(of("abalone-model-deploy").len(), 1, "{builds:#?}");
    assert!(builds.iter().all(|build| build["result"] == "success"), "{builds:#?}");
    let models = summary["models"].as_array().unwrap();
    assert_eq!(models.len(), 2, "{models:#?}");
    let mut seen = Vec::new();
    for model in models {
        let rows = &model["metrics"]["dataset"]["rows"];
        assert_eq!(
            (&rows["train"], &rows["validation"], &rows["test"]),
            (&2923.into(), &627.into(), &627.into()),
            "{model}"
        );
        let mse = model["metrics"]["regression_metrics"]["mse"]["value"].as_f64().unwrap();
        assert!((4.0..=6.0).contains(&mse), "MSE {mse}");
        seen.push((model["version"].as_i64().unwrap(), model["status"].as_str().unwrap().to_owned(), mse.to_string()));
    }
    seen.sort();
    assert_eq!((seen[0].0, seen[0].1.as_str()), (1, "Approved"));
    assert_eq!((seen[1].0, seen[1].1.as_str()), (2, "PendingManualApproval"));
    assert_ne!(seen[0].2, seen[1].2, "another depth gives another model, and each version has its own metrics");
    let arn = models.iter().find(|model| model["version"] == 1).unwrap()["arn"].clone();
    let endpoints = summary["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 2, "{endpoints:#?}");
    for endpoint in endpoints {
        assert_eq!(endpoint["status"], "InService", "{endpoint}");
        assert_eq!(endpoint["model_package_arn"], arn, "exactly the approved version is deployed");
    }
}

/// Asks a server over the same data with unmodified boto3.
fn ask_boto(house: &House) -> Value {
    let (server, url) = house.serve();
    let port = std::fs::read_to_string(house.data().join("cloud/port")).unwrap();
    let output = Command::new(python())
        .arg(root().join("tests/boto/story.py"))
        .arg("abalone")
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", port.trim()))
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIALOCALHALIOTIS000")
        .env("AWS_SECRET_ACCESS_KEY", "haliotis-local-cloud-secret")
        .output()
        .unwrap();
    let done = Done::from(output).expect(0);
    let models = house.run(&["model", "list", "--json", "--server", &url]).expect(0).json();
    let first = models.as_array().unwrap().iter().find(|model| model["version"] == 1).unwrap();
    assert_eq!(first["decided_by"], "mia", "{models}");
    // Version 1 is served; its build is not the newest and not the last success, so only that keeps it.
    let limit = |args: &[&str]| house.run(&[&["prune", "--set", "abalone-model-build"][..], args].concat()).expect(0);
    limit(&["--builds", "1"]);
    let plan = house.run(&["prune", "--dry-run", "--json"]).expect(0).json();
    assert_eq!(plan, Value::Array(Vec::new()), "production depends on it");
    limit(&[]);
    server.stop();
    done.json()
}

#[track_caller]
fn check_boto(seen: &Value) {
    assert_eq!(seen["account"], "000000000000");
    let packages = seen["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 2, "{seen:#}");
    assert_ne!(packages[0]["metrics"], packages[1]["metrics"], "metrics are kept for each version");
    assert!(packages[0]["approval"].as_str().unwrap().starts_with("mia: "), "{seen:#}");
    let processing = seen["processing"].as_array().unwrap();
    assert_eq!(processing.len(), 4, "two builds, two processing jobs each, none twice: {seen:#}");
    assert!(processing.iter().all(|status| status == "Completed"));
    let training = seen["training"].as_array().unwrap();
    assert_eq!(training.len(), 2, "{seen:#}");
    assert!(
        training
            .iter()
            .all(|job| job["status"] == "Completed" && job["model"].as_str().unwrap().ends_with("model.tar.gz"))
    );
    let endpoints = seen["endpoints"].as_object().unwrap();
    assert_eq!(endpoints.len(), 2, "{seen:#}");
    for (name, endpoint) in endpoints {
        let body = endpoint["body"].as_str().unwrap();
        let rings: Vec<f64> = body.split([',', '\n']).filter_map(|word| word.trim().parse().ok()).collect();
        assert_eq!(rings.len(), 2, "{name} answered {body:?}");
        assert!(rings.iter().all(|rings| (3.0..20.0).contains(rings)), "{name} answered {body:?}");
        assert!(rings[0] > rings[1], "the larger animal is older: {body:?}");
    }
    for (name, status) in seen["stacks"].as_object().unwrap() {
        assert!(status.as_str().unwrap().ends_with("_COMPLETE"), "{name} is {status}");
    }
}

#[test]
fn the_whole_story() {
    let house = House::new();
    let done = demo(&house).expect(0);
    check_summary(&done.json());
    done.says(&["4177 rows", "[10/10]"]);
    let seen = ask_boto(&house);
    check_boto(&seen);
    // A second run finds everything done.
    let again = std::time::Instant::now();
    check_summary(&demo(&house).expect(0).json());
    assert!(again.elapsed() < Duration::from_secs(60), "the second run did the work again");
}

#[test]
fn killed_in_each_of_the_ten_phases() {
    let house = House::new();
    // (phase, milliseconds after it began): several strikes where a phase has several parts.
    let strikes = [
        (1, 30),
        (2, 5),
        (3, 40),
        (4, 60),
        (5, 20),
        (6, 300),
        (6, 2500),
        (6, 2500),
        (6, 2500),
        (7, 10),
        (8, 500),
        (8, 2000),
        (8, 2000),
        (9, 200),
        (9, 1500),
        (10, 400),
        (10, 3000),
        (10, 3000),
    ];
    for (phase, after) in strikes {
        let mut running = house.start(&["demo", "--yes", "--json", "--listen", "127.0.0.1:0"]);
        running.wait_for(&format!("[{phase:>2}/10]"), PHASE_LIMIT);
        std::thread::sleep(Duration::from_millis(after));
        running.kill();
    }
    check_summary(&demo(&house).expect(0).json());
    check_boto(&ask_boto(&house));
    let doctor = house.run(&["doctor", "--json"]).expect(0).json();
    let database = doctor.as_array().unwrap().iter().find(|check| check["name"] == "database").unwrap().clone();
    assert!(database["detail"].as_str().unwrap().ends_with(", sound"), "{database}");
}
