//! Builds and turns to rows. A group of any size is a handful of statements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use haliotis_engine::{Created, JournalError};
use haliotis_model::BuildId;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Acquire, PgConnection, Row};

use super::{LEASE, PostgresServer, failure};
use crate::sql::Database;
use crate::sql::row::Columns;
use crate::sql::statement::Statement;
use crate::sql::turn::{End, Head, NewBuildRow, NewTurn, admit};

/// What came of each turn.
type Outcomes = Vec<Result<(), JournalError>>;

impl PostgresServer {
    pub(super) async fn query(&self, statement: Statement) -> Result<Vec<PgRow>, sqlx::Error> {
        self.with(async |connection| statement.postgres().fetch_all(&mut **connection).await).await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, sqlx::Error> {
        haliotis_failpoints::failpoint!("postgres.change.before");
        let changed = self.execute_parts(statement).await;
        haliotis_failpoints::failpoint!("postgres.change.after");
        changed
    }

    async fn execute_parts(&self, statement: Statement) -> Result<u64, sqlx::Error> {
        let parts = statement.parts();
        if let [one] = parts.as_slice() {
            let run = async |connection: &mut PoolConnection<Postgres>| one.postgres().execute(&mut **connection).await;
            return Ok(self.with(run).await?.rows_affected());
        }
        self.with(async |connection| {
            let mut transaction = connection.begin().await?;
            let mut changed = 0;
            for part in &parts {
                changed = part.postgres().execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
            Ok(changed)
        })
        .await
    }

    /// Makes the build, or finds the one with the same `once` key.
    pub(super) async fn create_build(&self, build: &NewBuildRow) -> Result<Created, JournalError> {
        let epoch = self.epoch;
        let attempt = async || {
            haliotis_failpoints::failpoint!("postgres.create.before");
            let made = self.with(async |connection| create(connection, build, epoch).await).await;
            haliotis_failpoints::failpoint!("postgres.create.after");
            made
        };
        match attempt().await {
            // Another server made it between our look and our insert.
            Err(error) if failure::is_duplicate(&error) => attempt().await,
            other => other,
        }
        .map_err(|error| self.failed(&error))
    }

    /// Writes the turns that pass the fence. Those of which nobody can tell whether they were written are remembered.
    pub(super) async fn append_turns(&self, turns: &[NewTurn]) -> Result<Outcomes, JournalError> {
        haliotis_failpoints::failpoint!("postgres.append.before");
        let outcomes = self.try_append(turns).await;
        haliotis_failpoints::failpoint!("postgres.append.after");
        self.note_doubt(turns, outcomes.as_ref().is_err_and(|error| !failure::is_refusal(error)));
        match outcomes {
            Err(error) if turns.len() > 1 && failure::is_refusal(&error) => self.append_one_by_one(turns).await,
            outcomes => outcomes.map_err(|error| self.failed(&error)),
        }
    }

    async fn try_append(&self, turns: &[NewTurn]) -> Result<Outcomes, sqlx::Error> {
        let epoch = self.epoch;
        if let [turn] = turns
            && turn.ended.is_none()
            && turn.outbox.is_empty()
            && self.with(async |connection| write_lone(connection, turn, epoch).await).await?
        {
            return Ok(vec![Ok(())]);
        }
        let doubtful = self.doubtful(turns);
        self.with(async |connection| write_group(connection, turns, epoch, &doubtful).await).await
    }

    fn note_doubt(&self, turns: &[NewTurn], unknown: bool) {
        let mut in_doubt = self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner);
        for turn in turns {
            let place = (turn.build, turn.seq());
            if unknown {
                in_doubt.insert(place);
            } else {
                in_doubt.remove(&place);
            }
        }
    }

    /// Which of these may be on disk already.
    fn doubtful(&self, turns: &[NewTurn]) -> BTreeSet<(i64, i64)> {
        let in_doubt = self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner);
        turns.iter().map(|turn| (turn.build, turn.seq())).filter(|place| in_doubt.contains(place)).collect()
    }

    /// A turn that the database refuses is told as such; the others are written.
    async fn append_one_by_one(&self, turns: &[NewTurn]) -> Result<Outcomes, JournalError> {
        let mut outcomes = Vec::with_capacity(turns.len());
        for turn in turns {
            let turn = std::slice::from_ref(turn);
            match self.try_append(turn).await {
                Ok(mut one) => outcomes.append(&mut one),
                Err(error) => outcomes.push(Err(self.failed(&error))),
            }
        }
        Ok(outcomes)
    }

