//! Steps of Jenkins' pipeline-aws against the local cloud, and those it has no service for against a served answer.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use haliotis_model::{BuildResult, StepOutput, Value};
use haliotis_plugin_api::CloudSettings;
use serde_json::json;

use crate::bed::Bed;

const TEMPLATE: &str = "
Parameters: { Instances: { Type: Number, Default: 1, Description: How many. } }
Resources:
  Group:
    Type: AWS::SageMaker::ModelPackageGroup
    Properties: { ModelPackageGroupName: calls }
Outputs: { Count: { Value: !Ref Instances } }
";

async fn call(bed: &Bed, step: &str, arguments: Value) -> StepOutput {
    let with = json!({ "step": step, "arguments": arguments });
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    bed.try_run(&format!("{step}-{number}"), "aws.call", with).await.unwrap()
}

#[tokio::test]
async fn objects_there_and_back() {
    let bed = Bed::new().await;
    bed.file("out/a.json", "{}");
    bed.file("out/deep/b.json", "[1]");
    bed.file("out/c.txt", "c");
    let up = call(&bed, "s3Upload", json!({"bucket": "calls", "file": "out/c.txt", "path": "one/"})).await;
    assert_eq!(up.outputs["value"], "s3://calls/one/c.txt");
    let all = json!({"bucket": "calls", "path": "many", "workingDir": "out", "includePathPattern": "**/*.json"});
    assert_eq!(call(&bed, "s3Upload", all).await.result, BuildResult::Success);
    call(&bed, "s3Upload", json!({"bucket": "calls", "text": "words", "path": "text.txt"})).await;
    let found = call(&bed, "s3FindFiles", json!({"bucket": "calls", "path": "many", "glob": "**/*.json"})).await;
    let names: Vec<&str> =
        found.outputs["value"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.json", "deep/b.json"]);
    assert_eq!(found.outputs["value"][1]["length"], 3);
    let exists = async |path: &str| call(&bed, "s3DoesObjectExist", json!({"bucket": "calls", "path": path})).await;
    assert_eq!(exists("one/c.txt").await.outputs["value"], true);
    assert_eq!(exists("one/d.txt").await.outputs["value"], false);
    let copy = json!({"fromBucket": "calls", "fromPath": "one/c.txt", "toBucket": "calls2", "toPath": "x y.txt"});
    assert_eq!(call(&bed, "s3Copy", copy).await.outputs["value"], "s3://calls2/x y.txt");
    let down = call(&bed, "s3Download", json!({"bucket": "calls2", "path": "x y.txt", "file": "got.txt"})).await;
    assert_eq!(down.result, BuildResult::Success, "{down:?}");
    assert_eq!(read(&bed, "got.txt"), "c");
    let again = call(&bed, "s3Download", json!({"bucket": "calls", "path": "text.txt", "file": "got.txt"})).await;
    assert!(again.message.unwrap().contains("force=true"));
    call(&bed, "s3Download", json!({"bucket": "calls", "path": "many/", "file": "all"})).await;
    assert_eq!(read(&bed, "all/deep/b.json"), "[1]");
    let missing = call(&bed, "s3Download", json!({"bucket": "calls", "path": "nope", "file": "n"})).await;
    assert!(missing.message.unwrap().contains("there is no object s3://calls/nope"));
    let url = call(&bed, "s3PresignURL", json!({"bucket": "calls", "key": "text.txt"})).await.outputs["value"].clone();
    let read = reqwest::get(url.as_str().unwrap()).await.unwrap();
    assert_eq!((read.status().as_u16(), read.text().await.unwrap().as_str()), (200, "words"));
    call(&bed, "s3Delete", json!({"bucket": "calls", "path": "many/"})).await;
    let left = call(&bed, "s3FindFiles", json!({"bucket": "calls"})).await;
    assert_eq!(left.outputs["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn stacks_from_a_change_set_to_their_end() {
    let bed = Bed::new().await;
    bed.file("t.yml", TEMPLATE);
    let valid = call(&bed, "cfnValidate", json!({"file": "t.yml"})).await;
    assert_eq!(valid.outputs["value"]["parameters"][0]["parameterKey"], "Instances");
    assert_eq!(call(&bed, "cfnValidate", json!({"template": "Resources: 1"})).await.result, BuildResult::Failure);
    let none = call(&bed, "cfnDescribe", json!({"stack": "calls"})).await;
    assert_eq!(none.message.as_deref(), Some("Stack with id calls does not exist"));
    let set = json!({"stack": "calls", "changeSet": "first", "file": "t.yml", "params": {"Instances": 3}, "pollInterval": 50});
    let changes = call(&bed, "cfnCreateChangeSet", set).await;
    assert_eq!(changes.outputs["value"][0]["logicalResourceId"], "Group", "{changes:?}");
    let run = json!({"stack": "calls", "changeSet": "first", "pollInterval": 50});
    assert_eq!(call(&bed, "cfnExecuteChangeSet", run).await.outputs["value"], json!({"Count": "3"}));
    assert_eq!(call(&bed, "cfnDescribe", json!({"stack": "calls"})).await.outputs["value"]["Count"], "3");
    let set = json!({"stack": "calls", "changeSet": "none", "keepParams": ["Instances"], "pollInterval": 50});
    assert_eq!(call(&bed, "cfnCreateChangeSet", set).await.outputs["value"], json!([]));
    let gone = call(&bed, "cfnDelete", json!({"stack": "calls", "pollInterval": 50})).await;
    assert_eq!(gone.result, BuildResult::Success, "{gone:?}");
    assert_eq!(call(&bed, "cfnDescribe", json!({"stack": "calls"})).await.result, BuildResult::Failure);
    let who = call(&bed, "awsIdentity", json!({})).await;
    assert_eq!(who.outputs["value"]["account"], bed.settings.account);
}

fn read(bed: &Bed, path: &str) -> String {
    std::fs::read_to_string(bed.dir.path().join("workspace").join(path)).unwrap()
}

type Heard = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// A service that answers everything alike and tells what it was asked.
async fn served(answer: &'static str) -> (String, Heard) {
    let heard: Heard = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hear = move |State(heard): State<Heard>, uri: Uri, headers: HeaderMap, body: String| async move {
        heard.lock().unwrap().push((uri.to_string(), headers, body));
        answer
    };
    let app = Router::new().fallback(hear).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, heard)
}

#[tokio::test]
async fn registries_and_functions_are_asked_with_a_signature() {
    let mut bed = Bed::new().await;
    // base64 of AWS:pass
    let token = r#"{"authorizationData":[{"authorizationToken":"QVdTOnBhc3M=","proxyEndpoint":"https://r.example"}]}"#;
    let (url, heard) = served(token).await;
    bed.settings = Arc::new(CloudSettings { endpoint_url: Some(url), ..(*bed.settings).clone() });
    let login = call(&bed, "ecrLogin", json!({})).await;
    assert_eq!(login.outputs["value"], "docker login -u AWS -p pass https://r.example");
    let asked = json!({"functionName": "f", "payload": {"a": [1]}, "qualifier": "live"});
    assert!(call(&bed, "invokeLambda", asked).await.outputs["value"]["authorizationData"].is_array());
    let heard = heard.lock().unwrap();
    let [ecr, lambda] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(ecr.1["x-amz-target"], "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
    assert!(ecr.1["authorization"].to_str().unwrap().contains("/us-east-1/ecr/aws4_request"));
    assert_eq!(
        (lambda.0.as_str(), lambda.2.as_str()),
        ("/2015-03-31/functions/f/invocations?Qualifier=live", r#"{"a":[1]}"#)
    );
    assert!(lambda.1["authorization"].to_str().unwrap().contains("/us-east-1/lambda/aws4_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_published_once() {
    let mut bed = Bed::new().await;
    let (url, heard) =
        served("<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>").await;
    bed.settings = Arc::new(CloudSettings { endpoint_url: Some(url), ..(*bed.settings).clone() });
    let topic = "arn:aws:sns:us-east-1:000000000000:built";
    let message = json!({"topicArn": topic, "subject": "a b", "message": "model & metrics", "messageAttributes": {"stage": "prod"}});
    assert_eq!(call(&bed, "snsPublish", message).await.outputs["value"], "m-1");
    let heard = heard.lock().unwrap().clone();
    let [asked] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(asked.1["authorization"].to_str().unwrap().contains("/us-east-1/sns/aws4_request"));
    for part in
        ["Action=Publish", "Subject=a%20b", "Message=model%20%26%20metrics", "entry.1.Name=stage", "StringValue=prod"]
    {
        assert!(asked.2.contains(part), "no {part} in {}", asked.2);
    }
}
