//! How fast the store is on this machine, each number beside the bare system call it rests on.
//!
//! `cargo run --release -p haliotis-store --example store_speed [FOLDER]`; the folder must be on the disk that counts.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program prints and may panic")]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use haliotis_engine::{Append, BuildFilter, Catalog, Journal, Turn};
use haliotis_flow::{Command, Event};
use haliotis_model::{
    BuildId, BuildStatus, Call, Millis, NewBuild, Object, Source, StepId, StepKey, StepOutput, WorkspaceKind,
};
use haliotis_store::{LogStore, SqliteStore};

#[tokio::main]
async fn main() {
    let folder = match std::env::args().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let folder = folder.path();
    println!("bare write and fdatasync of 4 KiB, growing:  {}", spread(&bare_syncs(folder)));
    opening(folder).await;
    let store = SqliteStore::open(&folder.join("speed.db")).await.unwrap();
    lone_appends(&store).await;
    many_builds(&store).await;
    layers(&store, folder).await;
    lists(&store).await;
    logs(folder).await;
}

fn spread(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    format!("median {:?}, p90 {:?}, {} times", times[times.len() / 2], times[times.len() * 9 / 10], times.len())
}

fn bare_syncs(folder: &Path) -> Vec<Duration> {
    let file = File::create(folder.join("bare")).unwrap();
    let page = [7_u8; 4096];
    (0..500)
        .map(|number| {
            let begin = Instant::now();
            file.write_all_at(&page, number * 4096).unwrap();
            file.sync_data().unwrap();
            begin.elapsed()
        })
        .collect()
}

async fn opening(folder: &Path) {
    let mut fresh = Vec::new();
    let mut again = Vec::new();
    for number in 0..20 {
        let path = folder.join(format!("open-{number}/haliotis.db"));
        let begin = Instant::now();
        let store = SqliteStore::open(&path).await.unwrap();
        fresh.push(begin.elapsed());
        store.create(new_build("a")).await.unwrap();
        store.close().await;
        let begin = Instant::now();
        let store = SqliteStore::open(&path).await.unwrap();
        again.push(begin.elapsed());
        store.close().await;
    }
    println!("open, empty folder:                          {}", spread(&fresh));
    println!("open, again:                                 {}", spread(&again));
}

async fn lone_appends(store: &Arc<SqliteStore>) {
    let build = store.create(new_build("lone")).await.unwrap().id;
    let mut times = Vec::new();
    for after in 0..2_000 {
        let append = append(build, after, 1);
        let begin = Instant::now();
        store.append(vec![append]).await.unwrap().remove(0).unwrap();
        times.push(begin.elapsed());
    }
    println!("one append at a time, its log growing:       {}", spread(&times[..400]));
    println!("one append at a time, its log overwritten:   {}", spread(&times[1_200..]));
    let begin = Instant::now();
    let turns = store.load(build).await.unwrap().1.len();
    println!("load of {turns} turns:                          {:?}", begin.elapsed());
}

async fn many_builds(store: &Arc<SqliteStore>) {
    const BUILDS: u64 = 200;
    const TURNS: u64 = 100;
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..BUILDS {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.create(new_build("many")).await.unwrap().id });
    }
    let builds = tasks.join_all().await;
    println!("{BUILDS} creates at once:                         {:?}", begin.elapsed());
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for build in builds {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for after in 0..TURNS {
                store.append(vec![append(build, after, 1)]).await.unwrap().remove(0).unwrap();
            }
        });
    }
    tasks.join_all().await;
    let rate = (BUILDS * TURNS) as f64 / begin.elapsed().as_secs_f64();
    println!("{BUILDS} builds, turns of 1 event and 1 command:  {rate:.0} turns/s");
}

async fn layers(store: &Arc<SqliteStore>, folder: &Path) {
    let build = store.create(new_build("layers")).await.unwrap().id;
    let mut appends: Vec<Append> = (0..20).map(|after| append(build, after, 500)).collect();
    let bytes: usize = appends.iter().map(|append| serde_json::to_vec(&append.turn).unwrap().len()).sum();
    let file = File::create(folder.join("bare-layers")).unwrap();
    let begin = Instant::now();
    for _ in 0..20 {
        (&file).write_all(&vec![7_u8; bytes / 20]).unwrap();
        file.sync_data().unwrap();
    }
    let bare = begin.elapsed();
    let begin = Instant::now();
    for append in appends.drain(..) {
        store.append(vec![append]).await.unwrap().remove(0).unwrap();
    }
    println!(
        "20 turns of 1,000 entries, {} KiB:          {:?} (bare writes and syncs {bare:?})",
        bytes / 1024,
        begin.elapsed()
    );
    let begin = Instant::now();
    store.load(build).await.unwrap();
    println!("load of them:                                {:?}", begin.elapsed());
}

async fn lists(store: &Arc<SqliteStore>) {
    let begin = Instant::now();
    let page = store.builds(&BuildFilter { limit: 50, ..BuildFilter::default() }).await.unwrap().len();
    println!("list of {page} builds:                           {:?}", begin.elapsed());
}

async fn logs(folder: &Path) {
    const BYTES: u64 = 100 * 1024 * 1024;
    let logs = LogStore::new(folder.join("logs"));
    let key = StepKey { build: BuildId(1), step: StepId::new("/print"), attempt: 1 };
    logs.prepare(key.build).await.unwrap();
    std::fs::write(logs.path(&key), b"line\n".repeat((BYTES / 5) as usize)).unwrap();
    let begin = Instant::now();
    let mut offset = 0;
    while offset < BYTES {
        offset += logs.read(&key, offset, 1024 * 1024).await.unwrap().bytes.len() as u64;
    }
    let rate = |begin: Instant| BYTES as f64 / 1e6 / begin.elapsed().as_secs_f64();
    println!("log of 100 MiB, read by 1 MiB:               {:.0} MB/s", rate(begin));
    let begin = Instant::now();
    logs.search(&key, "not in here", 0, 10).await.unwrap();
    println!("log of 100 MiB, searched:                    {:.0} MB/s", rate(begin));
}

fn append(build: BuildId, after: u64, steps: u64) -> Append {
    let ids = (0..steps).map(|step| StepId::new(format!("/layer-{after}/node-{step}")));
    let (events, commands) = ids
        .map(|id| {
            let command = Command::StartStep(Call::new(id.clone(), "noop"));
            (Event::StepEnded { id, output: StepOutput::success(Object::new()) }, command)
        })
        .unzip();
    let turn = Turn { at: Millis(1_700_000_000_000), events, commands, marks: Vec::new() };
    Append { build, after, turn: turn.into(), status: BuildStatus::Running, ended: None, outbox: Vec::new() }
}

fn new_build(pipeline: &str) -> NewBuild {
    NewBuild {
        pipeline: pipeline.to_owned(),
        number: 0,
        source: Source {
            language: "yaml".to_owned(),
            path: "p.yaml".to_owned(),
            text: "steps: {}\n".to_owned(),
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
