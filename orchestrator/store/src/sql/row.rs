//! Rows back to values. A row that cannot be read names itself.

use std::fmt::Display;

use haliotis_model::{BuildId, BuildResult, BuildSummary, Millis};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::words;

/// The columns [`summary`] reads, in its order.
pub(crate) const SUMMARY: &str =
    "id, pipeline, number, status, result, message, created_at, ended_at, commit_hash, causes, parameters";

/// The columns of a row, by place. Both databases hold nothing but integers and texts.
pub trait Columns {
    /// An integer.
    fn int(&self, column: usize) -> Result<i64, sqlx::Error>;
    /// An integer or nothing.
    fn maybe_int(&self, column: usize) -> Result<Option<i64>, sqlx::Error>;
    /// A text.
    fn text(&self, column: usize) -> Result<&str, sqlx::Error>;
    /// A text or nothing.
    fn maybe_text(&self, column: usize) -> Result<Option<&str>, sqlx::Error>;
}

macro_rules! columns {
    ($row:ty) => {
        impl Columns for $row {
            fn int(&self, column: usize) -> Result<i64, sqlx::Error> {
                self.try_get(column)
            }

            fn maybe_int(&self, column: usize) -> Result<Option<i64>, sqlx::Error> {
                self.try_get(column)
            }

            fn text(&self, column: usize) -> Result<&str, sqlx::Error> {
                self.try_get(column)
            }

            fn maybe_text(&self, column: usize) -> Result<Option<&str>, sqlx::Error> {
                self.try_get(column)
            }
        }
    };
}

columns!(SqliteRow);
columns!(PgRow);

/// Why a row is no value.
#[derive(Debug)]
pub enum RowError {
    /// The database could not give a column.
    Column(sqlx::Error),
    /// A column holds what it should not.
    Content(String),
}

impl From<sqlx::Error> for RowError {
    fn from(error: sqlx::Error) -> Self {
        RowError::Column(error)
    }
}

/// A column of JSON.
pub(crate) fn json<T: DeserializeOwned>(row: &impl Columns, column: usize, of: impl Display) -> Result<T, RowError> {
    serde_json::from_str(row.text(column)?).map_err(|error| RowError::Content(format!("{of}: {error}")))
}

/// A row of [`SUMMARY`].
pub(crate) fn summary(row: &impl Columns) -> Result<BuildSummary, RowError> {
    let id = row.int(0)?;
    let status = row.text(3)?;
    let result = row.maybe_text(4)?;
    let unknown = |what: &str, word: &str| RowError::Content(format!("build {id}: there is no {what} `{word}`"));
    Ok(BuildSummary {
        id: BuildId(id),
        pipeline: row.text(1)?.to_owned(),
        number: number(row, 2)?,
        status: words::parse_status(status).ok_or_else(|| unknown("status", status))?,
        result: result.map(|word| BuildResult::parse(word).ok_or_else(|| unknown("result", word))).transpose()?,
        message: row.maybe_text(5)?.map(str::to_owned),
        created_at: Millis(row.int(6)?),
        ended_at: row.maybe_int(7)?.map(Millis),
        commit: row.maybe_text(8)?.map(str::to_owned),
        causes: json(row, 9, format_args!("the causes of build {id}"))?,
        parameters: json(row, 10, format_args!("the parameters of build {id}"))?,
    })
}

/// A column of a small count.
pub(crate) fn number(row: &impl Columns, column: usize) -> Result<u32, RowError> {
    let value = row.int(column)?;
    u32::try_from(value).map_err(|_| RowError::Content(format!("{value} is no count")))
}
