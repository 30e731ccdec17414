//! Opening the file: private, ours, at the right version, in WAL mode.
//!
//! A server should answer within 50 ms of its start, so this asks the disk as little as it can: one connection, one look
//! at the version, and for a new file one transaction. Readers connect at the first read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};

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
/// Statements of the writer that are kept prepared: all there are, with room.
const STATEMENTS: usize = 32;
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
    /// The writer's connection.
    pub(super) writer: Connection,
    /// The readers'; none is connected yet.
    pub(super) readers: SqlitePool,
}

/// Opens, checks and migrates.
pub(super) async fn open(path: &Path, busy: Duration) -> Result<Opened, OpenError> {
    if !path.exists() {
        // Where it cannot be made so, the usual way tells why, or succeeds.
        let _ = make_whole(path);
    }
    prepare_file(path).map_err(|error| {
        OpenError::Failed(format!(
            "{} cannot be opened ({error}); make the file and its folder writable for this user, or name another data folder",
            path.display()
        ))
    })?;
    let mut writer = writer(path, busy).map_err(|error| OpenError::Failed(failure::explain(path, &error)))?;
    prepare_schema(&mut writer, path, busy).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_TIMEOUT)
        .idle_timeout(READER_IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(options(path, busy).pragma("query_only", "ON"));
    Ok(Opened { writer, readers })
}

/// The writing connection. Never makes a file: the one that was opened may have been taken away on purpose.
pub(super) fn writer(path: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // WAL with FULL: the log is synced at every commit, which is what an `Ok` promises. secure_delete overwrites deleted
    // credentials where that costs no extra write.
    connection.execute_batch(&format!(
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA secure_delete = FAST"
    ))?;
    Ok(connection)
}

/// How readers connect, and whoever copies the file.
pub(super) fn options(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(busy)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "FAST")
        .thread_name(|number| format!("store-{number}"))
        .disable_statement_logging()
}

/// Makes a new file under another name, schema and all, and gives it its own when it is on disk. That is two fsyncs;
/// SQLite, which has to be ready for a crash at each step, needs seven to come as far, a tenth of a short build.
fn make_whole(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).ok_or("no folder")?;
    data_dir::private_dir(folder)?;
    let name = format!("new-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let fresh = path.with_extension(name);
    let file = new_private_file(&fresh)?;
    let filled = fill(&fresh).and_then(|()| {
        file.sync_all()?;
        // Never over one that somebody else made meanwhile; theirs is as good.
        std::fs::hard_link(&fresh, path)
    });
    std::fs::remove_file(&fresh)?;
    filled?;
    Ok(File::open(folder)?.sync_all()?)
}

/// The newest schema into an empty file, nothing of it on disk yet.
fn fill(path: &Path) -> Result<(), io::Error> {
    let fill = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")?;
        migrations::script_from(0).map_or(Ok(()), |script| connection.execute_batch(&script))?;
        connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)
    };
    fill().map_err(io::Error::other)
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
fn version(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let read = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                EXISTS (SELECT 1 FROM sqlite_schema)",
        (),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?)),
    );
    let (application, version, filled) = read.map_err(|error| OpenError::Failed(failure::explain(path, &error)))?;
    let known = migrations::newest();
    match (filled, application == migrations::APPLICATION_ID) {
        (true, false) => Err(OpenError::Foreign { path: path.to_owned() }),
        (true, true) if version > known => Err(OpenError::Newer { path: path.to_owned(), found: version, known }),
        (true, true) => Ok(version),
        (false, _) => Ok(0),
    }
}

/// The version of a file that nobody need have open.
pub(super) fn version_of(path: &Path) -> Result<i64, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| OpenError::Failed(failure::explain(path, &error)))?;
    version(&connection, path)
}

/// Copies a file as of one moment.
pub(super) fn copy(path: &Path, to: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::Failed(failure::explain(path, &error));
    let connection = writer(path, BUSY_TIMEOUT).map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop).map_err(failed)
}

/// Two servers may open a new file at once: one makes the schema, the other finds it made and is content. SQLite does not
/// wait for the lock that a change to WAL mode takes, so this does.
async fn prepare_schema(connection: &mut Connection, path: &Path, busy: Duration) -> Result<(), OpenError> {
    let begin = Instant::now();
    loop {
        let found = version(connection, path)?;
        let Err(error) = migrate(connection, found) else { return Ok(()) };
        // SQLite may have rolled back already, and then says that no transaction is active.
        let _ = connection.execute_batch("ROLLBACK");
        let made_by_another = version(connection, path)? != found;
        if !made_by_another && (!failure::is_busy(&error) || begin.elapsed() > busy) {
            return Err(OpenError::Failed(failure::explain(path, &error)));
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

fn migrate(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
    match migrations::script_from(version) {
        Some(script) => connection.execute_batch(&script),
        None => Ok(()),
    }
}
