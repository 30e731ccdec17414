//! The server's side: [`Processes`] over the supervisor's socket.
//!
//! One task owns the connection; requests reach it through a channel and wait for their replies by number, any number
//! at once. When the connection breaks, the task connects again (starting a supervisor if none is there) and sends
//! every open request again: each means the same the second time. After [`MAX_BREAKS`] breaks without a reply between
//! them, the open requests fail.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, Processes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::wire::{self, Answer, Ask, Reply, SOCKET, Sent, Spec};

/// A supervisor listens a few milliseconds after its start; a machine in distress needs longer.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// Another start is tried after so long without an answer: the first may have met one that was just ending.
const START_AGAIN: Duration = Duration::from_millis(500);
/// Pause between two attempts to connect.
const DIAL_PAUSE: Duration = Duration::from_millis(1);
/// More breaks in a row mean that a request itself breaks the supervisor.
const MAX_BREAKS: u32 = 5;
/// A socket's name may have 107 bytes; longer folders are reached through `/proc/self/fd`.
const MAX_SOCKET_PATH: usize = 100;

/// Local processes under keys, run by the supervisor of one folder. Dropping it leaves the processes running.
///
/// A `wait` nearly always follows a `spawn` or a `begin`, so both are asked in one go: one message to the supervisor
/// instead of two. The end that was asked for ahead is kept until it is called for.
#[derive(Clone, Debug)]
pub struct Supervisor {
    asks: mpsc::UnboundedSender<Vec<Open>>,
    ahead: Arc<Mutex<BTreeMap<String, Coming>>>,
}

/// An answer that will come.
type Coming = oneshot::Receiver<Result<Answer, String>>;

/// A request without its reply yet.
#[derive(Debug)]
struct Open {
    ask: Ask,
    reply: oneshot::Sender<Result<Answer, String>>,
    /// Nobody may be waiting for it: no reason to connect again. Whoever does wait then asks anew.
    ahead: bool,
}

impl Supervisor {
    /// The supervisor of `dir`. Connects with the first request, and starts one if none runs then. `exe` is the program
    /// and its first arguments, as `[haliotis, __supervise]`; `--dir DIR` is added. Needs a tokio runtime around it.
    pub fn connect(dir: &Path, exe: &[String]) -> Supervisor {
        Self::link(Home { dir: dir.to_owned(), exe: exe.to_owned(), started_at: None }, None)
    }

    fn link(home: Home, stream: Option<UnixStream>) -> Supervisor {
        let (asks, inbox) = mpsc::unbounded_channel();
        tokio::spawn(Link { home, inbox, stream, open: BTreeMap::new(), next: 0, breaks: 0 }.run());
        Supervisor { asks, ahead: Arc::default() }
    }

    /// The same, and connects or starts one now, so that the first process need not wait for that. Whoever asks first
    /// hears of a failure.
    pub fn connect_now(dir: &Path, exe: &[String]) -> Supervisor {
        let mut home = Home { dir: dir.to_owned(), exe: exe.to_owned(), started_at: None };
        let stream = home.connect_or_start().ok();
        Self::link(home, stream)
    }

    /// Connects and waits for an answer.
    ///
    /// # Errors
    /// `Supervisor` when none runs and none can be started.
    pub async fn ready(&self) -> Result<(), ProcessError> {
        self.done("", Ask::Hello).await
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, ProcessError> {
        let (open, coming) = Open::new(ask);
        self.asks.send(vec![open]).map_err(|_| gone())?;
        answer(coming).await
    }

    fn ahead(&self) -> MutexGuard<'_, BTreeMap<String, Coming>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a process and its end in one; the answer is kept for `wait`.
    fn run(&self, key: &str, spec: ProcessSpec, after: Option<&str>) -> Result<(), ProcessError> {
        let ask = Ask::Run { key: key.to_owned(), spec: wire_spec(spec)?, after: after.map(str::to_owned) };
        let (open, ended) = Open::new(ask);
        self.ahead().insert(key.to_owned(), ended);
        self.asks.send(vec![open]).map_err(|_| gone())
    }

    async fn done(&self, key: &str, ask: Ask) -> Result<(), ProcessError> {
        match self.ask(ask).await? {
            Answer::Done => Ok(()),
            other => Err(error(key, other)),
        }
    }
}

#[async_trait]
impl Processes for Supervisor {
    async fn spawn(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        let (spawn, spawned) = Open::new(Ask::Spawn { key: key.to_owned(), spec: wire_spec(spec)? });
        let (mut wait, ended) = Open::new(Ask::Wait { key: key.to_owned() });
        wait.ahead = true;
        self.asks.send(vec![spawn, wait]).map_err(|_| gone())?;
        match answer(spawned).await? {
            Answer::Done => {
                self.ahead().insert(key.to_owned(), ended);
                Ok(())
            }
            other => Err(error(key, other)),
        }
    }

