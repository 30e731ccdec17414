//! The schema's history, and how a file is brought to its end.
//!
//! `PRAGMA user_version` (on PostgreSQL: the table `version`) is the number of the last migration a file has had. All that are missing run in one
//! transaction, so a file is never between two versions. A migration that was released is never edited: a test compares
//! each with its recorded checksum (`migrations/checksums.txt`).

use std::fmt::Write as _;

/// One step of the schema, in both dialects.
pub(crate) struct Migration {
    /// File name in `migrations/` and in `migrations/postgres/`.
    pub(crate) name: &'static str,
    /// Its text for SQLite.
    pub(crate) sql: &'static str,
    /// Its text for PostgreSQL.
    pub(crate) postgres: &'static str,
}

/// All of them in order; the first brings a file to version 1.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_start.sql",
        sql: include_str!("../migrations/0001_start.sql"),
        postgres: include_str!("../migrations/postgres/0001_start.sql"),
    },
    Migration {
        name: "0002_documents.sql",
        sql: include_str!("../migrations/0002_documents.sql"),
        postgres: include_str!("../migrations/postgres/0002_documents.sql"),
    },
    Migration {
        name: "0003_audit_chain.sql",
        sql: include_str!("../migrations/0003_audit_chain.sql"),
        postgres: include_str!("../migrations/postgres/0003_audit_chain.sql"),
    },
    Migration {
        name: "0004_builds_of_models.sql",
        sql: include_str!("../migrations/0004_builds_of_models.sql"),
        postgres: include_str!("../migrations/postgres/0004_builds_of_models.sql"),
    },
];

/// Marks a file as ours ("HALI"), so that another program's database is refused instead of migrated.
pub(crate) const APPLICATION_ID: i64 = 0x4841_4c49;

/// The version this binary writes.
pub(crate) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// SQL that brings a file from `version` to the newest in one transaction; `None`: nothing to do.
pub(crate) fn script_from(version: i64) -> Option<String> {
    let done = usize::try_from(version).unwrap_or(0);
    let missing = MIGRATIONS.get(done..).filter(|missing| !missing.is_empty())?;
    let mut script = String::from("BEGIN IMMEDIATE;\n");
    for migration in missing {
        let _ = writeln!(script, "-- {}\n{}", migration.name, migration.sql);
    }
    let _ = writeln!(script, "PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {};", newest());
    script.push_str("COMMIT;\n");
    Some(script)
}

/// The same for a PostgreSQL database, to be run inside a transaction that holds the migration lock.
pub(crate) fn postgres_script_from(version: i64) -> String {
    postgres_script(version, newest())
}

/// The same up to a version that need not be the newest.
pub(crate) fn postgres_script(version: i64, to: i64) -> String {
    let [done, to] = [version, to].map(|version| usize::try_from(version).unwrap_or(0));
    let mut script = String::from("CREATE SCHEMA IF NOT EXISTS haliotis;\nSET LOCAL search_path = haliotis;\n");
    for migration in MIGRATIONS.get(done..to).unwrap_or_default() {
        let _ = writeln!(script, "-- {}\n{}", migration.name, migration.postgres);
    }
    script.push_str("CREATE TABLE IF NOT EXISTS version (number BIGINT NOT NULL);\n");
    let _ = writeln!(script, "DELETE FROM version; INSERT INTO version VALUES ({to});");
    script
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use sha2::{Digest, Sha256};

    use super::*;

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")
    }

    fn sql_files(folder: &Path) -> Vec<String> {
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".sql"))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn files_are_numbered_without_gaps_and_all_are_embedded() {
        let files = sql_files(&folder());
        let embedded: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
        assert_eq!(files, embedded, "migrations/ and MIGRATIONS differ");
        assert_eq!(sql_files(&folder().join("postgres")), embedded, "migrations/postgres and MIGRATIONS differ");
        for (index, name) in files.iter().enumerate() {
            let number = format!("{:04}_", index + 1);
            assert!(name.starts_with(&number), "{name} should start with {number}");
        }
    }

    #[test]
    fn no_migration_was_edited_after_it_was_recorded() {
        let recorded = fs::read_to_string(folder().join("checksums.txt")).unwrap();
        let mut actual = String::new();
        for migration in MIGRATIONS {
            let _ = writeln!(actual, "{}  {}", hex::encode(Sha256::digest(migration.sql)), migration.name);
            let _ =
                writeln!(actual, "{}  postgres/{}", hex::encode(Sha256::digest(migration.postgres)), migration.name);
        }
        assert_eq!(
            recorded, actual,
            "a released migration is never edited: undo the edit and add a new file. For a new file, add its line here"
        );
    }

    #[test]
    fn the_script_is_one_transaction_and_empty_at_the_newest_version() {
        let script = script_from(0).unwrap();
        assert_eq!(script.matches("BEGIN IMMEDIATE;").count(), 1);
        assert_eq!(script.matches("COMMIT;").count(), 1);
        assert_eq!(script_from(newest()), None);
        assert_eq!(script_from(newest() + 5), None);
    }
}
