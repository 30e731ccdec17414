//! A statement with its values, as data: it can wait in a queue and run a second time.

use std::sync::Arc;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Batch, Connection};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// A value for a `?`.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    /// `NULL`.
    Null,
    /// An integer.
    Int(i64),
    /// A text; shared, so that a large body is not copied on its way to the file.
    Text(Arc<str>),
}

impl From<i64> for Bind {
    fn from(value: i64) -> Self {
        Bind::Int(value)
    }
}

impl From<&str> for Bind {
    fn from(value: &str) -> Self {
        Bind::Text(value.into())
    }
}

impl From<String> for Bind {
    fn from(value: String) -> Self {
        Bind::Text(value.into())
    }
}

impl From<&Arc<str>> for Bind {
    fn from(value: &Arc<str>) -> Self {
        Bind::Text(Arc::clone(value))
    }
}

impl<T: Into<Bind>> From<Option<T>> for Bind {
    fn from(value: Option<T>) -> Self {
        value.map_or(Bind::Null, Into::into)
    }
}

impl ToSql for Bind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Bind::Null => ValueRef::Null,
            Bind::Int(value) => ValueRef::Integer(*value),
            Bind::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// SQL and its values.
#[derive(Clone, Debug)]
pub struct Statement {
    sql: SqlStr,
    binds: Vec<Bind>,
}

impl Statement {
    /// A statement without values.
    pub(crate) fn new(sql: impl SqlSafeStr) -> Self {
        Self { sql: sql.into_sql_str(), binds: Vec::new() }
    }

    /// The same with one more value.
    pub(crate) fn bind(mut self, value: impl Into<Bind>) -> Self {
        self.binds.push(value.into());
        self
    }

    /// Runs all its statements, each with the values that it names; answers how many rows the last one changed.
    pub(crate) fn run(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let mut statements = Batch::new(connection, self.sql.as_str());
        let mut changed = 0;
        while let Some(mut statement) = statements.next()? {
            for (index, value) in self.binds.iter().take(statement.parameter_count()).enumerate() {
                statement.raw_bind_parameter(index + 1, value)?;
            }
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            drop(rows);
            if !statement.readonly() {
                changed = connection.changes();
            }
        }
        Ok(changed)
    }

    /// As sqlx takes it for SQLite; prepared once per connection and kept.
    pub(crate) fn query(&self) -> Query<'static, Sqlite, SqliteArguments> {
        self.binds.iter().fold(sqlx::query(self.sql.clone()), |query, bind| match bind {
            Bind::Null => query.bind(None::<i64>),
            Bind::Int(value) => query.bind(*value),
            Bind::Text(text) => query.bind(Arc::clone(text)),
        })
    }

    /// As sqlx takes it for PostgreSQL: `?1` becomes `$1`, and a NUL, which that database has no place for, the
    /// replacement character.
    pub(crate) fn postgres(&self) -> Query<'static, Postgres, PgArguments> {
        // The text is made of constants; all values are bound.
        let sql = AssertSqlSafe(self.sql.as_str().replace('?', "$")).into_sql_str();
        self.binds.iter().fold(sqlx::query(sql), |query, bind| match bind {
            Bind::Null => query.bind(None::<i64>),
            Bind::Int(value) => query.bind(*value),
            Bind::Text(text) if text.contains('\0') => query.bind(text.replace('\0', "\u{FFFD}")),
            Bind::Text(text) => query.bind(text.to_string()),
        })
    }

    /// Each of several statements by itself, with all the values: PostgreSQL prepares one at a time. No text of ours holds
    /// a `;` that does not end a statement.
    pub(crate) fn parts(&self) -> Vec<Statement> {
        let parts = self.sql.as_str().split(';').map(str::trim).filter(|part| !part.is_empty());
        let part = |sql: &str| AssertSqlSafe(sql.to_owned()).into_sql_str();
        parts.map(|sql| Statement { sql: part(sql), binds: self.binds.clone() }).collect()
    }

    /// Its plan instead of its rows.
    #[cfg(test)]
    pub(crate) fn explained(mut self) -> Self {
        self.sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", self.sql.as_str())).into_sql_str();
        self
    }
}
