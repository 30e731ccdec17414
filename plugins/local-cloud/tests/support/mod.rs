//! A real local cloud on a loopback port, and a real boto3 that talks to it.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use haliotis_local_cloud::{Config, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, LocalCloud, PythonEnv};
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, Processes};

/// Two test programs must not make the one venv at the same time.
static VENV: Mutex<()> = Mutex::new(());

/// A served local cloud.
pub struct Running {
    pub url: String,
    pub cloud: Arc<LocalCloud>,
    server: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Stops answering; the data folder can be opened again.
    pub async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}

/// Nothing may be run: for services that start no process.
pub struct NoProcesses;

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

/// Opens the folder and serves it.
pub async fn start(dir: &Path) -> Running {
    let python = PythonEnv { interpreter: PathBuf::from("python3") };
    let config = Config::new(dir, python, Arc::new(NoProcesses));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cloud = LocalCloud::open(Config { endpoint_url: Some(url.clone()), ..config }).await.unwrap();
    let server = tokio::spawn(Arc::clone(&cloud).serve(listener));
    Running { url, cloud, server }
}

/// A Python with boto3: `HALIOTIS_TEST_PYTHON`, or a venv below the target folder, made once.
pub fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("HALIOTIS_TEST_PYTHON") {
        return python.into();
    }
    let _guard = VENV.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boto-venv");
    let python = venv.join("bin/python");
    if venv.join("complete").exists() {
        return python;
    }
    // A name of this process alone, renamed when complete, would break the venv's own paths; so a lock file instead.
    let lock = std::fs::File::create(venv.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !venv.join("complete").exists() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        succeed(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "boto3==1.44.5",
        ]));
        std::fs::write(venv.join("complete"), "").unwrap();
    }
    python
}

/// Runs `tests/boto/{script}` against the server and fails with what it printed.
pub async fn boto(script: &str, url: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto").join(script);
    let mut command = Command::new(python());
    command.arg(path).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", DEFAULT_SECRET_KEY);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_MAX_ATTEMPTS", "1").env("HOME", "/nonexistent");
    let output = tokio::task::spawn_blocking(move || succeed(&mut command)).await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    output
}
