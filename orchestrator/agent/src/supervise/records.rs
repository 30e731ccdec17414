//! What is kept of each process: a file of lines, `records`, and what it says in memory.
//!
//! ```text
//! boot 1d94104b-…           the machine's run; the pids below are of it, so that none of before a reboot is ever ours
//! start KEY                 before the process is
//! log KEY spare-0 PATH      with it: the file it writes to, and what that file will be called (spare.rs)
//! pid KEY 4711 8842117      pid and start time in clock ticks: together they name a process once and for all
//! exit KEY 143 15           code, and the signal if there was one; or `lost KEY`
//! forget KEY                nobody will ask again
//! ```
//! One file for all keys, since making and removing a file of its own costs more than starting a process. Its owner is
//! the supervisor alone (it holds the lock), so what is in memory is what is on disk. The file is written anew without
//! what was forgotten at each start of a supervisor, and when it has grown by [`COMPACT_LINES`].
//!
//! Nothing is synced to disk: the page cache outlives any process, the journal already has the step's START, and after
//! a loss of power the processes are gone as well.
//!
//! - A crash between `start` and `pid`: the next supervisor looks for a process with the key's marker; if there is
//!   none, the process may have been and gone, so the end is `lost`, never "not started".
//! - The disk is full: what was to be started is not (serve.rs holds it); that something ended, or which process it is,
//!   stays owed in memory and goes in front of the next lines.
//! - A line without its end was never written: it is cut off, by the one that failed to write it or at the next start.
//! - A crash while the file is written anew: the old one is whole until the new one takes its name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use haliotis_plugin_api::Exit;

/// After so many lines the file is written anew, if most of them tell of what was forgotten: some megabytes.
const COMPACT_LINES: usize = 50_000;

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

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// Being started, or started: `None` if its supervisor died before it wrote which process it is, or if it was
    /// another run of the machine.
    Started(Option<Identity>),
    Ended(End),
}

/// The file and what it says.
pub(crate) struct Records {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines in the file.
    length: u64,
    lines: usize,
    /// Lines that the disk did not take yet, of what has happened already.
    owed: String,
    boot: String,
    known: BTreeMap<String, Found>,
    /// Of keys without an end: spare file and path of the log.
    logs: BTreeMap<String, (String, PathBuf)>,
}

impl Records {
    /// Reads what supervisors before us wrote, and writes it anew.
    pub(crate) fn open(dir: &Path) -> std::io::Result<Records> {
        let path = dir.join("records");
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let (known, logs) = parse(&text, &boot);
        for (key, (spare, log)) in logs {
            if let Err(error) = super::spare::name_left_over(dir, &spare, &log) {
                super::note(&format!("{key}: its log stays in {spare}, it cannot be named {}: {error}", log.display()));
            }
        }
        let logs = BTreeMap::new();
        let (file, length, lines) = write_anew(&path, &boot, &known, &logs)?;
        Ok(Records { path, file, length, lines, owed: String::new(), boot, known, logs })
    }

