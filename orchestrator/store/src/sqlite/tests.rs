//! What is SQLite's alone: the file, its failures and the remedies. What every store does is in `tests/conformance`.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::Duration;

use haliotis_engine::{Append, Catalog, Journal, Turn};
use haliotis_model::{BuildId, BuildStatus, Millis, NewBuild, Object, Source, WorkspaceKind};
use tempfile::TempDir;

use super::*;
use crate::sql::Database as _;
use crate::sql::statement::Statement;

fn new_build(text: &str) -> NewBuild {
    NewBuild {
        pipeline: "a".to_owned(),
        number: 0,
        source: Source {
            language: "yaml".to_owned(),
            path: "p.yaml".to_owned(),
            text: text.to_owned(),
            files: Object::new(),
            repo: None,
            branch: None,
            commit: None,
            credential: None,
        },
        parameters: Object::new(),
        causes: Vec::new(),
        event: Object::new(),
        workspace: WorkspaceKind::Own,
        cloud: "local".to_owned(),
        created_at: Millis(1),
        once: None,
        program_version: 1,
        carry: None,
    }
}

fn append(build: BuildId, after: u64) -> Append {
    let turn = Turn { at: Millis(2), ..Turn::default() };
    Append { build, after, turn: turn.into(), status: BuildStatus::Running, ended: None, outbox: Vec::new() }
}

fn sql(text: &'static str) -> Statement {
    Statement::new(text)
}

async fn open() -> (TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_with(&folder.path().join("haliotis.db"), Duration::from_millis(50), Commits::Aside)
        .await
        .unwrap();
    (folder, store)
}

/// Another program with the same file.
async fn outsider(store: &SqliteStore) -> sqlx::SqliteConnection {
    sqlx::SqliteConnection::connect_with(&open::options(store.path(), Duration::from_millis(50))).await.unwrap()
}

async fn outsider_runs(store: &SqliteStore, text: &'static str) {
    let mut other = outsider(store).await;
    sqlx::query(text).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn all_its_files_are_private() {
    let (folder, store) = open().await;
    store.create(new_build("")).await.unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["haliotis.db", "haliotis.db-shm", "haliotis.db-wal"]);
}

