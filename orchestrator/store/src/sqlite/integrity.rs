//! The check behind `haliotis doctor`: SQLite's own, then what must hold of our rows.

use sqlx::{Row, SqliteConnection};

/// Each query answers one line per broken row; the rule stands above it.
const INVARIANTS: &[&str] = &[
    // A journal is entry 0 and turns 1 to `last_seq`, without a gap.
    "SELECT 'build ' || b.id || ': its journal should have entries 0 to ' || b.last_seq || ', but has ' || count(j.seq)
            || coalesce(' from ' || min(j.seq) || ' to ' || max(j.seq), '')
     FROM builds b LEFT JOIN journal j ON j.build = b.id GROUP BY b.id
     HAVING count(j.seq) <> b.last_seq + 1 OR min(j.seq) <> 0 OR max(j.seq) <> b.last_seq",
    // A journal's records can be read.
    "SELECT 'build ' || build || ': entry ' || seq || ' of its journal is not JSON' FROM journal WHERE NOT json_valid(body)",
    // An ended build has an end, and no other has one.
    "SELECT 'build ' || id || ': it is said to have ended, but has no result or no end' FROM builds
     WHERE status = 'ended' AND (result IS NULL OR ended_at IS NULL)",
    "SELECT 'build ' || id || ': it has a result, but is said to be ' || status FROM builds
     WHERE status <> 'ended' AND (result IS NOT NULL OR ended_at IS NOT NULL)",
    // A number is allotted once.
    "SELECT 'pipeline ' || b.pipeline || ': it has a build ' || max(b.number) || ', but its last number is said to be '
            || coalesce(n.last, 'none')
     FROM builds b LEFT JOIN numbers n ON n.pipeline = b.pipeline GROUP BY b.pipeline
     HAVING n.last IS NULL OR n.last < max(b.number)",
];

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
    for invariant in INVARIANTS {
        for row in sqlx::query(*invariant).fetch_all(&mut *connection).await? {
            findings.push(row.try_get(0)?);
        }
    }
    Ok(findings)
}