    async fn begin(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        self.run(key, spec, None)
    }

    async fn begin_after(&self, key: &str, spec: ProcessSpec, after: &str) -> Result<(), ProcessError> {
        self.run(key, spec, Some(after))
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        let ahead = self.ahead().remove(key);
        let told = match ahead {
            Some(coming) => coming.await.ok(),
            None => None,
        };
        let told = match told {
            Some(told) => told.map_err(ProcessError::Supervisor)?,
            None => self.ask(Ask::Wait { key: key.to_owned() }).await?,
        };
        match told {
            Answer::Exit { code, signal } => Ok(Exit { code, signal }),
            other => Err(error(key, other)),
        }
    }

    async fn kill(&self, key: &str, grace_ms: u64) -> Result<(), ProcessError> {
        self.done(key, Ask::Kill { key: key.to_owned(), grace_ms }).await
    }

    async fn forget(&self, key: &str) -> Result<(), ProcessError> {
        self.ahead().remove(key);
        self.done(key, Ask::Forget { key: key.to_owned() }).await
    }

    async fn forget_all(&self, prefix: &str) -> Result<(), ProcessError> {
        self.ahead().retain(|key, _| !key.starts_with(prefix));
        self.done(prefix, Ask::ForgetAll { prefix: prefix.to_owned() }).await
    }
}

impl Open {
    fn new(ask: Ask) -> (Open, Coming) {
        let (reply, coming) = oneshot::channel();
        (Open { ask, reply, ahead: false }, coming)
    }
}

async fn answer(coming: Coming) -> Result<Answer, ProcessError> {
    coming.await.map_err(|_| gone())?.map_err(ProcessError::Supervisor)
}

fn gone() -> ProcessError {
    ProcessError::Supervisor("its connection task has ended with the runtime".to_owned())
}

fn error(key: &str, answer: Answer) -> ProcessError {
    match answer {
        Answer::Start { program, reason } => ProcessError::Start { program, reason },
        Answer::Unknown => ProcessError::Unknown(key.to_owned()),
        Answer::Lost => ProcessError::Lost(key.to_owned()),
        Answer::Refused { reason } => ProcessError::Supervisor(reason),
        Answer::Done | Answer::Exit { .. } => ProcessError::Supervisor("it answered another question".to_owned()),
    }
}

/// Paths made absolute, since the supervisor stands elsewhere.
fn wire_spec(spec: ProcessSpec) -> Result<Spec, ProcessError> {
    let program = spec.argv.first().cloned().unwrap_or_default();
    let path = |path: &Path| {
        let whole = std::path::absolute(path).ok().and_then(|path| path.to_str().map(str::to_owned));
        let reason = format!("the path {} is not UTF-8", path.display());
        whole.ok_or_else(|| ProcessError::Start { program: program.clone(), reason })
    };
    Ok(Spec {
        cwd: path(&spec.cwd)?,
        log: path(&spec.log)?,
        stdout: spec.stdout.as_deref().map(path).transpose()?,
        mask: spec.mask.iter().map(|secret| secret.expose().to_owned()).collect(),
        argv: spec.argv,
        vars: spec.vars,
    })
}

/// The folder, and how to start a supervisor there.
struct Home {
    dir: PathBuf,
    exe: Vec<String>,
    /// When we last started one.
    started_at: Option<Instant>,
}

impl Home {
    async fn dial(&mut self) -> Result<UnixStream, String> {
        let began = Instant::now();
        loop {
            let refused = match self.connect_or_start() {
                Ok(stream) => return Ok(stream),
                Err(refused) => refused,
            };
            if began.elapsed() > DIAL_LIMIT || refused.is_final {
                return Err(refused.reason);
            }
            tokio::time::sleep(DIAL_PAUSE).await;
        }
    }

    /// The supervisor that runs, or a new one, which need not be up yet: what it is asked waits for it.
    fn connect_or_start(&mut self) -> Result<UnixStream, Refused> {
        let refused = match self.try_connect() {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if self.started_at.is_none_or(|at| at.elapsed() > START_AGAIN) {
            self.started_at = Some(Instant::now());
            return self.start().map_err(|reason| Refused { reason, is_final: true });
        }
        let reason = format!(
            "no supervisor answers in {} ({refused}); its last words may be in {}",
            self.dir.display(),
            self.dir.join("supervisor.log").display()
        );
        Err(Refused { reason, is_final: false })
    }

    fn try_connect(&self) -> std::io::Result<UnixStream> {
        let path = self.dir.join(SOCKET);
        let stream = if path.as_os_str().len() <= MAX_SOCKET_PATH {
            std::os::unix::net::UnixStream::connect(path)?
        } else {
            let dir = std::fs::File::open(&self.dir)?;
            std::os::unix::net::UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()))?
        };
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }

