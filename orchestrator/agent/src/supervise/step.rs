//! One process under its key, from its start to its record.
//!
//! ```text
//!             spawn, adopt                 main process ends                 nobody left, or GIVE_UP
//!  (nothing) ─────────────> Running ──────────────────────────> Draining ─────────────────────────> record, replies
//!                             │ kill: SIGTERM to all,             │ SIGTERM to what is left,
//!                             │ SIGKILL to all at kill_at         │ SIGKILL at kill_at
//! ```

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::Signal;

use super::pump::Pump;
use super::records::{End, Identity};
use super::spare::{NAME_AFTER, Unnamed};
use super::wire::Spec;
use super::{GIVE_UP, LEFTOVER_GRACE, spawn, tree};
use crate::times::Times;

/// Rounds of looking and killing in one go; more follow at the next tick.
const KILL_ROUNDS: usize = 4;

/// Where a step stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// The main process lives.
    Running,
    /// It ended; what it left behind is being killed.
    Draining(End),
}

/// A process and all it started.
pub(crate) struct Step {
    pub(crate) who: Identity,
    pub(crate) phase: Phase,
    /// A child of a supervisor before us: we are not told its exit code.
    pub(crate) adopted: bool,
    /// Tells the end of an adopted process; `None` if it has ended already.
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) pump: Option<Pump>,
    /// The log that its processes write to, held to know it again.
    pub(crate) log: Option<File>,
    /// The same while it has no name.
    pub(crate) unnamed: Option<Unnamed>,
    /// When it gets one.
    pub(crate) name_at: Instant,
    /// When the log grew.
    pub(crate) times: Option<Times>,
    /// Connection and request number of each `wait`.
    pub(crate) waiters: Vec<(u64, u64)>,
    /// When SIGKILL is due.
    pub(crate) kill_at: Option<Instant>,
    /// Somebody asked it to stop.
    pub(crate) stopped: bool,
    /// The disk is full, and what the step printed, or its log's name, is tried again then.
    pub(crate) again_at: Option<Instant>,
    /// Who got SIGTERM already; a second one makes some programs give up their orderly end.
    pub(crate) asked: BTreeSet<Identity>,
}

impl Step {
    /// A step whose main process is this one.
    pub(crate) fn new(who: Identity) -> Step {
        Step {
            who,
            phase: Phase::Running,
            adopted: false,
            pidfd: None,
            pump: None,
            log: None,
            unnamed: None,
            name_at: Instant::now() + NAME_AFTER,
            times: None,
            waiters: Vec::new(),
            kill_at: None,
            stopped: false,
            again_at: None,
            asked: BTreeSet::new(),
        }
    }

    /// Looks at the log's size when that is due, or at the end in any case.
    pub(crate) fn note_time(&mut self, now: Instant, at_end: bool) {
        let Some(times) = self.times.as_mut().filter(|times| at_end || times.due() <= now) else { return };
        let log = self.log.as_ref().or_else(|| self.unnamed.as_ref().map(Unnamed::file));
        let size = match (log, self.pump.as_ref()) {
            (Some(log), _) => log.metadata().map_or(0, |meta| meta.len()),
            (None, Some(pump)) => pump.log_size(),
            (None, None) => 0,
        };
        if at_end {
            times.end(size, now);
        } else {
            times.seen(size, now);
        }
    }

    /// What `/proc/PID/fd` calls the log or pipe that its processes write to.
    pub(crate) fn output(&self) -> Option<PathBuf> {
        let pipe = self.pump.as_ref().and_then(Pump::fd).map(|fd| fd.as_raw_fd());
        let log = self.log.as_ref().or_else(|| self.unnamed.as_ref().map(Unnamed::file)).map(AsRawFd::as_raw_fd);
        std::fs::read_link(format!("/proc/self/fd/{}", pipe.or(log)?)).ok()
    }

    /// The main process is gone.
    pub(crate) fn main_ended(&mut self, end: End, now: Instant) {
        self.phase = Phase::Draining(end);
        self.kill_at.get_or_insert(now + LEFTOVER_GRACE);
    }

