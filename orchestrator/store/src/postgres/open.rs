//! Connecting: ours, at the right version, with an epoch.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Row};

use super::failure;
use crate::migrations;

/// Connections at most. Each append is one short transaction; more would only wait for the same disk.
const CONNECTIONS: u32 = 8;
/// How long a statement waits for one of them.
const ACQUIRE: Duration = Duration::from_secs(10);
/// Everything lives here, so that a database can be shared with others.
const SCHEMA: &str = "haliotis";
/// Two servers that start at once migrate one after the other ("HALI" as a number).
const MIGRATION_LOCK: i64 = 0x4841_4c49;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address is none.
    #[error("`{url}` is no address of a PostgreSQL database ({reason}); write postgres://user@host:5432/database")]
    Address {
        /// As given, the password taken out.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// Written by a newer Haliotis.
    #[error(
        "the schema `haliotis` at {place} has version {found}, this haliotis knows up to {known}: use the newer haliotis that wrote it, or another database"
    )]
    Newer {
        /// The database.
        place: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database refused or is away. The text names it and the remedy.
    #[error("{0}")]
    Failed(String),
}

/// Host, port and database, and how to connect.
fn options(url: &str) -> Result<(String, PgConnectOptions), PostgresError> {
    let address = |error: sqlx::Error| PostgresError::Address { url: without_password(url), reason: error.to_string() };
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        let reason = "it does not begin with postgres://".to_owned();
        return Err(PostgresError::Address { url: without_password(url), reason });
    }
    let options: PgConnectOptions = url.parse().map_err(address)?;
    let place =
        format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or("postgres"));
    let options = options.application_name("haliotis").options([("search_path", SCHEMA)]).disable_statement_logging();
    Ok((place, options))
}

/// One connection, to a database of whatever version.
pub(super) async fn connect(url: &str) -> Result<(String, PgConnection), PostgresError> {
    let (place, options) = options(url)?;
    let first = tokio::time::timeout(ACQUIRE, PgConnection::connect_with(&options));
    let connection = first.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let connection = connection.map_err(|error| PostgresError::Failed(failure::explain(&place, &error)))?;
    Ok((place, connection))
}

/// Which version the schema has; 0: there is none.
pub(super) async fn version(url: &str) -> Result<i64, PostgresError> {
    let (place, mut connection) = connect(url).await?;
    let failed = |error: sqlx::Error| PostgresError::Failed(failure::explain(&place, &error));
    let exists = sqlx::query("SELECT to_regclass('haliotis.version') IS NOT NULL").fetch_one(&mut connection).await;
    if !exists.and_then(|row| row.try_get::<bool, _>(0)).map_err(failed)? {
        return Ok(0);
    }
    let version = sqlx::query("SELECT number FROM haliotis.version").fetch_one(&mut connection).await;
    version.and_then(|row| row.try_get(0)).map_err(failed)
}

/// Connects, migrates, begins an epoch: where, how, and its number.
pub(super) async fn open(url: &str, name: &str) -> Result<(String, PgPool, i64), PostgresError> {
    let (place, options) = options(url)?;
    let failed = |error: sqlx::Error| PostgresError::Failed(failure::explain(&place, &error));
    let (_, mut connection) = connect(url).await?;
    migrate(&mut connection, &place).await?;
    let epoch = sqlx::query("INSERT INTO servers (name) VALUES ($1) RETURNING id").bind(name.to_owned());
    let epoch = epoch.fetch_one(&mut connection).await.and_then(|row| row.try_get(0)).map_err(failed)?;
    connection.close().await.map_err(failed)?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        // A connection that broke while it was idle is found by the statement that uses it, which is tried again.
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Ok((place, pool, epoch))
}

async fn migrate(connection: &mut PgConnection, place: &str) -> Result<(), PostgresError> {
    let failed = |error: sqlx::Error| PostgresError::Failed(failure::explain(place, &error));
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let exists = sqlx::query("SELECT to_regclass('haliotis.version') IS NOT NULL");
    let exists: bool = exists.fetch_one(&mut *transaction).await.and_then(|row| row.try_get(0)).map_err(failed)?;
    let known = migrations::newest();
    let found: i64 = if exists {
        let version = sqlx::query("SELECT number FROM haliotis.version").fetch_one(&mut *transaction).await;
        version.and_then(|row| row.try_get(0)).map_err(failed)?
    } else {
        0
    };
    if found > known {
        return Err(PostgresError::Newer { place: place.to_owned(), found, known });
    }
    if found < known {
        let script = migrations::postgres_script_from(found);
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The address as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_address_has_no_password() {
        assert_eq!(without_password("postgres://ada:s3cr3t@db:5432/x"), "postgres://ada@db:5432/x");
        assert_eq!(without_password("postgres://ada:p@ss@db/x"), "postgres://ada@db/x");
        assert_eq!(without_password("postgres:///x"), "postgres:///x");
    }
}
