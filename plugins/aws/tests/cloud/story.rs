//! The abalone story step by step, with the seeded scripts and made-up rows: from data to an endpoint that answers.

use haliotis_model::{BuildResult, Value};
use haliotis_plugin_aws::registry;
use serde_json::json;

use crate::bed::{Bed, SKLEARN, XGBOOST, seed};

/// Nine columns as UCI publishes them; rings follow from the measures, so that a model can learn them.
fn abalone_like(rows: u32) -> String {
    let row = |n: u32| {
        let age = 1.0 + f64::from(n * 7919 % 190) / 10.0;
        let noise = f64::from(n * 104_729 % 100) / 5000.0;
        let length = 0.1 + age * 0.03 + noise;
        let weight = length.powi(3) * 4.0;
        let sex = ["M", "F", "I"][(n % 3) as usize];
        let measures = [length, length * 0.8, length * 0.3, weight, weight * 0.4, weight * 0.2, weight * 0.3];
        let measures: Vec<String> = measures.iter().map(|value| format!("{value:.4}")).collect();
        format!("{sex},{},{}\n", measures.join(","), age.round())
    };
    (0..rows).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_rows_to_an_endpoint_that_answers() {
    let bed = Bed::new().await;
    for script in ["preprocess.py", "evaluate.py", "inference.py"] {
        bed.file(&format!("pipelines/{script}"), &seed(&format!("abalone-model-build/pipelines/abalone/{script}")));
    }
    bed.file("raw.csv", &abalone_like(1200));
    let (preprocess, evaluated) = build(&bed).await;
    let mse = evaluated["report"]["regression_metrics"]["mse"]["value"].as_f64().unwrap();
    assert!(mse > 0.0 && mse < 6.0, "{mse}");

    let registered = register(&bed, &evaluated).await;
    let arn = registered["arn"].as_str().unwrap();
    assert_eq!(registered["version"], 1);
    registry::set_approval(&bed.settings, arn, "Approved", "ada", "MSE is fine").await.unwrap();
    let package = registry::describe(&bed.settings, arn).await.unwrap();
    assert_eq!((package.status.as_str(), package.approval_description.as_str()), ("Approved", "ada: MSE is fine"));
    assert_eq!(package.metrics.unwrap()["regression_metrics"]["mse"]["value"], mse);

    bed.file("template.yml", &seed("abalone-model-deploy/endpoint-config-template.yml"));
    let deployed = bed.run("staging", "cloudformation.deploy", stack("staging", arn)).await.outputs;
    assert_eq!((&deployed["status"], &deployed["changed"]), (&json!("CREATE_COMPLETE"), &json!(true)));
    assert_eq!(deployed["outputs"]["EndpointName"], "abalone-staging");
    assert_eq!(deployed["previous-parameters"], json!({}));
    let again = bed.run("staging-again", "cloudformation.deploy", stack("staging", arn)).await.outputs;
    assert_eq!((&again["changed"], &again["previous-parameters"]["ModelPackageName"]), (&json!(false), &json!(arn)));

    test_the_endpoint(&bed, &preprocess, arn).await;
    let listed = registry::endpoints(&bed.settings).await.unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].status.as_str()), ("abalone-staging", "InService"));
    assert_eq!(listed[0].model_package_arn.as_deref(), Some(arn));
}

