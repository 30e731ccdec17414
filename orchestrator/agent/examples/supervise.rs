//! The supervisor as a program of its own, for the tests of this crate; the product has `haliotis __supervise`.
//!
//! `supervise --dir DIR` runs it. `supervise spawn DIR KEY LOG SCRIPT` is a client that starts a script, says `started`,
//! and sleeps until somebody kills it. `supervise bench DIR COUNT SLOTS` runs `sh -c true` so often, so many at once,
//! and tells the time. `supervise log DIR` times 100 MiB of 5-byte lines into a log.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use haliotis_agent::{Supervisor, supervise_main};
use haliotis_plugin_api::{ProcessSpec, Processes};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--dir", dir] => std::process::exit(supervise_main(Path::new(dir))),
        ["spawn", dir, key, log, script] => client(dir, key, log, script),
        ["bench", dir, count, slots] => bench(dir, count.parse().expect("number"), slots.parse().expect("number")),
        ["log", dir] => log(dir),
        _ => std::process::exit(2),
    }
}

fn spec(log: &str, script: &str) -> ProcessSpec {
    ProcessSpec {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        vars: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        cwd: PathBuf::from("/"),
        log: PathBuf::from(log),
        stdout: None,
        mask: Vec::new(),
    }
}

async fn connect(dir: &str) -> Supervisor {
    let exe = std::env::current_exe().expect("own path").to_string_lossy().into_owned();
    let supervisor = Supervisor::connect(Path::new(dir), &[exe]);
    supervisor.ready().await.expect("supervisor");
    supervisor
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn bench(dir: &str, count: usize, slots: usize) {
    let supervisor = connect(dir).await;
    let began = Instant::now();
    let slots: Vec<_> = (0..slots)
        .map(|slot| {
            let (supervisor, keys) = (supervisor.clone(), (slot..count).step_by(slots));
            let log = format!("{dir}/log");
            tokio::spawn(async move {
                for key in keys {
                    let key = format!("b{key}");
                    supervisor.spawn(&key, spec(&log, "true")).await.expect("spawn");
                    supervisor.wait(&key).await.expect("wait");
                }
            })
        })
        .collect();
    for slot in slots {
        slot.await.expect("slot");
    }
    report(&format!("{count} processes in {:?}", began.elapsed()));
}

#[tokio::main(flavor = "current_thread")]
async fn log(dir: &str) {
    let supervisor = connect(dir).await;
    let began = Instant::now();
    let script = "yes abcd | head -c 104857600";
    supervisor.spawn("log", spec(&format!("{dir}/log"), script)).await.expect("spawn");
    supervisor.wait("log").await.expect("wait");
    report(&format!("100 MiB in {:?}", began.elapsed()));
}

fn report(text: &str) {
    std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes()).expect("stdout");
}

#[tokio::main(flavor = "current_thread")]
async fn client(dir: &str, key: &str, log: &str, script: &str) {
    connect(dir).await.spawn(key, spec(log, script)).await.expect("spawn");
    std::fs::write(Path::new(dir).join("client-started"), "").expect("mark");
    tokio::time::sleep(Duration::from_secs(60)).await;
}
