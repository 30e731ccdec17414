//! What the two SQL stores share: statements as data, rows as values, the fence, and the whole of the catalogue.
//!
//! The catalogue is one text of SQL for both; what differs (how turns are written, how a file or a server is opened)
//! stays in [`crate::sqlite`] and [`crate::postgres`]. Placeholders are written `?1`, `?2`: SQLite's form, which the
//! PostgreSQL side turns into its own `$1`, `$2`. No text here holds a `?` that is none.

mod catalog;
mod journal;
pub(crate) mod row;
pub(crate) mod statement;
pub(crate) mod turn;
pub(crate) mod words;

use std::future::Future;
use std::ops::Deref;

use haliotis_engine::{Created, JournalError};
use haliotis_model::BuildId;

use row::{Columns, RowError};
use statement::Statement;
use turn::{NewBuildRow, NewTurn};

/// A store that speaks SQL to the database `D`.
#[derive(Debug)]
pub struct Sql<D>(pub(crate) D);

impl<D> Deref for Sql<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.0
    }
}

/// A database that journals and the catalogue can be kept in.
pub trait Database: Send + Sync {
    /// A row of an answer.
    type Row: Columns;

    /// All rows of a query, each made into a value by `read`.
    fn rows<T: Send>(
        &self,
        statement: Statement,
        read: impl Fn(&Self::Row) -> Result<T, RowError> + Send,
    ) -> impl Future<Output = Result<Vec<T>, JournalError>> + Send;

    /// One changing statement, or several with `;` between them that share their values and a transaction; on disk when
    /// this answers: how many rows the last one changed.
    fn change(&self, statement: Statement) -> impl Future<Output = Result<u64, JournalError>> + Send;

    /// Makes a build, or finds the one with the same `once` key.
    fn insert(&self, build: NewBuildRow) -> impl Future<Output = Result<Created, JournalError>> + Send;

    /// Writes the turns that pass the fence, in one transaction.
    fn advance(
        &self,
        turns: Vec<NewTurn>,
    ) -> impl Future<Output = Result<Vec<Result<(), JournalError>>, JournalError>> + Send;

    /// Builds without an end that this server may advance, oldest first.
    fn claim(&self) -> impl Future<Output = Result<Vec<BuildId>, JournalError>> + Send;
}
