//! The Python environment of the job runtimes: made once with pinned requirements, reused until those change.
//!
//! Races: a virtual environment cannot be made elsewhere and moved in, so a marker is written last. Without it, or with
//! the hash of other requirements in it, the environment is made anew. Two processes that want the same folder wait
//! for each other at a lock file beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::PythonEnv;
use crate::durable::write_atomic;
use crate::sagemaker::runtimes::REQUIREMENTS;

/// The oldest Python that the pinned packages exist for.
const OLDEST: (u32, u32) = (3, 9);
/// The newest.
const NEWEST: (u32, u32) = (3, 14);
/// Names under which a Python may be found, the likeliest first.
const CANDIDATES: &[&str] =
    &["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python"];
/// The marker that the environment is whole.
const MARKER: &str = "haliotis-environment.sha256";
/// Lines of a failed command that an error shows.
const SHOWN_LINES: usize = 12;

/// What is being done, for a person who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonProgress {
    /// The environment is there and right; nothing was done.
    Ready,
    /// Another process makes the same environment; we wait.
    Waiting,
    /// A Python was found and the empty environment is being made.
    Creating {
        /// As `python3 3.11.2`.
        python: String,
    },
    /// pip works; its own line.
    Installing(String),
}

/// Why there is no Python environment; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// No Python, or none that the pinned packages exist for.
    #[error(
        "no Python from 3.9 to 3.14 was found{found}; install one: apt-get install python3 python3-venv python3-pip"
    )]
    Missing {
        /// What was found instead.
        found: String,
    },
    /// Debian splits the venv module off.
    #[error("this Python cannot make virtual environments: {said}; install the module: apt-get install python3-venv")]
    NoVenv {
        /// Python's words.
        said: String,
    },
    /// pip could not reach its index.
    #[error(
        "pip cannot reach the package index: {said}; check the network (and PIP_INDEX_URL or the proxy), then try again"
    )]
    Network {
        /// pip's words.
        said: String,
    },
    /// No space.
    #[error("the disk is full at {folder}: the environment takes about 1 GB; free some space and try again")]
    DiskFull {
        /// Where.
        folder: PathBuf,
    },
    /// Anything else a command said.
    #[error("{what} failed: {said}")]
    Failed {
        /// The command.
        what: String,
        /// Its last lines.
        said: String,
    },
    /// The file system.
    #[error("cannot use {path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A downloaded file is not what it must be.
    #[error("{0}")]
    Data(String),
}

/// Where the interpreter of the environment in `dir` is, whether or not it has been made.
pub fn interpreter(dir: &Path) -> PathBuf {
    dir.join("bin").join("python")
}

/// Whether the environment in `dir` is whole and of these requirements.
pub fn is_ready(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join(MARKER)).is_ok_and(|hash| hash.trim() == wanted_hash())
        && interpreter(dir).exists()
}

/// Finds the environment in `dir`, or makes it: takes a quarter of a minute with a near package index.
///
/// # Errors
/// [`PythonError`], each saying what to install or mend. A half-made environment is made anew by the next call.
pub async fn ensure_python(dir: &Path, progress: impl Fn(PythonProgress)) -> Result<PythonEnv, PythonError> {
    let env = PythonEnv { interpreter: interpreter(dir) };
    if is_ready(dir) {
        progress(PythonProgress::Ready);
        return Ok(env);
    }
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PythonError::Io { path, source }
    };
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent).map_err(io(parent))?;
    }
    let lock_path = dir.with_extension("lock");
    let lock = File::create(&lock_path).map_err(io(&lock_path))?;
    if lock.try_lock().is_err() {
        progress(PythonProgress::Waiting);
        let waiting = lock.try_clone().map_err(io(&lock_path))?;
        let waited = tokio::task::spawn_blocking(move || waiting.lock()).await;
        waited.map_err(|error| PythonError::Data(error.to_string()))?.map_err(io(&lock_path))?;
    }
    if is_ready(dir) {
        progress(PythonProgress::Ready);
        return Ok(env);
    }
    make(dir, &env, &progress).await?;
    drop(lock);
    Ok(env)
}