/// Preprocess, train, evaluate; outputs of the first and the last.
async fn build(bed: &Bed) -> (Value, Value) {
    let preprocess = bed
        .run(
            "preprocess",
            "sagemaker.processing",
            json!({
                "image": SKLEARN, "code": "pipelines/preprocess.py", "arguments": ["--seed", 1],
                "inputs": {"raw": "raw.csv"},
                "outputs": {
                    "train": "/opt/ml/processing/train", "validation": "/opt/ml/processing/validation",
                    "test": "/opt/ml/processing/test", "heldout": "/opt/ml/processing/heldout",
                    "transformers": "/opt/ml/processing/transformers",
                },
            }),
        )
        .await
        .outputs;
    assert_eq!(preprocess["output-train"], "s3://bench-artifacts/bench/1/preprocess/train");
    let hyperparameters = json!({
        "objective": "reg:squarederror", "num_round": 50, "max_depth": 5, "eta": 0.2, "seed": 1,
    });
    let channels = json!({"train": preprocess["output-train"], "validation": preprocess["output-validation"]});
    let with = json!({"image": XGBOOST, "hyperparameters": hyperparameters, "channels": channels});
    let train = bed.run("train", "sagemaker.training", with).await.outputs;
    assert!(train["model-data"].as_str().unwrap().ends_with("/output/model.tar.gz"), "{train:?}");
    assert!(train["metrics"]["validation:rmse"].as_f64().is_some(), "{train:?}");
    let evaluated = bed
        .run(
            "evaluate",
            "sagemaker.evaluate",
            json!({
                "image": XGBOOST, "code": "pipelines/evaluate.py",
                "inputs": {
                    "model": train["model-data"], "test": preprocess["output-test"],
                    "heldout": preprocess["output-heldout"], "transformers": preprocess["output-transformers"],
                    "inference": "pipelines/inference.py",
                },
                "outputs": {
                    "evaluation": "/opt/ml/processing/evaluation", "packed": "/opt/ml/processing/packed",
                },
                "report": {"output": "evaluation", "file": "evaluation.json"},
            }),
        )
        .await
        .outputs;
    (preprocess.into(), evaluated.into())
}

async fn register(bed: &Bed, evaluated: &Value) -> Value {
    let with = json!({
        "group": "abalone", "image": XGBOOST,
        "model-data": format!("{}/model.tar.gz", evaluated["output-packed"].as_str().unwrap()),
        "environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
        "report-uri": evaluated["report-uri"], "response-types": ["text/csv", "application/json"],
        "metadata": {"mse": evaluated["report"]["regression_metrics"]["mse"]["value"]},
    });
    bed.run("register", "sagemaker.register-model", with).await.outputs.into()
}

fn stack(stage: &str, arn: &str) -> Value {
    json!({
        "stack": format!("abalone-{stage}"), "template": "template.yml", "tags": {"stage": stage},
        "parameters": {
            "SageMakerProjectName": "abalone", "StageName": stage, "ModelPackageName": arn,
            "ModelExecutionRoleArn": "arn:aws:iam::000000000000:role/haliotis-local",
            "EndpointInstanceType": "ml.m5.large", "EndpointInstanceCount": 1,
            "DataCaptureUploadPath": "s3://bench-artifacts/datacapture", "SamplingPercentage": 100,
        },
    })
}

async fn test_the_endpoint(bed: &Bed, preprocess: &Value, arn: &str) {
    let data = format!("{}/heldout.csv", preprocess["output-heldout"].as_str().unwrap());
    let with = |bound: f64| json!({"endpoint": "abalone-staging", "data": data, "rows": 40, "max-mse": bound});
    let tested = bed.run("test", "sagemaker.test-endpoint", with(6.0)).await.outputs;
    assert_eq!((&tested["rows"], &tested["model-package-arn"]), (&json!(40), &json!(arn)));
    let failed = bed.try_run("test-strict", "sagemaker.test-endpoint", with(0.0)).await.unwrap();
    assert_eq!(failed.result, BuildResult::Failure);
    assert!(failed.message.unwrap().contains("too far off"));
    let with = json!({"endpoint": "nobody", "data": data});
    let missing = bed.try_run("test-missing", "sagemaker.test-endpoint", with).await.unwrap();
    assert!(missing.message.unwrap().contains("no endpoint nobody"));
    transform(bed, &data, arn).await;
}

async fn transform(bed: &Bed, data: &str, arn: &str) {
    bed.file("batch/rows.csv", "M,0.4,0.3,0.1,0.25,0.1,0.05,0.07\nF,0.5,0.4,0.15,0.5,0.2,0.1,0.15\n");
    let scored = bed.run("batch", "sagemaker.transform", json!({"input": "batch", "model-package-arn": arn})).await;
    let uri = format!("{}/rows.csv.out", scored.outputs["output-uri"].as_str().unwrap());
    let answers = registry::get_object(&bed.settings, &uri, 1000).await.unwrap();
    let answers: Vec<f64> = String::from_utf8(answers).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert!(answers.len() == 2 && answers[0] < answers[1], "the larger one must be the older: {answers:?}");
    let input = json!({"input": data, "model-package-arn": arn});
    // The held-out file begins with the label, which is one column too many: the job must fail and say so.
    let transform = bed.try_run("batch-labelled", "sagemaker.transform", input).await.unwrap();
    assert_eq!(transform.result, BuildResult::Failure, "{transform:?}");
}
