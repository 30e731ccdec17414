//! One invocation: event into a file, process, answer out of a file.
//!
//! A crash of the server between the start and the end changes nothing: the next one asks for the process under the
//! same key. A function that ran in time but whose supervisor was lost has failed, and is not run a second time here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use haliotis_plugin_api::ProcessSpec;
use serde_json::{Value, json};

use crate::AwsError;
use crate::durable::write_atomic;
use crate::lambda::{Function, Lambda};

/// Milliseconds between SIGTERM and SIGKILL of a function that is out of time.
const GRACE_MS: u64 = 500;

/// How a function ended.
pub(crate) enum Outcome {
    Returned(Value),
    /// `errorMessage`, `errorType`, `stackTrace`.
    Failed(Value),
}

impl Lambda {
    /// Invokes and waits. `limit_s` shortens the function's own limit.
    ///
    /// # Errors
    /// When there is no such function, or its process cannot be started.
    pub(crate) async fn invoke(
        &self,
        key: &str,
        name: &str,
        event: &Value,
        limit_s: Option<u64>,
    ) -> Result<Outcome, AwsError> {
        let function = self.named(name)?;
        self.start(key, &function, event).await?;
        let process = process_key(key);
        let limit = Duration::from_secs(limit_s.unwrap_or(u64::MAX).min(function.timeout_s));
        let Ok(exit) = tokio::time::timeout(limit, self.processes.wait(&process)).await else {
            // It is killed in any case; that it was asked once more harms nobody.
            let _ = self.processes.kill(&process, GRACE_MS).await;
            let text = format!("Task timed out after {}.00 seconds", limit.as_secs());
            return Ok(Outcome::Failed(json!({"errorType": "Sandbox.Timedout", "errorMessage": text})));
        };
        let answer = std::fs::read(self.run_folder(key).join("answer.json")).ok();
        let answer = answer.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        Ok(match (answer, exit) {
            (Some(answer), _) if answer.get("returned").is_some() => Outcome::Returned(answer["returned"].clone()),
            (Some(answer), _) => Outcome::Failed(answer["failed"].clone()),
            (None, Ok(exit)) => Outcome::Failed(json!({
                "errorType": "Runtime.ExitError", "errorMessage": format!("the function's process ended with exit code {}", exit.code)})),
            (None, Err(error)) => {
                Outcome::Failed(json!({"errorType": "Runtime.ExitError", "errorMessage": error.to_string()}))
            }
        })
    }

    /// Starts the process, or finds the one started under the key before.
    pub(super) async fn start(&self, key: &str, function: &Function, event: &Value) -> Result<(), AwsError> {
        let folder = self.run_folder(key);
        let failed = |error: &dyn std::fmt::Display| {
            AwsError::new(500, "ServiceException", format!("the function {} cannot be started: {error}", function.name))
        };
        std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        write_atomic(&folder.join("event.json"), event.to_string().as_bytes()).map_err(|error| failed(&error))?;
        let argv = [
            self.python.clone(),
            self.home.join("lambda_run.py"),
            self.code_path(&function.code_sha256),
            PathBuf::from(&function.handler),
            folder.clone(),
            PathBuf::from(&function.arn),
            PathBuf::from(function.timeout_s.to_string()),
        ];
        let spec = ProcessSpec {
            argv: argv.iter().map(|part| text(part)).collect(),
            vars: self.vars(function, &folder),
            cwd: folder,
            log: self.logs.join(format!("{}.log", function.name)),
            stdout: None,
            mask: Vec::new(),
        };
        self.processes.spawn(&process_key(key), spec).await.map_err(|error| failed(&error))
    }

    /// Forgets an invocation that has ended; its log stays.
    pub(crate) async fn forget(&self, key: &str) {
        // What is left over is small and harms nobody.
        let _ = self.processes.forget(&process_key(key)).await;
        let _ = std::fs::remove_dir_all(self.run_folder(key));
    }

    fn run_folder(&self, key: &str) -> PathBuf {
        self.home.join("runs").join(key)
    }
}

fn process_key(key: &str) -> String {
    format!("lambda-{key}")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