    /// Whether a key can be written down; the caller's slugs can.
    pub(crate) fn is_key(key: &str) -> bool {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=200).contains(&key.len()) && !key.starts_with('.') && key.chars().all(safe)
    }

    /// What is known of a key.
    pub(crate) fn look(&self, key: &str) -> Found {
        self.known.get(key).copied().unwrap_or(Found::Nothing)
    }

    /// Keys without an end.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let started = self.known.iter().filter(|(_, found)| matches!(found, Found::Started(_)));
        started.map(|(key, _)| key.clone()).collect()
    }

    /// Claims a key of which nothing is known, before anything is started. `log`: the spare file that its process gets,
    /// and the path that this file will have.
    pub(crate) fn claim(&mut self, key: &str, log: Option<(&str, &Path)>) -> std::io::Result<()> {
        let mut lines = format!("start {key}\n");
        if let Some((spare, path)) = log {
            lines.push_str(&log_line(key, spare, path));
        }
        self.append(&lines)?;
        if let Some((spare, path)) = log {
            self.logs.insert(key.to_owned(), (spare.to_owned(), path.to_owned()));
        }
        self.known.insert(key.to_owned(), Found::Started(None));
        Ok(())
    }

    /// It runs. Known from here on even if the disk does not take it.
    pub(crate) fn started(&mut self, key: &str, who: Identity) -> std::io::Result<()> {
        self.known.insert(key.to_owned(), Found::Started(Some(who)));
        self.happened(&pid_line(key, who))
    }

    /// It has ended. From here on `look` tells so, even if the disk does not take it.
    pub(crate) fn ended(&mut self, key: &str, end: End) -> std::io::Result<()> {
        self.known.insert(key.to_owned(), Found::Ended(end));
        self.logs.remove(key);
        self.happened(&end_line(key, end))
    }

    /// The key is free again, after its process ended or could not be started.
    pub(crate) fn forget(&mut self, key: &str) -> std::io::Result<()> {
        self.forget_all(&[key.to_owned()])
    }

    /// Likewise all of these, in one write; keys of which nothing is known cost nothing.
    pub(crate) fn forget_all(&mut self, keys: &[String]) -> std::io::Result<()> {
        let gone: Vec<&String> = keys.iter().filter(|key| self.known.remove(*key).is_some()).collect();
        self.logs.retain(|key, _| self.known.contains_key(key));
        if gone.is_empty() {
            return Ok(());
        }
        if self.lines > COMPACT_LINES && self.lines > 8 * self.known.len() {
            (self.file, self.length, self.lines) = write_anew(&self.path, &self.boot, &self.known, &self.logs)?;
            self.owed.clear();
            return Ok(());
        }
        self.happened(&gone.into_iter().map(|key| format!("forget {key}\n")).collect::<String>())
    }

    /// Keys that begin so and have ended.
    pub(crate) fn ended_with_prefix(&self, prefix: &str) -> Vec<String> {
        let from = self.known.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        from.filter(|(_, found)| matches!(found, Found::Ended(_))).map(|(key, _)| key.clone()).collect()
    }

    /// Lines of what is so already: if the disk does not take them they stay owed.
    fn happened(&mut self, lines: &str) -> std::io::Result<()> {
        self.append(lines).inspect_err(|_| self.owed.push_str(lines))
    }

    /// The disk did not take everything yet.
    pub(crate) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Tries to write what is owed; `false`: there is something left.
    pub(crate) fn pay(&mut self) -> bool {
        self.owed.is_empty() || self.append("").is_ok()
    }

    /// Whole lines or nothing, what is owed first: half a line would swallow the next one.
    fn append(&mut self, lines: &str) -> std::io::Result<()> {
        let all = if self.owed.is_empty() { Cow::Borrowed(lines) } else { Cow::Owned(self.owed.clone() + lines) };
        haliotis_failpoints::failpoint!("supervisor.record.before");
        let written = self.file.write_all(all.as_bytes());
        haliotis_failpoints::failpoint!("supervisor.record.after");
        if let Err(error) = written {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.owed.clear();
        self.length += all.len() as u64;
        self.lines += all.bytes().filter(|&byte| byte == b'\n').count();
        Ok(())
    }
}

fn pid_line(key: &str, who: Identity) -> String {
    format!("pid {key} {} {}\n", who.pid, who.start)
}

fn log_line(key: &str, spare: &str, path: &Path) -> String {
    format!("log {key} {spare} {}\n", path.display())
}

fn end_line(key: &str, end: End) -> String {
    match end {
        End::Exit(Exit { code, signal: None }) => format!("exit {key} {code}\n"),
        End::Exit(Exit { code, signal: Some(signal) }) => format!("exit {key} {code} {signal}\n"),
        End::Lost => format!("lost {key}\n"),
    }
}

/// A file with what is known and nothing else, open at its end; its bytes and lines.
fn write_anew(
    path: &Path,
    boot: &str,
    known: &BTreeMap<String, Found>,
    logs: &BTreeMap<String, (String, PathBuf)>,
) -> std::io::Result<(File, u64, usize)> {
    let mut text = format!("boot {boot}\n");
    for (key, found) in known {
        text.push_str(&match found {
            Found::Nothing => continue,
            Found::Started(None) => format!("start {key}\n"),
            Found::Started(Some(who)) => pid_line(key, *who),
            Found::Ended(end) => end_line(key, *end),
        });
    }
    for (key, (spare, log)) in logs {
        text.push_str(&log_line(key, spare, log));
    }
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().append(true).create_new(true).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&fresh, path)?;
    Ok((file, text.len() as u64, text.lines().count()))
}

/// What a file tells: of each key, and where the logs of those without an end are.
type Told = (BTreeMap<String, Found>, BTreeMap<String, (String, PathBuf)>);