    /// Takes what nobody drives any more; those taken, oldest first.
    pub(super) async fn claim_abandoned(&self) -> Result<Vec<BuildId>, JournalError> {
        let statement = Statement::new(
            "WITH taken AS (
                 UPDATE builds SET owner = ?1
                 WHERE status <> 'ended' AND owner <> ?1 AND owner IN (
                     SELECT id FROM servers
                     WHERE (name = ?2 AND id < ?1) OR seen < clock_timestamp() - make_interval(secs => ?3::bigint)
                 ) RETURNING id
             ) SELECT id FROM taken ORDER BY id",
        )
        .bind(self.epoch)
        .bind(self.name.as_str())
        .bind(i64::try_from(LEASE.as_secs()).unwrap_or(i64::MAX));
        self.rows(statement, |row| Ok(BuildId(row.int(0)?))).await
    }

    /// All without an end that are this server's.
    pub(super) async fn owned(&self) -> Result<Vec<BuildId>, JournalError> {
        let statement = Statement::new("SELECT id FROM builds WHERE status <> 'ended' AND owner = ?1 ORDER BY id");
        self.rows(statement.bind(self.epoch), |row| Ok(BuildId(row.int(0)?))).await
    }
}

async fn create(connection: &mut PgConnection, build: &NewBuildRow, epoch: i64) -> Result<Created, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    if let Some(once) = &build.once {
        let found = sqlx::query("SELECT id, number FROM builds WHERE once = $1").bind(once.to_string());
        if let Some(row) = found.fetch_optional(&mut *transaction).await? {
            return created(&row, true);
        }
    }
    let row = sqlx::query(
        "WITH allotted AS (
             INSERT INTO numbers (pipeline, last) VALUES ($1, 1)
             ON CONFLICT (pipeline) DO UPDATE SET last = numbers.last + 1 RETURNING last
         ), made AS (
             INSERT INTO builds (pipeline, number, once, status, created_at, commit_hash, causes, parameters, owner)
             SELECT $1, last, $2, 'queued', $3, $4, $5, $6, $8 FROM allotted RETURNING id, number
         ), pinned AS (
             INSERT INTO journal (build, seq, at, body, writer) SELECT id, 0, $3, $7, $8 FROM made
         )
         SELECT id, number FROM made",
    )
    .bind(build.pipeline.to_string())
    .bind(build.once.as_deref().map(str::to_owned))
    .bind(build.created_at)
    .bind(build.commit.clone())
    .bind(build.causes.to_string())
    .bind(build.parameters.to_string())
    .bind(build.pinned.to_string())
    .bind(epoch)
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    created(&row, false)
}

fn created(row: &PgRow, existing: bool) -> Result<Created, sqlx::Error> {
    let number: i64 = row.try_get(1)?;
    let number = u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Created { id: BuildId(row.try_get(0)?), number, existing })
}

/// The common case, a turn alone in its group that leaves its build as it was, as one statement and one round trip.
/// `false`: it is not that case, or it does not pass the fence; nothing was written, and the long way finds out.
async fn write_lone(connection: &mut PgConnection, turn: &NewTurn, epoch: i64) -> Result<bool, sqlx::Error> {
    let written = sqlx::query(
        "WITH advanced AS (
             UPDATE builds SET last_seq = $2
             WHERE id = $1 AND last_seq = $2 - 1 AND status = $5 AND owner = $6 RETURNING id
         )
         INSERT INTO journal (build, seq, at, body, writer) SELECT id, $2, $3, $4, $6 FROM advanced",
    )
    .bind(turn.build)
    .bind(turn.seq())
    .bind(turn.at)
    .bind(turn.body.to_string())
    .bind(turn.status)
    .bind(epoch)
    .execute(connection)
    .await?;
    Ok(written.rows_affected() == 1)
}

