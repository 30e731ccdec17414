//! A statement with its values, as data: it can wait in a queue and run a second time.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{SqlSafeStr, SqlStr};

/// A value for a `?`.
#[derive(Clone, Debug)]
pub(super) enum Bind {
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

/// SQL and its values.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    sql: SqlStr,
    binds: Vec<Bind>,
}

impl Statement {
    /// A statement without values.
    pub(super) fn new(sql: impl SqlSafeStr) -> Self {
        Self { sql: sql.into_sql_str(), binds: Vec::new() }
    }

    /// The same with one more value.
    pub(super) fn bind(mut self, value: impl Into<Bind>) -> Self {
        self.binds.push(value.into());
        self
    }

    /// As sqlx takes it; prepared once per connection and kept.
    pub(super) fn query(&self) -> Query<'static, Sqlite, SqliteArguments> {
        self.binds.iter().fold(sqlx::query(self.sql.clone()), |query, bind| match bind {
            Bind::Null => query.bind(None::<i64>),
            Bind::Int(value) => query.bind(*value),
            Bind::Text(text) => query.bind(Arc::clone(text)),
        })
    }

    /// Its plan instead of its rows.
    #[cfg(test)]
    pub(super) fn explained(mut self) -> Self {
        self.sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", self.sql.as_str())).into_sql_str();
        self
    }
}