/// Reads whole lines only.
fn parse(text: &str, this_boot: &str) -> Told {
    let (mut known, mut logs, mut ours) = (BTreeMap::new(), BTreeMap::new(), false);
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        if let Some((key, spare, path)) = parse_log(line) {
            logs.insert(key.to_owned(), (spare.to_owned(), PathBuf::from(path)));
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let (key, found) = match words[..] {
            ["boot", boot] => {
                ours = boot == this_boot;
                continue;
            }
            ["start", key] => (key, Found::Started(None)),
            ["pid", key, pid, start] => {
                let who = pid.parse().ok().zip(start.parse().ok()).map(|(pid, start)| Identity { pid, start });
                (key, Found::Started(who.filter(|_| ours)))
            }
            ["exit", key, code, ref rest @ ..] => {
                let signal = rest.first().and_then(|word| word.parse().ok());
                (key, Found::Ended(code.parse().map_or(End::Lost, |code| End::Exit(Exit { code, signal }))))
            }
            ["lost", key] => (key, Found::Ended(End::Lost)),
            ["forget", key] => {
                known.remove(key);
                continue;
            }
            _ => continue,
        };
        known.insert(key.to_owned(), found);
    }
    logs.retain(|key, _| matches!(known.get(key), Some(Found::Started(_))));
    (known, logs)
}

/// `log KEY SPARE PATH`; the path may hold spaces.
fn parse_log(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.strip_prefix("log ")?.splitn(3, ' ');
    Some((words.next()?, words.next()?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_from_nothing_to_its_end_and_a_new_life_knows_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = Records::open(dir.path()).unwrap();
        assert_eq!(records.look("a"), Found::Nothing);
        records.claim("a", None).unwrap();
        assert_eq!(records.look("a"), Found::Started(None));
        let who = Identity { pid: 7, start: 99 };
        records.started("a", who).unwrap();
        let mut records = Records::open(dir.path()).unwrap();
        assert_eq!(records.look("a"), Found::Started(Some(who)));
        assert_eq!(records.unfinished(), ["a"]);
        let end = End::Exit(Exit { code: 143, signal: Some(15) });
        records.ended("a", end).unwrap();
        for key in ["ab", "b"] {
            records.claim(key, None).unwrap();
            records.ended(key, End::Lost).unwrap();
        }
        let mut records = Records::open(dir.path()).unwrap();
        assert_eq!((records.look("a"), records.look("b")), (Found::Ended(end), Found::Ended(End::Lost)));
        assert!(records.unfinished().is_empty());
        assert_eq!(records.ended_with_prefix("a"), ["a", "ab"]);
        records.forget_all(&["a".to_owned(), "ab".to_owned()]).unwrap();
        records.forget("a").unwrap();
        let records = Records::open(dir.path()).unwrap();
        assert_eq!((records.look("a"), records.look("b")), (Found::Nothing, Found::Ended(End::Lost)));
        assert_eq!(std::fs::read_to_string(dir.path().join("records")).unwrap().lines().count(), 2, "written anew");
    }

    #[test]
    fn a_log_without_a_name_gets_it_in_the_next_life_unless_its_step_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join("logs of 1").join(name);
        let mut records = Records::open(dir.path()).unwrap();
        for (key, spare) in [("a", "spare-0"), ("b", "spare-1")] {
            records.claim(key, Some((spare, &path(key)))).unwrap();
            std::fs::write(dir.path().join(spare), key).unwrap();
        }
        records.ended("b", End::Lost).unwrap();
        drop(records);
        Records::open(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(path("a")).unwrap(), "a");
        assert!(!path("b").exists(), "the log of an ended step was named before its end was recorded, or is empty");
        assert!(!std::fs::read_to_string(dir.path().join("records")).unwrap().contains("spare"));
    }

    #[test]
    fn pids_of_another_boot_and_a_torn_line_are_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let text = "boot x\nstart a\npid a 7 99\nexit a 3\nstart b\npid b 7 99\nexit b 1";
        std::fs::write(dir.path().join("records"), text).unwrap();
        let mut records = Records::open(dir.path()).unwrap();
        assert_eq!(records.look("a"), Found::Ended(End::Exit(Exit { code: 3, signal: None })));
        assert_eq!(records.look("b"), Found::Started(None));
        records.ended("b", End::Lost).unwrap();
        assert_eq!(Records::open(dir.path()).unwrap().look("b"), Found::Ended(End::Lost));
        assert!(!Records::is_key("../x") && !Records::is_key(".x") && Records::is_key("7-a.b_c"));
    }
}
