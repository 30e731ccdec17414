//! The data folder: private to its user, used by one server at a time.
//!
//! Races: the lock is `flock` on `haliotis.lock`, so the kernel drops it with the process that held it, however that
//! ended; a stale file never locks anybody out. The pid inside is for people alone. A second server may read the file
//! between the first one's `flock` and its write, and then names no pid (0); it is still refused.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// Read, write and enter: the owner alone. The folder holds credentials.
const PRIVATE_DIR: u32 = 0o700;
/// Read and write: the owner alone.
const PRIVATE_FILE: u32 = 0o600;
/// A pid has at most 10 digits; whatever else is in the file is not read.
const PID_BYTES: u64 = 32;

/// Where things are in a data folder, and the lock on it.
#[derive(Debug)]
pub struct DataDir;

/// Held as long as this lives; the folder is free again once it is dropped or its process ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
    dir: PathBuf,
}

/// Why a data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another server has it.
    #[error(
        "the data folder {} is in use by process {pid}; stop that server or name another folder with --data-dir",
        dir.display()
    )]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// The process that holds it; 0 where it has not said yet.
        pid: u32,
    },
    /// It cannot be made or written.
    #[error(
        "the data folder {} cannot be used: {source}; make it writable for this user or name another with --data-dir",
        dir.display()
    )]
    Io {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the folder if need be, for its owner alone, and locks it for this process. A folder that is there keeps its
    /// rights (it may be somebody's home); the files in it that hold secrets are private each by itself.
    ///
    /// Does not wait. Fails when another process holds the lock or the folder cannot be written.
    pub fn lock(dir: &Path) -> Result<DataDirLock, LockError> {
        let io_error = |source| LockError::Io { dir: dir.to_owned(), source };
        private_dir(dir).map_err(io_error)?;
        let mut file = private_file(&dir.join("haliotis.lock")).map_err(io_error)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::Locked { dir: dir.to_owned(), pid: holder(&mut file) });
            }
            Err(errno) => return Err(io_error(errno.into())),
        }
        let write_pid = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write_pid(&mut file).map_err(io_error)?;
        Ok(DataDirLock { _file: file, dir: dir.to_owned() })
    }

    /// The database of a data folder.
    pub fn database(dir: &Path) -> PathBuf {
        dir.join("haliotis.db")
    }

    /// The folder of its logs, for [`crate::LogStore::new`].
    pub fn logs(dir: &Path) -> PathBuf {
        dir.join("logs")
    }
}

impl DataDirLock {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    match file.take(PID_BYTES).read_to_string(&mut text) {
        Ok(_) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    }
}

/// Makes a folder with its parents for the owner alone; one that is there stays as it is.
pub(crate) fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(dir)
}

/// Opens a file for reading and writing, made for the owner alone if it is not there.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_lock_names_the_holder_until_the_first_is_dropped() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("deep/data");
        let first = DataDir::lock(&dir).unwrap();
        let refused = DataDir::lock(&dir).unwrap_err();
        assert!(matches!(refused, LockError::Locked { pid, .. } if pid == std::process::id()), "{refused}");
        assert!(refused.to_string().contains("--data-dir"), "{refused}");
        drop(first);
        assert_eq!(DataDir::lock(&dir).unwrap().dir(), dir);
    }

    #[test]
    fn a_new_folder_and_its_lock_are_private_and_an_old_folder_keeps_its_rights() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        let _lock = DataDir::lock(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("haliotis.lock")), 0o600);

        let home = temp.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        let _lock = DataDir::lock(&home).unwrap();
        assert_eq!(mode(&home), 0o755);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDir::lock(&file.join("data")).unwrap_err();
        assert!(error.to_string().contains("file/data"), "{error}");
    }
}
