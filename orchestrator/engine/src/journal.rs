//! The journal: the one truth about a build, and the trait that keeps it.
//!
//! A build's journal is entry 0, what was pinned ([`haliotis_model::NewBuild`]), and then turns. A [`Turn`] is one call
//! of the program: the events it was told, the commands it answered, and the engine's own marks, all committed at once.
//! The queue, the timers, the open questions are projections of it and are made again on load; no second table can
//! disagree with it. `append` names the turn it follows; a journal that has another last turn refuses, so two servers
//! can never both advance a build.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_flow::{Command, Event};
use haliotis_model::{BuildId, BuildResult, BuildStatus, Millis, NewBuild, StepId, Value};
use serde::{Deserialize, Serialize};

/// Number of a turn, from 1; 0 is the creation.
pub type Seq = u64;

/// One call of the program, committed whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub at: Millis,
    /// What the program was told; empty for a turn of marks alone, which the program never sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// What it answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// What the engine noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// A fact of the engine's, invisible to the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// START: the step may be spawned on this agent. Committed before it is.
    Granted {
        /// The step.
        id: StepId,
        /// The attempt.
        attempt: u32,
        /// The agent's name.
        agent: String,
    },
    /// What the step's runner needs to find its work again.
    Handle {
        /// The step.
        id: StepId,
        /// The attempt.
        attempt: u32,
        /// The runner's own.
        handle: Value,
    },
    /// The step does not run: its end is taken over from an earlier build, as entry 0 has it.
    Carried {
        /// The step.
        id: StepId,
    },
}

/// A turn to commit.
#[derive(Clone, Debug)]
pub struct Append {
    /// The build.
    pub build: BuildId,
    /// The turn this one follows: the fence.
    pub after: Seq,
    /// The turn; shared, since a large one is not copied on its way to disk.
    pub turn: Arc<Turn>,
    /// The build's state after it, for lists.
    pub status: BuildStatus,
    /// Set by the last turn.
    pub ended: Option<(BuildResult, Option<String>)>,
    /// Things to do for the outside, committed with it.
    pub outbox: Vec<OutboxItem>,
}

/// Something to do outside; at least once, by a reconciler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxItem {
    /// What, as `build-ended`.
    pub kind: String,
    /// The rest.
    pub body: Value,
}

/// The answer to `create`.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// The build.
    pub id: BuildId,
    /// Its number in the pipeline.
    pub number: u32,
    /// A build with the same `once` key was there already; nothing was made.
    pub existing: bool,
}

/// Why the journal did not do it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else advanced the build: reload it.
    #[error("build {build} was advanced by another server: expected its last turn to be {expected}")]
    Fenced {
        /// The build.
        build: BuildId,
        /// What we thought.
        expected: Seq,
    },
    /// No such build.
    #[error("there is no build {0}")]
    NoBuild(BuildId),
    /// A stored record cannot be read.
    #[error("the journal of build {build} is damaged at turn {seq}: {reason}; restore it from a backup")]
    Damaged {
        /// The build.
        build: BuildId,
        /// The turn.
        seq: Seq,
        /// What is wrong.
        reason: String,
    },
    /// The store failed: disk full, locked, gone. Nothing was written.
    #[error("the store failed: {0}")]
    Store(String),
}

/// Keeps journals. Every `Ok` means: on disk.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Makes a build, allots its number (`NewBuild::number` is filled in). A second call with the same `once` key finds
    /// the first build.
    async fn create(&self, build: NewBuild) -> Result<Created, JournalError>;

    /// What was pinned, and all turns in order.
    async fn load(&self, build: BuildId) -> Result<(NewBuild, Vec<Turn>), JournalError>;

    /// Builds without an end, oldest first.
    async fn unfinished(&self) -> Result<Vec<BuildId>, JournalError>;

    /// Commits turns of several builds in one transaction. The outer error: nothing was written. The inner: this build
    /// was fenced, the others were written.
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Result<(), JournalError>>, JournalError>;

    /// The same on this thread, before it returns: what a small append costs most is the change of thread. `None`: this
    /// journal cannot, nothing was done.
    fn append_here(&self, appends: &[Append]) -> Option<Result<Vec<Result<(), JournalError>>, JournalError>> {
        let _ = appends;
        None
    }
}

/// The journal as text, one line per entry: the snapshot format of all tests from flow up, and what `haliotis replay`
/// prints.
pub fn print(build: &NewBuild, turns: &[Turn]) -> String {
    let mut text = format!("0 created {} #{} parameters {}\n", build.pipeline, build.number, json(&build.parameters));
    for (index, turn) in turns.iter().enumerate() {
        let seq = index + 1;
        for event in &turn.events {
            let _ = writeln!(text, "{seq} < {}", json(event));
        }
        for command in &turn.commands {
            let _ = writeln!(text, "{seq} > {}", json(command));
        }
        for mark in &turn.marks {
            let _ = writeln!(text, "{seq} = {}", json(mark));
        }
    }
    text
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("unprintable: {error}"))
}
