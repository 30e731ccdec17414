//! F6: another process holds the lock on the database's file. Builds stand still and lose nothing; whoever asks for one
//! waits or is told why; nobody spins.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::Trial;
use crate::f01_kill::sound;
use crate::house::House;
use crate::work::{Kind, Load, Started};

/// Holds the writers' lock; says so; gives it back when its input closes.
const HOLD: &str = "import sqlite3,sys
c=sqlite3.connect(sys.argv[1],isolation_level=None,timeout=30)
c.execute('BEGIN EXCLUSIVE'); print('held',flush=True); sys.stdin.read(); c.execute('ROLLBACK')";
/// Whoever asks for a build meanwhile is answered within this, with a build or with the reason.
const ANSWER_MOST: Duration = Duration::from_secs(20);
/// While it waits, half a processor at most.
const BUSY_MOST: f64 = 0.5;

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let house = House::new(&trial.options.binary, "f6")?;
    let load = Load::new(&house).await?;
    let server = house.serve(&[]).await?;
    load.register(&house, &server).await?;
    let hold = Duration::from_secs(if trial.times(0, 1) == 1 { 60 } else { 7 });
    let mut builds = Vec::new();
    for number in 0..8 {
        let kind = Kind::pick(trial.random.below(20));
        // Those that ask a person are answered when the lock is free again.
        builds.push(Started { kind, id: server.build(kind.pipeline(), &format!("before-{number}")).await? });
    }
    // Held for a moment, and one who does not wait for the answer: what reaches the disk all the same must be driven.
    let holder = Holder::begin(&house).await?;
    let impatient = server.give_up_on("dag", "impatient", Duration::from_millis(500)).await;
    trial.outcome.expect(impatient, || "the start of a build was answered while the lock was held".to_owned());
    tokio::time::sleep(Duration::from_secs(1)).await;
    holder.end().await;
    builds.push(Started { kind: Kind::Dag, id: server.build("dag", "impatient").await? });
    // Held for long.
    let holder = Holder::begin(&house).await?;
    let (begin, used) = (Instant::now(), server.processor_seconds());
    let mut slowest = Duration::ZERO;
    let (mut refused, mut number) = (0, 0);
    while begin.elapsed() < hold {
        number += 1;
        let asked = Instant::now();
        match server.build("dag", &format!("held-{number}")).await {
            Ok(id) => builds.push(Started { kind: Kind::Dag, id }),
            Err(why) => {
                refused += 1;
                trial.outcome.expect(why.contains("locked"), || format!("a refusal does not say why: {why}"));
            }
        }
        slowest = slowest.max(asked.elapsed());
        if let Err(why) = server.get("/api/v1/builds").await {
            trial.outcome.find(format!("lists cannot be read while the lock is held: {why}"));
        }
    }
    let share = (server.processor_seconds() - used) / begin.elapsed().as_secs_f64();
    holder.end().await;
    trial.outcome.measure("held", format!("{hold:?}"));
    trial.outcome.measure("starts refused", refused);
    trial.outcome.measure("slowest answer", format!("{slowest:?}"));
    trial.outcome.expect(slowest < ANSWER_MOST, || format!("the slowest answer took {slowest:?}"));
    trial.outcome.measure("processor while held", format!("{:.0} %", share * 100.0));
    trial
        .outcome
        .expect(share < BUSY_MOST, || format!("{:.0} % of a processor while it waits for a lock", share * 100.0));
    load.settle(&server, &builds, &mut trial.outcome).await?;
    server.stop().await?;
    trial.outcome.skip("a PostgreSQL that restarts every few seconds");
    sound(&house, trial).await
}

/// Another process with the writers' lock.
struct Holder(tokio::process::Child);

impl Holder {
    /// Returns when the lock is held.
    async fn begin(house: &House) -> Result<Holder, String> {
        let mut child = tokio::process::Command::new("python3")
            .args(["-c", HOLD, &house.data().join("haliotis.db").display().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let mut said = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let held = said.next_line().await.map_err(|error| error.to_string())?;
        held.map(|_| Holder(child)).ok_or_else(|| "the lock could not be taken".to_owned())
    }

    async fn end(mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait().await;
    }
}
