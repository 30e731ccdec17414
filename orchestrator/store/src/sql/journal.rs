//! [`Journal`] in SQL: what both databases read alike. How turns are written is each one's own.

use async_trait::async_trait;
use haliotis_engine::{Append, Created, Journal, JournalError, Turn};
use haliotis_model::{BuildId, NewBuild};

use super::row::{Columns, RowError, number};
use super::statement::Statement;
use super::turn::{NewBuildRow, NewTurn};
use super::{Database, Sql};

#[async_trait]
impl<D: Database> Journal for Sql<D> {
    async fn create(&self, build: NewBuild) -> Result<Created, JournalError> {
        self.insert(NewBuildRow::encode(&build)?).await
    }

    async fn load(&self, build: BuildId) -> Result<(NewBuild, Vec<Turn>), JournalError> {
        // One statement is one snapshot: the last turn's number and the turns belong together.
        let statement = Statement::new(
            "SELECT builds.number, builds.last_seq, journal.seq, journal.body
             FROM builds LEFT JOIN journal ON journal.build = builds.id
             WHERE builds.id = ?1 ORDER BY journal.seq",
        )
        .bind(build.0);
        let mut rows = self.rows(statement, |row| entry(build, row)).await?.into_iter();
        let Some(first) = rows.next() else { return Err(JournalError::NoBuild(build)) };
        let (pinned, last) = match first? {
            Entry::Pinned(pinned, last) => (*pinned, last),
            Entry::Turn(..) => return Err(damaged(build, 0, "the record is missing")),
        };
        let mut turns = Vec::with_capacity(rows.len());
        for (expected, row) in (1..).zip(rows) {
            match row? {
                Entry::Turn(seq, turn) if seq == expected => turns.push(*turn),
                _ => return Err(damaged(build, expected, "the record is missing")),
            }
        }
        if i64::try_from(turns.len()) != Ok(last) {
            let reason = format!("the build is said to have {last} turns, {} are there", turns.len());
            return Err(damaged(build, turns.len() as u64, reason));
        }
        Ok((pinned, turns))
    }

    async fn unfinished(&self) -> Result<Vec<BuildId>, JournalError> {
        self.claim().await
    }

    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Result<(), JournalError>>, JournalError> {
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        let turns = appends.iter().map(NewTurn::encode).collect::<Result<Vec<_>, _>>()?;
        self.advance(turns).await
    }

    fn append_here(&self, appends: &[Append]) -> Option<Result<Vec<Result<(), JournalError>>, JournalError>> {
        match appends.iter().map(NewTurn::encode).collect() {
            Ok(turns) => self.advance_here(turns),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A record of a journal.
enum Entry {
    /// Entry 0, and the number of the last turn.
    Pinned(Box<NewBuild>, i64),
    /// A turn and its number.
    Turn(u64, Box<Turn>),
}

/// The outer error: the database could not give the columns. The inner: the record is broken.
fn entry(build: BuildId, row: &impl Columns) -> Result<Result<Entry, JournalError>, RowError> {
    let Some(seq) = row.maybe_int(2)?.and_then(|seq| u64::try_from(seq).ok()) else {
        return Ok(Err(damaged(build, 0, "the record is missing")));
    };
    let body = row.text(3)?;
    let unreadable = |error: serde_json::Error| damaged(build, seq, error);
    if seq > 0 {
        return Ok(serde_json::from_str(body).map(|turn| Entry::Turn(seq, turn)).map_err(unreadable));
    }
    let last = row.int(1)?;
    let number = number(row, 0)?;
    let pinned = serde_json::from_str(body).map(|mut pinned: Box<NewBuild>| {
        pinned.number = number;
        Entry::Pinned(pinned, last)
    });
    Ok(pinned.map_err(unreadable))
}

fn damaged(build: BuildId, seq: u64, reason: impl std::fmt::Display) -> JournalError {
    JournalError::Damaged { build, seq, reason: reason.to_string() }
}
