//! Journal events per second, sustained: many builds append at once, each waiting for its own fsync.
//!
//! ```text
//! cargo run --release -p haliotis-store --example journal_rate [-- --postgres URL] [--seconds N] [--builds N]
//! ```
//! A turn is what one step of a build costs: one event (a step ended), one command (the next starts), one mark (it was
//! granted). All three are entries that a replay reads; turns are counted beside them.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program prints and may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use haliotis_engine::{Append, Journal, Mark, Turn};
use haliotis_flow::{Command, Event};
use haliotis_model::{BuildId, BuildStatus, Call, Millis, NewBuild, Object, Source, StepId, StepOutput, WorkspaceKind};
use haliotis_store::{PostgresStore, SqliteStore};

/// Entries of one turn.
const ENTRIES: u64 = 3;

fn argument(name: &str) -> Option<String> {
    let mut words = std::env::args().skip_while(|word| word != name);
    words.nth(1)
}

#[tokio::main]
async fn main() {
    let seconds = argument("--seconds").map_or(10, |text| text.parse().unwrap());
    let builds = argument("--builds").map_or(500, |text| text.parse().unwrap());
    println!("reproduced by: {}", std::env::args().collect::<Vec<_>>().join(" "));
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&folder.path().join("rate.db")).await.unwrap();
    measure("SQLite", Arc::clone(&sqlite) as Arc<dyn Journal>, builds, seconds).await;
    assert_eq!(sqlite.check().await.unwrap(), Vec::<String>::new());
    match argument("--postgres") {
        Some(url) => {
            let postgres = PostgresStore::open_in(&url, "journal_rate", folder.path()).await.unwrap();
            measure("PostgreSQL", postgres, builds, seconds).await;
        }
        None => println!("PostgreSQL: not measured, no --postgres was given"),
    }
}

async fn measure(name: &str, journal: Arc<dyn Journal>, builds: usize, seconds: u64) {
    let written = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..builds {
        let (journal, written) = (Arc::clone(&journal), Arc::clone(&written));
        tasks.spawn(async move {
            let build = journal.create(new_build()).await.unwrap().id;
            let mut after = 0;
            while Instant::now() < until {
                journal.append(vec![append(build, after)]).await.unwrap().remove(0).unwrap();
                after += 1;
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (begin, mut last) = (Instant::now(), 0);
    let mut slowest = f64::MAX;
    while Instant::now() + Duration::from_secs(1) < until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = written.load(Ordering::Relaxed);
        slowest = slowest.min((now - last) as f64);
        last = now;
    }
    tasks.join_all().await;
    let rate = written.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64();
    println!(
        "{name}: {:.0} entries/s ({rate:.0} turns/s) over {seconds} s by {builds} builds; slowest second {:.0} entries; bar 20000",
        rate * ENTRIES as f64,
        slowest * ENTRIES as f64
    );
}

fn append(build: BuildId, after: u64) -> Append {
    let step = |number: u64| StepId::new(format!("/step-{number}"));
    let turn = Turn {
        at: Millis(1_700_000_000_000),
        events: vec![Event::StepEnded { id: step(after), output: StepOutput::success(Object::new()) }],
        commands: vec![Command::StartStep(Call::new(step(after + 1), "noop"))],
        marks: vec![Mark::Granted { id: step(after + 1), attempt: 1, agent: "local".to_owned() }],
    };
    Append { build, after, turn: turn.into(), status: BuildStatus::Running, ended: None, outbox: Vec::new() }
}

fn new_build() -> NewBuild {
    NewBuild {
        pipeline: "rate".to_owned(),
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
