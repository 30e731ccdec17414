//! F2: the program dies at each of its durable writes, before and after, and is started again; the end is the same.
//!
//! Needs a binary with failpoints: every build for development has them, a release has none. One whole run notes which
//! points it reaches and how often; then each of these is died at. The end state (nodes and their results, effects, log)
//! is compared with that of the run nobody disturbed. Where a supervisor died, the outcome of its step may be unknown: a
//! person is asked, looks into the ledger, and says so or has it run again; then only the log may differ.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::Trial;
use crate::house::{House, Server, is_over};
use crate::work::ledger;

/// Touches every kind of durable write that a build makes: creation, turns, slots, handles, a question, an answer, output.
const PIPELINE: &str = "name: p
steps:
  a: { run: 'echo a >> LEDGER; echo said a' }
  b: { needs: [a], uses: sleep, with: { duration: 50ms } }
  ask: { needs: [b], input: { message: 'Go?' } }
  c: { needs: [ask], run: 'echo c >> LEDGER' }
";
/// One life, until the point is reached or the build has ended.
const MOST: Duration = Duration::from_secs(30);

/// How a build ended, as far as people see.
#[derive(Clone, Debug, PartialEq)]
struct End {
    result: String,
    nodes: BTreeMap<String, String>,
    effects: BTreeMap<String, usize>,
    log: String,
    /// A person was asked how a step ended.
    asked: bool,
}

impl End {
    /// As the other one ended, or as near as an unknown outcome allows.
    fn is_as(&self, other: &End, point: &str) -> bool {
        let mut asked = End { log: other.log.clone(), asked: false, ..self.clone() };
        // A step of unknown outcome stays shown as one, whatever a person said of it.
        for state in asked.nodes.values_mut().filter(|state| *state == "interrupted") {
            "success".clone_into(state);
        }
        self == other || (self.asked && point.starts_with("supervisor.") && asked == *other)
    }
}

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let trace = House::new(&trial.options.binary, "f2")?;
    let file = trace.dir.join("points");
    let (end, reached) = undisturbed(trace, &file).await?;
    if reached.is_empty() {
        trial.outcome.skip("this binary has no failpoints: they are in builds for development alone");
        return Ok(());
    }
    trial.outcome.expect(end.result == "success", || format!("the undisturbed run ended with {end:?}"));
    let deaths = chosen(trial, &reached);
    trial.outcome.measure("points", reached.len());
    trial.outcome.measure("times reached", reached.values().sum::<usize>());
    let mut rounds = trial.rounds(deaths.len(), deaths.len(), 1);
    while let Some((point, time)) = rounds.another().and_then(|at| deaths.get(at).cloned()) {
        match died(trial, &point, time).await {
            Ok((true, after)) if after.is_as(&end, &point) => {}
            Ok((true, after)) => {
                trial.outcome.find(format!("death at {point}, time {time}: {after:?} instead of {end:?}"));
            }
            // Commits share a transaction as it happens, so a late count may not be reached again.
            Ok((false, _)) => trial.outcome.skip(format!("{point} was not reached {time} times again")),
            Err(why) => trial.outcome.find(format!("death at {point}, time {time}: {why}")),
        }
    }
    rounds.note("deaths", &mut trial.outcome);
    Ok(())
}

/// In the short form each point once, at a random time it is reached; in the full form every time of every point.
fn chosen(trial: &mut Trial, reached: &BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let full = trial.times(0, 1) == 1;
    let mut deaths = Vec::new();
    for (point, times) in reached {
        if full {
            deaths.extend((1..=*times).map(|time| (point.clone(), time)));
        } else {
            let time = 1 + usize::try_from(trial.random.below(*times as u64)).unwrap_or(0);
            deaths.push((point.clone(), time));
        }
    }
    deaths
}

