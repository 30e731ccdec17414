//! One SQLite file behind [`Journal`](haliotis_engine::Journal) and [`Catalog`](haliotis_engine::Catalog).
//!
//! ```text
//!   append, create, put_…  ──►  queue  ──►  writer (one connection)           one transaction, one fsync for all that wait
//!   load, builds, …        ──►  readers (a few connections)                   snapshots; never wait for the writer
//! ```
//!
//! Properties: an `Ok` of a write means that it is on disk (WAL, `synchronous=FULL`). A read that starts after an `Ok`
//! sees that write. A write that fails leaves nothing of itself, and the next one may go through without a restart.
//!
//! Two processes may have the file open (the lock on the data folder is [`crate::DataDir`]'s, not this file's); the
//! fence of `append` and the unique indexes decide between them.

mod append;
mod failure;
mod integrity;
mod journal;
mod load;
mod open;
mod read;
mod room;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use haliotis_engine::JournalError;
use sqlx::{Connection, SqlitePool};

use crate::sql::Sql;
pub use open::OpenError;
use writer::{Committer, Done, Work, Writer};

/// Where writes are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// By a thread of their own, in groups: for a server.
    Aside,
    /// By the thread that asks, while it waits: for one build in a process of its own.
    Here,
}

/// The store of a server. Cheap to share; all methods take `&self`.
pub type SqliteStore = Sql<SqliteFile>;

/// The open file of a [`SqliteStore`].
#[derive(Debug)]
pub struct SqliteFile {
    path: Arc<PathBuf>,
    writer: Writer,
    readers: SqlitePool,
    loader: load::Loader,
}

impl SqliteStore {
    /// Opens the file, made and brought to this binary's schema if need be. Its writer has a
    /// thread of its own.
    ///
    /// Takes a few milliseconds on an empty folder. Fails when the file cannot be written, is not ours, is damaged, or has
    /// a newer schema than this binary knows; it is then left as it was.
    pub async fn open(path: &Path) -> Result<Arc<Self>, OpenError> {
        Self::open_for(path, Commits::Aside).await
    }

    /// The same with a choice where writes are committed.
    ///
    /// # Errors
    /// As `open`.
    pub async fn open_for(path: &Path, commits: Commits) -> Result<Arc<Self>, OpenError> {
        Self::open_with(path, open::BUSY_TIMEOUT, commits).await
    }

    async fn open_with(path: &Path, busy: std::time::Duration, commits: Commits) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(path, busy).await?;
        let vault = crate::vault::Vault::new(path.parent().unwrap_or(Path::new(".")));
        let path = Arc::new(path.to_owned());
        let room = room::Room::new(&path);
        let committer =
            Committer { path: Arc::clone(&path), busy, connection: Some(opened.writer), room, locked: false };
        let writer = Writer::new(committer, commits)
            .map_err(|error| OpenError::Failed(format!("the store's thread cannot be started: {error}")))?;
        let loader = load::Loader::new(&path, busy);
        Ok(Arc::new(Sql(SqliteFile { path, writer, readers: opened.readers, loader }, vault)))
    }

    /// Which version a file has, having made sure that it is ours. Changes nothing.
    ///
    /// # Errors
    /// When it cannot be read, is another program's, or has a newer version than this binary knows.
    pub fn version(path: &Path) -> Result<i64, OpenError> {
        open::version_of(path)
    }

    /// Copies a file as of one moment, at whatever version it has, beside a server at work.
    ///
    /// # Errors
    /// When it cannot be read, or `to` is there already or cannot be written.
    pub fn copy_file(path: &Path, to: &Path) -> Result<(), OpenError> {
        open::copy(path, to)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the writes under way and closes the file. Later calls fail. Without it nothing is lost: the file is then
    /// put in order at the next open.
    pub async fn close(&self) {
        // The writer closes last, so that SQLite folds the write-ahead log into the file.
        self.loader.close();
        self.writer.close(self.readers.close()).await;
    }

    /// Looks for damage: SQLite's own check, then ours. One line per finding; none: the file is sound.
    ///
    /// Reads the whole file; does not hold up writes. Fails only when the check itself cannot run.
    pub async fn check(&self) -> Result<Vec<String>, JournalError> {
        let mut reader = self.reader().await?;
        match integrity::check(&mut reader).await {
            Ok(findings) => Ok(findings),
            Err(error) if failure::is_damage(&error) => Ok(vec![failure::explain(&self.path, &error)]),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Writes a consistent copy to a file that is not there yet, private to its owner, while the store is in use.
    pub async fn backup(&self, to: &Path) -> Result<(), JournalError> {
        let copy_error = |error: &dyn std::fmt::Display| {
            JournalError::Store(format!(
                "the backup to {} failed: {error}; name a new file in a writable folder",
                to.display()
            ))
        };
        let file = open::new_private_file(to).map_err(|error| copy_error(&error))?;
        let result = self.vacuum_into(to).await.map_err(|error| copy_error(&error));
        // VACUUM INTO leaves syncing to its caller.
        let result = result.and_then(|()| file.sync_all().map_err(|error| copy_error(&error)));
        if result.is_err() {
            let _ = std::fs::remove_file(to);
        }
        result
    }

    async fn vacuum_into(&self, to: &Path) -> Result<(), sqlx::Error> {
        // A connection of its own: a reader's is query-only.
        let mut connection =
            sqlx::SqliteConnection::connect_with(&open::options(&self.path, open::BUSY_TIMEOUT)).await?;
        let target = to.to_string_lossy().into_owned();
        let copied = sqlx::query("VACUUM INTO ?1").bind(target).execute(&mut connection).await;
        connection.close().await?;
        copied.map(|_| ())
    }
}

impl SqliteFile {
    /// Gives a piece of work to the writer and waits until it is on disk.
    async fn write(&self, work: Work) -> Result<Done, JournalError> {
        match self.writer.write(work).await {
            Some(done) => done.map_err(JournalError::Store),
            None => Err(JournalError::Store(format!("{} is closed; start the server again", self.path.display()))),
        }
    }

    fn failed(&self, error: &sqlx::Error) -> JournalError {
        JournalError::Store(failure::explain(&self.path, error))
    }
}
