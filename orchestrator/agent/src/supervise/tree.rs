//! Finds the processes of a step in `/proc`, and signals them without ever hitting a stranger.
//!
//! A process belongs to a step if it is the step's main process, is in the session that the main process leads, carries
//! the step's marker in its environment, or descends from one that does. The supervisor is the subreaper of all, so a
//! process whose parent is gone becomes the supervisor's own child and cannot hide; the rare one that left the session
//! *and* dropped its environment *and* lost its parent is told by the log it holds open, and if it holds none, by who was
//! running when it turned up (`strays` in the supervisor).
//!
//! A pid that was read is not a process any more when it is signalled: the signal goes through a pidfd that was opened
//! first and compared with the start time after.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::records::Identity;

/// In the environment of every process of a step. Its value is `FOLDER:KEY` with the supervisor's folder: two servers of
/// one machine may well have a step of the same key at the same time.
pub(crate) const MARKER: &str = "HALIOTIS_STEP_KEY";

/// A line of `/proc/PID/stat`, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) who: Identity,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    pub(crate) zombie: bool,
}

/// Reads one process; `None` if there is none.
pub(crate) fn look(pid: i32) -> Option<Process> {
    // The line is shorter than this, and one read of it is cheaper than a file read to its end.
    let mut line = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read_at(&mut line, 0).ok()?;
    let stat = &line[..length];
    // The name stands in brackets and may hold anything, brackets too: fields count from the last one.
    let after = stat.iter().rposition(|&byte| byte == b')')?;
    let text = std::str::from_utf8(stat.get(after + 2..)?).ok()?;
    let mut fields = text.split(' ');
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(15)?.trim().parse().ok()?;
    Some(Process { who: Identity { pid, start }, parent, session, zombie })
}

/// Every process of the machine that we may see.
pub(crate) fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| look(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// The marker in a process' environment, if it has one and we may read it.
pub(crate) fn marker(pid: i32) -> Option<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let wanted = format!("{MARKER}=");
    let entry = environ.split(|&byte| byte == 0).find(|entry| entry.starts_with(wanted.as_bytes()))?;
    String::from_utf8(entry[wanted.len()..].to_vec()).ok()
}

/// The living processes of the step with this marker, parents before children; `roots` are more pids known to be its own.
pub(crate) fn members(mark: &str, main: Identity, roots: &BTreeSet<i32>) -> Vec<Identity> {
    let all = all();
    let me = rustix::process::getpid().as_raw_nonzero().get();
    // While anything is in a session its number is given to nobody; if a stranger has the number, the session is empty.
    let reused = all.iter().any(|process| process.who.pid == main.pid && process.who != main);
    let mut found: Vec<Identity> = Vec::new();
    let mut pids = BTreeSet::new();
    for process in &all {
        let pid = process.who.pid;
        let ours = pid != me
            && (process.who == main
                || (main.pid > 0 && !reused && process.session == main.pid)
                || roots.contains(&pid)
                || marker(pid).as_deref() == Some(mark));
        if ours && pids.insert(pid) {
            found.push(process.who);
        }
    }
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        for child in all.iter().filter(|process| process.parent == parent.pid) {
            if child.who.pid != me && pids.insert(child.who.pid) {
                found.push(child.who);
            }
        }
    }
    let zombies: BTreeSet<i32> = all.iter().filter(|process| process.zombie).map(|process| process.who.pid).collect();
    found.retain(|who| !zombies.contains(&who.pid));
    found
}

/// Sends a signal to this very process; nothing happens if it is gone.
pub(crate) fn signal(who: Identity, signal: Signal) {
    let Some(pid) = Pid::from_raw(who.pid) else { return };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if look(who.pid).is_some_and(|process| process.who == who) {
        // A process of another user (sudo) refuses; there is no more that we can do.
        let _ = pidfd_send_signal(&pidfd, signal);
    }
}

/// The children of this process, cheaply: `/proc/thread-self/children` kept open. Complete, because only reaping takes
/// a child off the list and only this thread reaps. A kernel without that file has all of `/proc` read instead.
pub(crate) struct Children(Option<File>);

impl Children {
    pub(crate) fn new() -> Children {
        let path = format!("/proc/self/task/{}/children", rustix::thread::gettid().as_raw_nonzero());
        Children(File::open(path).ok())
    }

    pub(crate) fn list(&self) -> Vec<i32> {
        let Some(file) = &self.0 else {
            let me = rustix::process::getpid().as_raw_nonzero().get();
            return all().iter().filter(|process| process.parent == me).map(|process| process.who.pid).collect();
        };
        let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(length) = file.read_at(&mut chunk, text.len() as u64) {
            if length == 0 {
                break;
            }
            text.extend_from_slice(&chunk[..length]);
        }
        String::from_utf8_lossy(&text).split_whitespace().filter_map(|word| word.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_and_its_parent() {
        let me = look(std::process::id() as i32).unwrap();
        assert_eq!(me.who.pid, std::process::id() as i32);
        assert!(look(me.parent).is_some());
        assert!(!me.zombie);
        assert!(all().iter().any(|process| process.who == me.who));
        assert!(look(i32::MAX).is_none());
    }

    #[test]
    fn a_wrong_start_time_gets_no_signal() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let who = look(child.id() as i32).unwrap().who;
        signal(Identity { start: who.start + 1, ..who }, Signal::KILL);
        assert!(child.try_wait().unwrap().is_none());
        signal(who, Signal::KILL);
        assert!(!child.wait().unwrap().success());
    }
}
