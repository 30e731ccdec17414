//! The seeded repositories as a team with a Jenkins gets them: what their seed jobs generate, and the whole story by their
//! Jenkinsfiles, with the server killed in each stage of both.
//!
//! The Jenkinsfiles install the SageMaker SDK with pip, as AWS' do. Their home is kept from run to run in the cache, so
//! that only the first run downloads it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use haliotis_tests::{Done, House, Value, python};

const ROLE: &str = "arn:aws:iam::000000000000:role/haliotis";
/// The first run downloads half a gigabyte; the others take a second or two to a stage.
const STAGE_LIMIT: Duration = Duration::from_secs(600);

/// A working copy of a seeded repository, and its address.
fn seeded(house: &House, template: &str) -> (PathBuf, String) {
    let folder = house.dir.path();
    let bare = folder.join(format!("{template}.git"));
    let repo = bare.display().to_string();
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(folder).status().unwrap();
        assert!(done.success(), "git {args:?}");
    };
    git(&["init", "--quiet", "--bare", &repo]);
    let role = format!("role_arn={ROLE}");
    let mut args = vec!["seed", "--repo", repo.as_str(), "--template", template];
    let values = ["project_name=abalone", "project_id=p1", "region=us-east-1", "bucket=sagemaker-project-p1", &role];
    for value in values.into_iter().chain(["model_package_group=abalone-p1"]) {
        args.extend(["--set", value]);
    }
    house.run(&args).expect(0);
    git(&["clone", "--quiet", "--branch", "main", &repo, template]);
    (folder.join(template), repo)
}

#[test]
fn the_jenkinsfiles_and_seed_jobs_are_sound() {
    let house = House::new();
    for template in ["abalone-model-build", "abalone-model-deploy"] {
        let (work, _) = seeded(&house, template);
        for file in ["jenkins/Jenkinsfile", "jenkins/seed_job.groovy"] {
            house.run(&["lint", work.join(file).to_str().unwrap()]).expect(0);
        }
    }
}

#[test]
fn the_seed_jobs_make_the_jobs_of_aws_names() {
    let house = House::new();
    let (server, url) = house.serve();
    for (template, name, parameters) in [
        ("abalone-model-build", "sagemaker-abalone-p1-modelbuild", 7),
        ("abalone-model-deploy", "sagemaker-abalone-p1-modeldeploy", 9),
    ] {
        let (work, repo) = seeded(&house, template);
        let script = work.join("jenkins/seed_job.groovy").display().to_string();
        let git = format!("GIT_URL={repo}");
        let args = ["jobdsl", "apply", &script, "--server", &url, "--json", "--env", &git, "--env", "GIT_BRANCH=main"];
        // Without its parameter the seed job says what is missing.
        house.run(&args).expect(1).says(&["AWS_CREDENTIAL is not set"]);
        let with_credential = [&args[..], &["--env", "AWS_CREDENTIAL=aws-of-the-team"]].concat();
        let applied = house.run(&with_credential).expect(0).json();
        assert!(applied.to_string().contains(name), "{applied}");
        let pipelines = house.run(&["pipeline", "list", "--json", "--server", &url]).expect(0).json();
        let made = pipelines.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap_or(&Value::Null).clone();
        assert_eq!(made["parameters"].as_array().map(Vec::len), Some(parameters), "{made:#}");
        // Once more changes nothing.
        let again = house.run(&with_credential).expect(0).json().to_string();
        assert!(!again.contains("create"), "{again}");
    }
    server.stop();
}

/// A home for the steps that outlives the test, where the Jenkinsfiles' `pip install` finds what it installed last time.
/// Whoever holds the answer is alone with it.
fn keep_home(house: &mut House) -> File {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let home = cache.join("haliotis/jenkins-home");
    std::fs::create_dir_all(&home).unwrap();
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    house.vars.push(("HALIOTIS_JENKINS_HOME".to_owned(), home.display().to_string()));
    lock
}

fn demo(house: &House) -> Done {
    house.run(&["demo", "--jenkins", "--yes", "--json", "--listen", "127.0.0.1:0"])
}

