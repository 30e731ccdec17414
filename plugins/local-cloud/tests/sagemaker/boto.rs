//! The whole road as unmodified boto3 walks it, through the front: scripts that know nothing of this local cloud.

use std::sync::Arc;

use haliotis_local_cloud::{Config, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, LocalCloud};

use crate::bed::python_env;
use crate::processes::TestProcesses;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_goes_from_data_to_an_answering_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = Config::new(folder.path(), python_env().await, Arc::new(TestProcesses::default()) as _);
    let cloud = LocalCloud::open(Config { endpoint_url: Some(url.clone()), ..config }).await.unwrap();
    let server = tokio::spawn(Arc::clone(&cloud).serve(listener));

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sagemaker/boto_sagemaker.py");
    let mut command = tokio::process::Command::new(python_env().await.interpreter);
    command.arg(script).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("AWS_ENDPOINT_URL", &url);
    command.env("AWS_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", DEFAULT_SECRET_KEY);
    command.env("AWS_DEFAULT_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder.path());
    if let Some(data) = std::env::var_os("HALIOTIS_ABALONE_CSV") {
        command.env("HALIOTIS_ABALONE_CSV", data);
    }
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all as AWS would"), "{said}");
    server.abort();
}
