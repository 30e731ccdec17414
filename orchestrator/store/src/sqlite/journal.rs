//! A new build into the file.

use haliotis_engine::Created;
use haliotis_model::BuildId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::sql::statement::Statement;
use crate::sql::turn::NewBuildRow;

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
