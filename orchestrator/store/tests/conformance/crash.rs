//! Kill -9 in the middle of heavy appends: what was acknowledged is there, nothing is half there.
//!
//! The test starts this same binary again as the writer (`HALIOTIS_CRASH_FILE` names the file). The writer says on its
//! output what was acknowledged; the test kills it at some moment, opens the file, and compares.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use haliotis_engine::Journal;
use haliotis_model::BuildId;
use haliotis_store::SqliteStore;

use crate::fixtures::{append, new_build, turn};

const FILE: &str = "HALIOTIS_CRASH_FILE";
/// Pairs of builds; the two of a pair get each turn in one append.
const PAIRS: usize = 6;

/// The writer. Does nothing when run as a test among others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer() {
    let Ok(file) = std::env::var(FILE) else { return };
    let store = SqliteStore::open(Path::new(&file)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for pair in 0..PAIRS {
        let store = store.clone();
        tasks.spawn(async move {
            let one = store.create(new_build(&format!("one-{pair}"))).await.unwrap().id;
            let two = store.create(new_build(&format!("two-{pair}"))).await.unwrap().id;
            for after in 0.. {
                let results = store.append(vec![append(one, after), append(two, after)]).await.unwrap();
                assert!(results.iter().all(Result::is_ok), "{results:?}");
                let line = format!("\nack {one} {two} {}\n", after + 1);
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    tasks.join_all().await;
}

/// The last acknowledged turn of each pair.
type Said = BTreeMap<(BuildId, BuildId), u64>;

/// Runs the writer until each pair got on, and for a while more, kills it, and answers what it said.
fn run_and_kill(file: &Path, after: Duration) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writer", "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (all_said, all_heard) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut said = Said::new();
        for line in output.lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["ack", one, two, seq] = words.as_slice() {
                let builds = (BuildId(one.parse().unwrap()), BuildId(two.parse().unwrap()));
                said.insert(builds, seq.parse().unwrap());
                if said.len() == PAIRS {
                    let _ = all_said.send(());
                }
            }
        }
        said
    });
    let started = all_heard.recv_timeout(Duration::from_secs(30));
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    started.unwrap();
    reader.join().unwrap()
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("haliotis.db");
    let mut acknowledged = 0;
    for millis in [20, 200, 900] {
        let said = run_and_kill(&file, Duration::from_millis(millis));
        let store = SqliteStore::open(&file).await.unwrap();
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        for ((one, two), last) in said {
            acknowledged += last;
            let (_, turns) = store.load(one).await.unwrap();
            let count = turns.len() as u64;
            assert!(count == last || count == last + 1, "build {one}: {last} acknowledged, {count} there");
            assert_eq!(turns, (1..=count).map(turn).collect::<Vec<_>>());
            assert_eq!(store.load(two).await.unwrap().1, turns, "one append is all there or not at all");
            store.append(vec![append(one, count)]).await.unwrap().remove(0).unwrap();
        }
        store.close().await;
    }
    assert!(acknowledged > 50, "the writer was busy when it was killed: {acknowledged}");
}
