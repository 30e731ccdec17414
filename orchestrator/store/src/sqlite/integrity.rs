//! The check behind `haliotis doctor`: SQLite's own, then what must hold of our rows.

use sqlx::{Row, SqliteConnection};

use crate::sql::INVARIANTS;

/// A journal's records can be read. (PostgreSQL before 16 has no such test.)
const READABLE: &str = "SELECT 'build ' || build || ': entry ' || seq || ' of its journal is not JSON' FROM journal
    WHERE NOT json_valid(body)";

/// Findings in words; empty: sound.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut findings = Vec::new();
    for row in sqlx::query("PRAGMA integrity_check").fetch_all(&mut *connection).await? {
        let line: String = row.try_get(0)?;
        if line != "ok" {
            findings.push(line);
        }
    }
    for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *connection).await? {
        findings.push(format!(
            "a row of {} names a row of {} that is not there",
            row.try_get::<String, _>(0)?,
            row.try_get::<String, _>(2)?
        ));
    }
    for invariant in INVARIANTS.iter().chain([&READABLE]) {
        for row in sqlx::query(*invariant).fetch_all(&mut *connection).await? {
            findings.push(row.try_get(0)?);
        }
    }
    Ok(findings)
}
