//! A real PostgreSQL for the suite, and what only it promises: builds change hands by epoch.
//!
//! `tests/postgres` makes a server of this process's own and ends it with us. Without an installed server the tests say
//! so and do nothing, unless `HALIOTIS_TEST_POSTGRES` is set (as `tests/run` does, which installs it).

#![expect(clippy::print_stderr, reason = "a test says when it could not run")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use haliotis_engine::{Journal, JournalError};
use haliotis_store::{PostgresError, PostgresStore};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::fixtures::{append, append_end, item, new_build, turn};

/// The server's socket folder, and the process whose open input keeps it alive.
static SERVER: OnceLock<Option<(String, Child)>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

fn start() -> Option<(String, Child)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/postgres");
    let mut child = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut folder = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
    if !folder.trim().is_empty() {
        return Some((folder.trim().to_owned(), child));
    }
    let status = child.wait().unwrap();
    assert!(std::env::var_os("HALIOTIS_TEST_POSTGRES").is_none(), "PostgreSQL should be here: {status}");
    assert_eq!(status.code(), Some(77), "tests/postgres failed");
    eprintln!("not run: no PostgreSQL server is installed");
    None
}

/// The address of a new, empty database.
pub(crate) async fn database() -> Option<String> {
    let (folder, _) = tokio::task::spawn_blocking(|| SERVER.get_or_init(start)).await.unwrap().as_ref()?;
    let address = |database: &str| format!("postgres://haliotis@localhost/{database}?host={folder}");
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&address("postgres")).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut connection).await.unwrap();
    Some(address(&name))
}

async fn change(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// A socket between the store and the database, and a switch: once it is on, the answer to the next commit is thrown away
/// and the connection is cut, and the switch is off again.
async fn between(url: &str) -> (String, Arc<AtomicBool>) {
    let (_, real) = url.split_once("?host=").unwrap();
    let folder = tempfile::tempdir().unwrap().keep();
    let url = url.replace(real, folder.to_str().unwrap());
    let real = format!("{real}/.s.PGSQL.5432");
    let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
    let deaf = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&deaf);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&real).await.unwrap();
            tokio::spawn(carry(client, server, Arc::clone(&switch)));
        }
    });
    (url, deaf)
}

async fn carry(client: UnixStream, server: UnixStream, deaf: Arc<AtomicBool>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut answer = vec![0; 64 * 1024];
    while let Ok(bytes @ 1..) = from_server.read(&mut answer).await {
        let committed = answer[..bytes].windows(7).any(|word| word == b"COMMIT\0");
        if committed && deaf.swap(false, Ordering::Relaxed) {
            break;
        }
        if to_client.write_all(&answer[..bytes]).await.is_err() {
            break;
        }
    }
    up.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_not_seen_loses_its_builds_and_its_late_writes_are_refused() {
    let Some(url) = database().await else { return };
    let (one, two) = (PostgresStore::open(&url, "one").await.unwrap(), PostgresStore::open(&url, "two").await.unwrap());
    let build = one.create(new_build("a")).await.unwrap().id;
    let done = one.create(new_build("a")).await.unwrap().id;
    one.append(vec![append(build, 0)]).await.unwrap().remove(0).unwrap();
    one.append(vec![append_end(done, 0, haliotis_model::BuildResult::Success)]).await.unwrap().remove(0).unwrap();
    assert_eq!(two.take_over().await.unwrap(), [], "its owner lives");

    change(&url, "UPDATE haliotis.servers SET seen = now() - interval '10 s' WHERE name = 'one'").await;
    assert_eq!(two.take_over().await.unwrap(), [build], "what ended stays as it is");
    assert_eq!(two.take_over().await.unwrap(), [], "once");
    for late in [append(build, 1), append_end(build, 1, haliotis_model::BuildResult::Success)] {
        let refused = one.append(vec![late]).await.unwrap().remove(0);
        assert!(matches!(refused, Err(JournalError::Fenced { .. })), "{refused:?}");
    }
    two.append(vec![append(build, 1)]).await.unwrap().remove(0).unwrap();
    assert_eq!(one.load(build).await.unwrap().1, [turn(1), turn(2)]);
    assert_eq!(one.take_over().await.unwrap(), [], "two lives, so one does not get it back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_take_over_each_build_goes_to_one() {
    let Some(url) = database().await else { return };
    let dead = PostgresStore::open(&url, "dead").await.unwrap();
    let mut builds = Vec::new();
    for _ in 0..40 {
        builds.push(dead.create(new_build("a")).await.unwrap().id);
    }
    dead.close().await;
    change(&url, "UPDATE haliotis.servers SET seen = now() - interval '10 s'").await;
    let mut tasks = tokio::task::JoinSet::new();
    for name in ["a", "b", "c", "d"] {
        let store = PostgresStore::open(&url, name).await.unwrap();
        tasks.spawn(async move { store.take_over().await.unwrap() });
    }
    let mut taken = tasks.join_all().await.concat();
    taken.sort();
    assert_eq!(taken, builds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_whose_acknowledgement_was_lost_counts_when_it_is_sent_again() {
    let Some(url) = database().await else { return };
    let (lossy, deaf) = between(&url).await;
    let store = PostgresStore::open(&lossy, "one").await.unwrap();
    let build = store.create(new_build("a")).await.unwrap().id;
    let mut first = append(build, 0);
    first.outbox = vec![item("mail")];
    deaf.store(true, Ordering::Relaxed);
    let lost = store.append(vec![first.clone()]).await.unwrap_err();
    assert!(matches!(lost, JournalError::Store(_)), "{lost}");
    assert!(!deaf.load(Ordering::Relaxed), "the answer to the commit was lost");
    assert_eq!(store.load(build).await.unwrap().1, [turn(1)], "it is on disk all the same");
    store.append(vec![first.clone()]).await.unwrap().remove(0).unwrap();
    assert_eq!(store.load(build).await.unwrap().1, [turn(1)]);
    let again = store.append(vec![first]).await.unwrap().remove(0);
    assert!(matches!(again, Err(JournalError::Fenced { .. })), "what was acknowledged is not in doubt: {again:?}");
    let due = haliotis_engine::Catalog::outbox_due(&*store, haliotis_model::Millis(i64::MAX), 10).await.unwrap();
    assert_eq!(due.len(), 1, "and is written once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_trail_is_append_only_in_the_database_itself() {
    let Some(url) = database().await else { return };
    let _store = PostgresStore::open(&url, "one").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for sql in ["DELETE FROM haliotis.audit", "UPDATE haliotis.audit SET by = 'x'", "TRUNCATE haliotis.audit"] {
        let refused = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_and_a_missing_database_are_refused_in_one_line() {
    let Some(url) = database().await else { return };
    drop(PostgresStore::open(&url, "one").await.unwrap());
    change(&url, "UPDATE haliotis.version SET number = 99").await;
    let newer = PostgresStore::open(&url, "one").await.unwrap_err();
    assert!(matches!(newer, PostgresError::Newer { found: 99, .. }), "{newer}");
    let missing = PostgresStore::open(&url.replace("test_", "nowhere_"), "one").await.unwrap_err().to_string();
    assert!(missing.contains("nowhere_") && missing.contains("createdb") && !missing.contains('\n'), "{missing}");
    let nonsense = PostgresStore::open("mysql://x", "one").await.unwrap_err().to_string();
    assert!(nonsense.contains("postgres://user@host"), "{nonsense}");
}
