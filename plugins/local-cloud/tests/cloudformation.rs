//! CloudFormation as unmodified boto3 sees it, over the real SageMaker of the local cloud: endpoints that answer,
//! updates that fail and go back, a stop in the middle of a create.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may panic"))]

#[expect(dead_code, reason = "SageMaker's tests use more of it")]
#[path = "sagemaker/processes.rs"]
mod processes;
mod support;

use std::sync::Arc;

use processes::TestProcesses;
use support::{boto, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn stacks_of_real_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    let processes = Arc::new(TestProcesses::default());
    let running = start_with(folder.path(), Arc::clone(&processes) as _).await;
    boto("cloudformation.py", &running.url, &["whole"]).await;
    boto("cloudformation.py", &running.url, &["begin"]).await;
    running.stop().await;
    let again = start_with(folder.path(), Arc::clone(&processes) as _).await;
    boto("cloudformation.py", &again.url, &["end"]).await;
    again.stop().await;
    assert!(processes.running().is_empty(), "left behind: {:?}", processes.running());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_in_cloudformations_words() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    boto("cloudformation_refusals.py", &running.url, &[]).await;
    running.stop().await;
}
