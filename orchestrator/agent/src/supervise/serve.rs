//! The supervisor's loop: waits for requests, ends, output and deadlines, and deals with each at once.

mod hold;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use haliotis_plugin_api::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, wait};

use self::hold::{After, FULL_PAUSE, Follower, Refused};
use super::connection::Connection;
use super::records::{End, Found, Identity, Records};
use super::spare::{Spares, Unnamed};
use super::step::{Launched, Phase, Step, launch};
use super::tree::{self, Children};
use super::wire::{Answer, Ask, Reply, Request, Spec};
use super::{IDLE_LIMIT, note};
use crate::room;
use crate::times::Times;

/// While something is being killed: how often to look. Most ends are heard of at once by SIGCHLD.
const KILL_TICK: Duration = Duration::from_millis(10);
/// Otherwise: how often to see whether the folder is still there and anybody needs us.
const REST_TICK: Duration = Duration::from_secs(2);

/// What the loop can be woken by.
#[derive(Clone, Debug)]
enum Woken {
    Listener,
    Signals,
    Client(u64),
    Output(String),
    Adopted(String),
}

/// Children of ours that are no main process, as far as a step is concerned.
#[derive(Default)]
struct Roots {
    /// They belong to it.
    own: BTreeSet<i32>,
    /// So many ended while they were looked at.
    unsettled: usize,
}

/// All the supervisor's state.
pub(crate) struct Server {
    dir: PathBuf,
    inode: u64,
    listener: UnixListener,
    signals: File,
    null: File,
    children: Children,
    records: Records,
    spares: Spares,
    steps: BTreeMap<String, Step>,
    /// What starts when another process has ended.
    followers: BTreeMap<String, Follower>,
    /// Own children that nothing ties to a step, and the steps that ran when they turned up. When the last of those
    /// ends, so does the stray.
    strays: BTreeMap<i32, BTreeSet<String>>,
    clients: BTreeMap<u64, Connection>,
    next_client: u64,
    busy_at: Instant,
    /// When what waits for room is tried again.
    again_at: Instant,
}

impl Server {
    pub(crate) fn new(dir: PathBuf, inode: u64, listener: UnixListener, signals: File) -> std::io::Result<Server> {
        listener.set_nonblocking(true)?;
        Ok(Server {
            records: Records::open(&dir)?,
            // After the records: they name the spares of steps.
            spares: Spares::new(&dir)?,
            dir,
            inode,
            listener,
            signals,
            null: File::open("/dev/null")?,
            children: Children::new(),
            steps: BTreeMap::new(),
            followers: BTreeMap::new(),
            strays: BTreeMap::new(),
            clients: BTreeMap::new(),
            next_client: 0,
            busy_at: Instant::now(),
            again_at: Instant::now(),
        })
    }

    /// Runs until idle or homeless.
    pub(crate) fn run(&mut self) -> std::io::Result<()> {
        let mut looked_at = Instant::now();
        loop {
            for woken in self.wait()? {
                self.handle(&woken);
            }
            let now = Instant::now();
            self.tick(now);
            if !self.steps.is_empty() || !self.clients.is_empty() || !self.followers.is_empty() {
                self.busy_at = now;
            } else if now.duration_since(self.busy_at) >= IDLE_LIMIT {
                return Ok(());
            }
            if now.duration_since(looked_at) >= REST_TICK {
                looked_at = now;
                if !self.has_home() {
                    self.end_all();
                    return Ok(());
                }
            }
        }
    }

    /// Watches what a supervisor before us started.
    pub(crate) fn adopt_unfinished(&mut self) {
        for key in self.records.unfinished() {
            self.adopt(&key);
        }
    }

