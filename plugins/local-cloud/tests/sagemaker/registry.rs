//! The model registry: versions, approval, metadata, lists, tags, and what is refused.

use serde_json::{Value, json};

use crate::bed::{Bed, XGBOOST};

async fn group(bed: &Bed, name: &str) {
    bed.call(
        "CreateModelPackageGroup",
        json!({"ModelPackageGroupName": name, "ModelPackageGroupDescription": "d",
        "Tags": [{"Key": "sagemaker:project-id", "Value": "p-1"}]}),
    )
    .await;
}

fn version(bed: &Bed, group: &str) -> Value {
    let data = bed.put("m/model.tar.gz", "x");
    json!({
        "ModelPackageGroupName": group,
        "ModelPackageDescription": "trained",
        "InferenceSpecification": {
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": data}],
            "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.t2.medium"], "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://bkt/e.json"}}},
        "CustomerMetadataProperties": {"mse": "4.7"},
        "MetadataProperties": {"GeneratedBy": "build 1", "CommitId": "abc"},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_numbered_approved_and_listed() {
    let bed = Bed::new().await;
    group(&bed, "abalone").await;
    let mut events = bed.cloud.package_events();
    let mut arns = Vec::new();
    for _ in 0..3 {
        arns.push(bed.call("CreateModelPackage", version(&bed, "abalone")).await["ModelPackageArn"].clone());
    }
    assert_eq!(arns[2], "arn:aws:sagemaker:us-east-1:000000000000:model-package/abalone/3");
    bed.call(
        "UpdateModelPackage",
        json!({"ModelPackageArn": arns[1], "ModelApprovalStatus": "Approved",
        "ApprovalDescription": "good on the test set", "CustomerMetadataProperties": {"approver": "ana"},
        "CustomerMetadataPropertiesToRemove": ["mse"]}),
    )
    .await;

    let package = bed.call("DescribeModelPackage", json!({"ModelPackageName": arns[1]})).await;
    assert_eq!(
        (&package["ModelApprovalStatus"], &package["ApprovalDescription"]),
        (&json!("Approved"), &json!("good on the test set"))
    );
    assert_eq!(package["CustomerMetadataProperties"], json!({"approver": "ana"}));
    assert_eq!(
        (&package["ModelPackageVersion"], &package["MetadataProperties"]["CommitId"]),
        (&json!(2), &json!("abc"))
    );
    assert!(package["LastModifiedTime"].as_f64().unwrap() >= package["CreationTime"].as_f64().unwrap());
    let statuses: Vec<_> = (0..4).map(|_| events.try_recv().unwrap()["ModelApprovalStatus"].clone()).collect();
    assert_eq!(statuses, ["PendingManualApproval", "PendingManualApproval", "PendingManualApproval", "Approved"]);

    let list = |more: Value| {
        let mut input = json!({"ModelPackageGroupName": "abalone"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let numbers = |answer: Value| -> Vec<u64> {
        answer["ModelPackageSummaryList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["ModelPackageVersion"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(bed.call("ListModelPackages", list(json!({}))).await), [1, 2, 3], "AWS' default is ascending");
    assert_eq!(
        numbers(bed.call("ListModelPackages", list(json!({"SortOrder": "Descending", "MaxResults": 2}))).await),
        [3, 2]
    );
    assert_eq!(numbers(bed.call("ListModelPackages", list(json!({"ModelApprovalStatus": "Approved"}))).await), [2]);

    let back = bed
        .refused(
            "UpdateModelPackage",
            json!({"ModelPackageArn": arns[1], "ModelApprovalStatus": "PendingManualApproval"}),
        )
        .await;
    assert!(back.contains("cannot be changed from Approved to PendingManualApproval"), "{back}");
    bed.call("UpdateModelPackage", json!({"ModelPackageArn": arns[1], "ModelApprovalStatus": "Rejected"})).await;
    bed.call("DeleteModelPackage", json!({"ModelPackageName": arns[2]})).await;
    let next = bed.call("CreateModelPackage", version(&bed, "abalone")).await;
    assert!(next["ModelPackageArn"].as_str().unwrap().ends_with("/4"), "a number is never given twice: {next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_refused() {
    let bed = Bed::new().await;
    group(&bed, "abalone").await;
    let twice = bed.refused("CreateModelPackageGroup", json!({"ModelPackageGroupName": "abalone"})).await;
    assert_eq!(
        twice,
        "ValidationException: Model Package Group already exists: arn:aws:sagemaker:us-east-1:000000000000:model-package-group/abalone"
    );
    let missing = bed.refused("CreateModelPackage", version(&bed, "other")).await;
    assert_eq!(
        missing,
        "ValidationException: ModelPackageGroup arn:aws:sagemaker:us-east-1:000000000000:model-package-group/other does not exist."
    );
    let mut both = version(&bed, "abalone");
    both["ModelPackageName"] = json!("name");
    assert!(
        bed.refused("CreateModelPackage", both)
            .await
            .contains("Both ModelPackageName and ModelPackageGroupName are provided")
    );
    let none = bed
        .refused(
            "DescribeModelPackage",
            json!({"ModelPackageName": "arn:aws:sagemaker:us-east-1:000000000000:model-package/abalone/9"}),
        )
        .await;
    assert!(none.ends_with("model-package/abalone/9 does not exist."), "{none}");

    let pending = bed.call("CreateModelPackage", version(&bed, "abalone")).await["ModelPackageArn"].clone();
    let model = json!({"ModelName": "m", "Containers": [{"ModelPackageName": pending}]});
    let refused = bed.refused("CreateModel", model.clone()).await;
    assert!(refused.contains("its ModelApprovalStatus is PendingManualApproval, and must be Approved"), "{refused}");
    bed.call("UpdateModelPackage", json!({"ModelPackageArn": pending, "ModelApprovalStatus": "Approved"})).await;
    bed.call("CreateModel", model.clone()).await;
    assert_eq!(bed.call("DescribeModel", json!({"ModelName": "m"})).await["Containers"], model["Containers"]);
    let data = bed
        .refused(
            "CreateModel",
            json!({"ModelName": "n", "PrimaryContainer": {"Image": XGBOOST, "ModelDataUrl": "s3://bkt/no.tar.gz"}}),
        )
        .await;
    assert_eq!(data, "ValidationException: Could not find model data at s3://bkt/no.tar.gz.");
    let full = bed.refused("DeleteModelPackageGroup", json!({"ModelPackageGroupName": "abalone"})).await;
    assert!(full.starts_with("ConflictException: "), "{full}");
    let unknown = bed.refused("CreateAutoMLJob", json!({})).await;
    assert_eq!(unknown, "UnknownOperationException: the local cloud does not offer SageMaker CreateAutoMLJob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_token_makes_registering_idempotent() {
    let bed = Bed::new().await;
    group(&bed, "abalone").await;
    let mut request = version(&bed, "abalone");
    request["ClientToken"] = json!("build-1-register");
    let first = bed.call("CreateModelPackage", request.clone()).await;
    assert_eq!(bed.call("CreateModelPackage", request).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_any_resource() {
    let mut bed = Bed::new().await;
    group(&bed, "abalone").await;
    let arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/abalone";
    bed.call("AddTags", json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "1"}]})).await;
    bed.call("DeleteTags", json!({"ResourceArn": arn, "TagKeys": ["sagemaker:project-id"]})).await;
    bed.restart().await;
    assert_eq!(bed.call("ListTags", json!({"ResourceArn": arn})).await, json!({"Tags": [{"Key": "a", "Value": "1"}]}));
    let none = bed.refused("ListTags", json!({"ResourceArn": format!("{arn}x")})).await;
    assert!(none.contains("Resource does not exist"), "{none}");
}