    /// Starts a supervisor that leaves our session by itself and needs nothing of us; its standard input is our
    /// connection. With nothing inherited but `PATH` it cannot leak our secrets to anybody who may read its environment.
    /// If there is another one after all, ours ends at once and the connection with it.
    fn start(&self) -> Result<UnixStream, String> {
        let (program, first) = self.exe.split_first().ok_or("no program is configured for the supervisor")?;
        std::fs::create_dir_all(&self.dir).map_err(|error| format!("cannot make {}: {error}", self.dir.display()))?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("supervisor.log"));
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(|error| format!("no socket: {error}"))?;
        let ours = ours.set_nonblocking(true).and_then(|()| UnixStream::from_std(ours));
        let mut command = tokio::process::Command::new(program);
        command.args(first).arg("--dir").arg(&self.dir).env_clear();
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stdout(Stdio::null());
        command.stderr(log.map_or_else(|_| Stdio::null(), Stdio::from));
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        #[cfg(debug_assertions)]
        for name in haliotis_failpoints::VARIABLES {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        // Not waited for: tokio reaps it whenever it ends.
        command.spawn().map_err(|error| format!("cannot start the supervisor {program}: {error}"))?;
        ours.map_err(|error| format!("cannot use the socket to the supervisor: {error}"))
    }
}

/// Why there is no connection; `is_final`: waiting does not help.
struct Refused {
    reason: String,
    is_final: bool,
}

/// The task behind a [`Supervisor`].
struct Link {
    home: Home,
    inbox: mpsc::UnboundedReceiver<Vec<Open>>,
    /// Made ahead of the first request.
    stream: Option<UnixStream>,
    open: BTreeMap<u64, Open>,
    next: u64,
    breaks: u32,
}

impl Link {
    async fn run(mut self) {
        loop {
            let Some(stream) = self.connect().await else { return };
            let stream = match stream {
                Ok(stream) => stream,
                Err(reason) => {
                    self.fail_all(&reason);
                    continue;
                }
            };
            if self.serve(stream).await.is_none() {
                return;
            }
            self.open.retain(|_, open| !open.ahead && !open.reply.is_closed());
            self.breaks += 1;
            if self.breaks > MAX_BREAKS {
                self.breaks = 0;
                self.fail_all("it breaks the connection again and again; see supervisor.log in its folder");
            }
        }
    }

    /// A connection, once somebody asks for something; `None` when nobody is left to ask.
    async fn connect(&mut self) -> Option<Result<UnixStream, String>> {
        if let Some(stream) = self.stream.take() {
            return Some(Ok(stream));
        }
        if self.open.is_empty() {
            for open in self.inbox.recv().await? {
                self.take_in(open);
            }
        }
        Some(self.home.dial().await)
    }

    /// Serves one connection until it breaks; `None` when nobody is left to ask.
    async fn serve(&mut self, mut stream: UnixStream) -> Option<()> {
        let (mut inbox, mut outbox) = (Vec::with_capacity(16 << 10), Vec::new());
        let ids: Vec<u64> = self.open.keys().copied().collect();
        ids.into_iter().for_each(|id| self.put(id, &mut outbox));
        loop {
            if !outbox.is_empty() {
                if stream.write_all(&outbox).await.is_err() {
                    return Some(());
                }
                outbox.clear();
            }
            tokio::select! {
                opens = self.inbox.recv() => {
                    let mut opens = opens?;
                    while let Ok(more) = self.inbox.try_recv() {
                        opens.extend(more);
                    }
                    for open in opens {
                        let id = self.take_in(open);
                        self.put(id, &mut outbox);
                    }
                }
                read = stream.read_buf(&mut inbox) => {
                    if !matches!(read, Ok(length) if length > 0) || self.deliver(&mut inbox).is_err() {
                        return Some(());
                    }
                }
            }
        }
    }

    fn take_in(&mut self, open: Open) -> u64 {
        self.next += 1;
        self.open.insert(self.next, open);
        self.next
    }

    /// Frames an open request; one that cannot be framed fails at once.
    fn put(&mut self, id: u64, outbox: &mut Vec<u8>) {
        let Some(open) = self.open.get(&id) else { return };
        let Err(reason) = wire::put(&Sent { id, ask: &open.ask }, outbox) else { return };
        if let Some(open) = self.open.remove(&id) {
            let _ = open.reply.send(Err(reason));
        }
    }

    fn deliver(&mut self, inbox: &mut Vec<u8>) -> Result<(), String> {
        while let Some(Reply { id, answer }) = wire::take(inbox)? {
            self.breaks = 0;
            if let Some(open) = self.open.remove(&id) {
                // Whoever asked may have lost interest.
                let _ = open.reply.send(Ok(answer));
            }
        }
        Ok(())
    }

    fn fail_all(&mut self, reason: &str) {
        for open in std::mem::take(&mut self.open).into_values() {
            let _ = open.reply.send(Err(reason.to_owned()));
        }
    }
}
