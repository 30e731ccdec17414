//! Remembers: journals and catalogue in SQLite, in PostgreSQL or in memory, logs in files, and the lock on a data folder.
//!
//! - [`SqliteStore`] is the store of a server: one file, one writer that groups commits, a few readers beside it.
//! - [`PostgresStore`] is the same on a PostgreSQL server, which several servers may share.
//! - [`MemoryStore`] is the same behaviour without a disk, for tests and simulation. One suite (`tests/conformance`)
//!   runs against all three; what it does not say is no promise of the traits.
//! - [`LogStore`] keeps what steps print, by byte offset, outside the database.
//! - [`DataDir`] makes the folder private and lets one server at a time have it.
//!
//! No other crate names `sqlx` or `rusqlite`; everybody asks through [`haliotis_engine::Journal`] and [`haliotis_engine::Catalog`].

mod data_dir;
mod log;
mod memory;
mod migrations;
mod place;
mod postgres;
mod sql;
mod sqlite;
mod vault;

pub use data_dir::{DataDir, DataDirLock, LockError};
pub use log::{LogBytes, LogEntry, LogHit, LogSearch, LogStore, Verified};
pub use memory::MemoryStore;
pub use place::{Store, StoreError, newest_version, open_store, open_store_for, server_name};
pub use postgres::{PostgresError, PostgresStore, TAKE_OVER_EVERY};
pub use sql::AuditRow;
pub use sqlite::{Commits, OpenError, SqliteStore};
