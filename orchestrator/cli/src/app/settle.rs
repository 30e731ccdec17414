//! After a restore: nothing is run again in silence. A step that was at work when the backup was made may have ended
//! since, so it becomes `interrupted (outcome unknown)`, and a person says how its build goes on.
//!
//! The engine itself does it, over an executor that runs nothing: it goes on with every unfinished build, hears of each
//! step at work that its outcome is unknown, and commits what the program makes of that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use haliotis_engine::{AgentInfo, Engine, Executor, JournalError, Mark, Recover, Reporter, StepTask, Turn};
use haliotis_flow::{Command, Event};
use haliotis_model::{BuildId, BuildResult, StepId, StepKey, StepOutput, StepSchema};
use haliotis_store::Store;

use crate::app::registry;

/// A thousand builds settle in seconds; more means that the store does not take writes.
const MOST: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs nothing: what was at work is interrupted, what would begin waits.
struct Nobody {
    why: String,
}

#[async_trait]
impl Executor for Nobody {
    fn agents(&self) -> Vec<AgentInfo> {
        Vec::new()
    }

    fn schemas(&self) -> Vec<StepSchema> {
        registry::schemas()
    }

    async fn run(&self, task: StepTask, _reporter: Reporter) -> StepOutput {
        if task.recovered {
            return StepOutput::interrupted(self.why.clone());
        }
        std::future::pending().await
    }

    async fn cancel(&self, _key: &StepKey) {}

    async fn build_ended(&self, _build: BuildId, _result: BuildResult) {}
}

/// Interrupts every step at work of every unfinished build; answers how many steps and builds that were.
///
/// # Errors
/// Those of the store.
pub async fn settle(store: &Arc<dyn Store>, why: &str) -> Result<(usize, usize), JournalError> {
    let mut at_work = Vec::new();
    for build in store.unfinished().await? {
        let steps = steps_at_work(&store.load(build).await?.1);
        if !steps.is_empty() {
            at_work.push((build, steps));
        }
    }
    let steps = at_work.iter().map(|(_, steps)| steps.len()).sum();
    if at_work.is_empty() {
        return Ok((0, 0));
    }
    let journal = Arc::clone(store) as Arc<dyn haliotis_engine::Journal>;
    let nobody = Arc::new(Nobody { why: why.to_owned() });
    let engine = Engine::start(journal, nobody, registry::languages(), Recover::All).await?;
    let builds = at_work.len();
    let settled = tokio::time::timeout(MOST, wait(store, at_work)).await;
    engine.stop();
    settled
        .unwrap_or_else(|_| Err(JournalError::Store("the restored builds did not settle; restore again".to_owned())))?;
    Ok((steps, builds))
}

async fn wait(store: &Arc<dyn Store>, mut left: Vec<(BuildId, BTreeSet<StepId>)>) -> Result<(), JournalError> {
    while let Some((build, steps)) = left.last() {
        let (_, turns) = store.load(*build).await?;
        let ended =
            turns.iter().flat_map(|turn| &turn.commands).any(|command| matches!(command, Command::Finish { .. }));
        if ended || steps_at_work(&turns).is_disjoint(steps) {
            left.pop();
        } else {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// Steps begun and not ended; one that waits for a slot has not begun.
fn steps_at_work(turns: &[Turn]) -> BTreeSet<StepId> {
    let mut at_work = BTreeSet::new();
    for turn in turns {
        for event in &turn.events {
            if let Event::StepEnded { id, .. } = event {
                at_work.remove(id);
            }
        }
        for command in &turn.commands {
            match command {
                Command::StartStep(call) if call.slot.is_none() || call.lease.is_some() => {
                    at_work.insert(call.id.clone());
                }
                _ => {}
            }
        }
        for mark in &turn.marks {
            if let Mark::Granted { id, .. } = mark {
                at_work.insert(id.clone());
            }
        }
    }
    at_work
}
