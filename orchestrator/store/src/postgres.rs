//! A PostgreSQL database behind [`Journal`](haliotis_engine::Journal) and [`Catalog`](haliotis_engine::Catalog).
//!
//! Several servers may share one database. Each start of a server is an *epoch*, a row of `servers`; each build has an
//! owner, the epoch that may advance it; each append names its epoch and its build's last turn, and the statement itself
//! refuses it when either is not so any more.
//!
//! ```text
//!   open      ──► a new epoch                         seen = now, again every HEARTBEAT
//!   create    ──► owner = own epoch
//!   append    ──► only where owner = own epoch and the last turn is the one named; otherwise Fenced, nothing written
//!   claim     ──► builds without an end whose owner is an earlier start of the same name, or was not seen for LEASE
//! ```
//!
//! | race | what happens |
//! |---|---|
//! | two servers claim a dead one's builds | the row's lock decides; the other finds a living owner and leaves it |
//! | a paused server wakes and appends | its builds have another owner: Fenced; it stops driving them |
//! | a paused server wakes before anyone claimed | it goes on; the claim finds it seen again |
//! | the answer to a commit is lost | the turn is noted as in doubt; the caller tries again; it is found there, written by this epoch with the same bytes, and counts |
//! | two creates with one `once` key on two servers | the unique index refuses one, which tries again and finds the first |
//! | a group holds one bad record | the group fails whole, and its turns are tried one by one |
//!
//! The lease is told by the database's clock alone; no server's clock is compared with another's.

mod copy;
mod failure;
mod journal;
mod open;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haliotis_engine::JournalError;
use sqlx::PgPool;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgRow, Postgres};

use crate::sql::row::{Columns, RowError};
use crate::sql::statement::Statement;
use crate::sql::turn::{NewBuildRow, NewTurn};
use crate::sql::{Database, INVARIANTS, Sql};

pub use open::PostgresError;

/// How often a server says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A server that was not seen for so long loses its builds. With the pause between two claims ([`TAKE_OVER_EVERY`]) the
/// builds of a killed server go on within 15 s.
const LEASE: Duration = Duration::from_secs(9);
/// How often a server should look for builds to take over: `Store::take_over`.
pub const TAKE_OVER_EVERY: Duration = Duration::from_secs(2);
/// A statement that takes longer has no answer any more: the network is cut, or somebody holds a lock. The caller is told
/// and tries again.
const PATIENCE: Duration = Duration::from_secs(20);

/// The store of servers that share a database. Cheap to share.
pub type PostgresStore = Sql<PostgresServer>;

/// The connections of a [`PostgresStore`].
#[derive(Debug)]
pub struct PostgresServer {
    /// Host, port and database, without a password.
    place: Arc<str>,
    pool: PgPool,
    name: String,
    epoch: i64,
    /// Turns (build, number) that may be on disk although nobody was told.
    in_doubt: Mutex<BTreeSet<(i64, i64)>>,
}

