//! The smallest real `Processes`: children of this test, known by key. "Restarting the server" in a test means opening
//! a second cloud over the same folder with the same processes.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, Processes};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct TestProcesses {
    known: Mutex<BTreeMap<String, Child>>,
}

#[derive(Clone)]
struct Child {
    pid: i32,
    exit: watch::Receiver<Option<Exit>>,
}

impl TestProcesses {
    /// A running process by a part of its key.
    pub(crate) fn pid(&self, part_of_key: &str) -> Option<i32> {
        let known = self.known.lock().unwrap();
        known.iter().find(|(key, child)| key.contains(part_of_key) && child.exit.borrow().is_none()).map(|(_, c)| c.pid)
    }

    pub(crate) fn running(&self) -> Vec<String> {
        let known = self.known.lock().unwrap();
        known.iter().filter(|(_, child)| child.exit.borrow().is_none()).map(|(key, _)| key.clone()).collect()
    }

    fn child(&self, key: &str) -> Result<Child, ProcessError> {
        self.known.lock().unwrap().get(key).cloned().ok_or_else(|| ProcessError::Unknown(key.to_owned()))
    }
}

impl Drop for TestProcesses {
    fn drop(&mut self) {
        for child in self.known.lock().unwrap().values().filter(|child| child.exit.borrow().is_none()) {
            let _ = kill_process_group(Pid::from_raw(child.pid).unwrap(), Signal::KILL);
        }
    }
}

#[async_trait]
impl Processes for TestProcesses {
    async fn spawn(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        let mut known = self.known.lock().unwrap();
        if known.contains_key(key) {
            return Ok(());
        }
        let start =
            |error: std::io::Error| ProcessError::Start { program: spec.argv[0].clone(), reason: error.to_string() };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&spec.log).map_err(start)?;
        let mut command = tokio::process::Command::new(&spec.argv[0]);
        command.args(&spec.argv[1..]).env_clear().envs(&spec.vars).current_dir(&spec.cwd).process_group(0);
        command.stdin(std::process::Stdio::null()).stdout(log.try_clone().map_err(start)?).stderr(log);
        let mut child = command.spawn().map_err(start)?;
        let (tell, exit) = watch::channel(None);
        known.insert(key.to_owned(), Child { pid: child.id().unwrap() as i32, exit });
        tokio::spawn(async move {
            let status = child.wait().await.unwrap();
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            tell.send_replace(Some(Exit { code, signal: status.signal() }));
        });
        Ok(())
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        let mut exit = self.child(key)?.exit;
        let ended = exit.wait_for(Option::is_some).await.map_err(|_| ProcessError::Lost(key.to_owned()))?;
        Ok(ended.unwrap())
    }

    async fn kill(&self, key: &str, grace_ms: u64) -> Result<(), ProcessError> {
        let child = self.child(key)?;
        let pid = Pid::from_raw(child.pid).unwrap();
        if child.exit.borrow().is_none() {
            let _ = kill_process_group(pid, Signal::TERM);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(grace_ms)).await;
                if child.exit.borrow().is_none() {
                    let _ = kill_process_group(pid, Signal::KILL);
                }
            });
        }
        Ok(())
    }

    async fn forget(&self, key: &str) -> Result<(), ProcessError> {
        self.known.lock().unwrap().remove(key).map(|_| ()).ok_or_else(|| ProcessError::Unknown(key.to_owned()))
    }
}

/// A host without `unshare`, as one that allows no namespaces.
pub(crate) struct NoNamespaces(pub(crate) TestProcesses);

#[async_trait]
impl Processes for NoNamespaces {
    async fn spawn(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        let program = spec.argv[0].clone();
        if program == "unshare" {
            return Err(ProcessError::Start { program, reason: "Operation not permitted".to_owned() });
        }
        self.0.spawn(key, spec).await
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        self.0.wait(key).await
    }

    async fn kill(&self, key: &str, grace_ms: u64) -> Result<(), ProcessError> {
        self.0.kill(key, grace_ms).await
    }

    async fn forget(&self, key: &str) -> Result<(), ProcessError> {
        self.0.forget(key).await
    }
}
