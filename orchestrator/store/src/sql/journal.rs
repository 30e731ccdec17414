//! [`Journal`] in SQL: what both databases read alike. How turns are written is each one's own.

use async_trait::async_trait;
use haliotis_engine::{Append, Created, Journal, JournalError, Turn};
use haliotis_model::{BuildId, NewBuild};

use super::turn::{NewBuildRow, NewTurn};
use super::{Database, Record, Sql};

#[async_trait]
impl<D: Database> Journal for Sql<D> {
    async fn create(&self, build: NewBuild) -> Result<Created, JournalError> {
        self.insert(NewBuildRow::encode(&build)?).await
    }

    async fn load(&self, build: BuildId) -> Result<(NewBuild, Vec<Turn>), JournalError> {
        let mut rows = self.0.journal(build, move |record| entry(build, &record)).await?.into_iter();
        let Some(first) = rows.next() else { return Err(JournalError::NoBuild(build)) };
        let (pinned, last) = match first? {
            Entry::Pinned(pinned, last) => (*pinned, last),
            Entry::Turn(..) => return Err(damaged(build, 0, "the record is missing")),
        };
        let mut turns = Vec::with_capacity(rows.len());
        for (expected, row) in (1..).zip(rows) {
            match row? {
                Entry::Turn(seq, turn) if seq == expected => turns.push(turn),
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
    Turn(u64, Turn),
}

/// Reads a record.
fn entry(build: BuildId, record: &Record<'_>) -> Result<Entry, JournalError> {
    let missing = || damaged(build, 0, "the record is missing");
    let seq = record.seq.and_then(|seq| u64::try_from(seq).ok()).ok_or_else(missing)?;
    let body = record.body.ok_or_else(missing)?;
    let unreadable = |error: serde_json::Error| damaged(build, seq, error);
    if seq > 0 {
        return serde_json::from_str(body).map(|turn| Entry::Turn(seq, turn)).map_err(unreadable);
    }
    let mut pinned: Box<NewBuild> = serde_json::from_str(body).map_err(unreadable)?;
    pinned.number = u32::try_from(record.number)
        .map_err(|_| damaged(build, seq, format!("its number {} is none", record.number)))?;
    Ok(Entry::Pinned(pinned, record.last))
}

fn damaged(build: BuildId, seq: u64, reason: impl std::fmt::Display) -> JournalError {
    JournalError::Damaged { build, seq, reason: reason.to_string() }
}
