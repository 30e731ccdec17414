//! Log files that have no step yet. Most steps of a large build print nothing; making and later removing a file for each
//! costs as much as a third of a short step, so a step begins with a *spare* file from `spare-N` in the supervisor's
//! folder, and what stayed empty serves the next.
//!
//! ```text
//!                take                 first look after NAME_AFTER, or the end with bytes in it
//!   spare-N ───────────> the step's ──────────────────────────────────────────────────────────> logs/BUILD/SLUG.log
//!      ^                     │
//!      └──── empty at the end, and nobody else holds it open
//! ```
//! Wanted: a log has its name within [`NAME_AFTER`] of the start, and, with bytes in it, before its step's end is told; a
//! file that any process of a step may still write to is never given to another; no byte is lost when the supervisor dies.
//!
//! - *The supervisor dies before it named the file*: `log KEY spare-N PATH` in the records tells the next one, which
//!   names it at once (the process may live on and write).
//! - *A process outlived its step with the file open* (handed it to a stranger over a socket, hangs in the kernel): a
//!   lease on the file is refused while anybody else has it open, and then it is named instead of used again.
//! - *The agent wrote a line to the log meanwhile*: there is a file of that name; its lines are put at the end of ours,
//!   which then takes the name. The agent opens the file for each line, so its next one comes after.
//! - *The disk is full*: the name, or the agent's lines, have to wait; whoever asked gets the log back to try again.
//! - *Another disk*: a file cannot be renamed across disks, so the log is made where it belongs, as it is for whoever
//!   appends to a log that is there already.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::spawn;
use crate::room;

/// A log gets its name so long after the start of its step: people do not see the difference, and most steps that print
/// nothing have ended.
pub(crate) const NAME_AFTER: Duration = Duration::from_millis(30);
/// Spares kept for later; as many as steps usually run at once.
const MOST_KEPT: usize = 16;
/// How a spare's name begins.
const PREFIX: &str = "spare-";

/// The spare files of a supervisor.
pub(crate) struct Spares {
    dir: PathBuf,
    device: u64,
    next: u64,
    kept: Vec<Spare>,
    /// The last folder of logs that was looked at, and whether a rename reaches it.
    near: Option<(PathBuf, bool)>,
}

/// One file, held open so that its size can be asked and a lease be tried.
struct Spare {
    name: String,
    file: File,
}

/// A log before it has its name.
pub(crate) struct Unnamed {
    spare: Spare,
    path: PathBuf,
    /// Bytes of the agent's lines that are at the end of ours already.
    merged: usize,
}

/// Why a log has no name yet; `Some`: the disk is full, and it may be tried again with this.
pub(crate) type Refused = (Option<Unnamed>, std::io::Error);

impl Unnamed {
    /// What the records say of it.
    pub(crate) fn record(&self) -> (&str, &Path) {
        (&self.spare.name, &self.path)
    }

    /// Nothing was written so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.spare.file.metadata().is_ok_and(|meta| meta.len() == 0)
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.spare.file
    }
}

impl Spares {
    /// None yet. Whatever spares an earlier supervisor left are gone after this: those of steps were named before.
    pub(crate) fn new(dir: &Path) -> std::io::Result<Spares> {
        for entry in std::fs::read_dir(dir)?.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let device = std::fs::metadata(dir)?.dev();
        Ok(Spares { dir: dir.to_owned(), device, next: 0, kept: Vec::new(), near: None })
    }

    /// A spare file that shall become the log at `path`, opened for a process; `None`: the log is to be opened itself.
    pub(crate) fn take(&mut self, path: &Path) -> Option<(Unnamed, File)> {
        // The records keep one line for it.
        let plain = path.to_str().is_some_and(|path| !path.contains('\n'));
        if !plain || !self.reaches(path.parent()?) || path.symlink_metadata().is_ok() {
            return None;
        }
        let spare = match self.kept.pop() {
            Some(spare) => spare,
            None => self.make().ok()?,
        };
        // Opened anew, so that the lease can tell the process' hold on it from ours.
        let file = OpenOptions::new().append(true).open(self.dir.join(&spare.name)).ok()?;
        Some((Unnamed { spare, path: path.to_owned(), merged: 0 }, file))
    }

    fn make(&mut self) -> std::io::Result<Spare> {
        let name = format!("{PREFIX}{}", self.next);
        self.next += 1;
        let file = OpenOptions::new().append(true).create_new(true).open(self.dir.join(&name))?;
        Ok(Spare { name, file })
    }

    fn reaches(&mut self, folder: &Path) -> bool {
        if let Some((known, near)) = &self.near
            && known == folder
        {
            return *near;
        }
        let made = std::fs::create_dir_all(folder).and_then(|()| std::fs::metadata(folder));
        let near = made.is_ok_and(|meta| meta.dev() == self.device);
        self.near = Some((folder.to_owned(), near));
        near
    }

