//! A process that approves a package dies at each of its durable writes; who waits for the event hears of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, Processes};
use serde_json::{Value, json};

use crate::{Config, LocalCloud, PythonEnv};

/// Tells the child which folder is its own.
const FOLDER: &str = "HALIOTIS_OUTBOX_FOLDER";
const CHILD: &str = "events::outbox::tests::the_child_approves";
const PACKAGE: &str = "arn:aws:sagemaker:us-east-1:000000000000:model-package/abalone/1";
const QUEUE: &str = "http://127.0.0.1/000000000000/told";
/// More writes than an approval makes; a child that never survives is a bug of this test.
const MOST_WRITES: usize = 40;

struct NoProcesses;

#[async_trait]
impl Processes for NoProcesses {
    async fn spawn(&self, key: &str, _: ProcessSpec) -> Result<(), ProcessError> {
        Err(ProcessError::Supervisor(format!("{key} was asked for, but this test runs no processes")))
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        Err(ProcessError::Unknown(key.to_owned()))
    }

    async fn kill(&self, _: &str, _: u64) -> Result<(), ProcessError> {
        Ok(())
    }

    async fn forget(&self, _: &str) -> Result<(), ProcessError> {
        Ok(())
    }
}

async fn open(folder: &Path) -> Arc<LocalCloud> {
    let python = PythonEnv { interpreter: PathBuf::from("/nonexistent/python") };
    let config = Config::new(folder.join("cloud"), python, Arc::new(NoProcesses));
    LocalCloud::open(Config { runtimes_dir: Some(folder.to_owned()), ..config }).await.unwrap()
}

/// A registered package, and a queue that is told when it is approved.
async fn prepared(folder: &Path) {
    let cloud = open(folder).await;
    let around = &cloud.neighbours;
    around.sqs.call("CreateQueue", json!({"QueueName": "told"})).await.unwrap();
    let pattern = json!({"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelApprovalStatus": ["Approved"]}});
    around.events.call("PutRule", &json!({"Name": "approved", "EventPattern": pattern.to_string()})).unwrap();
    let target = json!({"Id": "1", "Arn": "arn:aws:sqs:us-east-1:000000000000:told"});
    around.events.call("PutTargets", &json!({"Rule": "approved", "Targets": [target]})).unwrap();
    let sagemaker = cloud.sagemaker();
    sagemaker.call("CreateModelPackageGroup", json!({"ModelPackageGroupName": "abalone"})).await.unwrap();
    let containers = json!([{"Image": "sagemaker-xgboost:1.0-1-cpu-py3", "ModelDataUrl": "s3://bkt/model.tar.gz"}]);
    let package = json!({"ModelPackageGroupName": "abalone", "InferenceSpecification": {"Containers": containers,
        "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}});
    let made = sagemaker.call("CreateModelPackage", package).await.unwrap();
    assert_eq!(made["ModelPackageArn"], PACKAGE);
    cloud.close().await;
}

async fn approve(cloud: &LocalCloud) {
    let change = json!({"ModelPackageArn": PACKAGE, "ModelApprovalStatus": "Approved"});
    cloud.sagemaker().call("UpdateModelPackage", change).await.unwrap();
}

/// The next message, waited for as long as SQS lets anybody wait.
async fn told(cloud: &LocalCloud) -> Option<Value> {
    // Whoever looks hides it from nobody: the one that dies has looked, too.
    let input = json!({"QueueUrl": QUEUE, "WaitTimeSeconds": 20, "VisibilityTimeout": 0});
    let answer = cloud.neighbours.sqs.call("ReceiveMessage", input).await.unwrap();
    Some(serde_json::from_str(answer["Messages"][0]["Body"].as_str()?).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that `an_approval_and_its_event_live_or_die_together` kills"]
async fn the_child_approves() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let cloud = open(Path::new(&folder)).await;
    approve(&cloud).await;
    assert!(told(&cloud).await.is_some());
    cloud.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_and_its_event_live_or_die_together() {
    let origin = tempfile::tempdir().unwrap();
    prepared(origin.path()).await;
    let mut approved_by_the_dead = 0;
    for point in ["cloud.write.before", "cloud.write.after"] {
        let mut survived = false;
        for write in 1..MOST_WRITES {
            let place = tempfile::tempdir().unwrap();
            copy(&origin.path().join("cloud"), &place.path().join("cloud"));
            survived = run_child(place.path(), &format!("{point}={write}"));
            if survived {
                break;
            }
            let cloud = open(place.path()).await;
            let package = cloud.sagemaker().call("DescribeModelPackage", json!({"ModelPackageName": PACKAGE})).await;
            match package.unwrap()["ModelApprovalStatus"] == "Approved" {
                true => approved_by_the_dead += 1,
                false => approve(&cloud).await,
            }
            let event = told(&cloud).await.unwrap_or_else(|| panic!("{point}={write}: nobody was told"));
            assert_eq!(event["detail"]["ModelPackageArn"], PACKAGE, "{point}={write}");
            assert_eq!(event["detail"]["ModelApprovalStatus"], "Approved", "{point}={write}");
            let record = std::fs::read(place.path().join("cloud/sagemaker/records/model-packages/abalone.1.json"));
            let record: Value = serde_json::from_slice(&record.unwrap()).unwrap();
            assert_eq!(record["outbox"], Value::Null, "{point}={write}: what was told is still kept");
            cloud.close().await;
        }
        assert!(survived, "{point}: the child dies however many writes it is allowed");
    }
    assert!(approved_by_the_dead >= 2, "no child died between the change and its event");
}

/// Whether the child lived to its end.
fn run_child(folder: &Path, failpoint: &str) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env("HALIOTIS_FAILPOINT", failpoint);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("running 1 test"), "the child is not found under its name: {text}");
    assert!(!text.contains("panicked"), "{failpoint}: {text}");
    output.status.success()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}
