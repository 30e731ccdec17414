//! A data folder in a folder of its own, and servers over it: started, asked, killed, paused, ended.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server that has said nothing for so long will not: the contract says 10 s, a loaded machine with an unoptimised
/// binary gets more, and the measure tells.
const READY_MOST: Duration = Duration::from_secs(60);
/// One request.
const ASK_MOST: Duration = Duration::from_secs(20);

/// A data folder and what belongs to it. Removed when dropped.
pub(crate) struct House {
    pub(crate) dir: PathBuf,
    binary: PathBuf,
    /// What goes before the binary: `unshare …`.
    wrap: Vec<String>,
    owned: bool,
    pub(crate) vars: Vec<(String, String)>,
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// From its start to its first answer.
    pub(crate) ready: Duration,
    http: reqwest::Client,
}

impl House {
    pub(crate) fn new(binary: &Path, name: &str) -> Result<Self, String> {
        use std::time::{SystemTime, UNIX_EPOCH};
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let dir = std::env::temp_dir().join(format!("haliotis-chaos-{name}-{}-{now}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Self { dir, binary: binary.to_owned(), wrap: Vec::new(), owned: true, vars: Vec::new() })
    }

    /// Another view of the same machine over the data folder `dir/data`; removed with the house it is in.
    pub(crate) fn over(house: &House, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), binary: house.binary.clone(), wrap: Vec::new(), owned: false, vars: Vec::new() }
    }

