//! F3: SIGTERM under load: no new work is taken, what was acknowledged is there after the next start, local steps go on
//! under their supervisor, and the end comes in time. A second SIGTERM ends at once.

use std::time::Duration;

use rustix::process::Signal;

use crate::Trial;
use crate::house::House;
use crate::work::{Kind, Load, Started};

/// The contract.
const DRAINED: Duration = Duration::from_secs(30);
const FORCED: Duration = Duration::from_secs(5);

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let mut slowest = [Duration::ZERO; 2];
    let mut rounds = trial.rounds(4, 100, 1);
    while let Some(round) = rounds.another() {
        let second = round % 2 == 1;
        let house = House::new(&trial.options.binary, "f3")?;
        let load = Load::new(&house).await?;
        let mut server = house.serve(&["--slots", "4"]).await?;
        load.register(&house, &server).await?;
        let mut builds = Vec::new();
        for number in 0..6 {
            let kind = if number % 2 == 0 { Kind::Sleep } else { Kind::Dag };
            builds.push(Started { kind, id: server.build(kind.pipeline(), &format!("b{number}")).await? });
        }
        tokio::time::sleep(Duration::from_millis(trial.random.between(50, 700))).await;
        server.signal(Signal::TERM)?;
        // What is answered 2xx from now on must be there later; a refusal is as good.
        if let Ok(id) = server.build("dag", "late").await {
            builds.push(Started { kind: Kind::Dag, id });
        }
        if second {
            let _ = server.signal(Signal::TERM);
        }
        let limit = if second { FORCED } else { DRAINED };
        match server.ended(limit).await {
            Some((took, _)) => slowest[usize::from(second)] = slowest[usize::from(second)].max(took),
            None => trial.outcome.find(format!("it did not end within {limit:?} (second signal: {second})")),
        }
        drop(server);
        let server = house.serve(&["--slots", "4"]).await?;
        load.settle(&server, &builds, &mut trial.outcome).await?;
        server.stop().await?;
    }
    // Each round measured the same things; the table wants the whole.
    trial.outcome.measures.clear();
    rounds.note("rounds", &mut trial.outcome);
    trial.outcome.measure("slowest end", format!("{:?}", slowest[0]));
    trial.outcome.measure("slowest forced end", format!("{:?}", slowest[1]));
    Ok(())
}
