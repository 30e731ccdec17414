//! A step's log: a file that is appended to, by the agent here and by the step's processes on their own.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use haliotis_plugin_api::Log;

use crate::mask::Masker;
use crate::room;
use crate::times::Times;

/// The log of one attempt. The file is made by the first byte, so a step that says nothing costs nothing. It is opened
/// for each line, since the supervisor may put the log of a process in its place at any time, with the lines that are
/// there in it.
///
/// A log that cannot be written fails no step: that is told once to the server's own log. What a full disk does not take
/// is kept and written with the next line, or when the agent asks ([`StepLog::owes`]); beyond [`OWED_MOST`] bytes it is
/// counted, and the gap is said in the log.
pub(crate) struct StepLog {
    path: PathBuf,
    state: Mutex<State>,
}

/// Bytes of one log kept in memory while the disk is full; what steps of this process say is lines, not output.
const OWED_MOST: usize = 1 << 20;

struct State {
    masker: Masker,
    told: bool,
    /// What the disk has not taken yet.
    owed: Vec<u8>,
    /// Bytes that came after that and were not kept.
    missing: u64,
    /// Made by the first byte.
    times: Option<Times>,
}

impl State {
    fn new(masker: Masker) -> State {
        State { masker, told: false, owed: Vec::new(), missing: 0, times: None }
    }

    fn owe(&mut self, bytes: &[u8]) {
        if self.missing > 0 || self.owed.len() + bytes.len() > OWED_MOST {
            self.missing += bytes.len() as u64;
        } else {
            self.owed.extend_from_slice(bytes);
        }
    }

    /// Writes what is owed, then these; what the disk does not take stays owed.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
        while !self.owed.is_empty() {
            let (length, written) = some(file, &self.owed);
            self.owed.drain(..length);
            if let Err(error) = written {
                self.owe(bytes);
                return Err(error);
            }
            if self.missing > 0 {
                self.owed = format!("[{} bytes are missing here: the disk was full]\n", self.missing).into_bytes();
                self.missing = 0;
            }
        }
        let (length, written) = some(file, bytes);
        self.owe(&bytes[length..]);
        written
    }
}

/// Writes until all is written or the file refuses; how many it took.
fn some(file: &mut File, bytes: &[u8]) -> (usize, std::io::Result<()>) {
    let mut length = 0;
    while length < bytes.len() {
        match file.write(&bytes[length..]) {
            Ok(0) => return (length, Err(ErrorKind::WriteZero.into())),
            Ok(more) => length += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (length, Err(error)),
        }
    }
    (length, Ok(()))
}

impl StepLog {
    /// A log at this path; the folders above are made when needed.
    pub(crate) fn new(path: PathBuf, masker: Masker) -> StepLog {
        StepLog { path, state: Mutex::new(State::new(masker)) }
    }

    /// The text with secrets replaced, for messages that go elsewhere.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.with(|state| if state.masker.is_idle() { text.to_owned() } else { state.masker.mask_whole(text) })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn append(&self, state: &mut State, bytes: &[u8]) {
        if bytes.is_empty() && state.owed.is_empty() {
            return;
        }
        let opened = open(&self.path);
        let written = match opened {
            Ok(mut file) => {
                let written = state.write(&mut file, bytes);
                let now = Instant::now();
                let times = state.times.get_or_insert_with(|| Times::new(&self.path));
                if times.due() <= now {
                    times.seen(file.metadata().map_or(0, |meta| meta.len()), now);
                }
                written
            }
            Err(error) => {
                state.owe(bytes);
                Err(error)
            }
        };
        let Err(error) = written else { return };
        if !room::is_full(&error) {
            (state.owed, state.missing) = (Vec::new(), 0);
        }
        if !std::mem::replace(&mut state.told, true) {
            let path = self.path.display();
            tracing::error!(%path, %error, "a step's log cannot be written; if the disk is full it is tried again");
        }
    }

    /// Tries once more to write what the full disk did not take; whether there is something left.
    pub(crate) fn owes(&self) -> bool {
        self.with(|state| {
            self.append(state, &[]);
            !state.owed.is_empty()
        })
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let open = || OpenOptions::new().create(true).append(true).open(path);
    match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            open()
        }
        other => other,
    }
}

impl Log for StepLog {
    fn line(&self, text: &str) {
        self.with(|state| {
            let mut out = Vec::with_capacity(text.len() + 1);
            // What was held back came before this line.
            state.masker.finish(&mut out);
            state.masker.push(text.as_bytes(), &mut out);
            state.masker.finish(&mut out);
            out.push(b'\n');
            self.append(state, &out);
        });
    }

    fn write(&self, bytes: &[u8]) {
        self.with(|state| {
            let mut out = Vec::with_capacity(bytes.len());
            state.masker.push(bytes, &mut out);
            self.append(state, &out);
        });
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }
}

impl Drop for StepLog {
    fn drop(&mut self) {
        let mut state = std::mem::replace(
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State { told: true, ..State::new(Masker::new([])) },
        );
        let mut out = Vec::new();
        state.masker.finish(&mut out);
        self.append(&mut state, &out);
        if let (Some(mut times), Ok(meta)) = (state.times, std::fs::metadata(&self.path)) {
            times.end(meta.len(), Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_lines_and_writes_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("7/a.log");
        let log = StepLog::new(path.clone(), Masker::new(["hunter2"]));
        assert!(log.is_empty() && !path.exists());
        log.line("key hunter2");
        log.write(b"half hun");
        log.write(b"ter2 whole");
        log.write(b" hunt");
        log.line("next");
        log.write(b"tail hun");
        assert_eq!(log.masked("x hunter2"), "x ****");
        drop(log);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "key ****\nhalf **** whole huntnext\ntail hun");
    }

    #[test]
    fn a_full_disk_loses_no_line_and_a_gap_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let log = StepLog::new(path.clone(), Masker::new(["hunter2"]));
        log.line("one hunter2");
        assert!(log.owes());
        log.write(&vec![b'x'; OWED_MOST]);
        log.line("after the gap");
        std::fs::remove_file(&path).unwrap();
        assert!(!log.owes());
        log.line("room again");
        drop(log);
        let missing = OWED_MOST + "after the gap\n".len();
        let expected = format!("one ****\n[{missing} bytes are missing here: the disk was full]\nroom again\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }
}