/// What must be true at the end, whatever happened on the way.
#[track_caller]
fn check_summary(summary: &Value) {
    let builds = summary["builds"].as_array().unwrap();
    let of = |name: &str| builds.iter().filter(|build| build["pipeline"] == name).collect::<Vec<_>>();
    for (name, count) in [("sagemaker-haliotis-demo-modelbuild", 2), ("seed-haliotis-demo-modelbuild", 1)] {
        assert_eq!(of(name).len(), count, "{name}: {builds:#?}");
        assert!(of(name).iter().all(|build| build["result"] == "success"), "{builds:#?}");
    }
    let models = summary["models"].as_array().unwrap();
    assert_eq!(models.len(), 2, "each build registers one version, none twice: {models:#?}");
    let version = |number: i64| models.iter().find(|model| model["version"] == number).unwrap();
    assert_eq!((&version(1)["status"], &version(2)["status"]), (&"Approved".into(), &"PendingManualApproval".into()));
    let mse = |model: &Value| model["metrics"]["regression_metrics"]["mse"]["value"].as_f64().unwrap();
    assert!((4.0..=6.0).contains(&mse(version(1))) && (4.0..=6.0).contains(&mse(version(2))), "{models:#?}");
    assert_ne!(mse(version(1)), mse(version(2)), "another depth gives another model");
    let arn = &version(1)["arn"];
    let by_event = |build: &&&Value| build["parameters"]["MODEL_PACKAGE_ARN"] == *arn && build["result"] == "success";
    let deploys = of("sagemaker-haliotis-demo-modeldeploy");
    assert!(deploys.iter().any(|build| by_event(&build)), "{deploys:#?}");
    let endpoints = summary["endpoints"].as_array().unwrap();
    let names: Vec<_> = endpoints.iter().map(|endpoint| endpoint["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"haliotis-staging") && names.contains(&"haliotis-prod"), "{names:?}");
    for endpoint in endpoints {
        assert_eq!(endpoint["status"], "InService", "{endpoint}");
        assert_eq!(endpoint["model_package_arn"], *arn, "exactly the approved version is deployed");
    }
}

/// Where the server dies: after these two texts were said, so many milliseconds later.
const STRIKES: [(&str, &str, u64); 21] = [
    ("[ 1/10]", "", 30),
    ("[ 4/10]", "", 60),
    ("[ 5/10]", "", 150),
    ("[ 5/10]", "seed-haliotis-demo-modeldeploy #1", 60),
    ("[ 5/10]", "has made sagemaker-haliotis-demo-modeldeploy", 100),
    ("[ 6/10]", "{ (Declarative: Checkout SCM)", 20),
    ("[ 6/10]", "{ (Build and Install)", 1500),
    ("[ 6/10]", "{ (Update and Run Sagemaker Pipeline)", 2000),
    ("[ 6/10]", "{ (Update and Run Sagemaker Pipeline)", 6000),
    ("[ 6/10]", "{ (Update and Run Sagemaker Pipeline)", 6000),
    ("[ 7/10]", "", 5),
    ("[ 7/10]", "approved", 60),
    ("[ 8/10]", "{ (Install)", 400),
    ("[ 8/10]", "{ (Build)", 500),
    ("[ 8/10]", "{ (Staging Deploy)", 300),
    ("[ 8/10]", "{ (Staging Deploy)", 1500),
    ("[ 8/10]", "{ (Test Staging)", 300),
    ("[ 8/10]", "{ (Manual Approval for Production)", 20),
    ("[ 8/10]", "{ (Prod Deploy)", 300),
    // Once answered it goes on while phase 8 looks at it.
    ("[ 8/10]", "{ (Prod Deploy)", 1500),
    ("[10/10]", "{ (Build and Install)", 300),
];

#[test]
fn the_whole_story_with_the_server_killed_in_each_stage() {
    let mut house = House::new();
    let _alone = keep_home(&mut house);
    for (phase, stage, after) in STRIKES {
        let mut running = house.start(&["demo", "--jenkins", "--yes", "--json", "--listen", "127.0.0.1:0"]);
        running.wait_for(phase, STAGE_LIMIT);
        if !stage.is_empty() {
            running.wait_for(stage, STAGE_LIMIT);
        }
        std::thread::sleep(Duration::from_millis(after));
        running.kill();
    }
    let done = demo(&house).expect(0);
    check_summary(&done.json());
    done.says(&["4177 rows", "[10/10]", "modeldeploy#"]);

    // The jobs are Jenkins jobs: the clients of Jenkins see what the seed scripts said of them.
    let (server, url) = house.serve();
    let config = |job: &str| {
        let address = format!("{url}/job/{job}/config.xml");
        let get = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())";
        Done::from(Command::new(python()).args(["-c", get, &address]).output().unwrap()).expect(0).stdout
    };
    let deploy = config("sagemaker-haliotis-demo-modeldeploy");
    for part in [
        "<authToken>token</authToken>",
        "DisableConcurrentBuildsJobProperty",
        "<scriptPath>jenkins/Jenkinsfile</scriptPath>",
        "<spec>* * * * *</spec>",
        "<name>AWS_CREDENTIAL</name>",
        "aws-of-the-demo",
    ] {
        assert!(deploy.contains(part), "no {part} in {deploy}");
    }
    assert!(!config("sagemaker-haliotis-demo-modelbuild").contains("<authToken>"));
    server.stop();
}