async fn write_group(
    connection: &mut PgConnection,
    turns: &[NewTurn],
    epoch: i64,
    doubtful: &BTreeSet<(i64, i64)>,
) -> Result<Outcomes, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let ids: Vec<i64> = turns.iter().map(|turn| turn.build).collect();
    // In the order of their numbers, so that two servers never wait for each other.
    let rows = sqlx::query("SELECT id, last_seq, status, owner FROM builds WHERE id = ANY($1) ORDER BY id FOR UPDATE");
    let mut heads = BTreeMap::new();
    let mut foreign = BTreeMap::new();
    for row in rows.bind(ids).fetch_all(&mut *transaction).await? {
        let head = Head { last_seq: row.try_get(1)?, changed: None };
        let side = if row.try_get::<i64, _>(3)? == epoch { &mut heads } else { &mut foreign };
        side.insert(row.try_get::<i64, _>(0)?, head);
    }
    let mut outcomes = Vec::with_capacity(turns.len());
    let mut taken = Vec::with_capacity(turns.len());
    for turn in turns {
        let fenced =
            || JournalError::Fenced { build: BuildId(turn.build), expected: u64::try_from(turn.after).unwrap_or(0) };
        let outcome = if foreign.contains_key(&turn.build) { Err(fenced()) } else { admit(&mut heads, turn) };
        match outcome {
            Ok(()) => taken.push(turn),
            Err(JournalError::Fenced { .. })
                if doubtful.contains(&(turn.build, turn.seq())) && is_there(&mut transaction, turn, epoch).await? =>
            {
                outcomes.push(Ok(()));
                continue;
            }
            Err(_) => {}
        }
        outcomes.push(outcome);
    }
    write_outbox(&mut transaction, &taken).await?;
    write_heads(&mut transaction, &heads).await?;
    write_turns(&mut transaction, &taken, epoch).await?;
    transaction.commit().await?;
    Ok(outcomes)
}

/// The turn was written by this start of this server before, and the answer was lost.
async fn is_there(connection: &mut PgConnection, turn: &NewTurn, epoch: i64) -> Result<bool, sqlx::Error> {
    let found = sqlx::query("SELECT 1 FROM journal WHERE build = $1 AND seq = $2 AND writer = $3 AND body = $4")
        .bind(turn.build)
        .bind(turn.seq())
        .bind(epoch)
        .bind(turn.body.to_string());
    Ok(found.fetch_optional(connection).await?.is_some())
}

async fn write_heads(connection: &mut PgConnection, heads: &BTreeMap<i64, Head>) -> Result<(), sqlx::Error> {
    let changed: Vec<_> = heads.iter().filter_map(|(id, head)| Some((*id, head, head.changed.as_ref()?))).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let end = |pick: fn(&End) -> Option<String>| -> Vec<Option<String>> {
        changed.iter().map(|(_, _, change)| change.ended.as_ref().and_then(pick)).collect()
    };
    sqlx::query(
        "UPDATE builds SET last_seq = head.last_seq, status = head.status,
             result = coalesce(head.result, builds.result),
             message = CASE WHEN head.result IS NULL THEN builds.message ELSE head.message END,
             ended_at = coalesce(head.ended_at, builds.ended_at)
         FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[])
             AS head (id, last_seq, status, result, message, ended_at)
         WHERE builds.id = head.id",
    )
    .bind(changed.iter().map(|(id, ..)| *id).collect::<Vec<i64>>())
    .bind(changed.iter().map(|(_, head, _)| head.last_seq).collect::<Vec<i64>>())
    .bind(changed.iter().map(|(_, _, change)| change.status.to_owned()).collect::<Vec<String>>())
    .bind(end(|(result, ..)| Some(result.as_str().to_owned())))
    .bind(end(|(_, message, _)| message.as_ref().map(|text| text.replace('\0', "\u{FFFD}"))))
    .bind(changed.iter().map(|(_, _, change)| change.ended.as_ref().map(|(.., at)| *at)).collect::<Vec<Option<i64>>>())
    .execute(connection)
    .await
    .map(drop)
}

async fn write_turns(connection: &mut PgConnection, turns: &[&NewTurn], epoch: i64) -> Result<(), sqlx::Error> {
    if turns.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO journal (build, seq, at, body, writer)
         SELECT *, $5 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])",
    )
    .bind(turns.iter().map(|turn| turn.build).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.seq()).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.at).collect::<Vec<_>>())
    .bind(turns.iter().map(|turn| turn.body.to_string()).collect::<Vec<_>>())
    .bind(epoch)
    .execute(connection)
    .await
    .map(drop)
}

async fn write_outbox(connection: &mut PgConnection, turns: &[&NewTurn]) -> Result<(), sqlx::Error> {
    for turn in turns {
        for (kind, body) in &turn.outbox {
            sqlx::query("INSERT INTO outbox (build, kind, body, due) VALUES ($1, $2, $3, $4)")
                .bind(turn.build)
                .bind(kind.clone())
                .bind(body.to_string())
                .bind(turn.at)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}
