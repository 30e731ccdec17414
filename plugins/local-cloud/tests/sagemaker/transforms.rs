//! Transform jobs: objects in, `.out` objects out, line by line.

use serde_json::{Value, json};

use crate::bed::{Bed, XGBOOST, csv};

fn transform(name: &str, input: &str) -> Value {
    json!({
        "TransformJobName": name, "ModelName": "m", "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1,
        "TransformInput": {"ContentType": "text/csv", "SplitType": "Line",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": input}}},
        "TransformOutput": {"S3OutputPath": format!("s3://bkt/{name}"), "Accept": "text/csv", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_is_scored_line_by_line() {
    let bed = Bed::new().await;
    let data = bed.trained(XGBOOST).await;
    bed.call("CreateModel", json!({"ModelName": "m", "PrimaryContainer": {"Image": XGBOOST, "ModelDataUrl": data}}))
        .await;
    bed.put("batch/a.csv", csv(25, false));
    bed.put("batch/deep/b.csv", csv(4, false));
    bed.call("CreateTransformJob", transform("t", "s3://bkt/batch/")).await;
    let job = bed.ended("Transform", "t").await;
    assert_eq!(job["TransformJobStatus"], "Completed", "{job:#}\n{}", bed.log("transform", "t"));
    assert_eq!(bed.keys("t/"), ["t/a.csv.out", "t/deep/b.csv.out"]);
    assert_eq!((bed.get("t/a.csv.out").lines().count(), bed.get("t/deep/b.csv.out").lines().count()), (25, 4));

    let mut single = transform("single", "s3://bkt/batch/deep/b.csv");
    single["BatchStrategy"] = json!("SingleRecord");
    bed.call("CreateTransformJob", single).await;
    bed.put("bad/x.csv", "1,2,3,4,5\n");
    bed.call("CreateTransformJob", transform("bad", "s3://bkt/bad")).await;
    assert_eq!(bed.ended("Transform", "single").await["TransformJobStatus"], "Completed");
    assert_eq!(bed.get("single/b.csv.out"), bed.get("t/deep/b.csv.out"), "one by one or together, the same scores");
    let bad = bed.ended("Transform", "bad").await;
    assert!(bad["FailureReason"].as_str().unwrap().contains("x.csv: bad HTTP response: 400"), "{bad}");
    assert!(bed.processes.running().is_empty());
    let missing = bed
        .refused("CreateTransformJob", {
            let mut t = transform("x", "s3://bkt/b");
            t["ModelName"] = json!("no");
            t
        })
        .await;
    assert!(missing.contains("Could not find model"), "{missing}");
}
