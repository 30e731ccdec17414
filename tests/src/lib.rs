//! The outer tests' harness: the real binary in an empty home, and ways to wait for it, kill it and ask it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

pub use serde_json::Value;

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The binary of this build; made if a test was started alone.
pub fn binary() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let folder = exe.ancestors().find(|dir| dir.ends_with("debug") || dir.ends_with("release")).map(Path::to_owned);
    let folder = folder.unwrap_or_else(|| root().join("target/debug"));
    let binary = folder.join("haliotis");
    static MADE: std::sync::Once = std::sync::Once::new();
    MADE.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "-p", "haliotis"]).current_dir(root());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // A test is told of its own package in these, and ring's build script is run again whenever they change: with them,
        // each test and each build beside it would make everything above ring anew.
        let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
            build.env_remove(name);
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "the binary does not build");
    });
    binary
}

/// A data folder, an empty home, and the binary.
pub struct House {
    /// Removed at the end.
    pub dir: tempfile::TempDir,
    /// Further variables of its commands.
    pub vars: Vec<(String, String)>,
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}

impl House {
    /// An empty one.
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), vars: Vec::new() }
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A file in it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The binary with this house's home and data folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).current_dir(self.dir.path()).env("HOME", self.dir.path()).env("NO_COLOR", "1");
        command.env("HALIOTIS_DATA_DIR", self.data()).env("HALIOTIS_USER", "mia").env_remove("XDG_DATA_HOME");
        command.env("HALIOTIS_PYTHON_DIR", python_dir()).stdin(Stdio::null());
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs to the end.
    pub fn run(&self, args: &[&str]) -> Done {
        Done::from(self.command(args).output().expect("the binary runs"))
    }

    /// Starts, and follows its standard error line by line.
    pub fn start(&self, args: &[&str]) -> Started {
        let mut child =
            self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let stderr = child.stderr.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut stdout = child.stdout.take().expect("a pipe");
        let (told, text) = channel();
        std::thread::spawn(move || {
            let mut all = String::new();
            let _ = stdout.read_to_string(&mut all);
            let _ = told.send(all);
        });
        Started { child, lines, stdout: text, seen: Vec::new() }
    }

    /// The server of this house, ready.
    pub fn serve(&self) -> (Started, String) {
        let mut server = self.start(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        let line = server.wait_for("answers at", Duration::from_secs(60));
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
        (server, url)
    }
}

/// A PostgreSQL server of this test's own, gone when this is dropped.
pub struct Postgres {
    child: Child,
    folder: String,
}

impl Postgres {
    /// `None`: there is none on this machine (where the test command installed one, that is a failure).
    pub fn start() -> Option<Self> {
        let mut script = Command::new(root().join("tests/postgres"));
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the script runs");
        let mut folder = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut folder).expect("a line");
        if folder.trim().is_empty() {
            assert!(std::env::var_os("HALIOTIS_TEST_POSTGRES").is_none(), "PostgreSQL should be here");
            assert_eq!(child.wait().ok().and_then(|status| status.code()), Some(77), "tests/postgres failed");
            return None;
        }
        Some(Self { child, folder: folder.trim().to_owned() })
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://haliotis@localhost/postgres?host={}", self.folder)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Where the runtimes' Python environment lies: one for all tests, kept from run to run.
pub fn python_dir() -> PathBuf {
    std::env::var_os("HALIOTIS_PYTHON_DIR").map_or_else(
        || {
            let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
            home.join(".cache/haliotis/python")
        },
        PathBuf::from,
    )
}

/// The environment's interpreter; it has boto3.
pub fn python() -> PathBuf {
    python_dir().join("bin/python")
}

/// What a finished command said.
#[derive(Debug)]
pub struct Done {
    /// Exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Done {
    /// The same, if the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "a panic:\n{}", self.stderr);
        self
    }

    /// The same, if standard error has all these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in:\n{}", self.stderr);
        }
        self
    }

    /// The same, if standard output has all these words.
    #[track_caller]
    pub fn shows(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stdout.contains(word), "no `{word}` in:\n{}", self.stdout);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.stdout, self.stderr))
    }
}

/// A running command; ended with this, so that a failing test leaves no server behind.
pub struct Started {
    /// The process.
    pub child: Child,
    lines: Receiver<String>,
    stdout: Receiver<String>,
    seen: Vec<String>,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Started {
    /// Waits for a line of standard error with this text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> String {
        let until = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{}\n`{text}` was not said within {limit:?}", self.tail()),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait();
                    panic!("{}\nended ({status:?}) before it said `{text}`", self.tail())
                }
            }
        }
    }

    /// The end of what was said: a report of CI shows a part of a long one.
    fn tail(&self) -> String {
        const LINES: usize = 120;
        self.seen[self.seen.len().saturating_sub(LINES)..].join("\n")
    }

    /// SIGKILL, and only to this process.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then its end.
    #[track_caller]
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let until = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < until, "the server did not end 30 s after SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    pub fn end(mut self) -> Done {
        let code = self.child.wait().ok().and_then(|status| status.code()).unwrap_or(-1);
        let stdout = self.stdout.recv().unwrap_or_default();
        self.seen.extend(self.lines.iter());
        Done { code, stdout, stderr: std::mem::take(&mut self.seen).join("\n") }
    }
}
