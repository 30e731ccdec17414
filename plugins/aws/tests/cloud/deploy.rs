//! Deployments that do not go as wished.

use haliotis_model::BuildResult;
use haliotis_plugin_api::StepError;
use serde_json::json;

use crate::bed::{Bed, seed};

fn with(parameters: serde_json::Value) -> serde_json::Value {
    json!({"stack": "abalone-x", "template": "template.yml", "parameters": parameters})
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_with_their_reason() {
    let bed = Bed::new().await;
    bed.file("template.yml", &seed("abalone-model-deploy/endpoint-config-template.yml"));
    let missing = bed.try_run("a", "cloudformation.deploy", with(json!({"StageName": "x"}))).await;
    let text = match missing {
        Ok(output) => output.message.unwrap(),
        Err(error) => error.to_string(),
    };
    assert!(text.contains("ModelPackageName"), "{text}");

    let parameters = json!({
        "SageMakerProjectName": "abalone", "StageName": "x", "EndpointInstanceType": "ml.m5.large",
        "ModelPackageName": "arn:aws:sagemaker:us-east-1:000000000000:model-package/none/1",
        "ModelExecutionRoleArn": "arn:aws:iam::000000000000:role/haliotis-local", "EndpointInstanceCount": 1,
        "DataCaptureUploadPath": "s3://bench-artifacts/c", "SamplingPercentage": 100,
    });
    let failed = bed.try_run("b", "cloudformation.deploy", with(parameters.clone())).await.unwrap();
    assert_eq!(failed.result, BuildResult::Failure);
    let message = failed.message.unwrap();
    assert!(message.contains("ROLLBACK_COMPLETE because Model (AWS::SageMaker::Model)"), "{message}");
    // The remains of the failed creation are no obstacle to the next attempt.
    let again = bed.try_run("c", "cloudformation.deploy", with(parameters)).await.unwrap();
    assert!(again.message.unwrap().contains("ROLLBACK_COMPLETE because Model"), "the second attempt must get as far");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_before_anything_is_made() {
    let bed = Bed::new().await;
    let no_template = json!({"stack": "s", "template": "missing.yml"});
    let error = bed.try_run("a", "cloudformation.deploy", no_template).await.unwrap_err();
    assert!(matches!(&error, StepError::Usage(text) if text.contains("missing.yml")), "{error}");
    for (step, wrong, part) in [
        ("sagemaker.processing", json!({"image": "x", "code": "gone.py"}), "gone.py"),
        ("sagemaker.processing", json!({"image": "x", "outputs": {"a": "/tmp/a"}}), "/opt/ml/processing"),
        ("sagemaker.training", json!({"image": "x", "channels": {}}), "channels"),
        (
            "sagemaker.training",
            json!({"image": "x", "channels": {"train": "s3://b/k"}, "entry-point": "a.py"}),
            "source-dir",
        ),
        ("sagemaker.transform", json!({"input": "s3://b/k"}), "model-package-arn"),
        ("sagemaker.evaluate", json!({"image": "x", "report": {"output": "o", "file": "f"}}), "none of `outputs`"),
    ] {
        let error = bed.try_run("b", step, wrong).await.unwrap_err().to_string();
        assert!(error.contains(part), "{step}: {error}");
    }
}
