//! Endpoints: real servers, the built-in XGBoost and scripts, updates without a lost request, capture, direct and serial.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Bed, ROLE, SKLEARN, XGBOOST, csv, text};

impl Bed {
    /// A model of one container, a configuration with one variant, and both under one name.
    pub(crate) async fn configured(&self, name: &str, containers: Value, more: Value) {
        let mut model = json!({"ModelName": name, "Containers": containers, "ExecutionRoleArn": ROLE});
        if containers_need_direct(&more) {
            model["InferenceExecutionConfig"] = json!({"Mode": "Direct"});
        }
        self.call("CreateModel", model).await;
        let mut config = json!({"EndpointConfigName": name, "ProductionVariants": [{"VariantName": "AllTraffic",
            "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}]});
        if more["DataCaptureConfig"].is_object() {
            config["DataCaptureConfig"] = more["DataCaptureConfig"].clone();
        }
        self.call("CreateEndpointConfig", config).await;
    }

    pub(crate) async fn endpoint(&self, name: &str, config: &str) -> Value {
        self.call("CreateEndpoint", json!({"EndpointName": name, "EndpointConfigName": config})).await;
        self.settled(name).await
    }

    pub(crate) async fn settled(&self, name: &str) -> Value {
        self.until("DescribeEndpoint", json!({"EndpointName": name}), |answer| {
            !matches!(answer["EndpointStatus"].as_str().unwrap(), "Creating" | "Updating" | "Deleting")
        })
        .await
    }

    pub(crate) async fn gone(&self, name: &str) {
        while self.cloud.call("DescribeEndpoint", json!({"EndpointName": name})).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A model that answers with a word, so that one can tell who answered.
    fn saying(&self, word: &str) -> Value {
        let script = format!(
            "import time\ndef model_fn(folder): return '{word}'\n\
             def transform_fn(model, data, content_type, accept):\n    time.sleep(0.02)\n    return f'{{model}}({{data}})', 'text/plain'\n"
        );
        let data = self.archive(&format!("models/{word}.tar.gz"), &[("code/inference.py", &script)]);
        json!({"Image": SKLEARN, "ModelDataUrl": data, "Environment": {"SAGEMAKER_PROGRAM": "inference.py"}})
    }
}

fn containers_need_direct(more: &Value) -> bool {
    more["Direct"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_xgboost_serves_with_its_status_codes() {
    let bed = Bed::new().await;
    let data = bed.trained(XGBOOST).await;
    bed.configured(
        "abalone",
        json!([{"Image": XGBOOST, "ModelDataUrl": data}]),
        json!({"DataCaptureConfig": {
        "EnableCapture": true, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://bkt/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}}}),
    )
    .await;
    let endpoint = bed.endpoint("abalone-staging", "abalone").await;
    assert_eq!(endpoint["EndpointStatus"], "InService", "{endpoint:#}");
    assert_eq!(endpoint["DataCaptureConfig"]["CaptureStatus"], "Started");

    let response = bed.invoke("abalone-staging", &[("content-type", "text/csv")], &csv(3, false)).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, "text/csv; charset=utf-8")
    );
    assert_eq!(response.headers()["x-amzn-invoked-production-variant"], "AllTraffic");
    let scores: Vec<f64> = text(&response).lines().map(|line| line.parse().unwrap()).collect();
    let labels = [0.0, 3.0 - 14.0, 6.0 - 6.0];
    assert!(scores.iter().zip(labels).all(|(score, label)| (score - label).abs() < 4.0), "{scores:?}");

    let as_json =
        bed.invoke("abalone-staging", &[("content-type", "text/csv"), ("accept", "application/json")], "1,7\n").await;
    let score: Value = serde_json::from_slice(as_json.body()).unwrap();
    assert!((score["predictions"][0]["score"].as_f64().unwrap() + 11.0).abs() < 4.0, "{score}");

    for (headers, body, status, said) in [
        (vec![("content-type", "text/csv")], "1,2,3,4\n", 400, "feature size 4 must be 2"),
        (vec![("content-type", "image/png")], "x", 415, "Content-type image/png not supported"),
        (vec![("content-type", "text/csv"), ("accept", "image/png")], "1,2\n", 406, "Accept type image/png"),
        (vec![("content-type", "text/csv")], "a,b\n", 400, "Unable to evaluate payload"),
    ] {
        let response = bed.invoke("abalone-staging", &headers, body).await;
        let error: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), &error["OriginalStatusCode"]), (424, &json!(status)), "{error}");
        assert!(error["OriginalMessage"].as_str().unwrap().contains(said), "{error}");
        assert_eq!(response.headers()["x-amzn-errortype"], "ModelError");
    }
    let large =
        bed.invoke_refused("abalone-staging", &[("content-type", "text/csv")], &"1".repeat(6 * 1024 * 1024 + 1)).await;
    assert!(large.contains("less than or equal to 6291456"), "{large}");
    let absent = bed.invoke_refused("other", &[], "x").await;
    assert_eq!(absent, "ValidationError: Endpoint other of account 000000000000 not found.");

    bed.call("DeleteEndpoint", json!({"EndpointName": "abalone-staging"})).await;
    bed.gone("abalone-staging").await;
    assert!(bed.processes.running().is_empty(), "{:?}", bed.processes.running());
    let captured = bed.keys("capture/abalone-staging/AllTraffic/");
    let first: Value = serde_json::from_str(bed.get(&captured[0]).lines().next().unwrap()).unwrap();
    assert_eq!(first["captureData"]["endpointInput"]["data"], csv(3, false));
    assert_eq!(
        (&first["captureData"]["endpointOutput"]["mode"], &first["captureData"]["endpointOutput"]["encoding"]),
        (&json!("OUTPUT"), &json!("CSV"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_loses_no_request_and_a_bad_one_changes_nothing() {
    let bed = Arc::new(Bed::new().await);
    bed.configured("one", json!([bed.saying("one")]), Value::Null).await;
    bed.configured("two", json!([bed.saying("two")]), Value::Null).await;
    let broken = bed.archive("models/broken.tar.gz", &[("code/inference.py", "raise RuntimeError('cannot load')")]);
    let broken =
        json!({"Image": SKLEARN, "ModelDataUrl": broken, "Environment": {"SAGEMAKER_PROGRAM": "inference.py"}});
    bed.configured("broken", json!([broken]), Value::Null).await;
    assert_eq!(bed.endpoint("e", "one").await["EndpointStatus"], "InService");

    let (stop, ones, twos) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (bed, stop, ones, twos) = (Arc::clone(&bed), Arc::clone(&stop), Arc::clone(&ones), Arc::clone(&twos));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    match text(&bed.invoke("e", &[("content-type", "text/csv")], "x").await).as_str() {
                        "one(x)" => ones.fetch_add(1, Ordering::Relaxed),
                        "two(x)" => twos.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other}"),
                    };
                }
            })
        })
        .collect();
    bed.call("UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "two"})).await;
    let busy = bed.refused("UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "one"})).await;
    assert!(busy.contains("Cannot update in-progress endpoint"), "{busy}");
    assert_eq!(bed.settled("e").await["EndpointConfigName"], "two");
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(ones.load(Ordering::Relaxed) > 0 && twos.load(Ordering::Relaxed) > 0);

    bed.call("UpdateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "broken"})).await;
    let kept = bed.settled("e").await;
    assert_eq!((&kept["EndpointStatus"], &kept["EndpointConfigName"]), (&json!("InService"), &json!("two")));
    assert!(kept["FailureReason"].as_str().unwrap().contains("did not pass the ping health check"), "{kept}");
    assert_eq!(text(&bed.invoke("e", &[("content-type", "text/csv")], "x").await), "two(x)");
    let failed = bed.endpoint("never", "broken").await;
    assert_eq!(failed["EndpointStatus"], "Failed", "{failed}");
    let refused = bed.invoke_refused("never", &[], "x").await;
    assert!(refused.contains("is in status Failed"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_in_a_row_and_by_name() {
    let bed = Bed::new().await;
    let (mut first, mut second) = (bed.saying("f"), bed.saying("g"));
    bed.configured("serial", json!([first, second]), Value::Null).await;
    first["ContainerHostname"] = json!("first");
    second["ContainerHostname"] = json!("second");
    let nameless = bed
        .refused(
            "CreateModel",
            json!({"ModelName": "x", "Containers": [bed.saying("f")],
        "InferenceExecutionConfig": {"Mode": "Direct"}}),
        )
        .await;
    assert!(nameless.contains("needs a ContainerHostname"), "{nameless}");
    bed.configured("direct", json!([first, second]), json!({"Direct": true})).await;
    bed.endpoint("serial", "serial").await;
    bed.endpoint("direct", "direct").await;
    let csv = ("content-type", "text/csv");
    let host = |name| ("x-amzn-sagemaker-target-container-hostname", name);
    assert_eq!(text(&bed.invoke("serial", &[csv], "x").await), "g(f(x))");
    assert_eq!(text(&bed.invoke("direct", &[csv, host("second")], "x").await), "g(x)");
    assert!(bed.invoke_refused("direct", &[csv], "x").await.contains("its containers: first, second"));
    assert!(
        bed.invoke_refused("direct", &[csv, host("third")], "x").await.contains("no container with hostname third")
    );
    assert!(bed.invoke_refused("serial", &[csv, host("first")], "x").await.contains("Mode is not Direct"));
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_share_by_weight_and_can_be_named() {
    let bed = Bed::new().await;
    for word in ["one", "two"] {
        bed.call("CreateModel", json!({"ModelName": word, "PrimaryContainer": bed.saying(word)})).await;
    }
    let variant = |name: &str, weight: f64| {
        json!({"VariantName": name, "ModelName": name, "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1, "InitialVariantWeight": weight})
    };
    bed.call(
        "CreateEndpointConfig",
        json!({"EndpointConfigName": "c", "ProductionVariants": [variant("one", 3.0), variant("two", 1.0)]}),
    )
    .await;
    bed.endpoint("e", "c").await;
    let csv = ("content-type", "text/csv");
    let mut ones = 0;
    for _ in 0..8 {
        ones += u32::from(text(&bed.invoke("e", &[csv], "x").await) == "one(x)");
    }
    assert_eq!(ones, 6);
    assert_eq!(text(&bed.invoke("e", &[csv, ("x-amzn-sagemaker-target-variant", "two")], "x").await), "two(x)");
    let weights = json!([{"VariantName": "one", "DesiredWeight": 0.0}]);
    bed.call(
        "UpdateEndpointWeightsAndCapacities",
        json!({"EndpointName": "e", "DesiredWeightsAndCapacities": weights}),
    )
    .await;
    for _ in 0..3 {
        assert_eq!(text(&bed.invoke("e", &[csv], "x").await), "two(x)");
    }
    let missing = bed.refused("CreateEndpoint", json!({"EndpointName": "f", "EndpointConfigName": "no"})).await;
    assert!(
        missing.starts_with("ValidationException: Could not find endpoint configuration \"arn:aws:sagemaker:"),
        "{missing}"
    );
    let twice = bed.refused("CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "c"})).await;
    assert!(twice.starts_with("ValidationException: Cannot create already existing endpoint \"arn:"), "{twice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_process_that_dies_is_started_again() {
    let bed = Bed::new().await;
    bed.configured("one", json!([bed.saying("one")]), Value::Null).await;
    bed.endpoint("e", "one").await;
    let pid = bed.processes.pid("serve-").unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    // The next request waits for the new process, or meets the old one's end; after that all is well.
    let mut answer = String::new();
    for _ in 0..50 {
        answer = text(&bed.invoke("e", &[("content-type", "text/csv")], "x").await);
        if answer == "one(x)" && bed.processes.pid("serve-") != Some(pid) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(answer, "one(x)");
    assert_eq!(bed.processes.running().len(), 1);
}