    fn wait(&self) -> std::io::Result<Vec<Woken>> {
        let mut who = vec![Woken::Listener, Woken::Signals];
        let mut fds = vec![PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        for (id, client) in &self.clients {
            let flags = if client.is_full() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            who.push(Woken::Client(*id));
            fds.push(PollFd::new(&client.stream, flags));
        }
        for (key, step) in &self.steps {
            if let Some(fd) = step.pump.as_ref().filter(|pump| !pump.is_stuck()).and_then(super::pump::Pump::fd) {
                who.push(Woken::Output(key.clone()));
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
            if let (Some(fd), Phase::Running) = (&step.pidfd, step.phase) {
                who.push(Woken::Adopted(key.clone()));
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        let timeout = self.timeout(Instant::now());
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
        match poll(&mut fds, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(who.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(w, _)| w).collect()),
        }
    }

    fn timeout(&self, now: Instant) -> Duration {
        let next = |step: &Step| {
            let end = match (step.phase, step.kill_at) {
                (Phase::Draining(_), _) => {
                    step.again_at.map_or(KILL_TICK, |at| at.saturating_duration_since(now).max(KILL_TICK))
                }
                (Phase::Running, Some(at)) => at.saturating_duration_since(now).max(KILL_TICK),
                (Phase::Running, None) => REST_TICK,
            };
            let named = step.unnamed.is_some().then(|| step.name_at.saturating_duration_since(now));
            let timed = step.times.as_ref().map(|times| times.due().saturating_duration_since(now));
            [named, timed].into_iter().flatten().fold(end, Duration::min)
        };
        let steps = self.steps.values().map(next).min().unwrap_or(REST_TICK).min(REST_TICK);
        if self.waits_for_room() { steps.min(FULL_PAUSE) } else { steps }
    }

    fn handle(&mut self, woken: &Woken) {
        match woken {
            Woken::Listener => self.accept(),
            Woken::Signals => {
                let mut infos = [0; 1024];
                while self.signals.read(&mut infos).is_ok_and(|length| length > 0) {}
                self.reap();
            }
            Woken::Client(id) => self.listen_to(*id),
            Woken::Output(key) => {
                if let Some(pump) = self.steps.get_mut(key).and_then(|step| step.pump.as_mut()) {
                    pump.run();
                }
            }
            Woken::Adopted(key) => self.main_ended(key, End::Lost),
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            self.welcome(Some(stream));
        }
    }

    /// Takes a client in.
    pub(crate) fn welcome(&mut self, stream: Option<UnixStream>) {
        match stream.map(Connection::new) {
            Some(Ok(client)) => {
                self.clients.insert(self.next_client, client);
                self.next_client += 1;
            }
            Some(Err(error)) => note(&format!("a client was turned away: {error}")),
            None => {}
        }
    }

    fn listen_to(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.flush();
        match client.receive() {
            Ok(requests) => requests.into_iter().for_each(|request| self.answer(id, request)),
            Err(_) => {
                self.clients.remove(&id);
                let steps = self.steps.values_mut().map(|step| &mut step.waiters);
                let followers = self.followers.values_mut();
                let waiters = steps.chain(followers.flat_map(|of| [&mut of.waiters, &mut of.starters]));
                waiters.for_each(|waiters| waiters.retain(|(client, _)| *client != id));
            }
        }
    }

    fn answer(&mut self, client: u64, Request { id, ask }: Request) {
        let answer = match ask {
            Ask::Hello => Some(Answer::Done),
            Ask::Spawn { key, spec } => self.start_step(&key, spec, (client, id)),
            Ask::Run { key, spec, after } => self.run_step(key, spec, after, (client, id)),
            Ask::Wait { key } => self.await_end(&key, (client, id)),
            Ask::Kill { key, grace_ms } => Some(self.kill(&key, grace_ms)),
            Ask::Forget { key } => Some(self.forget(&key)),
            Ask::ForgetAll { prefix } => Some(self.forget_all(&prefix)),
        };
        if let Some(answer) = answer {
            self.reply(client, id, answer);
        }
    }

    fn reply(&mut self, client: u64, id: u64, answer: Answer) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.send(&Reply { id, answer });
        }
    }

    /// Answers at the end; `Some`: at once.
    fn await_end(&mut self, key: &str, waiter: (u64, u64)) -> Option<Answer> {
        let step = self.steps.get_mut(key).map(|step| &mut step.waiters);
        let Some(waiters) = step.or(self.followers.get_mut(key).map(|follower| &mut follower.waiters)) else {
            return Some(self.told(key));
        };
        waiters.push(waiter);
        None
    }

    fn spawn(&mut self, key: &str, mut spec: Spec) -> Result<(), Refused> {
        if self.steps.contains_key(key) || self.followers.contains_key(key) {
            return Ok(());
        }
        let program = spec.argv.first().cloned().unwrap_or_default();
        let refused = |reason: String| Refused::Told(Answer::Start { program: program.clone(), reason });
        if !Records::is_key(key) {
            return Err(refused(format!("`{key}` cannot be a key: letters, digits, `-`, `_`, `.`; at most 200")));
        }
        match self.records.look(key) {
            Found::Nothing => {}
            Found::Ended(_) => return Ok(()),
            Found::Started(_) => {
                self.adopt(key);
                return Ok(());
            }
        }
        let times = Some(Times::new(Path::new(&spec.log)));
        let pumped = spec.mask.iter().any(|secret| !secret.is_empty()) || self.is_short_of_room();
        let spare = if pumped { None } else { self.spares.take(Path::new(&spec.log)) };
        let (unnamed, file) = spare.unzip();
        if let Err(error) = self.records.claim(key, unnamed.as_ref().map(Unnamed::record)) {
            if let Some(unnamed) = unnamed {
                self.settle(key, unnamed);
            }
            if room::is_full(&error) {
                return Err(Refused::Full(Box::new(spec)));
            }
            return Err(refused(format!("its record in {} cannot be written: {error}", self.dir.display())));
        }
        match launch(self.mark(key), &mut spec, &self.null, file, pumped) {
            Ok(Launched { who, pump, log }) => {
                if let Err(error) = self.records.started(key, who) {
                    note(&format!("{key}: which process it is cannot be recorded yet: {error}"));
                }
                self.steps.insert(key.to_owned(), Step { pump, log, unnamed, times, ..Step::new(who) });
                Ok(())
            }
            Err(reason) => {
                if let Some(unnamed) = unnamed {
                    self.settle(key, unnamed);
                }
                if let Err(error) = self.records.forget(key) {
                    note(&format!("{key}: that it did not start cannot be recorded yet: {error}"));
                }
                Err(if room::tells_full(&reason) { Refused::Full(Box::new(spec)) } else { refused(reason) })
            }
        }
    }

    /// Takes over the process of a record without an end.
    fn adopt(&mut self, key: &str) {
        let who = match self.records.look(key) {
            Found::Started(who) => who,
            Found::Nothing | Found::Ended(_) => return,
        };
        // Without a pid in the record, the leader of a session with the key's marker is the main process.
        let mark = self.mark(key);
        let who = who.or_else(|| {
            let leads = |process: &tree::Process| process.session == process.who.pid && !process.zombie;
            tree::all()
                .iter()
                .find(|process| leads(process) && tree::marker(process.who.pid).as_ref() == Some(&mark))
                .map(|process| process.who)
        });
        let pidfd = who.and_then(|who| {
            let pidfd = pidfd_open(Pid::from_raw(who.pid)?, PidfdFlags::empty()).ok()?;
            tree::look(who.pid).filter(|process| process.who == who && !process.zombie).map(|_| pidfd)
        });
        let gone = pidfd.is_none();
        let who = who.unwrap_or(Identity { pid: 0, start: 0 });
        self.steps.insert(key.to_owned(), Step { adopted: true, pidfd, ..Step::new(who) });
        if gone {
            self.main_ended(key, End::Lost);
        }
    }

    /// What the record tells of a key that is not in the table.
    fn told(&self, key: &str) -> Answer {
        match self.records.look(key) {
            Found::Nothing => Answer::Unknown,
            Found::Ended(end) => told_as(end),
            Found::Started(_) => Answer::Lost,
        }
    }

    fn kill(&mut self, key: &str, grace_ms: u64) -> Answer {
        if let Some(done) = self.stop_follower(key) {
            return done;
        }
        let (roots, mark) = (self.roots(key), self.mark(key));
        let Some(step) = self.steps.get_mut(key) else {
            return match self.told(key) {
                Answer::Exit { .. } | Answer::Lost => Answer::Done,
                other => other,
            };
        };
        let members = tree::members(&mark, step.who, &roots.own);
        step.ask_to_end(&members);
        step.stop_by(Instant::now() + Duration::from_millis(grace_ms));
        Answer::Done
    }

    fn forget(&mut self, key: &str) -> Answer {
        if self.steps.contains_key(key) || self.followers.contains_key(key) {
            return Answer::Refused { reason: format!("{key} still runs; kill it first") };
        }
        match self.records.forget(key) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused { reason: format!("the record of {key} cannot be removed: {error}") },
        }
    }

