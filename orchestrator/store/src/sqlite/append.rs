//! Turns to rows. A group of any size is a handful of statements.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use haliotis_engine::JournalError;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::sql::statement::Statement;
use crate::sql::turn::{Head, NewTurn, admit};

/// The common case, a turn alone in its group that leaves its build as it was, as one request to SQLite: each request
/// costs two changes of thread, which is most of what a small append takes beside its fsync. `false`: it is not that
/// case, or it does not pass the fence; nothing was written, and the long way finds out.
pub(super) async fn write_lone(connection: &mut SqliteConnection, turn: &NewTurn) -> Result<bool, sqlx::Error> {
    if turn.ended.is_some() || !turn.outbox.is_empty() {
        return Ok(false);
    }
    // `changes()` is what the update before it changed. A commit that wrote nothing asks nothing of the disk.
    let advanced = Statement::new(
        "BEGIN IMMEDIATE;
         UPDATE builds SET last_seq = ?2 WHERE id = ?1 AND last_seq = ?2 - 1 AND status = ?5 RETURNING id;
         INSERT INTO journal (build, seq, at, body) SELECT ?1, ?2, ?3, ?4 WHERE changes() = 1;
         COMMIT",
    )
    .bind(turn.build)
    .bind(turn.seq())
    .bind(turn.at)
    .bind(&turn.body)
    .bind(turn.status)
    .query()
    .fetch_all(connection)
    .await?;
    Ok(!advanced.is_empty())
}

/// Begins the transaction and reads the heads of the builds of these turns.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    turns: &[&NewTurn],
) -> Result<BTreeMap<i64, Head>, sqlx::Error> {
    let statement = match turns {
        [] => Statement::new("BEGIN IMMEDIATE"),
        [turn] => {
            Statement::new("BEGIN IMMEDIATE; SELECT id, last_seq, status FROM builds WHERE id = ?1").bind(turn.build)
        }
        turns => {
            let ids: Vec<i64> = turns.iter().map(|turn| turn.build).collect();
            Statement::new(
                "BEGIN IMMEDIATE;
                 SELECT id, last_seq, status FROM builds WHERE id IN (SELECT value FROM json_each(?1))",
            )
            .bind(json!(ids).to_string())
        }
    };
    let head = |row: &SqliteRow| {
        let head = Head { last_seq: row.try_get(1)?, status: row.try_get(2)?, changed: None };
        Ok((row.try_get(0)?, head))
    };
    statement.query().fetch_all(connection).await?.iter().map(head).collect()
}

/// Writes the turns that pass the fence, and commits.
pub(super) async fn write_and_commit(
    connection: &mut SqliteConnection,
    mut heads: BTreeMap<i64, Head>,
    turns: &[&NewTurn],
) -> Result<Vec<Result<(), JournalError>>, sqlx::Error> {
    let results: Vec<Result<(), JournalError>> = turns.iter().map(|turn| admit(&mut heads, turn)).collect();
    let taken: Vec<&NewTurn> =
        turns.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(turn, _)| *turn).collect();
    write_outbox(connection, &taken).await?;
    write_heads(connection, &heads).await?;
    write_turns(connection, &taken).await?;
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(results)
}

async fn write_heads(connection: &mut SqliteConnection, heads: &BTreeMap<i64, Head>) -> Result<(), sqlx::Error> {
    let advanced: Vec<_> = heads
        .iter()
        .filter(|(_, head)| head.keeps_status())
        .map(|(build, head)| json!([build, head.last_seq]))
        .collect();
    if !advanced.is_empty() {
        Statement::new(
            "UPDATE builds SET last_seq = json_extract(head.value, '$[1]')
             FROM json_each(?1) AS head WHERE builds.id = json_extract(head.value, '$[0]')",
        )
        .bind(serde_json::Value::from(advanced).to_string())
        .query()
        .execute(&mut *connection)
        .await?;
    }
    let changed: Vec<_> = heads
        .iter()
        .filter(|(_, head)| !head.keeps_status())
        .filter_map(|(build, head)| head.changed.as_ref().map(|change| (build, head, change)))
        .map(|(build, head, change)| match &change.ended {
            None => json!([build, head.last_seq, change.status, null, null, null]),
            Some((result, message, at)) => {
                json!([build, head.last_seq, change.status, result.as_str(), message, at])
            }
        })
        .collect();
    if !changed.is_empty() {
        Statement::new(
            "UPDATE builds SET last_seq = json_extract(head.value, '$[1]'),
                 status = json_extract(head.value, '$[2]'),
                 result = coalesce(json_extract(head.value, '$[3]'), result),
                 message = iif(json_extract(head.value, '$[3]') IS NULL, message, json_extract(head.value, '$[4]')),
                 ended_at = coalesce(json_extract(head.value, '$[5]'), ended_at)
             FROM json_each(?1) AS head WHERE builds.id = json_extract(head.value, '$[0]')",
        )
        .bind(serde_json::Value::from(changed).to_string())
        .query()
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Rows of one statement. Each size is a text of its own that is prepared once; a large group is mostly the largest, and
/// the rest of it a few of the others.
const ROWS: [usize; 3] = [64, 8, 1];
static INSERTS: LazyLock<[String; 3]> = LazyLock::new(|| {
    ROWS.map(|rows| format!("INSERT INTO journal (build, seq, at, body) VALUES {}", vec!["(?,?,?,?)"; rows].join(",")))
});

async fn write_turns(connection: &mut SqliteConnection, turns: &[&NewTurn]) -> Result<(), sqlx::Error> {
    let mut rest = turns;
    for (rows, sql) in ROWS.iter().zip(INSERTS.iter()) {
        while rest.len() >= *rows {
            let (chunk, later) = rest.split_at(*rows);
            let bind_row = |statement: Statement, turn: &&NewTurn| {
                statement.bind(turn.build).bind(turn.seq()).bind(turn.at).bind(&turn.body)
            };
            chunk.iter().fold(Statement::new(sql.as_str()), bind_row).query().execute(&mut *connection).await?;
            rest = later;
        }
    }
    Ok(())
}

async fn write_outbox(connection: &mut SqliteConnection, turns: &[&NewTurn]) -> Result<(), sqlx::Error> {
    for turn in turns {
        for (kind, body) in &turn.outbox {
            Statement::new("INSERT INTO outbox (build, kind, body, due) VALUES (?1, ?2, ?3, ?4)")
                .bind(turn.build)
                .bind(kind.as_str())
                .bind(body)
                .bind(turn.at)
                .query()
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}
