//! A copy of the whole schema `haliotis` as files, and a database made of such files. Needs no program of PostgreSQL's.
//!
//! One file a table, `TABLE.jsonl`: one row a line, as PostgreSQL writes it as JSON. All tables are read in one
//! transaction that sees one moment (`REPEATABLE READ`), beside servers at work. A copy is taken back whole or not at
//! all, into a database without the schema, at the version it was copied from; the next open brings it to the newest.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::{PostgresError, open};
use crate::migrations;

/// Tables that others refer to come first.
const FIRST: [&str; 3] = ["servers", "builds", "journal"];
/// The table of the version is written by the migration.
const VERSION: &str = "version";
/// Bytes of rows in one statement: few round trips, little memory.
const BATCH_BYTES: usize = 4 << 20;
/// The longest line that is read: a turn is at most 64 MiB, and JSON may double what it quotes.
const LINE_MOST: usize = 256 << 20;

/// Writes all tables to a folder that is there; answers the schema's version.
pub(super) async fn copy_out(connection: &mut PgConnection, to: &Path) -> Result<i64, String> {
    let failed = |error: sqlx::Error| error.to_string();
    let mut transaction = connection.begin().await.map_err(failed)?;
    let moment = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    sqlx::query(moment).execute(&mut *transaction).await.map_err(failed)?;
    let version = sqlx::query("SELECT number FROM haliotis.version").fetch_one(&mut *transaction).await;
    let version: i64 = version.and_then(|row| row.try_get(0)).map_err(failed)?;
    for table in tables(&mut transaction).await.map_err(failed)? {
        let path = to.join(format!("{table}.jsonl"));
        let file = crate::data_dir::private_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut file = BufWriter::new(file);
        let sql = AssertSqlSafe(format!("SELECT to_json(t)::text FROM haliotis.{table} t ORDER BY t"));
        let mut rows = sqlx::query(sql).fetch(&mut *transaction);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let line: String = row.try_get(0).map_err(failed)?;
            writeln!(file, "{line}").map_err(|error| format!("{}: {error}", path.display()))?;
        }
        drop(rows);
        let file = file.into_inner().map_err(|error| format!("{}: {error}", path.display()))?;
        file.sync_all().map_err(|error| format!("{}: {error}", path.display()))?;
    }
    transaction.rollback().await.map_err(failed)?;
    Ok(version)
}

async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let listed = sqlx::query(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'haliotis' AND table_type = 'BASE TABLE' ORDER BY table_name",
    );
    let names: Result<Vec<String>, _> =
        listed.fetch_all(connection).await?.iter().map(|row: &PgRow| row.try_get(0)).collect();
    let mut names = names?;
    names.retain(|name| name != VERSION);
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    Ok(names)
}

/// Makes the schema in a database that has none, at `version`, with the rows of a folder. All or nothing.
///
/// # Errors
/// When there is a schema already, the copy is of a newer Haliotis, a file is missing, or the database refuses.
pub(super) async fn copy_in(url: &str, from: &Path, version: i64) -> Result<(), PostgresError> {
    let known = migrations::newest();
    if version > known {
        return Err(PostgresError::Newer { place: from.display().to_string(), found: version, known });
    }
    let (place, mut connection) = open::connect(url).await?;
    let refused = |why: String| PostgresError::Failed(format!("{place}: {why}"));
    let failed = |error: sqlx::Error| PostgresError::Failed(super::failure::explain(&place, &error));
    let mut transaction = connection.begin().await.map_err(failed)?;
    let exists = sqlx::query("SELECT to_regclass('haliotis.version') IS NOT NULL");
    let exists: bool = exists.fetch_one(&mut *transaction).await.and_then(|row| row.try_get(0)).map_err(failed)?;
    if exists {
        return Err(refused("there is a schema `haliotis` already; name an empty database (`createdb`)".to_owned()));
    }
    let script = migrations::postgres_script(0, version);
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await.map_err(failed)?;
    for table in tables(&mut transaction).await.map_err(failed)? {
        let path = from.join(format!("{table}.jsonl"));
        let lost = |error: std::io::Error| refused(format!("{}: {error}", path.display()));
        let file = std::fs::File::open(&path).map_err(lost)?;
        let mut batch = Vec::new();
        let mut bytes = 0;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(lost)?;
            if line.len() > LINE_MOST {
                return Err(refused(format!("{} has a line of {} bytes", path.display(), line.len())));
            }
            bytes += line.len();
            batch.push(line);
            if bytes > BATCH_BYTES {
                insert(&mut transaction, &table, &batch).await.map_err(failed)?;
                (batch, bytes) = (Vec::new(), 0);
            }
        }
        insert(&mut transaction, &table, &batch).await.map_err(failed)?;
    }
    raise_counters(&mut transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

async fn insert(connection: &mut PgConnection, table: &str, lines: &[String]) -> Result<(), sqlx::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let sql = AssertSqlSafe(format!(
        "INSERT INTO haliotis.{table} OVERRIDING SYSTEM VALUE
         SELECT r.* FROM unnest($1::text[]) AS l (line), json_populate_record(NULL::haliotis.{table}, l.line::json) AS r"
    ));
    sqlx::query(sql).bind(lines.to_vec()).execute(connection).await.map(drop)
}

/// Counted keys go on after the highest that is there.
async fn raise_counters(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let counted = sqlx::query(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = 'haliotis' AND is_identity = 'YES'",
    );
    for row in counted.fetch_all(&mut *connection).await? {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let sql = AssertSqlSafe(format!(
            "SELECT setval(pg_get_serial_sequence('haliotis.{table}', '{column}'), coalesce(max({column}), 0) + 1, false)
             FROM haliotis.{table}"
        ));
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    Ok(())
}