async fn make(dir: &Path, env: &PythonEnv, progress: &impl Fn(PythonProgress)) -> Result<(), PythonError> {
    let (python, version) = find_python().await?;
    progress(PythonProgress::Creating { python: format!("{python} {version}") });
    let folder = dir.as_os_str();
    run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(folder), dir, |_| {}).await?;
    let requirements = dir.join("haliotis-requirements.txt");
    let io = |source| PythonError::Io { path: requirements.clone(), source };
    write_atomic(&requirements, REQUIREMENTS.as_bytes()).map_err(io)?;
    let mut pip = Command::new(&env.interpreter);
    pip.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--no-compile",
        "--progress-bar",
        "off",
    ]);
    pip.arg("--requirement").arg(&requirements);
    run(&mut pip, dir, |line| progress(PythonProgress::Installing(line.to_owned()))).await?;
    progress(PythonProgress::Installing("Checking that the packages can be imported".to_owned()));
    let check = "import boto3, joblib, numpy, pandas, scipy, sklearn, xgboost";
    run(Command::new(&env.interpreter).args(["-c", check]), dir, |_| {}).await?;
    let marker = dir.join(MARKER);
    write_atomic(&marker, wanted_hash().as_bytes()).map_err(|source| PythonError::Io { path: marker.clone(), source })
}

/// The first Python that is new enough, and its version.
async fn find_python() -> Result<(String, String), PythonError> {
    let script = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    let mut found = Vec::new();
    for name in CANDIDATES {
        let Ok(output) = Command::new(name).args(["-c", script]).stdin(Stdio::null()).output().await else { continue };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let mut numbers = version.split('.').filter_map(|part| part.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (OLDEST..=NEWEST).contains(&(major, minor)) => {
                return Ok(((*name).to_owned(), version));
            }
            (Some(_), _) => found.push(format!("{name} {version}")),
            _ => {}
        }
    }
    let found = if found.is_empty() { String::new() } else { format!(" (only {})", found.join(", ")) };
    Err(PythonError::Missing { found })
}

/// Runs a command, handing on each line it prints, and judges a failure by its last lines.
async fn run(command: &mut Command, dir: &Path, mut on_line: impl FnMut(&str)) -> Result<(), PythonError> {
    let what = format!("{:?}", command.as_std()).replace('"', "");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |said: String| PythonError::Failed { what: what.clone(), said };
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let errors = tokio::spawn(last_lines(child.stderr.take()));
    let mut tail = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            on_line(line.trim());
            keep(&mut tail, line);
        }
    }
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    tail.extend(errors.await.unwrap_or_default());
    Err(judge(&what, &tail.join("\n"), dir))
}

async fn last_lines(stream: Option<impl AsyncRead + Unpin>) -> Vec<String> {
    let mut tail = Vec::new();
    let Some(stream) = stream else { return tail };
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        keep(&mut tail, line);
    }
    tail
}

fn keep(tail: &mut Vec<String>, line: String) {
    tail.push(line);
    if tail.len() > SHOWN_LINES {
        tail.remove(0);
    }
}

/// Which error the words of a failed command mean.
fn judge(what: &str, said: &str, dir: &Path) -> PythonError {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let said_short = said.trim().to_owned();
    if has(&["No space left on device", "Errno 28"]) {
        return PythonError::DiskFull { folder: dir.to_owned() };
    }
    if has(&["ensurepip is not", "No module named venv", "No module named ensurepip", "No module named 'ensurepip'"]) {
        return PythonError::NoVenv { said: said_short };
    }
    let offline =
        ["NewConnectionError", "ConnectTimeoutError", "Name or service not known", "Temporary failure in name"];
    if has(&offline) || has(&["ProxyError", "ReadTimeoutError", "Network is unreachable", "NameResolutionError"]) {
        return PythonError::Network { said: said_short };
    }
    PythonError::Failed { what: what.to_owned(), said: said_short }
}

/// Runs a Python program of the environment's, as [`crate::sagemaker::dataset`] does with pip.
pub(crate) async fn run_python(env: &PythonEnv, arguments: &[&std::ffi::OsStr], dir: &Path) -> Result<(), PythonError> {
    run(Command::new(&env.interpreter).args(arguments), dir, |_| {}).await
}

fn wanted_hash() -> String {
    hex::encode(Sha256::digest(REQUIREMENTS.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let dir = Path::new("/x");
        let said = |text: &str| judge("pip", text, dir).to_string();
        assert!(said("OSError: [Errno 28] No space left on device").contains("free some space"));
        assert!(
            said("The virtual environment was not created because ensurepip is not available").contains("python3-venv")
        );
        assert!(said("NewConnectionError: ... Temporary failure in name resolution").contains("check the network"));
        assert!(said("ERROR: No matching distribution").contains("No matching distribution"));
    }

    #[tokio::test]
    async fn a_failing_command_shows_its_last_lines() {
        let error =
            run(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"]), Path::new("/x"), |_| {}).await;
        assert!(error.unwrap_err().to_string().ends_with("failed: one\ntwo"));
    }
}