    fn forget_all(&mut self, prefix: &str) -> Answer {
        match self.records.forget_all(&self.records.ended_with_prefix(prefix)) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused { reason: format!("records of {prefix}… cannot be removed: {error}") },
        }
    }

    /// Takes the ends of all children that have ended: main processes, and orphans that became ours.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            self.strays.remove(&pid);
            let own = |step: &Step| step.who.pid == pid && !step.adopted && step.phase == Phase::Running;
            if let Some(key) = self.steps.iter().find(|(_, step)| own(step)).map(|(key, _)| key.clone()) {
                self.main_ended(&key, End::Exit(exit(status)));
            }
        }
    }

    fn main_ended(&mut self, key: &str, end: End) {
        let now = Instant::now();
        if let Some(step) = self.steps.get_mut(key) {
            step.main_ended(end, now);
            self.drain(key, end, now);
        }
    }

    /// Deadlines.
    fn tick(&mut self, now: Instant) {
        self.try_again(now);
        for (key, step) in self.steps.iter_mut().filter(|(_, step)| step.name_at <= now) {
            let Some(unnamed) = step.unnamed.take() else { continue };
            match self.spares.name(unnamed) {
                Ok(file) => step.log = Some(file),
                Err((again, error)) => {
                    note(&format!("{key}: its log cannot be named: {error}"));
                    (step.unnamed, step.name_at) = (again, now + FULL_PAUSE);
                }
            }
        }
        self.steps.values_mut().for_each(|step| step.note_time(now, false));
        let stopping = self.steps.iter().filter(|(_, step)| step.kill_at.is_some());
        for key in stopping.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            match self.steps.get(&key).map(|step| step.phase) {
                Some(Phase::Draining(_)) if self.steps[&key].again_at.is_some_and(|at| at > now) => {}
                Some(Phase::Draining(end)) => self.drain(&key, end, now),
                Some(Phase::Running) if self.steps[&key].is_due(now) => {
                    let (roots, mark) = (self.roots(&key), self.mark(&key));
                    self.steps[&key].kill_all(&mark, &roots.own);
                    self.reap();
                }
                Some(Phase::Running) | None => {}
            }
        }
    }

    /// One look at what an ended main process left behind; when that is nothing, the end is recorded and told.
    ///
    /// A list of `/proc` misses whoever was forked while it was read, so it never decides that nobody is left. The list
    /// of our own children does: all that is left of a child of ours hangs below them.
    fn drain(&mut self, key: &str, end: End, now: Instant) {
        self.reap();
        let (roots, mark) = (self.roots(key), self.mark(key));
        let Some(step) = self.steps.get_mut(key) else { return };
        let nobody = roots.own.is_empty() && roots.unsettled == 0;
        let left = if nobody && !step.adopted { Vec::new() } else { tree::members(&mark, step.who, &roots.own) };
        if nobody && left.is_empty() {
            self.finish(key, end);
        } else if step.is_hopeless(now) {
            note(&format!("{key}: {} processes survive SIGKILL; its end is reported all the same", left.len()));
            self.finish(key, end);
        } else if step.is_due(now) {
            step.kill_all(&mark, &roots.own);
        } else {
            step.ask_to_end(&left);
        }
    }

    /// A spare that no process got.
    fn settle(&mut self, key: &str, log: Unnamed) {
        if let Err((_, error)) = self.spares.settle(log) {
            note(&format!("{key}: its log cannot be named: {error}"));
        }
    }

    /// All that the step printed is in its log, and the log has its name; `false`: the disk is full.
    fn close_output(&mut self, key: &str) -> bool {
        let Some(step) = self.steps.get_mut(key) else { return true };
        if step.pump.as_mut().is_some_and(|pump| !pump.finish()) {
            return false;
        }
        let Some(log) = step.unnamed.take_if(|log| !log.is_empty()) else { return true };
        match self.spares.settle(log) {
            Ok(()) => true,
            Err((again, error)) => {
                note(&format!("{key}: its log cannot be named: {error}"));
                step.unnamed = again;
                step.unnamed.is_none()
            }
        }
    }

    fn note_last(&mut self, key: &str, now: Instant) {
        if let Some(step) = self.steps.get_mut(key) {
            step.note_time(now, true);
        }
    }

    /// Records and tells the end. While the disk is too full for the last of its log it is not told, unless somebody
    /// asked the step to stop.
    fn finish(&mut self, key: &str, end: End) {
        let now = Instant::now();
        // Before: a log without a pump goes out of hand. After: the rest of a pipe is in its log.
        self.note_last(key, now);
        if !self.close_output(key)
            && let Some(step) = self.steps.get_mut(key)
        {
            if !(step.stopped && step.is_hopeless(now)) {
                step.again_at = Some(now + FULL_PAUSE);
                return;
            }
            let lost = step.pump.as_mut().map_or(0, super::pump::Pump::give_up);
            note(&format!("{key}: it was stopped while the disk was full; {lost} bytes of its log are lost"));
        }
        self.note_last(key, now);
        let Some(step) = self.steps.remove(key) else { return };
        if let Err(error) = self.records.ended(key, end) {
            note(&format!("{key}: its end cannot be recorded yet: {error}"));
        }
        for (client, id) in step.waiters {
            self.reply(client, id, told_as(end));
        }
        self.start_followers(&After::End(key.to_owned()));
        // Whether an empty log can serve another step is nothing that whoever waits for the end has to wait for.
        if let Some(log) = step.unnamed {
            self.settle(key, log);
        }
    }

    /// What a step's processes carry in their environment.
    fn mark(&self, key: &str) -> String {
        format!("{}:{key}", self.dir.display())
    }

    /// Orphans among our children that belong to the step.
    fn roots(&mut self, key: &str) -> Roots {
        let mains: BTreeSet<i32> = self.steps.values().map(|step| step.who.pid).collect();
        let mut roots = Roots::default();
        for orphan in self.children.list().into_iter().filter(|pid| !mains.contains(pid)) {
            let belongs = self.belongs(orphan, key);
            // One that has ended meanwhile tells nothing any more, and a child of its own may be ours by now.
            if tree::look(orphan).is_none_or(|process| process.zombie) {
                roots.unsettled += 1;
            } else if belongs {
                roots.own.insert(orphan);
            }
        }
        roots
    }

    fn belongs(&mut self, orphan: i32, key: &str) -> bool {
        let marked = tree::marker(orphan);
        let marked = marked.as_deref().and_then(|mark| mark.strip_prefix(self.dir.to_str()?)?.strip_prefix(':'));
        if let Some(marked) = marked.filter(|marked| self.steps.contains_key(*marked)) {
            return marked == key;
        }
        let session = tree::look(orphan).map(|process| process.session);
        if let Some((owner, _)) = self.steps.iter().find(|(_, step)| Some(step.who.pid) == session) {
            return owner == key;
        }
        if let Some(owner) = self.writes_for(orphan) {
            return owner == key;
        }
        let steps = &self.steps;
        let candidates = self.strays.entry(orphan).or_insert_with(|| steps.keys().cloned().collect());
        candidates.retain(|candidate| steps.contains_key(candidate));
        // A step that ended while another candidate runs takes no stray along.
        candidates.is_empty() || (candidates.len() == 1 && candidates.contains(key))
    }

    /// The one step whose log or pipe a process holds as its output.
    fn writes_for(&self, pid: i32) -> Option<&str> {
        let held = |fd: u8| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok();
        let held = [held(1), held(2)];
        let writes = |step: &Step| {
            let output = step.output();
            output.is_some() && held.contains(&output)
        };
        let mut owners = self.steps.iter().filter(|(_, step)| writes(step)).map(|(key, _)| key.as_str());
        owners.next().filter(|_| owners.next().is_none())
    }

    /// Whether the folder we were started for is still there.
    fn has_home(&self) -> bool {
        std::fs::metadata(&self.dir).is_ok_and(|meta| meta.ino() == self.inode)
    }

    /// Nobody can ask about these steps any more.
    fn end_all(&mut self) {
        note("the folder is gone: every process of it is killed");
        self.followers.clear();
        let keys: Vec<String> = self.steps.keys().cloned().collect();
        for key in keys {
            let (roots, mark) = (self.roots(&key), self.mark(&key));
            self.steps[&key].kill_all(&mark, &roots.own);
        }
    }
}

fn told_as(end: End) -> Answer {
    match end {
        End::Exit(Exit { code, signal }) => Answer::Exit { code, signal },
        End::Lost => Answer::Lost,
    }
}

fn exit(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit { code, signal: None },
        (None, Some(signal)) => Exit { code: 128 + signal, signal: Some(signal) },
        // Not asked for, so it does not come: a stopped or continued child.
        (None, None) => Exit { code: 255, signal: None },
    }
}
