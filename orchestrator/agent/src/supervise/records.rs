//! What is kept on disk of each process: `started/KEY` while it runs, `exits/KEY` when it has ended.
//!
//! One file per key, of lines, that is made before the process is and renamed after its end:
//! ```text
//! boot 1d94104b-…           the machine's run, so that a pid of before a reboot is never taken for ours
//! pid 4711 8842117          pid and start time in clock ticks: together they name a process once and for all
//! exit 143 15               code, and the signal if there was one; or `lost`
//! ```
//! Nothing is synced to disk: the page cache outlives any process, the journal already has the step's START, and after
//! a loss of power the processes are gone as well.
//!
//! - A crash between the claim and the `pid` line: the next supervisor looks for a process with the key's marker; if
//!   there is none, the process may have been and gone, so the end is `lost`, never "not started".
//! - A crash between `exit` and the rename: the line counts, the next look finishes the rename.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use haliotis_plugin_api::Exit;

/// Which process it is. Pids are used again; a pid with its start time is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Field 22 of `/proc/PID/stat`.
    pub(crate) start: u64,
}

/// How a process ended, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exit(Exit),
    Lost,
}

/// What the disk says of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// Being started, or started: `None` if its supervisor died before it wrote which process it is, or if it was
    /// another run of the machine.
    Started(Option<Identity>),
    Ended(End),
}

/// The two folders.
pub(crate) struct Records {
    started: PathBuf,
    exits: PathBuf,
    boot: String,
}

impl Records {
    /// Makes the folders where they are missing.
    pub(crate) fn open(dir: &Path) -> std::io::Result<Records> {
        let (started, exits) = (dir.join("started"), dir.join("exits"));
        std::fs::create_dir_all(&started)?;
        std::fs::create_dir_all(&exits)?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        Ok(Records { started, exits, boot })
    }

    /// Whether a key can be a file name; the caller's slugs are.
    pub(crate) fn is_key(key: &str) -> bool {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=200).contains(&key.len()) && !key.starts_with('.') && key.chars().all(safe)
    }

    /// What is known of a key.
    pub(crate) fn look(&self, key: &str) -> std::io::Result<Found> {
        if let Some(text) = read(&self.exits.join(key))? {
            return Ok(Found::Ended(self.parse(&text).1.unwrap_or(End::Lost)));
        }
        let Some(text) = read(&self.started.join(key))? else { return Ok(Found::Nothing) };
        match self.parse(&text) {
            (_, Some(end)) => {
                std::fs::rename(self.started.join(key), self.exits.join(key))?;
                Ok(Found::Ended(end))
            }
            (identity, None) => Ok(Found::Started(identity)),
        }
    }

    /// Keys without an end.
    pub(crate) fn unfinished(&self) -> std::io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.started)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut keys: Vec<String> = names.filter(|name| Self::is_key(name)).collect();
        keys.sort();
        Ok(keys)
    }

    /// Claims the key, before anything is started; refused when it is claimed.
    pub(crate) fn claim(&self, key: &str) -> std::io::Result<File> {
        let open = || OpenOptions::new().append(true).create_new(true).open(self.started.join(key));
        let mut file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.started)?;
                open()?
            }
            other => other?,
        };
        file.write_all(format!("boot {}\n", self.boot).as_bytes())?;
        Ok(file)
    }

    /// The process could not be started: the key is free again.
    pub(crate) fn unclaim(&self, key: &str) -> std::io::Result<()> {
        std::fs::remove_file(self.started.join(key))
    }

    /// It runs.
    pub(crate) fn started(&self, mut record: &File, who: Identity) -> std::io::Result<()> {
        record.write_all(format!("pid {} {}\n", who.pid, who.start).as_bytes())
    }

    /// It has ended. From here on `look` tells so.
    pub(crate) fn ended(&self, key: &str, record: Option<File>, end: End) -> std::io::Result<()> {
        let line = match end {
            End::Exit(Exit { code, signal: None }) => format!("exit {code}\n"),
            End::Exit(Exit { code, signal: Some(signal) }) => format!("exit {code} {signal}\n"),
            End::Lost => "lost\n".to_owned(),
        };
        let path = self.started.join(key);
        let mut file = match record {
            Some(file) => file,
            None => OpenOptions::new().append(true).create(true).open(&path)?,
        };
        file.write_all(line.as_bytes())?;
        std::fs::rename(path, self.exits.join(key))
    }

    /// Removes the file of an ended process.
    pub(crate) fn forget(&self, key: &str) -> std::io::Result<()> {
        match std::fs::remove_file(self.exits.join(key)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Reads whole lines only: a line without its end was never written.
    fn parse(&self, text: &str) -> (Option<Identity>, Option<End>) {
        let (mut identity, mut end, mut this_boot) = (None, None, false);
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["boot", boot] => this_boot = boot == self.boot,
                ["pid", pid, start] if this_boot => {
                    identity = pid.parse().ok().zip(start.parse().ok()).map(|(pid, start)| Identity { pid, start });
                }
                ["exit", code, ref rest @ ..] => {
                    let signal = rest.first().and_then(|word| word.parse().ok());
                    end = code.parse().ok().map(|code| End::Exit(Exit { code, signal }));
                }
                ["lost"] => end = Some(End::Lost),
                _ => {}
            }
        }
        (identity, end)
    }
}

/// The text of a file, `None` if there is no such file.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_from_nothing_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        assert_eq!(records.look("a").unwrap(), Found::Nothing);
        let file = records.claim("a").unwrap();
        assert!(records.claim("a").is_err(), "a key is claimed once");
        assert_eq!(records.look("a").unwrap(), Found::Started(None));
        let who = Identity { pid: 7, start: 99 };
        records.started(&file, who).unwrap();
        assert_eq!(records.look("a").unwrap(), Found::Started(Some(who)));
        let end = End::Exit(Exit { code: 143, signal: Some(15) });
        records.ended("a", Some(file), end).unwrap();
        assert_eq!(records.look("a").unwrap(), Found::Ended(end));
        assert!(records.unfinished().unwrap().is_empty());
        records.forget("a").unwrap();
        records.forget("a").unwrap();
        assert_eq!(records.look("a").unwrap(), Found::Nothing);
    }

    #[test]
    fn an_end_before_the_rename_counts_and_a_torn_line_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        std::fs::write(dir.path().join("started/a"), "boot x\npid 7 99\nexit 3\n").unwrap();
        assert_eq!(records.look("a").unwrap(), Found::Ended(End::Exit(Exit { code: 3, signal: None })));
        std::fs::write(dir.path().join("started/b"), "boot x\npid 7 99\nexit 1").unwrap();
        assert_eq!(records.look("b").unwrap(), Found::Started(None), "pids of another boot are nobody's");
        assert!(!Records::is_key("../x") && !Records::is_key(".x") && Records::is_key("7-a.b_c"));
    }
}