    /// Asked to stop; an earlier deadline stays.
    pub(crate) fn stop_by(&mut self, deadline: Instant) {
        self.stopped = true;
        self.kill_at = Some(self.kill_at.map_or(deadline, |at| at.min(deadline)));
    }

    /// SIGTERM, once to each. SIGCONT too: a stopped process would never hear.
    pub(crate) fn ask_to_end(&mut self, members: &[Identity]) {
        for &who in members {
            if self.asked.insert(who) {
                tree::signal(who, Signal::TERM);
                tree::signal(who, Signal::CONT);
            }
        }
    }

    /// Whether SIGKILL is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.kill_at.is_some_and(|at| at <= now)
    }

    /// Whether nothing more can be done.
    pub(crate) fn is_hopeless(&self, now: Instant) -> bool {
        self.kill_at.is_some_and(|at| at + GIVE_UP <= now)
    }

    /// SIGKILL to all, and to what they started meanwhile.
    pub(crate) fn kill_all(&self, mark: &str, roots: &BTreeSet<i32>) {
        for _ in 0..KILL_ROUNDS {
            let members = tree::members(mark, self.who, roots);
            if members.is_empty() {
                break;
            }
            members.into_iter().for_each(|who| tree::signal(who, Signal::KILL));
        }
    }
}

/// A started process before it is in the table.
pub(crate) struct Launched {
    pub(crate) who: Identity,
    pub(crate) pump: Option<Pump>,
    /// The log, unless it is a spare.
    pub(crate) log: Option<File>,
}

/// Opens the files and starts the process. The error is one sentence for people, without the program's name. `spare`: an
/// open file that will be the log. `pumped`: its output comes through us, secrets or not.
pub(crate) fn launch(
    mark: String,
    spec: &mut Spec,
    null: &File,
    spare: Option<File>,
    pumped: bool,
) -> Result<Launched, String> {
    let name = spec.argv.first().ok_or("there is no program: argv is empty")?;
    let cwd = Path::new(&spec.cwd);
    let no_cwd = || format!("the working directory {} does not exist", cwd.display());
    let told = |error: std::io::Error| if cwd.is_dir() { error.to_string() } else { no_cwd() };
    let program = spawn::find_program(name, &spec.vars, cwd).map_err(told)?;
    let (log, is_spare) = match spare {
        Some(file) => (file, true),
        None => (open(Path::new(&spec.log), false)?, false),
    };
    let stdout = spec.stdout.as_deref().map(|path| open(Path::new(path), true)).transpose()?;
    spec.vars.insert(tree::MARKER.to_owned(), mark);
    let (pump, pipe) = match pumped {
        true => {
            let log = log.try_clone().map_err(|error| format!("cannot use the log twice: {error}"))?;
            let (pump, pipe) = Pump::new(log, &spec.mask).map_err(|error| format!("cannot make a pipe: {error}"))?;
            (Some(pump), Some(pipe))
        }
        false => (None, None),
    };
    let logged = pipe.as_ref().map_or(log.as_raw_fd(), AsRawFd::as_raw_fd);
    let pid = spawn::start(&spawn::Start {
        program: &program,
        argv: &spec.argv,
        vars: &spec.vars,
        cwd,
        stdin: null.as_raw_fd(),
        stdout: stdout.as_ref().map_or(logged, AsRawFd::as_raw_fd),
        stderr: logged,
    })
    .map_err(told)?;
    // A child stays in /proc until we reap it, so this finds it even if it has ended.
    let start = tree::look(pid).map_or(0, |process| process.who.start);
    Ok(Launched { who: Identity { pid, start }, pump, log: (!is_spare).then_some(log) })
}

/// Opens a file that a step writes, and the folders above it where they are missing.
fn open(path: &Path, truncate: bool) -> Result<File, String> {
    let options = || OpenOptions::new().create(true).append(true).open(path);
    let opened = match options() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| options())
        }
        other => other,
    };
    opened
        .and_then(|file| if truncate { file.set_len(0).map(|()| file) } else { Ok(file) })
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
