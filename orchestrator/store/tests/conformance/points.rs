//! Every failpoint of this crate is died at, each time it is reached, before and after the write; then the same work is
//! done again by another life. What was acknowledged is there, nothing is there twice, and the end is that of the work
//! which nobody disturbed.
//!
//! The test starts this same binary again as the worker (`HALIOTIS_POINTS_FOLDER` names its folder); the worker says on
//! its output what was acknowledged. `failpoints` tells which points there are and kills.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use haliotis_engine::Credential;
use haliotis_failpoints::{POINTS, VARIABLES};
use haliotis_model::{BuildId, BuildResult};
use haliotis_store::{PostgresStore, SqliteStore, Store};

use crate::fixtures::{append, append_end, new_build_once, turn};

const FOLDER: &str = "HALIOTIS_POINTS_FOLDER";
const DATABASE: &str = "HALIOTIS_POINTS_DATABASE";
/// Turns of each build; the last ends the first of them.
const TURNS: u64 = 3;
const BUILDS: [&str; 2] = ["one", "two"];

/// The store, once builds of an earlier life are its own.
async fn open(folder: &Path, database: Option<&str>) -> Arc<dyn Store> {
    match database {
        None => SqliteStore::open(&folder.join("haliotis.db")).await.unwrap(),
        Some(url) => {
            let store = PostgresStore::open_in(url, "worker", folder).await.unwrap();
            Store::take_over(store.as_ref()).await.unwrap();
            store
        }
    }
}

fn acknowledged(what: &str) {
    std::io::stdout().lock().write_all(format!("\nack {what}\n").as_bytes()).unwrap();
}

/// Does whatever is not done yet, and says what is. Does nothing when run as a test among others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let store = open(folder, std::env::var(DATABASE).ok().as_deref()).await;
    for name in BUILDS {
        let id = store.create(new_build_once(name, name)).await.unwrap().id;
        acknowledged(&format!("build {name}"));
        let done = store.load(id).await.unwrap().1.len() as u64;
        for after in done..TURNS {
            let last = name == "one" && after + 1 == TURNS;
            let next = if last { append_end(id, after, BuildResult::Success) } else { append(id, after) };
            store.append(vec![next]).await.unwrap().remove(0).unwrap();
            acknowledged(&format!("turn {name} {}", after + 1));
        }
    }
    store.set_cursor("place", "x").await.unwrap();
    acknowledged("cursor");
    let fields = [("text".to_owned(), "s3cret".to_owned())].into();
    let bounds = Default::default();
    let credential =
        Credential { id: "token".to_owned(), kind: "text".to_owned(), description: String::new(), fields, bounds };
    store.put_credential(&credential).await.unwrap();
    acknowledged("credential");
    store.rotate_key().await.unwrap();
    acknowledged("rotation");
}

/// What a life said, and how it ended.
struct Life {
    said: BTreeSet<String>,
    status: ExitStatus,
    output: String,
}

/// One life of the worker, with these variables of the failpoints.
async fn live(folder: &Path, database: Option<&str>, vars: &[(&str, &str)]) -> Life {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "points::worker", "--nocapture"]).env(FOLDER, folder);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.envs(database.map(|url| (DATABASE, url))).envs(vars.iter().copied());
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let output = String::from_utf8_lossy(&done.stdout).into_owned();
    let said = output.lines().filter_map(|line| line.strip_prefix("ack ")).map(str::to_owned).collect();
    Life { said, status: done.status, output: output + &String::from_utf8_lossy(&done.stderr) }
}

/// All that the work leaves, as far as its words can be compared.
async fn left(folder: &Path, database: Option<&str>) -> BTreeSet<String> {
    let (store, mut left) = (open(folder, database).await, BTreeSet::new());
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    for id in 1..=BUILDS.len() as i64 {
        let Ok((build, turns)) = store.load(BuildId(id)).await else { continue };
        left.insert(format!("build {}", build.pipeline));
        for (at, found) in turns.iter().enumerate() {
            assert_eq!(*found, turn(at as u64 + 1));
            left.insert(format!("turn {} {}", build.pipeline, at + 1));
        }
    }
    assert!(store.load(BuildId(BUILDS.len() as i64 + 1)).await.is_err(), "a build was made twice");
    left.extend(store.cursor("place").await.unwrap().map(|_| "cursor".to_owned()));
    if let Some(credential) = store.credential("token").await.unwrap() {
        assert_eq!(credential.fields["text"], "s3cret");
        left.insert("credential".to_owned());
    }
    left
}

async fn database(postgres: bool) -> Option<Option<String>> {
    if postgres { crate::epochs::database().await.map(Some) } else { Some(None) }
}

/// Dies at every point of these, each time it is reached.
async fn die_everywhere(postgres: bool, prefixes: &[&str]) {
    let Some(url) = database(postgres).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let undisturbed =
        live(folder.path(), url.as_deref(), &[("HALIOTIS_FAILPOINTS_TRACE", trace.to_str().unwrap())]).await;
    assert!(undisturbed.status.success(), "{}", undisturbed.output);
    let whole = left(folder.path(), url.as_deref()).await;
    assert_eq!(whole.len() + 1, undisturbed.said.len(), "all but the rotation can be seen: {whole:?}");
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for point in std::fs::read_to_string(&trace).unwrap().lines() {
        *reached.entry(point.to_owned()).or_default() += 1;
    }
    let ours = POINTS.iter().filter(|point| prefixes.iter().any(|prefix| point.starts_with(prefix)));
    let missed: Vec<_> = ours.filter(|point| !reached.contains_key(**point)).collect();
    assert!(missed.is_empty(), "the work reaches none of {missed:?}; it should reach every point of this crate");
    let deaths = reached.iter().flat_map(|(point, times)| (1..=*times).map(move |time| format!("{point}={time}")));
    for death in deaths {
        let url = database(postgres).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let first = live(folder.path(), url.as_deref(), &[("HALIOTIS_FAILPOINT", &death)]).await;
        assert!(!first.status.success(), "it did not die at {death}: {}", first.output);
        let after = left(folder.path(), url.as_deref()).await;
        let lost: Vec<_> = first.said.iter().filter(|said| *said != "rotation" && !after.contains(*said)).collect();
        assert!(lost.is_empty(), "after the death at {death} what was acknowledged is lost: {lost:?}");
        let second = live(folder.path(), url.as_deref(), &[]).await;
        assert!(second.status.success(), "after the death at {death}: {}", second.output);
        assert_eq!(left(folder.path(), url.as_deref()).await, whole, "after the death at {death}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn death_at_every_durable_write_to_sqlite_loses_nothing() {
    die_everywhere(false, &["sqlite.", "keys."]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn death_at_every_durable_write_to_postgres_loses_nothing() {
    die_everywhere(true, &["postgres.", "keys."]).await;
}
