//! What went wrong with the file, in words that name it and say what to do.

use std::path::Path;

/// SQLite's primary result codes that have a treatment of their own (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const NOMEM: i32 = 7;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const TOOBIG: i32 = 18;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const NOTADB: i32 = 26;
}

/// Extended codes have the primary one in their low byte.
const PRIMARY: i32 = 0xff;

/// An error of SQLite as one of the two libraries tells it: sqlx for readers, rusqlite for the writer.
pub(super) trait Failure: std::fmt::Display {
    /// SQLite's extended result code, if it was SQLite that failed.
    fn extended_code(&self) -> Option<i32>;
}

impl Failure for sqlx::Error {
    fn extended_code(&self) -> Option<i32> {
        self.as_database_error()?.code()?.parse().ok()
    }
}

impl Failure for rusqlite::Error {
    fn extended_code(&self) -> Option<i32> {
        match self {
            rusqlite::Error::SqliteFailure(error, _) => Some(error.extended_code),
            _ => None,
        }
    }
}

fn primary_code(error: &impl Failure) -> Option<i32> {
    error.extended_code().map(|extended| extended & PRIMARY)
}

/// One sentence on what happened to which file, and the remedy.
pub(super) fn explain(path: &Path, error: &impl Failure) -> String {
    let file = path.display();
    match primary_code(error) {
        Some(code::FULL) => {
            format!(
                "the disk that holds {file} is full; free some space, the next write then goes through without a restart"
            )
        }
        Some(code::BUSY | code::LOCKED) => format!(
            "{file} is locked by another process (a sqlite3 shell, a copy, a second server); end it, the next write then \
             goes through without a restart"
        ),
        Some(code::READONLY) => {
            format!("{file} is read-only; make the file and its folder writable for this user, or remount the disk")
        }
        Some(code::CORRUPT | code::NOTADB) => {
            format!(
                "{file} is damaged ({error}); stop the server, run `haliotis doctor`, and restore the file from a backup"
            )
        }
        Some(code::IOERR) => {
            format!("reading or writing {file} failed ({error}); look at the disk's health and free space")
        }
        Some(code::CANTOPEN) => {
            format!("{file} cannot be opened ({error}); see that it is there and that this user may read and write it")
        }
        Some(code::NOMEM) => format!("no memory left to work on {file}; free some, or give the server more"),
        Some(code::TOOBIG) => {
            format!("a record is too large for {file} ({error}); put large results into files or objects")
        }
        Some(code::CONSTRAINT) => {
            format!("{file} refused a record ({error}); this is a mistake in Haliotis, please report it")
        }
        _ => format!("{file}: {error}; if it happens again, stop the server and run `haliotis doctor`"),
    }
}

/// Whether the file itself is broken.
pub(super) fn is_damage(error: &impl Failure) -> bool {
    matches!(primary_code(error), Some(code::CORRUPT | code::NOTADB))
}

/// Whether another process has a lock that passes.
pub(super) fn is_busy(error: &impl Failure) -> bool {
    matches!(primary_code(error), Some(code::BUSY | code::LOCKED))
}

/// Whether the connection is in doubt after this error, so that the next write should have a new one.
pub(super) fn spoils_connection(error: &impl Failure) -> bool {
    !matches!(
        primary_code(error),
        Some(code::FULL | code::BUSY | code::LOCKED | code::READONLY | code::TOOBIG | code::CONSTRAINT)
    )
}
