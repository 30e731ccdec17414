//! Turns to rows, each behind the fence: under the write lock a build's last turn moves on only from the one that the new
//! turn follows.

use haliotis_engine::JournalError;
use haliotis_model::BuildId;
use rusqlite::Connection;

use crate::sql::turn::NewTurn;

/// Writes a turn inside the writer's transaction, if it passes the fence.
pub(super) fn write(connection: &Connection, turn: &NewTurn) -> rusqlite::Result<Result<(), JournalError>> {
    if !advance(connection, turn)? {
        return refused(connection, turn).map(Err);
    }
    let mut insert = connection.prepare_cached("INSERT INTO journal (build, seq, at, body) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute((turn.build, turn.seq(), turn.at, &*turn.body))?;
    for (kind, body) in &turn.outbox {
        connection
            .prepare_cached("INSERT INTO outbox (build, kind, body, due) VALUES (?1, ?2, ?3, ?4)")?
            .execute((turn.build, kind, &**body, turn.at))?;
    }
    Ok(Ok(()))
}

/// Moves the build's last turn on; `false`: it is not the one that this turn follows.
fn advance(connection: &Connection, turn: &NewTurn) -> rusqlite::Result<bool> {
    // Mostly the status stays, and then no index need be touched.
    if turn.ended.is_none() {
        let mut keep = connection
            .prepare_cached("UPDATE builds SET last_seq = ?2 WHERE id = ?1 AND last_seq = ?2 - 1 AND status = ?3")?;
        if keep.execute((turn.build, turn.seq(), turn.status))? == 1 {
            return Ok(true);
        }
    }
    let ended = turn.ended.as_ref().map(|(result, message)| (result.as_str(), message.as_deref(), turn.at));
    let (result, message, at) =
        ended.map_or((None, None, None), |(result, message, at)| (Some(result), message, Some(at)));
    let mut change = connection.prepare_cached(
        "UPDATE builds SET last_seq = ?2, status = ?3, result = coalesce(?4, result),
             message = iif(?4 IS NULL, message, ?5), ended_at = coalesce(?6, ended_at)
         WHERE id = ?1 AND last_seq = ?2 - 1",
    )?;
    Ok(change.execute((turn.build, turn.seq(), turn.status, result, message, at))? == 1)
}

/// Why the fence held a turn back.
fn refused(connection: &Connection, turn: &NewTurn) -> rusqlite::Result<JournalError> {
    let build = BuildId(turn.build);
    let known = connection.prepare_cached("SELECT 1 FROM builds WHERE id = ?1")?.exists([turn.build])?;
    Ok(match known {
        true => JournalError::Fenced { build, expected: u64::try_from(turn.after).unwrap_or(0) },
        false => JournalError::NoBuild(build),
    })
}
