//! Readers of the file, and the catalogue's access to it.

use haliotis_engine::{Created, JournalError};
use haliotis_model::BuildId;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteRow};

use super::SqliteFile;
use super::writer::{Done, Work};
use crate::sql::row::{Columns, RowError};
use crate::sql::statement::Statement;
use crate::sql::turn::{NewBuildRow, NewTurn};
use crate::sql::{Database, Record};

impl SqliteFile {
    /// A reader; waits for a free one.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, JournalError> {
        self.readers.acquire().await.map_err(|error| self.failed(&error))
    }

    fn unreadable(&self, error: RowError) -> JournalError {
        match error {
            RowError::Column(error) => self.failed(&error),
            RowError::Content(reason) => JournalError::Store(format!(
                "{} holds a record that cannot be read: {reason}; stop the server, run `haliotis doctor`, and restore the \
                 file from a backup",
                self.path.display()
            )),
        }
    }
}

impl Database for SqliteFile {
    type Row = SqliteRow;

    async fn rows<T: Send>(
        &self,
        statement: Statement,
        read: impl Fn(&SqliteRow) -> Result<T, RowError> + Send,
    ) -> Result<Vec<T>, JournalError> {
        let mut reader = self.reader().await?;
        let rows = statement.query().fetch_all(&mut *reader).await.map_err(|error| self.failed(&error))?;
        rows.iter().map(|row| read(row).map_err(|error| self.unreadable(error))).collect()
    }

    async fn journal<T: Send + 'static>(
        &self,
        build: BuildId,
        read: impl Fn(Record<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, JournalError> {
        self.loader.load(build, read).await
    }

    async fn change(&self, statement: Statement) -> Result<u64, JournalError> {
        match self.write(Work::Change(statement)).await? {
            Done::Changed(rows) => Ok(rows),
            other => Err(other.misplaced()),
        }
    }

    async fn insert(&self, build: NewBuildRow) -> Result<Created, JournalError> {
        match self.write(Work::Create(Box::new(build))).await? {
            Done::Created(created) => Ok(created),
            other => Err(other.misplaced()),
        }
    }

    async fn advance(&self, turns: Vec<NewTurn>) -> Result<Vec<Result<(), JournalError>>, JournalError> {
        match self.write(Work::Append(turns)).await? {
            Done::Appended(results) => Ok(results),
            other => Err(other.misplaced()),
        }
    }

    fn advance_here(&self, turns: Vec<NewTurn>) -> Option<Result<Vec<Result<(), JournalError>>, JournalError>> {
        let done = self.writer.write_here(&Work::Append(turns))?;
        Some(done.map_err(JournalError::Store).and_then(|done| match done {
            Done::Appended(results) => Ok(results),
            other => Err(other.misplaced()),
        }))
    }

    /// All of them: the lock on the data folder keeps other servers away.
    async fn claim(&self) -> Result<Vec<BuildId>, JournalError> {
        let statement = Statement::new("SELECT id FROM builds WHERE status <> 'ended' ORDER BY id");
        self.rows(statement, |row| Ok(BuildId(row.int(0)?))).await
    }
}
