//! Rows back to values. A row that cannot be read names itself.

use std::fmt::Display;

use haliotis_engine::JournalError;
use haliotis_model::{BuildId, BuildResult, BuildSummary, Millis};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteRow};

use super::statement::Statement;
use super::{SqliteStore, words};

/// The columns [`summary`] reads, in its order.
pub(super) const SUMMARY: &str =
    "id, pipeline, number, status, result, message, created_at, ended_at, commit_hash, causes, parameters";

impl SqliteStore {
    /// A reader; waits for a free one.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, JournalError> {
        self.readers.acquire().await.map_err(|error| self.failed(&error))
    }

    /// All rows of a query, each made into a value by `row`.
    pub(super) async fn rows<T>(
        &self,
        statement: Statement,
        row: impl Fn(&SqliteRow) -> Result<T, RowError>,
    ) -> Result<Vec<T>, JournalError> {
        let mut reader = self.reader().await?;
        let rows = statement.query().fetch_all(&mut *reader).await.map_err(|error| self.failed(&error))?;
        rows.iter().map(|raw| row(raw).map_err(|error| self.unreadable(error))).collect()
    }

    /// The first row of a query.
    pub(super) async fn row<T>(
        &self,
        statement: Statement,
        row: impl Fn(&SqliteRow) -> Result<T, RowError>,
    ) -> Result<Option<T>, JournalError> {
        Ok(self.rows(statement, row).await?.pop())
    }

    fn unreadable(&self, error: RowError) -> JournalError {
        match error {
            RowError::Sqlite(error) => self.failed(&error),
            RowError::Content(reason) => JournalError::Store(format!(
                "{} holds a record that cannot be read: {reason}; stop the server, run `haliotis doctor`, and restore the \
                 file from a backup",
                self.path.display()
            )),
        }
    }
}

/// Why a row is no value.
pub(super) enum RowError {
    /// SQLite could not give a column.
    Sqlite(sqlx::Error),
    /// A column holds what it should not.
    Content(String),
}

impl From<sqlx::Error> for RowError {
    fn from(error: sqlx::Error) -> Self {
        RowError::Sqlite(error)
    }
}

/// A column of JSON.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: usize, of: impl Display) -> Result<T, RowError> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| RowError::Content(format!("{of}: {error}")))
}

/// A row of [`SUMMARY`].
pub(super) fn summary(row: &SqliteRow) -> Result<BuildSummary, RowError> {
    let id: i64 = row.try_get(0)?;
    let status: &str = row.try_get(3)?;
    let result: Option<&str> = row.try_get(4)?;
    let unknown = |what: &str, word: &str| RowError::Content(format!("build {id}: there is no {what} `{word}`"));
    Ok(BuildSummary {
        id: BuildId(id),
        pipeline: row.try_get(1)?,
        number: number(row, 2)?,
        status: words::parse_status(status).ok_or_else(|| unknown("status", status))?,
        result: result.map(|word| BuildResult::parse(word).ok_or_else(|| unknown("result", word))).transpose()?,
        message: row.try_get(5)?,
        created_at: Millis(row.try_get(6)?),
        ended_at: row.try_get::<Option<i64>, _>(7)?.map(Millis),
        commit: row.try_get(8)?,
        causes: json(row, 9, format_args!("the causes of build {id}"))?,
        parameters: json(row, 10, format_args!("the parameters of build {id}"))?,
    })
}

/// A column of a small count.
pub(super) fn number(row: &SqliteRow, column: usize) -> Result<u32, RowError> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| RowError::Content(format!("{value} is no count")))
}
