//! What the two SQL stores share: statements as data, rows as values, the fence, and the whole of the catalogue.
//!
//! The catalogue is one text of SQL for both; what differs (how turns are written, how a file or a server is opened)
//! stays in [`crate::sqlite`] and [`crate::postgres`]. Placeholders are written `?1`, `?2`: SQLite's form, which the
//! PostgreSQL side turns into its own `$1`, `$2`. No text here holds a `?` that is none.

mod audit;
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

pub use audit::AuditRow;
use row::{Columns, RowError};
use statement::Statement;
use turn::{NewBuildRow, NewTurn};

/// What must hold of the rows. Each query answers one line per broken one; the rule stands above it.
pub(crate) const INVARIANTS: &[&str] = &[
    // A journal is entry 0 and turns 1 to `last_seq`, without a gap.
    "SELECT 'build ' || b.id || ': its journal should have entries 0 to ' || b.last_seq || ', but has ' || count(j.seq)
            || coalesce(' from ' || min(j.seq) || ' to ' || max(j.seq), '')
     FROM builds b LEFT JOIN journal j ON j.build = b.id GROUP BY b.id
     HAVING count(j.seq) <> b.last_seq + 1 OR min(j.seq) <> 0 OR max(j.seq) <> b.last_seq",
    // An ended build has an end, and no other has one.
    "SELECT 'build ' || id || ': it is said to have ended, but has no result or no end' FROM builds
     WHERE status = 'ended' AND (result IS NULL OR ended_at IS NULL)",
    "SELECT 'build ' || id || ': it has a result, but is said to be ' || status FROM builds
     WHERE status <> 'ended' AND (result IS NOT NULL OR ended_at IS NOT NULL)",
    // A number is allotted once.
    "SELECT 'pipeline ' || b.pipeline || ': it has a build ' || max(b.number) || ', but its last number is said to be '
            || coalesce(cast(n.last AS text), 'none')
     FROM builds b LEFT JOIN numbers n ON n.pipeline = b.pipeline GROUP BY b.pipeline, n.last
     HAVING n.last IS NULL OR n.last < max(b.number)",
];

/// A store that speaks SQL to the database `D`.
#[derive(Debug)]
pub struct Sql<D>(pub(crate) D, pub(crate) crate::vault::Vault);

impl<D> Deref for Sql<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.0
    }
}

/// Asks for a [`Record`] a row.
pub(crate) const JOURNAL: &str = "SELECT builds.number, builds.last_seq, journal.seq, journal.body
     FROM builds LEFT JOIN journal ON journal.build = builds.id
     WHERE builds.id = ?1 ORDER BY journal.seq";

/// A record of a build's journal as it lies in the database.
pub struct Record<'a> {
    /// The build's number in its pipeline.
    pub(crate) number: i64,
    /// The number of its last turn.
    pub(crate) last: i64,
    /// The record's number; nothing where the journal is empty.
    pub(crate) seq: Option<i64>,
    /// Its JSON.
    pub(crate) body: Option<&'a str>,
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

    /// The records of a build's journal in their order, each made into a value by `read`; none: there is no such build.
    /// One statement is one snapshot: the last turn's number and the turns belong together.
    fn journal<T: Send + 'static>(
        &self,
        build: BuildId,
        read: impl Fn(Record<'_>) -> T + Send + 'static,
    ) -> impl Future<Output = Result<Vec<T>, JournalError>> + Send {
        let statement = Statement::new(JOURNAL).bind(build.0);
        self.rows(statement, move |row| {
            Ok(read(Record {
                number: row.int(0)?,
                last: row.int(1)?,
                seq: row.maybe_int(2)?,
                body: row.maybe_text(3)?,
            }))
        })
    }

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

    /// The same on this thread, before it returns; `None`: this database cannot, and nothing was done.
    fn advance_here(&self, turns: Vec<NewTurn>) -> Option<Result<Vec<Result<(), JournalError>>, JournalError>> {
        let _ = turns;
        None
    }

    /// Builds without an end that this server may advance, oldest first.
    fn claim(&self) -> impl Future<Output = Result<Vec<BuildId>, JournalError>> + Send;
}
