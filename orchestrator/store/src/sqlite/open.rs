//! Opening the file: private, ours, at the right version, in WAL mode.
//!
//! A server should answer within 50 ms of its start, so this asks the disk as little as it can: one connection, one look
//! at the version, and for a new file one transaction. Readers connect at the first read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};

use super::failure;
use crate::{data_dir, migrations};

/// How long a write waits for a lock of another process before it is refused.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to get such a lock at open.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Readers at most. Each is a thread; reads are short, so more would only wait for the same two or four cores.
const READERS: u32 = 4;
/// How long a read waits for one of them before it fails.
const READER_TIMEOUT: Duration = Duration::from_secs(10);
/// A reader that was idle so long gives its memory back.
const READER_IDLE: Duration = Duration::from_secs(60);
/// Pages (of 4 KiB) in the write-ahead log before it is folded into the file: 8 MiB, so that the two fsyncs of a fold come
/// once in hundreds of commits, while recovery after a crash still reads it in milliseconds.
const CHECKPOINT_PAGES: u32 = 2_000;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Written by a newer Haliotis.
    #[error(
        "{} has schema {found}, this haliotis knows up to {known}: use the newer haliotis that wrote it, or another data folder",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another program's database.
    #[error("{} is a database of another program; name another data folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The system or SQLite refused. The text names the file and the remedy.
    #[error("{0}")]
    Failed(String),
}

/// An open file.
pub(super) struct Opened {
    /// How to connect again.
    pub(super) options: SqliteConnectOptions,
    /// The writer's connection.
    pub(super) writer: SqliteConnection,
    /// The readers'; none is connected yet.
    pub(super) readers: SqlitePool,
}

/// Opens, checks and migrates.
pub(super) async fn open(path: &Path, busy: Duration) -> Result<Opened, OpenError> {
    prepare_file(path).map_err(|error| {
        OpenError::Failed(format!(
            "{} cannot be opened ({error}); make the file and its folder writable for this user, or name another data folder",
            path.display()
        ))
    })?;
    let options = options(path, busy);
    let mut writer = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| OpenError::Failed(failure::explain(path, &error)))?;
    prepare_schema(&mut writer, path, busy).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_TIMEOUT)
        .idle_timeout(READER_IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(options.clone().pragma("query_only", "ON"));
    Ok(Opened { options, writer, readers })
}

/// How every connection is made. Never makes a file: the one that was opened may have been taken away on purpose.
pub(super) fn options(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(busy)
        .foreign_keys(true)
        // WAL with FULL: the log is synced at every commit, which is what an `Ok` promises.
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        // Overwrites deleted credentials where that costs no extra write.
        .pragma("secure_delete", "FAST")
        .thread_name(|number| format!("store-{number}"))
        .disable_statement_logging()
}

/// The file must be private before SQLite writes the first byte; its log and index files copy its mode.
fn prepare_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        data_dir::private_dir(folder)?;
    }
    data_dir::private_file(path).map(drop)
}

/// Makes an empty private file; fails where one is.
pub(super) fn new_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Which version the file has, having made sure that it is ours.
async fn version(connection: &mut SqliteConnection, path: &Path) -> Result<i64, OpenError> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                EXISTS (SELECT 1 FROM sqlite_schema)",
    )
    .fetch_one(connection)
    .await;
    let read =
        row.and_then(|row| Ok((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?, row.try_get::<bool, _>(2)?)));
    let (application, version, filled) = read.map_err(|error| OpenError::Failed(failure::explain(path, &error)))?;
    let known = migrations::newest();
    match (filled, application == migrations::APPLICATION_ID) {
        (true, false) => Err(OpenError::Foreign { path: path.to_owned() }),
        (true, true) if version > known => Err(OpenError::Newer { path: path.to_owned(), found: version, known }),
        (true, true) => Ok(version),
        (false, _) => Ok(0),
    }
}

/// Two servers may open a new file at once: one makes the schema, the other finds it made and is content. SQLite does not
/// wait for the lock that a change to WAL mode takes, so this does.
async fn prepare_schema(connection: &mut SqliteConnection, path: &Path, busy: Duration) -> Result<(), OpenError> {
    let begin = Instant::now();
    loop {
        let found = version(connection, path).await?;
        let Err(error) = migrate(connection, found).await else { return Ok(()) };
        // SQLite may have rolled back already, and then says that no transaction is active.
        let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
        let made_by_another = version(connection, path).await? != found;
        if !made_by_another && (!failure::is_busy(&error) || begin.elapsed() > busy) {
            return Err(OpenError::Failed(failure::explain(path, &error)));
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

async fn migrate(connection: &mut SqliteConnection, version: i64) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    match migrations::script_from(version) {
        Some(script) => sqlx::raw_sql(AssertSqlSafe(script)).execute(connection).await.map(|_| ()),
        None => Ok(()),
    }
}
