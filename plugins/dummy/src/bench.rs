//! A bench for plugin authors: contexts over a folder, a log in a file, and real processes without a supervisor.
//!
//! For tests only: processes started here end with the test, and what was started is known to this value alone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use haliotis_model::{
    BuildId, Call, Millis, NewBuild, Object, Secret, Source, StepId, StepKey, Value, Vars, WorkspaceKind,
};
use haliotis_plugin_api::{CloudSettings, Exit, Log, ProcessError, ProcessSpec, Processes, StepContext};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// Builds of one process differ, so that keys do.
static NEXT_BUILD: AtomicI64 = AtomicI64::new(1);

/// A context of a new build over a folder: `workspace`, `artifacts`, `stashes` and `scratch` are made below it.
///
/// # Errors
/// When the folders cannot be made.
pub fn context(dir: &Path, uses: &str, with: Value, processes: &Arc<dyn Processes>) -> std::io::Result<StepContext> {
    let build = BuildId(NEXT_BUILD.fetch_add(1, Ordering::Relaxed));
    let key = StepKey { build, step: StepId::new("/step"), attempt: 1 };
    let mut call = Call::new(key.step.clone(), uses);
    if let Value::Object(with) = with {
        call.with = with;
    }
    let scratch = dir.join("scratch").join(key.slug());
    let workspace = dir.join("workspace");
    fs::create_dir_all(&scratch)?;
    fs::create_dir_all(&workspace)?;
    let mut vars = Vars::new();
    vars.insert("PATH".to_owned(), std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned()));
    Ok(StepContext {
        log: Arc::new(FileLog::new(scratch.join("log"))),
        key,
        call: Arc::new(call),
        build: Arc::new(new_build()),
        workspace,
        artifacts: dir.join("artifacts"),
        stashes: dir.join("stashes"),
        scratch,
        vars,
        secrets: Vec::new(),
        processes: Arc::clone(processes),
        cloud: Arc::new(CloudSettings::default()),
        grace_ms: 500,
    })
}

/// A build without repository, parameters or causes.
pub fn new_build() -> NewBuild {
    NewBuild {
        pipeline: "bench".to_owned(),
        number: 1,
        source: Source {
            language: "yaml".to_owned(),
            path: "bench.yaml".to_owned(),
            text: String::new(),
            files: Object::new(),
            repo: None,
            branch: None,
            commit: None,
            credential: None,
        },
        parameters: Object::new(),
        causes: Vec::new(),
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".to_owned(),
        created_at: Millis(0),
        once: None,
        program_version: 1,
        carry: None,
    }
}

/// A log in a file, made when first written to.
pub struct FileLog {
    path: PathBuf,
    lock: Mutex<()>,
}

impl FileLog {
    /// A log at a path that need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path, lock: Mutex::new(()) }
    }

    /// Everything logged so far.
    pub fn read(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.path).unwrap_or_default()).into_owned()
    }
}

impl Log for FileLog {
    fn line(&self, text: &str) {
        self.write(format!("{text}\n").as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        let _only = locked(&self.lock);
        let written = append(&self.path).and_then(|mut file| file.write_all(bytes));
        debug_assert!(written.is_ok(), "the bench cannot write {}", self.path.display());
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }
}

/// Processes that are children of the test.
#[derive(Default)]
pub struct DirectProcesses {
    known: Mutex<BTreeMap<String, Arc<Known>>>,
}

struct Known {
    group: rustix::process::Pid,
    exit: watch::Receiver<Option<Exit>>,
}

impl DirectProcesses {
    /// None running.
    pub fn shared() -> Arc<dyn Processes> {
        Arc::new(Self::default())
    }

    fn find(&self, key: &str) -> Result<Arc<Known>, ProcessError> {
        locked(&self.known).get(key).cloned().ok_or_else(|| ProcessError::Unknown(key.to_owned()))
    }
}

#[async_trait]
impl Processes for DirectProcesses {
    async fn spawn(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        let mut known = locked(&self.known);
        if !known.contains_key(key) {
            known.insert(key.to_owned(), Arc::new(start(spec)?));
        }
        Ok(())
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        let mut exit = self.find(key)?.exit.clone();
        let found = exit.wait_for(Option::is_some).await.map_err(|_| ProcessError::Lost(key.to_owned()))?;
        found.ok_or_else(|| ProcessError::Lost(key.to_owned()))
    }

    async fn kill(&self, key: &str, grace_ms: u64) -> Result<(), ProcessError> {
        let known = self.find(key)?;
        if known.exit.borrow().is_some() {
            return Ok(());
        }
        // A group that is gone already is what we wanted.
        let _ = rustix::process::kill_process_group(known.group, rustix::process::Signal::TERM);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(grace_ms)).await;
            if known.exit.borrow().is_none() {
                let _ = rustix::process::kill_process_group(known.group, rustix::process::Signal::KILL);
            }
        });
        Ok(())
    }

    async fn forget(&self, key: &str) -> Result<(), ProcessError> {
        locked(&self.known).remove(key);
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench without supervisor, for tests")]
fn start(spec: ProcessSpec) -> Result<Known, ProcessError> {
    let program = spec.argv.first().cloned().unwrap_or_default();
    let failed = |reason: String| ProcessError::Start { program: program.clone(), reason };
    let log = append(&spec.log).map_err(|error| failed(error.to_string()))?;
    let masked = !spec.mask.is_empty();
    let out = match &spec.stdout {
        Some(path) => Stdio::from(append(path).map_err(|error| failed(error.to_string()))?),
        None if masked => Stdio::piped(),
        None => Stdio::from(log.try_clone().map_err(|error| failed(error.to_string()))?),
    };
    let err = if masked { Stdio::piped() } else { Stdio::from(log) };
    let mut child = tokio::process::Command::new(&program)
        .args(&spec.argv[1..])
        .env_clear()
        .envs(&spec.vars)
        .current_dir(&spec.cwd)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    let group = pid.ok_or_else(|| failed("it has no process id".to_owned()))?;
    let (tell, exit) = watch::channel(None);
    tokio::spawn(async move {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        tokio::join!(pump(out, &spec), pump(err, &spec));
        let status = child.wait().await;
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let end = status.map_or(Exit { code: 255, signal: None }, |status| Exit {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            signal: status.signal(),
        });
        tell.send_replace(Some(end));
    });
    Ok(Known { group, exit })
}

/// Copies a pipe to the log with secrets replaced. It keeps everything until the end, which is enough for a test.
async fn pump<R: AsyncRead + Unpin>(pipe: Option<R>, spec: &ProcessSpec) {
    let Some(mut pipe) = pipe else { return };
    let mut bytes = Vec::new();
    let _ = pipe.read_to_end(&mut bytes).await;
    let text = spec
        .mask
        .iter()
        .map(Secret::expose)
        .fold(String::from_utf8_lossy(&bytes).into_owned(), |text, secret| text.replace(secret, "****"));
    let _ = append(&spec.log).and_then(|mut file| file.write_all(text.as_bytes()));
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
