//! The seeded repositories as a team with a Jenkins gets them: what their seed jobs generate, and their Jenkinsfiles.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::Command;

use haliotis_tests::{House, Value};

const ROLE: &str = "arn:aws:iam::000000000000:role/haliotis";

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
#[ignore = "written before a binary with `jobdsl apply` could be built; run it once and take this line away"]
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
#[ignore = "written before a binary with `jobdsl apply` could be built; run it once and take this line away"]
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
