//! Builds of the past: a program is driven with invented times, and its journal is stored as if it had run then.

use std::collections::BTreeMap;

use haliotis_engine::{Append, Journal, Mark, Turn};
use haliotis_flow::{Command, Event, Language};
use haliotis_model::{Answer, BuildId, BuildResult, BuildStatus, Decision, Millis, NewBuild, StepKey};
use haliotis_store::MemoryStore;

use super::edges::{FakeLogs, outcome};
use super::language::Outlines;

/// Stores a build that was created at `build.created_at` and ran to its end, questions answered by `approver`.
pub async fn past(store: &MemoryStore, logs: &FakeLogs, build: NewBuild, approver: &str) -> BuildId {
    let created = store.create(build.clone()).await.unwrap();
    let mut program = Outlines.load(created.id, &build, &[]).unwrap().program;
    let mut due: BTreeMap<(Millis, usize), Event> = BTreeMap::new();
    let mut order = 0;
    due.insert((build.created_at.plus(400), 0), Event::Begun);
    let mut seq = 0;
    while let Some(((at, _), event)) = due.pop_first() {
        let events = vec![event];
        let commands = program.resume(at, &events);
        let mut marks = Vec::new();
        let mut ended = None;
        for command in &commands {
            order += 1;
            match command {
                Command::StartStep(call) => {
                    let key = StepKey { build: created.id, step: call.id.clone(), attempt: call.attempt };
                    if call.slot.is_some() {
                        let agent = "here".to_owned();
                        marks.push(Mark::Granted { id: call.id.clone(), attempt: call.attempt, agent });
                    }
                    let text = call.with.get("log").and_then(|log| log.as_str()).unwrap_or("done");
                    let lines = call.with.get("lines").and_then(serde_json::Value::as_u64).unwrap_or(1);
                    for line in 0..lines {
                        logs.add(&key, format!("{}\n", text.replace("%n", &line.to_string())).as_bytes());
                    }
                    let early = u64::from(call.attempt)
                        < call.with.get("good_at").and_then(serde_json::Value::as_u64).unwrap_or(0);
                    let seconds = call.with.get("took").and_then(serde_json::Value::as_u64).unwrap_or(2);
                    let event = Event::StepEnded { id: call.id.clone(), output: outcome(&call.with, early) };
                    due.insert((at.plus(seconds * 1000 + 137), order), event);
                }
                Command::AskInput { id, input } => {
                    let answer = Answer {
                        decision: Decision::Approved,
                        by: approver.to_owned(),
                        reason: "staging answered every row".to_owned(),
                        values: input.binds.clone(),
                        digest: input.digest.clone(),
                    };
                    due.insert((at.plus(1_260_000), order), Event::InputAnswered { id: id.clone(), answer });
                }
                Command::Finish { result, message } => ended = Some((*result, message.clone())),
                _ => {}
            }
        }
        let status = if ended.is_some() { BuildStatus::Ended } else { BuildStatus::Running };
        let append = Append {
            build: created.id,
            after: seq,
            turn: Turn { at, events, commands, marks }.into(),
            status,
            ended,
            outbox: Vec::new(),
        };
        store.append(vec![append]).await.unwrap().remove(0).unwrap();
        seq += 1;
    }
    assert!(BuildResult::ALL.len() == 5 && seq > 0);
    created.id
}