impl PostgresStore {
    /// Connects to `postgres://user:password@host:port/database?sslmode=…`, brings the schema `haliotis` to this binary's
    /// version, and begins an epoch. `name` says which server this is: one name never runs twice at a time (a host and
    /// a data folder, say), so an earlier start with it is over.
    ///
    /// Runs a heartbeat on the current Tokio runtime until the store is dropped.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn open(url: &str, name: &str) -> Result<Arc<Self>, PostgresError> {
        Self::open_in(url, name, std::path::Path::new(".")).await
    }

    /// The same with the key for credentials in this data folder, unless the environment has it. Servers that share a
    /// database must have the same key.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_in(url: &str, name: &str, dir: &std::path::Path) -> Result<Arc<Self>, PostgresError> {
        let (place, pool, epoch) = open::open(url, name).await?;
        let (place, name, in_doubt) = (place.into(), name.to_owned(), Mutex::default());
        let store = Arc::new(Sql(PostgresServer { place, pool, name, epoch, in_doubt }, crate::vault::Vault::new(dir)));
        let beating = Arc::downgrade(&store);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let Some(store) = beating.upgrade() else { return };
                store.beat().await;
            }
        });
        Ok(store)
    }

    /// Takes the builds of servers that are gone. Those taken are this server's to drive from now on.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_over(&self) -> Result<Vec<haliotis_model::BuildId>, JournalError> {
        self.claim_abandoned().await
    }

    /// Looks for damage; one line per finding, none: sound.
    ///
    /// # Errors
    /// When the check itself cannot run.
    pub async fn check(&self) -> Result<Vec<String>, JournalError> {
        let mut findings = Vec::new();
        for rule in INVARIANTS {
            findings.append(&mut self.rows(Statement::new(*rule), |row| Ok(row.text(0)?.to_owned())).await?);
        }
        Ok(findings)
    }

    /// Writes all of it, as of one moment, to a folder that is there: one file a table. Answers the schema's version.
    ///
    /// # Errors
    /// Those of the database and of the files.
    pub async fn copy_to(&self, to: &std::path::Path) -> Result<i64, JournalError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.failed(&error))?;
        let copied = copy::copy_out(&mut connection, to).await;
        copied.map_err(|why| JournalError::Store(format!("the copy of {} failed: {why}", self.place)))
    }

    /// Makes the schema in a database that has none of the files of [`Self::copy_to`].
    ///
    /// # Errors
    /// See [`PostgresError`]; nothing was written then.
    pub async fn restore(url: &str, from: &std::path::Path, version: i64) -> Result<(), PostgresError> {
        copy::copy_in(url, from, version).await
    }

    /// Which version the schema at an address has; 0: there is none. Changes nothing.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn version(url: &str) -> Result<i64, PostgresError> {
        open::version(url).await
    }

    /// Host, port and database, without a password.
    pub fn address(&self) -> &str {
        &self.place
    }

    /// The number that each write of this start carries.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Waits for the statements under way and disconnects. Later calls fail. The lease runs on: a server that is started
    /// again within it finds its builds, and its steps still at work, as it left them.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn beat(&self) {
        let beat = Statement::new("UPDATE servers SET seen = clock_timestamp() WHERE id = ?1").bind(self.epoch);
        if let Err(error) = self.change(beat).await {
            tracing::warn!(%error, "the database did not hear this server; its builds go to another after the lease");
        }
    }
}

impl PostgresServer {
    /// Runs `work` on a connection. One that does not answer is thrown away.
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut PoolConnection<Postgres>) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let Ok(result) = tokio::time::timeout(PATIENCE, work(&mut connection)).await else {
            drop(connection.detach());
            return Err(sqlx::Error::Protocol(format!("no answer within {} s", PATIENCE.as_secs())));
        };
        result
    }

    fn failed(&self, error: &sqlx::Error) -> JournalError {
        JournalError::Store(failure::explain(&self.place, error))
    }

    fn unreadable(&self, error: RowError) -> JournalError {
        match error {
            RowError::Column(error) => self.failed(&error),
            RowError::Content(reason) => JournalError::Store(format!(
                "{} holds a record that cannot be read: {reason}; restore the database from a backup",
                self.place
            )),
        }
    }
}

impl Database for PostgresServer {
    type Row = PgRow;

    async fn rows<T: Send>(
        &self,
        statement: Statement,
        read: impl Fn(&PgRow) -> Result<T, RowError> + Send,
    ) -> Result<Vec<T>, JournalError> {
        let rows = self.query(statement).await.map_err(|error| self.failed(&error))?;
        rows.iter().map(|row| read(row).map_err(|error| self.unreadable(error))).collect()
    }

    async fn change(&self, statement: Statement) -> Result<u64, JournalError> {
        self.execute(statement).await.map_err(|error| self.failed(&error))
    }

    async fn insert(&self, build: NewBuildRow) -> Result<haliotis_engine::Created, JournalError> {
        self.create_build(&build).await
    }

    async fn advance(&self, turns: Vec<NewTurn>) -> Result<Vec<Result<(), JournalError>>, JournalError> {
        self.append_turns(&turns).await
    }

    async fn claim(&self) -> Result<Vec<haliotis_model::BuildId>, JournalError> {
        self.claim_abandoned().await?;
        self.owned().await
    }
}
