//! Processing and training jobs: what they see, what they leave, how they fail, stop and run out of time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::{Bed, XGBOOST, csv, processing, training};
use crate::processes::{NoNamespaces, TestProcesses};

#[tokio::test(flavor = "multi_thread")]
async fn a_processing_job_sees_the_contract_and_its_outputs_are_stored() {
    let bed = Bed::new().await;
    let script = bed.put(
        "code/script.py",
        r#"
import json, os, sys
config = json.load(open("/opt/ml/config/processingjobconfig.json"))
assert config["ProcessingJobName"] == "prep", config
assert json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"] == "algo-1"
assert os.listdir("/opt/ml/processing/input/data") == ["a.csv"]
rows = open("/opt/ml/processing/input/data/a.csv").read()
open("/opt/ml/processing/out/b.csv", "w").write(rows * 2)
os.makedirs("/opt/ml/processing/out/deep")
open("/opt/ml/processing/out/deep/env.json", "w").write(json.dumps(dict(os.environ)))
open("/opt/ml/output/message", "w").write("two lines")
open("left-in-cwd", "w").write("harmless")
print("args", sys.argv[1:])
print("to stderr", file=sys.stderr)
"#,
    );
    let data = bed.put("in/a.csv", "1,2\n");
    let mut request = processing("prep", &script);
    request["AppSpecification"]["ContainerArguments"] = json!(["--input-data", data]);
    request["Environment"] = json!({"MY_VAR": "mine"});
    request["ProcessingInputs"].as_array_mut().unwrap().push(json!({"InputName": "data", "S3Input": {
        "S3Uri": data, "LocalPath": "/opt/ml/processing/input/data", "S3DataType": "S3Prefix", "S3InputMode": "File"}}));
    let created = bed.call("CreateProcessingJob", request.clone()).await;
    assert_eq!(created["ProcessingJobArn"], "arn:aws:sagemaker:us-east-1:000000000000:processing-job/prep");

    let job = bed.ended("Processing", "prep").await;
    assert_eq!(job["ProcessingJobStatus"], "Completed", "{job:#}\n{}", bed.log("processing", "prep"));
    assert_eq!(job["ExitMessage"], "two lines");
    assert_eq!(bed.keys("prep/out"), ["prep/out/b.csv", "prep/out/deep/env.json"]);
    assert_eq!(bed.get("prep/out/b.csv"), "1,2\n1,2\n");
    let env: serde_json::Value = serde_json::from_str(&bed.get("prep/out/deep/env.json")).unwrap();
    assert_eq!((&env["MY_VAR"], &env["AWS_REGION"]), (&json!("mine"), &json!("us-east-1")));
    assert!(env["AWS_ENDPOINT_URL"].as_str().unwrap().starts_with("http://127.0.0.1"), "never real AWS");
    let log = bed.log("processing", "prep");
    assert!(log.contains("args ['--input-data', 's3://bkt/in/a.csv']") && log.contains("to stderr"), "{log}");
    assert!(job["ProcessingStartTime"].as_f64().unwrap() >= job["CreationTime"].as_f64().unwrap());

    let again = bed.refused("CreateProcessingJob", request).await;
    assert!(again.starts_with("ResourceInUse: Job name must be unique within an AWS account and region"), "{again}");
    assert!(bed.processes.running().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_fail_with_aws_reasons() {
    let bed = Bed::new().await;
    let script =
        bed.put("code/script.py", "import sys; open('/opt/ml/output/message','w').write('bad rows'); sys.exit(3)");
    bed.call("CreateProcessingJob", processing("exits", &script)).await;
    let mut lost = processing("lost", "s3://bkt/nowhere/script.py");
    lost["ProcessingJobName"] = json!("lost");
    bed.call("CreateProcessingJob", lost).await;
    let mut no_bucket = processing("no-bucket", &script);
    no_bucket["AppSpecification"]["ContainerEntrypoint"] =
        json!(["python3", "-c", "open('/opt/ml/processing/out/x','w')"]);
    no_bucket["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = json!("s3://not-there/x");
    bed.call("CreateProcessingJob", no_bucket).await;

    let job = bed.ended("Processing", "exits").await;
    assert_eq!((&job["ProcessingJobStatus"], &job["ExitMessage"]), (&json!("Failed"), &json!("bad rows")));
    assert_eq!(job["FailureReason"], "AlgorithmError: See job logs for more information, exit code: 3");
    let job = bed.ended("Processing", "lost").await;
    let reason = job["FailureReason"].as_str().unwrap();
    assert!(
        reason.starts_with("ClientError: Data download failed:No S3 objects found under S3 URL \"s3://bkt/nowhere"),
        "{reason}"
    );
    let job = bed.ended("Processing", "no-bucket").await;
    let reason = job["FailureReason"].as_str().unwrap();
    assert!(reason.starts_with("ClientError: Data upload failed") && reason.contains("NoSuchBucket"), "{reason}");

    let failed = bed
        .call("ListProcessingJobs", json!({"StatusEquals": "Failed", "SortBy": "Name", "SortOrder": "Ascending"}))
        .await;
    let names: Vec<_> =
        failed["ProcessingJobSummaries"].as_array().unwrap().iter().map(|s| &s["ProcessingJobName"]).collect();
    assert_eq!(names, ["exits", "lost", "no-bucket"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_stopped_and_runs_out_of_time() {
    let bed = Bed::new().await;
    let script = bed.put("code/script.py", "import time; print('began', flush=True); time.sleep(600)");
    bed.call("CreateProcessingJob", processing("sleeper", &script)).await;
    let mut short = processing("short", &script);
    short["StoppingCondition"] = json!({"MaxRuntimeInSeconds": 1});
    bed.call("CreateProcessingJob", short).await;
    let began = Instant::now();
    while !bed.log("processing", "sleeper").contains("began") {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let busy = bed.refused("DeleteProcessingJob", json!({"ProcessingJobName": "sleeper"})).await;
    assert!(busy.starts_with("ResourceInUse: "), "{busy}");
    bed.call("StopProcessingJob", json!({"ProcessingJobName": "sleeper"})).await;
    assert_eq!(bed.ended("Processing", "sleeper").await["ProcessingJobStatus"], "Stopped");
    assert_eq!(bed.ended("Processing", "short").await["ProcessingJobStatus"], "Stopped");
    let late = bed.refused("StopProcessingJob", json!({"ProcessingJobName": "sleeper"})).await;
    assert_eq!(late, "ValidationException: The request was rejected because the processing job is in status Stopped");
    let unknown = bed.refused("DescribeProcessingJob", json!({"ProcessingJobName": "other"})).await;
    assert_eq!(unknown, "ValidationException: Could not find requested job with name: other");
    bed.call("DeleteProcessingJob", json!({"ProcessingJobName": "sleeper"})).await;
    assert!(bed.refused("DescribeProcessingJob", json!({"ProcessingJobName": "sleeper"})).await.contains("sleeper"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_xgboost_trains_and_its_metrics_are_told() {
    let bed = Bed::new().await;
    let model = bed.trained(XGBOOST).await;
    assert_eq!(model, "s3://bkt/models/trained/output/model.tar.gz");
    let job = bed.ended("Training", "trained").await;
    let course: Vec<_> =
        job["SecondaryStatusTransitions"].as_array().unwrap().iter().map(|t| t["Status"].clone()).collect();
    assert_eq!(course, ["Starting", "Downloading", "Training", "Uploading", "Completed"]);
    let metrics: Vec<_> =
        job["FinalMetricDataList"].as_array().unwrap().iter().map(|m| m["MetricName"].clone()).collect();
    assert_eq!(metrics, ["train:rmse", "validation:rmse"]);
    assert!(job["FinalMetricDataList"][0]["Value"].as_f64().unwrap() < 3.0, "{job:#}");
    assert!(job["BillableTimeInSeconds"].as_u64().unwrap() >= 1);
    let log = bed.log("training", "trained");
    assert!(log.contains("[0]\ttrain-rmse:") && log.contains("[11]\ttrain-rmse:"), "{log}");
    // Pickled for this image: the seed's evaluate.py unpickles it.
    let archive = bed.s3.get_path("bkt", "models/trained/output/model.tar.gz").unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap()));
    let names: Vec<_> =
        archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["xgboost-model"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn xgboost_refuses_what_the_real_one_refuses() {
    let bed = Bed::new().await;
    bed.put("data/train/train.csv", csv(40, true));
    bed.put("data/validation/validation.csv", csv(10, true));
    let mut newer = training("silent", "sagemaker-xgboost:1.2-1");
    newer["HyperParameters"]["num_round"] = json!("2");
    bed.call("CreateTrainingJob", newer).await;
    let mut missing = training("missing", XGBOOST);
    missing["HyperParameters"].as_object_mut().unwrap().remove("num_round");
    bed.call("CreateTrainingJob", missing).await;
    let mut range = training("range", XGBOOST);
    range["HyperParameters"]["eta"] = json!("1.5");
    bed.call("CreateTrainingJob", range).await;
    for (name, reason) in [
        ("silent", "ClientError: Extraneous hyperparameter found: silent, exit code: 2"),
        ("missing", "ClientError: Missing required hyperparameter: num_round, exit code: 2"),
        ("range", "ClientError: Hyperparameter eta: value 1.5 not in range [0, 1], exit code: 2"),
    ] {
        let job = bed.ended("Training", name).await;
        assert_eq!((&job["TrainingJobStatus"], &job["FailureReason"]), (&json!("Failed"), &json!(reason)));
        assert_eq!(job["SecondaryStatus"], "Failed");
    }
    let image = bed.refused("CreateTrainingJob", training("other", "registry.example/pytorch:2")).await;
    assert!(image.contains("no runtime for the image registry.example/pytorch:2"), "{image}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_namespaces_is_told_how_to_allow_them() {
    let mut bed = Bed::new().await;
    assert!(bed.cloud.capabilities().await.namespaces.is_some(), "this test machine allows namespaces");
    bed.reopen_with(std::sync::Arc::new(NoNamespaces(TestProcesses::default()))).await;
    let script = bed.put("code/script.py", "print('never')");
    bed.call("CreateProcessingJob", processing("refused", &script)).await;
    let job = bed.ended("Processing", "refused").await;
    let reason = job["FailureReason"].as_str().unwrap();
    assert!(reason.starts_with("InternalServerError: this host lets us make no mount namespace"), "{reason}");
    assert!(reason.contains("sysctl -w user.max_user_namespaces") && reason.contains("util-linux"), "{reason}");
    assert!(bed.cloud.capabilities().await.explanation.contains("Operation not permitted"));
}
