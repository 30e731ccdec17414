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
        builds.push(Started { kind, id: server.build(kind.pipeline(), &format!("before-{number}")).await? });
    }
    let mut holder = tokio::process::Command::new("python3")
        .args(["-c", HOLD, &house.data().join("haliotis.db").display().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("python3: {error}"))?;
    let mut held = BufReader::new(holder.stdout.take().ok_or("no output")?).lines();
    held.next_line().await.map_err(|error| error.to_string())?;
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
    drop(holder.stdin.take());
    let _ = holder.wait().await;
    trial.outcome.measure("held", format!("{hold:?}"));
    trial.outcome.measure("starts refused", refused);
    trial.outcome.measure("slowest answer", format!("{slowest:?}"));
    trial.outcome.measure("processor while held", format!("{:.0} %", share * 100.0));
    trial
        .outcome
        .expect(share < BUSY_MOST, || format!("{:.0} % of a processor while it waits for a lock", share * 100.0));
    load.settle(&server, &builds, &mut trial.outcome).await?;
    server.stop().await?;
    trial.outcome.skip("a PostgreSQL that restarts every few seconds");
    sound(&house, trial).await
}
