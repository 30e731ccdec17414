//! [`Journal`] on the file.

use std::sync::Arc;

use async_trait::async_trait;
use haliotis_engine::{Append, Created, Journal, JournalError, Turn};
use haliotis_model::{BuildId, NewBuild};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::SqliteStore;
use super::append::{NewTurn, encode};
use super::read::number;
use super::statement::Statement;
use super::writer::{Done, Work};

/// A build ready to be written.
pub(super) struct NewBuildRow {
    pipeline: Arc<str>,
    once: Option<Arc<str>>,
    created_at: i64,
    commit: Option<String>,
    causes: Arc<str>,
    parameters: Arc<str>,
    pinned: Arc<str>,
}

impl NewBuildRow {
    fn encode(build: &NewBuild) -> Result<Self, JournalError> {
        let id = BuildId(0);
        Ok(Self {
            pipeline: build.pipeline.as_str().into(),
            once: build.once.as_deref().map(Into::into),
            created_at: build.created_at.0,
            commit: build.source.commit.clone(),
            causes: encode(id, "cause", &build.causes)?,
            parameters: encode(id, "parameter", &build.parameters)?,
            pinned: encode(id, "definition", build)?,
        })
    }
}

/// Makes the build inside the writer's transaction, or finds the one with the same `once` key.
pub(super) async fn insert(connection: &mut SqliteConnection, build: &NewBuildRow) -> Result<Created, sqlx::Error> {
    if let Some(once) = &build.once {
        let statement = Statement::new("SELECT id, number FROM builds WHERE once = ?1").bind(once);
        if let Some(row) = statement.query().fetch_optional(&mut *connection).await? {
            return created(&row, true);
        }
    }
    let statement = Statement::new(
        "INSERT INTO numbers (pipeline, last) VALUES (?1, 1) ON CONFLICT DO UPDATE SET last = last + 1;
         INSERT INTO builds (pipeline, number, once, status, created_at, commit_hash, causes, parameters)
             VALUES (?1, (SELECT last FROM numbers WHERE pipeline = ?1), ?2, 'queued', ?3, ?4, ?5, ?6)
             RETURNING id, number;
         INSERT INTO journal (build, seq, at, body) VALUES (last_insert_rowid(), 0, ?3, ?7)",
    )
    .bind(&build.pipeline)
    .bind(build.once.as_ref())
    .bind(build.created_at)
    .bind(build.commit.clone())
    .bind(&build.causes)
    .bind(&build.parameters)
    .bind(&build.pinned);
    let rows = statement.query().fetch_all(connection).await?;
    rows.first().map_or(Err(sqlx::Error::RowNotFound), |row| created(row, false))
}

fn created(row: &SqliteRow, existing: bool) -> Result<Created, sqlx::Error> {
    let number: i64 = row.try_get(1)?;
    let number = u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Created { id: BuildId(row.try_get(0)?), number, existing })
}

#[async_trait]
impl Journal for SqliteStore {
    async fn create(&self, build: NewBuild) -> Result<Created, JournalError> {
        let row = NewBuildRow::encode(&build)?;
        match self.write(Work::Create(Box::new(row))).await? {
            Done::Created(created) => Ok(created),
            other => Err(other.misplaced()),
        }
    }

    async fn load(&self, build: BuildId) -> Result<(NewBuild, Vec<Turn>), JournalError> {
        // One statement is one snapshot: the last turn's number and the turns belong together.
        let statement = Statement::new(
            "SELECT builds.number, builds.last_seq, journal.seq, journal.body
             FROM builds LEFT JOIN journal ON journal.build = builds.id
             WHERE builds.id = ?1 ORDER BY journal.seq",
        )
        .bind(build.0);
        let mut reader = self.reader().await?;
        let rows = statement.query().fetch_all(&mut *reader).await.map_err(|error| self.failed(&error))?;
        drop(reader);
        let Some((first, turns)) = rows.split_first() else { return Err(JournalError::NoBuild(build)) };
        let last: i64 = first.try_get(1).map_err(|error| self.failed(&error))?;
        if i64::try_from(turns.len()) != Ok(last) {
            let reason = format!("the build is said to have {last} turns, {} are there", turns.len());
            return Err(JournalError::Damaged { build, seq: turns.len() as u64, reason });
        }
        let mut pinned: NewBuild = entry(build, 0, first)?;
        pinned.number = number(first, 0).map_err(|_| damaged(build, 0, "its number is no number"))?;
        let turns = (1..).zip(turns).map(|(seq, row)| entry(build, seq, row)).collect::<Result<_, _>>()?;
        Ok((pinned, turns))
    }

    async fn unfinished(&self) -> Result<Vec<BuildId>, JournalError> {
        let statement = Statement::new("SELECT id FROM builds WHERE status <> 'ended' ORDER BY id");
        self.rows(statement, |row| Ok(BuildId(row.try_get(0)?))).await
    }

    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Result<(), JournalError>>, JournalError> {
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        let turns = appends.iter().map(NewTurn::encode).collect::<Result<Vec<_>, _>>()?;
        match self.write(Work::Append(turns)).await? {
            Done::Appended(results) => Ok(results),
            other => Err(other.misplaced()),
        }
    }
}

/// One record of a journal; its place must be the one expected.
fn entry<T: serde::de::DeserializeOwned>(build: BuildId, seq: u64, row: &SqliteRow) -> Result<T, JournalError> {
    let unreadable = |error: sqlx::Error| damaged(build, seq, error);
    let found: Option<i64> = row.try_get(2).map_err(unreadable)?;
    if found.and_then(|found| u64::try_from(found).ok()) != Some(seq) {
        return Err(damaged(build, seq, "the record is missing"));
    }
    let body: &str = row.try_get(3).map_err(unreadable)?;
    serde_json::from_str(body).map_err(|error| damaged(build, seq, error))
}

fn damaged(build: BuildId, seq: u64, reason: impl std::fmt::Display) -> JournalError {
    JournalError::Damaged { build, seq, reason: reason.to_string() }
}