    /// Gives the log its name. Its file, held open.
    pub(crate) fn name(&self, mut log: Unnamed) -> Result<File, Refused> {
        let from = self.dir.join(&log.spare.name);
        match name(&from, &log.path, &log.spare.file, &mut log.merged) {
            Ok(()) => Ok(log.spare.file),
            Err(error) if room::is_full(&error) => Err((Some(log), error)),
            Err(error) => Err((None, error)),
        }
    }

    /// The step has ended: a log with bytes gets its name, an empty one is kept for the next step.
    pub(crate) fn settle(&mut self, log: Unnamed) -> Result<(), Refused> {
        if !log.is_empty() || !spawn::is_sole_holder(&log.spare.file) {
            return self.name(log).map(drop);
        }
        if self.kept.len() < MOST_KEPT {
            self.kept.push(log.spare);
            return Ok(());
        }
        std::fs::remove_file(self.dir.join(&log.spare.name)).map_err(|error| (None, error))
    }
}

/// Names the log of a step whose supervisor died before it did.
pub(crate) fn name_left_over(dir: &Path, spare: &str, path: &Path) -> std::io::Result<()> {
    let from = dir.join(spare);
    match OpenOptions::new().append(true).open(&from) {
        Ok(file) => name(&from, path, &file, &mut 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn name(from: &Path, to: &Path, mut file: &File, merged: &mut usize) -> std::io::Result<()> {
    match std::fs::read(to) {
        Ok(lines) => {
            while let Some(rest) = lines.get(*merged..).filter(|rest| !rest.is_empty()) {
                *merged += file.write(rest)?;
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match std::fs::rename(from, to) {
        // The folder of logs may have been removed; if it is ours that is gone, nothing is made anew.
        Err(error) if error.kind() == ErrorKind::NotFound && from.exists() => {
            to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::rename(from, to)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        dir: tempfile::TempDir,
        spares: Spares,
    }

    impl Case {
        fn new() -> Case {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("agent")).unwrap();
            let spares = Spares::new(&dir.path().join("agent")).unwrap();
            Case { dir, spares }
        }

        fn log(&self, name: &str) -> PathBuf {
            self.dir.path().join("logs/1").join(name)
        }

        fn inodes(&self) -> usize {
            std::fs::read_dir(self.dir.path().join("agent")).unwrap().count()
        }
    }

    #[track_caller]
    fn settled<T>(done: Result<T, Refused>) {
        assert!(done.is_ok(), "{:?}", done.err().map(|(_, error)| error));
    }

    #[test]
    fn an_empty_log_serves_the_next_step_and_a_written_one_gets_its_name() {
        let mut case = Case::new();
        for step in 0..5 {
            let (log, file) = case.spares.take(&case.log(&format!("{step}.log"))).unwrap();
            drop(file);
            settled(case.spares.settle(log));
        }
        assert_eq!(case.inodes(), 1);
        let path = case.log("said.log");
        let (log, mut file) = case.spares.take(&path).unwrap();
        file.write_all(b"word\n").unwrap();
        drop(file);
        settled(case.spares.settle(log));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "word\n");
        assert_eq!((case.inodes(), std::fs::read_dir(case.dir.path().join("logs/1")).unwrap().count()), (0, 1));
    }

    #[test]
    fn a_file_that_somebody_still_holds_is_not_used_again() {
        let mut case = Case::new();
        let path = case.log("a.log");
        let (log, mut held) = case.spares.take(&path).unwrap();
        settled(case.spares.settle(log));
        held.write_all(b"late").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "late");
        let (other, _file) = case.spares.take(&case.log("b.log")).unwrap();
        assert_eq!(other.spare.file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn what_was_written_meanwhile_is_kept_and_a_log_that_is_there_is_left_alone() {
        let mut case = Case::new();
        let path = case.log("a.log");
        let (log, mut file) = case.spares.take(&path).unwrap();
        file.write_all(b"process\n").unwrap();
        std::fs::write(&path, "agent\n").unwrap();
        settled(case.spares.name(log));
        file.write_all(b"process again\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "process\nagent\nprocess again\n");
        assert!(case.spares.take(&path).is_none());
    }

    #[test]
    fn a_log_left_over_gets_its_name_and_spares_of_nobody_go() {
        let mut case = Case::new();
        let path = case.log("a.log");
        let (log, mut file) = case.spares.take(&path).unwrap();
        file.write_all(b"before").unwrap();
        let agent = case.dir.path().join("agent");
        name_left_over(&agent, log.record().0, &path).unwrap();
        file.write_all(b" and after").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before and after");
        name_left_over(&agent, "spare-99", &path).unwrap();
        let _left = case.spares.take(&case.log("b.log")).unwrap();
        assert_eq!(case.inodes(), 1);
        Spares::new(&agent).unwrap();
        assert_eq!(case.inodes(), 0);
    }
}
