//! Which database: a file in the data folder, or a PostgreSQL server that is named.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_engine::{Catalog, Journal, JournalError};
use haliotis_model::BuildId;

use crate::{AuditRow, Commits, DataDir, OpenError, PostgresError, PostgresStore, SqliteStore};

/// A store, whichever database it is in.
#[async_trait]
pub trait Store: Journal + Catalog {
    /// For people: where it is, without a password.
    fn place(&self) -> String;

    /// Looks for damage; one line per finding, none: sound.
    ///
    /// # Errors
    /// When the check itself cannot run.
    async fn check(&self) -> Result<Vec<String>, JournalError>;

    /// Takes the builds of servers that are gone; those taken are this server's to drive. Always none for a file, which
    /// one server has at a time.
    ///
    /// # Errors
    /// Those of the database.
    async fn take_over(&self) -> Result<Vec<BuildId>, JournalError>;

    /// A piece of the audit trail as it is kept, oldest first, after the row `after` (0: from the start).
    ///
    /// # Errors
    /// Those of the database.
    async fn audit_rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, JournalError>;

    /// Puts all credentials under a new key and forgets the old ones; answers how many there are. Dying in between leaves
    /// both keys, and doing it again ends it.
    ///
    /// # Errors
    /// When a credential does not open, or the key file or the database cannot be written.
    async fn rotate_key(&self) -> Result<usize, JournalError>;

    /// Writes a copy as of one moment to a folder that is there, beside servers at work; answers the schema's version.
    ///
    /// # Errors
    /// Those of the database and of the files.
    async fn copy_to(&self, folder: &Path) -> Result<i64, JournalError>;

    /// Waits for the writes under way and closes. Without it nothing is lost.
    async fn close(&self);
}

#[async_trait]
impl Store for SqliteStore {
    fn place(&self) -> String {
        self.path().display().to_string()
    }

    async fn check(&self) -> Result<Vec<String>, JournalError> {
        SqliteStore::check(self).await
    }

    async fn take_over(&self) -> Result<Vec<BuildId>, JournalError> {
        Ok(Vec::new())
    }

    async fn audit_rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, JournalError> {
        self.chained(after, limit).await
    }

    async fn rotate_key(&self) -> Result<usize, JournalError> {
        self.rotate().await
    }

    async fn copy_to(&self, folder: &Path) -> Result<i64, JournalError> {
        self.backup(&DataDir::database(folder)).await?;
        Ok(newest_version())
    }

    async fn close(&self) {
        SqliteStore::close(self).await;
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn place(&self) -> String {
        format!("PostgreSQL at {}", self.address())
    }

    async fn check(&self) -> Result<Vec<String>, JournalError> {
        PostgresStore::check(self).await
    }

    async fn take_over(&self) -> Result<Vec<BuildId>, JournalError> {
        PostgresStore::take_over(self).await
    }

    async fn audit_rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, JournalError> {
        self.chained(after, limit).await
    }

    async fn rotate_key(&self) -> Result<usize, JournalError> {
        self.rotate().await
    }

    async fn copy_to(&self, folder: &Path) -> Result<i64, JournalError> {
        PostgresStore::copy_to(self, folder).await
    }

    async fn close(&self) {
        PostgresStore::close(self).await;
    }
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file.
    #[error(transparent)]
    File(#[from] OpenError),
    /// The server.
    #[error(transparent)]
    Server(#[from] PostgresError),
}

/// The version of the schema that this binary writes.
pub fn newest_version() -> i64 {
    crate::migrations::newest()
}

/// Opens the database of a data folder: its own file, or the one at `database`
/// (`postgres://user:password@host:5432/name`), where this folder on this host is one server among others.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_store(database: Option<&str>, dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    open_store_for(database, dir, Commits::Aside).await
}

/// The same with a choice where a file's writes are committed.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_store_for(
    database: Option<&str>,
    dir: &Path,
    commits: Commits,
) -> Result<Arc<dyn Store>, StoreError> {
    match database {
        None => Ok(SqliteStore::open_for(&DataDir::database(dir), commits).await?),
        Some(url) => Ok(PostgresStore::open_in(url, &server_name(dir), dir).await?),
    }
}

/// This host and folder. The lock on the folder lets one server at a time have that name.
pub fn server_name(dir: &Path) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    format!("{}:{}", host.trim(), dir.display())
}
