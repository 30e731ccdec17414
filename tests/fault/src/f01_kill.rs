//! F1: `kill -9` of the server at random times under the mixed load; the next life goes on with everything.

use std::time::Duration;

use crate::house::{House, Server, percentile};
use crate::work::{Kind, Load, Started};
use crate::{Rounds, Trial};

/// The contract: ready again within this.
const READY: Duration = Duration::from_secs(10);
/// Builds started in one life, about.
const BUILDS_A_LIFE: u64 = 4;

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let kills = trial.rounds(25, 500, 2);
    one_database(trial, None, kills).await?;
    match trial.options.postgres.clone() {
        Some(url) => {
            let kills = trial.rounds(5, 500, 2);
            one_database(trial, Some(url), kills).await
        }
        None => {
            trial.outcome.skip("kills on PostgreSQL: no --postgres was given");
            Ok(())
        }
    }
}

async fn one_database(trial: &mut Trial, database: Option<String>, mut kills: Rounds) -> Result<(), String> {
    let mut house = House::new(&trial.options.binary, "f1")?;
    let name = if database.is_some() { "PostgreSQL" } else { "SQLite" };
    if let Some(url) = database {
        house.var("HALIOTIS_DATABASE", url);
    }
    let load = Load::new(&house).await?;
    let mut server = house.serve(&[]).await?;
    load.register(&house, &server).await?;
    let (mut builds, mut ready, mut next) = (Vec::new(), Vec::new(), 0);
    // A start whose answer was cut off is tried again under its key: there must be one build for it.
    let mut unanswered: Vec<(Kind, String)> = Vec::new();
    while let Some(kill) = kills.another() {
        let until = tokio::time::Instant::now() + Duration::from_millis(trial.random.between(100, 900));
        for (kind, key) in std::mem::take(&mut unanswered) {
            start(&server, kind, key, &mut builds, &mut unanswered).await;
        }
        for _ in 0..trial.random.between(1, BUILDS_A_LIFE * 2) {
            if tokio::time::Instant::now() > until {
                break;
            }
            next += 1;
            let kind = Kind::pick(trial.random.below(20));
            start(&server, kind, format!("{name}-{next}"), &mut builds, &mut unanswered).await;
        }
        if kill % 3 == 0 {
            let _ = load.answer_all(&server).await;
        }
        tokio::time::sleep_until(until).await;
        server.kill().await;
        tokio::time::sleep(Duration::from_millis(trial.random.below(300))).await;
        server = house.serve(&[]).await?;
        ready.push(server.ready);
        trial.outcome.expect(server.ready <= READY, || {
            format!("{name}: after kill {kill} the server was ready after {:?}", server.ready)
        });
    }
    for (kind, key) in std::mem::take(&mut unanswered) {
        start(&server, kind, key, &mut builds, &mut unanswered).await;
    }
    kills.note(&format!("kills, {name}"), &mut trial.outcome);
    trial.outcome.measure("ready p50", format!("{:?}", percentile(&mut ready, 50)));
    trial.outcome.measure("ready max", format!("{:?}", percentile(&mut ready, 100)));
    load.settle(&server, &builds, &mut trial.outcome).await?;
    let listed = server.get("/api/v1/builds?limit=500").await?.as_array().map_or(0, Vec::len);
    trial.outcome.expect(listed == builds.len().min(500), || {
        format!("{name}: {} builds were asked for, each under a key of its own, and {listed} are there", builds.len())
    });
    server.stop().await?;
    sound(&house, trial).await
}

async fn start(
    server: &Server,
    kind: Kind,
    key: String,
    builds: &mut Vec<Started>,
    unanswered: &mut Vec<(Kind, String)>,
) {
    match server.build(kind.pipeline(), &key).await {
        Ok(id) => builds.push(Started { kind, id }),
        Err(_) => unanswered.push((kind, key)),
    }
}

/// The database is sound, by the program's own check.
pub(crate) async fn sound(house: &House, trial: &mut Trial) -> Result<(), String> {
    let done = house.run(&["doctor", "--json"]).await?;
    let checks: serde_json::Value = serde_json::from_slice(&done.stdout).map_err(|error| error.to_string())?;
    let database = checks.as_array().into_iter().flatten().find(|check| check["name"] == "database");
    let good = database.is_some_and(|check| check["verdict"] == "good");
    trial.outcome.expect(good, || format!("the database is not sound: {database:?}"));
    Ok(())
}