#[tokio::test]
async fn a_newer_a_foreign_and_a_broken_file_are_refused_and_left_alone() {
    let (_folder, store) = open().await;
    let path = store.path().to_owned();
    outsider_runs(&store, "PRAGMA user_version = 99").await;
    store.close().await;
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 99, known, .. } if known == crate::migrations::newest()),
        "{error}"
    );
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(fs::read(&path).unwrap() == before);

    outsider_runs(&store, "PRAGMA application_id = 7").await;
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(fs::read(&path).unwrap() == before);

    fs::write(&path, b"this is a letter to my aunt, and no database at all\n".repeat(100)).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("haliotis.db") && error.contains("backup"), "{error}");

    let error = SqliteStore::open(&path.join("below/haliotis.db")).await.unwrap_err().to_string();
    assert!(error.contains("cannot be opened") && error.contains("data folder"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_may_be_opened_by_several_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("haliotis.db");
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let path = path.clone();
            tasks.spawn(
                async move { SqliteStore::open(&path).await.unwrap().create(new_build("")).await.unwrap().number },
            );
        }
        let mut numbers = tasks.join_all().await;
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn a_locked_file_refuses_writes_with_its_reason_and_then_goes_on() {
    let (_folder, store) = open().await;
    let mut other = outsider(&store).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = store.create(new_build("")).await.unwrap_err().to_string();
    assert!(error.contains("locked by another process") && error.contains("haliotis.db"), "{error}");
    assert_eq!(store.unfinished().await.unwrap(), [], "reads go on");
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(store.create(new_build("")).await.unwrap().number, 1);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_they_go_on_when_there_is_room() {
    let (_folder, store) = open().await;
    let build = store.create(new_build("")).await.unwrap().id;
    store.change(sql("PRAGMA max_page_count = 50")).await.unwrap();
    let big = new_build(&"x".repeat(300_000));
    let error = store.create(big.clone()).await.unwrap_err().to_string();
    assert!(error.contains("is full") && error.contains("haliotis.db") && error.contains("free some space"), "{error}");
    store.append(vec![append(build, 0)]).await.unwrap().remove(0).unwrap();
    store.change(sql("PRAGMA max_page_count = 1000000")).await.unwrap();
    assert_eq!(store.create(big).await.unwrap().number, 2, "the refused build took no number");
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_may_not_be_written_says_so() {
    let (_folder, store) = open().await;
    store.change(sql("PRAGMA query_only = ON")).await.unwrap();
    let error = store.set_cursor("a", "b").await.unwrap_err().to_string();
    assert!(error.contains("read-only") && error.contains("writable"), "{error}");
}

#[tokio::test]
async fn one_bad_record_of_a_group_fails_nobody_else_and_the_connection_is_made_anew() {
    let (_folder, store) = open().await;
    let (bad, one, two) =
        tokio::join!(store.change(sql("this is not sql")), store.create(new_build("1")), store.create(new_build("2")),);
    assert!(bad.is_err());
    assert_eq!([one.unwrap().number, two.unwrap().number], [1, 2]);
    store.set_cursor("a", "b").await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_journal_names_the_build_and_the_turn() {
    let (_folder, store) = open().await;
    let build = store.create(new_build("")).await.unwrap().id;
    for after in 0..3 {
        store.append(vec![append(build, after)]).await.unwrap().remove(0).unwrap();
    }
    store.change(sql("UPDATE journal SET body = '{\"at\":' WHERE seq = 2")).await.unwrap();
    let error = store.load(build).await.unwrap_err();
    assert!(matches!(error, JournalError::Damaged { seq: 2, .. }), "{error}");
    assert_eq!(store.check().await.unwrap(), ["build 1: entry 2 of its journal is not JSON"]);

    store.change(sql("DELETE FROM journal WHERE seq = 2")).await.unwrap();
    let error = store.load(build).await.unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert_eq!(
        store.check().await.unwrap(),
        ["build 1: its journal should have entries 0 to 3, but has 3 from 0 to 3"]
    );
    store.change(sql("UPDATE builds SET status = 'ended'")).await.unwrap();
    store.change(sql("UPDATE numbers SET last = 0")).await.unwrap();
    assert_eq!(store.check().await.unwrap().len(), 3);
}

#[tokio::test]
async fn damaged_pages_are_found_and_named() {
    let (_folder, store) = open().await;
    for number in 0..50 {
        store.create(new_build(&format!("{number}").repeat(3_000))).await.unwrap();
    }
    let path = store.path().to_owned();
    store.close().await;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    for page in (20..length / 4096).step_by(2) {
        file.write_all_at(&[0xAB; 4096], page * 4096).unwrap();
    }
    let store = SqliteStore::open(&path).await.unwrap();
    let findings = store.check().await.unwrap();
    assert!(!findings.is_empty());
    let mut errors = Vec::new();
    for build in 1..=50 {
        errors.extend(store.load(BuildId(build)).await.err().map(|error| error.to_string()));
    }
    assert!(errors.iter().any(|error| error.contains("damaged") && error.contains("backup")), "{errors:?}");
}

#[tokio::test]
async fn a_backup_is_a_whole_private_store_made_while_in_use() {
    let (folder, store) = open().await;
    let build = store.create(new_build("")).await.unwrap().id;
    let copy = folder.path().join("copy.db");
    let (copied, written) = tokio::join!(store.backup(&copy), store.append(vec![append(build, 0)]));
    copied.unwrap();
    written.unwrap().remove(0).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = SqliteStore::open(&copy).await.unwrap();
    assert_eq!(restored.check().await.unwrap(), Vec::<String>::new());
    assert_eq!(restored.load(build).await.unwrap().0.number, 1);

    let error = store.backup(&copy).await.unwrap_err().to_string();
    assert!(error.contains("copy.db") && error.contains("new file"), "{error}");
    assert!(restored.unfinished().await.unwrap() == [build], "what was there is untouched");
}

#[tokio::test]
async fn the_audit_trail_cannot_be_changed_even_by_sql() {
    let (_folder, store) = open().await;
    let entry = haliotis_engine::AuditEntry {
        at: Millis(1),
        by: "ada".to_owned(),
        action: "build.abort".to_owned(),
        subject: "a #1".to_owned(),
        reason: String::new(),
        detail: Object::new(),
    };
    store.record_audit(&entry).await.unwrap();
    for change in ["DELETE FROM audit", "UPDATE audit SET by = 'eve'"] {
        assert!(store.change(sql(change)).await.unwrap_err().to_string().contains("append-only"));
    }
    assert_eq!(store.audit(None, 10).await.unwrap(), [entry]);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_folder, store) = open().await;
    store.close().await;
    store.close().await;
    let error = store.set_cursor("a", "b").await.unwrap_err().to_string();
    assert!(error.contains("closed"), "{error}");
    assert!(store.unfinished().await.is_err());
}

#[tokio::test]
async fn while_another_process_holds_the_lock_writes_are_refused_together_and_go_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let busy = Duration::from_millis(400);
    let store = SqliteStore::open_with(&folder.path().join("haliotis.db"), busy, Commits::Aside).await.unwrap();
    let mut other = outsider(&store).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let begin = std::time::Instant::now();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = Arc::clone(&store);
        waiting.spawn(async move { store.set_cursor(&format!("c{number}"), "x").await.unwrap_err().to_string() });
    }
    let told = waiting.join_all().await;
    assert!(told.iter().all(|why| why.contains("locked by another process")), "{told:?}");
    // The first alone, the others together; one after another they would have waited for 16 s.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.set_cursor("c0", "y").await.unwrap();
    assert_eq!(store.cursor("c0").await.unwrap().as_deref(), Some("y"));
    assert_eq!(store.cursor("c1").await.unwrap(), None);
}
