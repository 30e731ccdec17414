//! A real local cloud on a loopback port, and a real boto3 that talks to it.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_local_cloud::sagemaker::python;
use haliotis_local_cloud::{Config, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, LocalCloud, PythonEnv};
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, Processes};

/// A served local cloud.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) cloud: Arc<LocalCloud>,
    server: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Stops answering and working, processes left as they are; the data folder can be opened again.
    pub(crate) async fn stop(self) {
        self.cloud.close().await;
        self.server.abort();
        let _ = self.server.await;
    }
}

/// Nothing may be run: for services that start no process.
pub(crate) struct NoProcesses;

#[async_trait]
impl Processes for NoProcesses {
    async fn spawn(&self, key: &str, _spec: ProcessSpec) -> Result<(), ProcessError> {
        Err(ProcessError::Supervisor(format!("this test runs no processes, but {key} was asked for")))
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        Err(ProcessError::Unknown(key.to_owned()))
    }

    async fn kill(&self, _key: &str, _grace_ms: u64) -> Result<(), ProcessError> {
        Ok(())
    }

    async fn forget(&self, _key: &str) -> Result<(), ProcessError> {
        Ok(())
    }
}

/// Opens the folder and serves it, for services that run no processes.
pub(crate) async fn start(dir: &Path) -> Running {
    start_with(dir, Arc::new(NoProcesses)).await
}

/// Opens the folder and serves it.
pub(crate) async fn start_with(dir: &Path, processes: Arc<dyn Processes>) -> Running {
    let config = Config::new(dir, python().await, processes);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cloud = LocalCloud::open(Config { endpoint_url: Some(url.clone()), ..config }).await.unwrap();
    let server = tokio::spawn(Arc::clone(&cloud).serve(listener));
    Running { url, cloud, server }
}

/// The runtimes' own Python, which has boto3: in `HALIOTIS_PYTHON_DIR` or `~/.cache/haliotis/python`, made once.
pub(crate) async fn python() -> PythonEnv {
    let dir = std::env::var_os("HALIOTIS_PYTHON_DIR").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/haliotis/python")
    });
    python::ensure_python(&dir, |_| {}).await.unwrap()
}

/// Runs `tests/boto/{script}` against the server and fails with what it printed.
pub(crate) async fn boto(script: &str, url: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto").join(script);
    let mut command = Command::new(python().await.interpreter);
    command.arg(path).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", DEFAULT_SECRET_KEY);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_MAX_ATTEMPTS", "1").env("HOME", "/nonexistent");
    let output = tokio::task::spawn_blocking(move || succeed(&mut command)).await;
    let output = output.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    String::from_utf8(output.stdout).unwrap()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    output
}
