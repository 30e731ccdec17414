//! A step's log: a file that is appended to, by the agent here and by the step's processes on their own.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use haliotis_plugin_api::Log;

use crate::mask::Masker;

/// The log of one attempt. The file is made by the first byte, so a step that says nothing costs nothing. It is opened
/// for each line, since the supervisor may put the log of a process in its place at any time, with the lines that are
/// there in it.
///
/// A log that cannot be written fails no step: that is told once to the server's own log.
pub(crate) struct StepLog {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    masker: Masker,
    told: bool,
}

impl StepLog {
    /// A log at this path; the folders above are made when needed.
    pub(crate) fn new(path: PathBuf, masker: Masker) -> StepLog {
        StepLog { path, state: Mutex::new(State { masker, told: false }) }
    }

    /// The text with secrets replaced, for messages that go elsewhere.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.with(|state| if state.masker.is_idle() { text.to_owned() } else { state.masker.mask_whole(text) })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn append(&self, state: &mut State, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let written = open(&self.path).and_then(|mut file| file.write_all(bytes));
        if let Err(error) = written
            && !std::mem::replace(&mut state.told, true)
        {
            tracing::error!(path = %self.path.display(), %error, "a step's log cannot be written; lines are lost");
        }
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
            State { masker: Masker::new([]), told: true },
        );
        let mut out = Vec::new();
        state.masker.finish(&mut out);
        self.append(&mut state, &out);
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
}