    /// From now on the data folder of every command is a disk in memory of its own.
    pub(crate) fn small_disk(&mut self, megabytes: u64) {
        let script = format!("mount -t tmpfs -o size={megabytes}m small \"$HALIOTIS_DATA_DIR\" && exec \"$@\"");
        let user: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
        let words = [&["unshare"], user, &["--mount", "sh", "-c", &script, "sh"]].concat();
        self.wrap = words.into_iter().map(str::to_owned).collect();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn var(&mut self, name: &str, value: impl Into<String>) {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.to_owned(), value.into()));
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut words = self.wrap.iter().map(std::ffi::OsString::from).chain([self.binary.clone().into_os_string()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(args);
        if self.dir.is_dir() {
            command.current_dir(&self.dir);
        }
        command.env("HOME", &self.dir).env("NO_COLOR", "1").stdin(Stdio::null());
        command.env("HALIOTIS_DATA_DIR", self.data()).env("HALIOTIS_USER", "chaos").env_remove("XDG_DATA_HOME");
        command.envs(self.vars.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        command
    }

    /// A command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Result<Output, String> {
        self.command(args).output().await.map_err(|error| format!("{args:?}: {error}"))
    }

    /// Starts a server and waits until it answers.
    pub(crate) async fn serve(&self, more: &[&str]) -> Result<Server, String> {
        let begin = Instant::now();
        let args = [&["serve", "--dev", "--listen", "127.0.0.1:0"], more].concat();
        let mut child = self
            .command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the server does not start: {error}"))?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (found, address) = tokio::sync::oneshot::channel();
        tokio::spawn(follow(BufReader::new(stderr), Arc::clone(&lines), found));
        let said = || lines.lock().unwrap_or_else(PoisonError::into_inner).join(" | ");
        let url = match tokio::time::timeout(READY_MOST, address).await {
            Ok(Ok(url)) => url,
            Ok(Err(_)) => {
                let status = child.wait().await.map_err(|error| error.to_string())?;
                return Err(format!("the server ended with {status}: {}", said()));
            }
            Err(_) => return Err(format!("no answer within {READY_MOST:?}: {}", said())),
        };
        let http = reqwest::Client::builder().timeout(ASK_MOST).build().map_err(|error| error.to_string())?;
        let mut server = Server { child, url, ready: Duration::ZERO, http };
        loop {
            match server.get("/readyz").await {
                Ok(_) => break,
                Err(why) if begin.elapsed() > READY_MOST => return Err(why),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        server.ready = begin.elapsed();
        Ok(server)
    }

    /// Registers a pipeline whose definition is this text.
    pub(crate) async fn pipeline(&self, server: &Server, name: &str, language: &str, text: &str) -> Result<(), String> {
        let body = serde_json::json!({"language": language, "path": format!("{name}.txt"), "text": text});
        server.send("PUT", &format!("/api/v1/pipelines/{name}"), &body).await.map(drop)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        // Steps that outlive their server belong to its supervisor, which ends with its folder.
        for _ in 0..50 {
            if std::fs::remove_dir_all(&self.dir).is_ok() || !self.dir.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn follow(
    reader: BufReader<tokio::process::ChildStderr>,
    kept: Arc<Mutex<Vec<String>>>,
    found: tokio::sync::oneshot::Sender<String>,
) {
    let mut found = Some(found);
    let mut lines = reader.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains("answers at")
            && let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://"))
            && let Some(found) = found.take()
        {
            let _ = found.send(url.to_owned());
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < 10_000 {
            kept.push(line);
        }
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), String> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).ok_or("it has ended")?;
        kill_process(pid, signal).map_err(|error| error.to_string())
    }

    /// SIGKILL, and its end.
    pub(crate) async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// Waits for its end, at most so long; how long it took.
    pub(crate) async fn ended(&mut self, most: Duration) -> Option<(Duration, Option<i32>)> {
        let begin = Instant::now();
        let status = tokio::time::timeout(most, self.child.wait()).await.ok()?.ok()?;
        Some((begin.elapsed(), status.code()))
    }

    /// SIGTERM, and its end.
    pub(crate) async fn stop(mut self) -> Result<Duration, String> {
        self.signal(Signal::TERM)?;
        match self.ended(Duration::from_secs(30)).await {
            Some((took, _)) => Ok(took),
            None => Err("the server did not end within 30 s of SIGTERM".to_owned()),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.map_err(told)?;
        let status = answer.status();
        let text = answer.text().await.map_err(told)?;
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}"));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>, String> {
        let answer = self.http.get(format!("{}{path}", self.url)).timeout(Duration::from_secs(300));
        let answer = answer.send().await.map_err(told)?.error_for_status().map_err(told)?;
        Ok(answer.bytes().await.map_err(told)?.to_vec())
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.send_with(method, path, body, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Result<Value, String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.http.request(method, format!("{}{path}", self.url)).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.map_err(told)?;
        let status = answer.status();
        let text = answer.text().await.map_err(told)?;
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}"));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Starts a build once for a key; its id.
    pub(crate) async fn build(&self, pipeline: &str, key: &str) -> Result<i64, String> {
        let path = format!("/api/v1/pipelines/{pipeline}/builds");
        let made = self.send_with("POST", &path, &serde_json::json!({}), &[("Idempotency-Key", key)]).await?;
        made["id"].as_i64().ok_or_else(|| format!("no id: {made}"))
    }

    /// Asks for a build and hangs up after so long; whether there was no answer by then.
    pub(crate) async fn give_up_on(&self, pipeline: &str, key: &str, after: Duration) -> bool {
        tokio::time::timeout(after, self.build(pipeline, key)).await.is_err()
    }

    /// A build as it stands.
    pub(crate) async fn view(&self, build: i64) -> Result<Value, String> {
        self.get(&format!("/api/v1/builds/{build}")).await
    }

    /// Waits until something holds of a build.
    pub(crate) async fn wait(
        &self,
        build: i64,
        most: Duration,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let begin = Instant::now();
        loop {
            let view = self.view(build).await;
            match view {
                Ok(view) if holds(&view) => return Ok(view),
                other if begin.elapsed() > most => return Err(format!("build {build} not within {most:?}: {other:?}")),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// A step's log, byte for byte.
    pub(crate) async fn log(&self, build: i64, step: &str) -> Result<Vec<u8>, String> {
        let step = step.replace('/', "%2F");
        self.bytes(&format!("/api/v1/builds/{build}/steps/log/raw?step={step}&attempt=1")).await
    }

    /// Resident memory, MiB.
    pub(crate) fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    /// Processor time used so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // After the name, which may hold spaces: utime and stime are fields 14 and 15 (proc(5)).
        let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

fn told(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Whether a build has ended.
pub(crate) fn is_over(view: &Value) -> bool {
    view["status"] == "ended"
}

/// A value nearly all of which are below: the 99th of 100.
pub(crate) fn percentile(values: &mut [Duration], hundredth: usize) -> Duration {
    values.sort_unstable();
    let at = (values.len() * hundredth / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or_default()
}
