//! SageMaker Pipelines as the unmodified SageMaker SDK, boto3 and the aws command line use them, against the real binary.
//!
//! The SDK is heavy (half a gigabyte), so it has an environment of its own: `HALIOTIS_SDK_DIR`, or `sdk` in the cache;
//! `tests/run` makes it from `sagemaker/requirements.txt`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use haliotis_tests::{Done, House, root};

const PROJECT: &str = "abalone";
const GROUP: &str = "abalone-p1";
const BUCKET: &str = "sagemaker-project-p1";
const ROLE: &str = "arn:aws:iam::000000000000:role/test";

/// A program of the SDK's environment.
fn sdk(program: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).unwrap_or_default();
    let dir = std::env::var_os("HALIOTIS_SDK_DIR").map_or_else(|| cache.join("haliotis/sdk"), PathBuf::from);
    let path = dir.join("bin").join(program);
    assert!(path.exists(), "{} is not there; tests/run makes it", path.display());
    path
}

/// The program with the local cloud of the house as its AWS.
fn against(house: &House, program: &str) -> Command {
    let port = std::fs::read_to_string(house.data().join("cloud/port")).unwrap();
    let mut command = Command::new(sdk(program));
    command.env_clear().current_dir(house.dir.path()).env("HOME", house.dir.path());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", port.trim())).env("AWS_DEFAULT_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "AKIALOCALHALIOTIS000").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_SECRET_ACCESS_KEY", "haliotis-local-cloud-secret").env("PIPELINE_POLL_SECONDS", "0.5");
    let defaults = root().join("seed/abalone-model-build/pipelines/sagemaker-config.yaml");
    command.env("SAGEMAKER_USER_CONFIG_OVERRIDE", defaults).env("SAGEMAKER_SUPPRESS_V2_WARNING", "1");
    // While the server is killed and started again its clients try again, as they would with a cloud far away.
    command.env("AWS_MAX_ATTEMPTS", "12").env("AWS_RETRY_MODE", "standard").stdin(Stdio::null());
    command
}

fn git(folder: &Path, args: &[&str]) {
    let status = Command::new("git").args(args).current_dir(folder).status().unwrap();
    assert!(status.success(), "git {args:?}");
}

/// A working copy of the seeded build repository.
fn seeded(house: &House) -> PathBuf {
    let folder = house.dir.path();
    git(folder, &["init", "--quiet", "--bare", "build.git"]);
    let repo = folder.join("build.git").display().to_string();
    let role = format!("role_arn={ROLE}");
    let (bucket, group) = (format!("bucket={BUCKET}"), format!("model_package_group={GROUP}"));
    let mut args = vec!["seed", "--repo", repo.as_str(), "--template", "abalone-model-build"];
    for value in ["project_name=abalone", "project_id=p1", "region=us-east-1", &role, &bucket, &group] {
        args.extend(["--set", value]);
    }
    house.run(&args).expect(0);
    git(folder, &["clone", "--quiet", "--branch", "main", "build.git", "work"]);
    folder.join("work")
}

fn kwargs() -> String {
    format!(
        r#"{{"region":"us-east-1","sagemaker_project_arn":"arn:aws:sagemaker:us-east-1:000000000000:project/{PROJECT}","role":"{ROLE}","default_bucket":"{BUCKET}","pipeline_name":"sagemaker-{GROUP}","model_package_group_name":"{GROUP}","base_job_prefix":"{GROUP}"}}"#
    )
}

/// `run-pipeline` as the repository's Jenkinsfile calls it, with the package on the path instead of installed.
fn run_pipeline(house: &House, work: &Path) -> Command {
    let mut command = against(house, "python");
    command.current_dir(work).args(["-m", "pipelines.run_pipeline", "--module-name", "pipelines.abalone.pipeline"]);
    command.args([
        "--role-arn",
        ROLE,
        "--kwargs",
        &kwargs(),
        "--tags",
        r#"[{"Key":"sagemaker:project-id","Value":"p1"}]"#,
    ]);
    command
}

#[test]
fn the_seeds_pipeline_runs_by_the_sdk_also_when_the_server_is_killed() {
    let house = House::new();
    let work = seeded(&house);
    let (server, _) = house.serve();
    Done::from(against(&house, "aws").args(["s3", "mb", &format!("s3://{BUCKET}")]).output().unwrap()).expect(0);
    let mut running = run_pipeline(&house, &work).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = Vec::new();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines.by_ref() {
        said.push(line);
        if said.last().unwrap().starts_with("started arn:") {
            break;
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(2500));
    server.kill();
    let (server, _) = house.serve();
    said.extend(lines);
    let said = said.join("\n");
    assert!(running.wait().unwrap().success(), "{said}");
    for step in ["Preprocess", "Train", "Evaluate"] {
        assert!(said.lines().any(|line| line.starts_with(step) && line.ends_with("Succeeded")), "{step}: {said}");
    }
    assert!(
        said.lines().any(|line| line.starts_with("RegisterAbaloneModel-RegisterModel") && line.ends_with("Succeeded")),
        "{said}"
    );

    // The same once more: nothing has changed, so nothing is computed, and a second version is registered.
    let again = Done::from(run_pipeline(&house, &work).output().unwrap()).expect(0).stdout;
    let taken = again.lines().filter(|line| line.contains("Succeeded (taken from")).count();
    assert_eq!(taken, 3, "{again}");
    let listed = against(&house, "aws")
        .args(["sagemaker", "list-model-packages", "--model-package-group-name", GROUP])
        .output()
        .unwrap();
    let listed = Done::from(listed).expect(0).json();
    let versions = listed["ModelPackageSummaryList"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{listed}");
    assert!(versions.iter().all(|version| version["ModelApprovalStatus"] == "PendingManualApproval"), "{listed}");
    server.stop();
}

#[test]
fn callbacks_functions_events_and_packaged_templates() {
    let house = House::new();
    let (server, _) = house.serve();
    let script = root().join("tests/sagemaker/around.py");
    let done = Done::from(against(&house, "python").arg(script).output().unwrap()).expect(0);
    assert!(done.stdout.contains("all as AWS would"), "{}", done.stdout);
    server.stop();
}
