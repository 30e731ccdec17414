//! A new build into the file.

use haliotis_engine::Created;
use haliotis_model::BuildId;
use rusqlite::{Connection, OptionalExtension};

use crate::sql::turn::NewBuildRow;

/// Makes the build inside the writer's transaction, or finds the one with the same `once` key.
pub(super) fn insert(connection: &Connection, build: &NewBuildRow) -> rusqlite::Result<Created> {
    if let Some(once) = &build.once {
        let mut find = connection.prepare_cached("SELECT id, number FROM builds WHERE once = ?1")?;
        let found = find.query_row([&**once], |row| created(row, true)).optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO numbers (pipeline, last) VALUES (?1, 1) ON CONFLICT DO UPDATE SET last = last + 1",
        )?
        .execute([&*build.pipeline])?;
    let made = connection
        .prepare_cached(
            "INSERT INTO builds (pipeline, number, once, status, created_at, commit_hash, causes, parameters)
             VALUES (?1, (SELECT last FROM numbers WHERE pipeline = ?1), ?2, 'queued', ?3, ?4, ?5, ?6)
             RETURNING id, number",
        )?
        .query_row(
            (
                &*build.pipeline,
                build.once.as_deref(),
                build.created_at,
                build.commit.as_deref(),
                &*build.causes,
                &*build.parameters,
            ),
            |row| created(row, false),
        )?;
    connection.prepare_cached("INSERT INTO journal (build, seq, at, body) VALUES (?1, 0, ?2, ?3)")?.execute((
        made.id.0,
        build.created_at,
        &*build.pinned,
    ))?;
    Ok(made)
}

fn created(row: &rusqlite::Row<'_>, existing: bool) -> rusqlite::Result<Created> {
    Ok(Created { id: BuildId(row.get(0)?), number: row.get(1)?, existing })
}