async fn undisturbed(mut house: House, file: &std::path::Path) -> Result<(End, BTreeMap<String, usize>), String> {
    house.var("HALIOTIS_FAILPOINTS_TRACE", file.display().to_string());
    let mut server = house.serve(&[]).await?;
    let build = begin(&house, &server).await?;
    let end = to_the_end(&house, &mut server, build).await?.ok_or("the undisturbed server died")?;
    server.stop().await?;
    Ok((end, ledger(file)))
}

/// Whether the point was reached, and the end.
async fn died(trial: &Trial, point: &str, time: usize) -> Result<(bool, End), String> {
    let mut house = House::new(&trial.options.binary, "f2")?;
    let mark = house.dir.join("died");
    house.var("HALIOTIS_FAILPOINT", format!("{point}={time}"));
    house.var("HALIOTIS_FAILPOINT_MARK", mark.display().to_string());
    let mut build = None;
    for life in 0..6 {
        if mark.exists() {
            house.vars.retain(|(name, _)| !name.starts_with("HALIOTIS_FAILPOINT"));
        }
        let Ok(mut server) = house.serve(&[]).await else {
            // It may die while it starts; never twice, since the mark ends the matter.
            if life > 2 {
                return Err("the server does not start any more".to_owned());
            }
            continue;
        };
        if build.is_none() {
            build = begin(&house, &server).await.ok();
        }
        let Some(id) = build else { continue };
        if let Some(end) = to_the_end(&house, &mut server, id).await? {
            server.stop().await?;
            return Ok((mark.exists(), end));
        }
    }
    Err("the build did not end in six lives".to_owned())
}

async fn begin(house: &House, server: &Server) -> Result<i64, String> {
    let text = PIPELINE.replace("LEDGER", &house.dir.join("ledger").display().to_string());
    house.pipeline(server, "p", "yaml", &text).await?;
    server.build("p", "the-build").await
}

/// Follows the build, answering what it asks; `None`: the server died.
async fn to_the_end(house: &House, server: &mut Server, build: i64) -> Result<Option<End>, String> {
    let begin = tokio::time::Instant::now();
    loop {
        if server.ended(Duration::from_millis(1)).await.is_some() {
            return Ok(None);
        }
        match server.view(build).await {
            Ok(view) if is_over(&view) => return end(house, server, build, &view).await.map(Some),
            Ok(view) => {
                for input in view["inputs"].as_array().into_iter().flatten() {
                    let body = serde_json::json!({"step": input["id"], "decision": "approved", "reason": "go",
                        "digest": input["input"]["digest"], "values": values(house, input)});
                    let _ = server.send("POST", &format!("/api/v1/builds/{build}/answer"), &body).await;
                }
            }
            Err(_) => {}
        }
        if begin.elapsed() > MOST {
            return Err(format!("the build is still open after {MOST:?}: {:?}", server.view(build).await));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a person answers who looked: a step whose line stands in the ledger ran, any other did not.
fn values(house: &House, input: &Value) -> Value {
    let Some(step) = input["id"].as_str().and_then(|id| id.strip_suffix("/interrupted")) else {
        return serde_json::json!({});
    };
    let ran = ledger(&house.dir.join("ledger")).contains_key(step.trim_start_matches('/'));
    serde_json::json!({"outcome": if ran { "success" } else { "retry" }})
}

async fn end(house: &House, server: &Server, build: i64, view: &Value) -> Result<End, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let asked = |node: &&Value| text(&node["id"]).ends_with("/interrupted");
    let (questions, nodes): (Vec<_>, Vec<_>) = view["nodes"].as_array().into_iter().flatten().partition(asked);
    Ok(End {
        result: text(&view["result"]),
        asked: !questions.is_empty(),
        nodes: nodes.into_iter().map(|node| (text(&node["id"]), text(&node["state"]))).collect(),
        effects: ledger(&house.dir.join("ledger")),
        log: String::from_utf8_lossy(&server.log(build, "/a").await?).into_owned(),
    })
}
