//! One build being driven: its program, and what the journal says is in flight.
//!
//! The bookkeeping below is a fold over turns, the same code live and on a restart; nothing in it is stored on its own.
//!
//! States of a step, by what is in the journal:
//! ```text
//! StartStep (slot)   -> Queued   -> Granted mark -> AtWork -> StepEnded -> gone
//! StartStep (server) -> AtWork   ----------------------------> StepEnded -> gone
//! StartStep + Carried mark -> Carried -----------------------> StepEnded -> gone   (carry.rs)
//! CancelStep while Queued: the engine itself answers StepEnded(Aborted); AtWork: the executor is asked, the end awaited
//! ```

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use haliotis_flow::{Command, Event, Loaded, Outline, Program};
use haliotis_model::{
    BuildId, BuildResult, BuildStatus, Call, InputSpec, Millis, NewBuild, StepId, StepKey, StepOutput, Value,
};

use crate::carry::Taken;
use crate::core::Effect;
use crate::journal::{Mark, Seq, Turn};
use crate::projection::Projection;

/// Where an active step stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stand {
    /// Waits for a slot.
    Queued,
    /// Given to the executor; the agent's name for a step with a slot.
    AtWork(Option<String>),
    /// Does not run: an earlier build's end of it is told in the next turn.
    Carried(StepOutput),
}

/// A step between its start and its end.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) call: Arc<Call>,
    pub(crate) stand: Stand,
    pub(crate) handle: Option<Value>,
    /// The program asked it to stop; asked again after a restart, since the first asking may have been lost.
    pub(crate) cancelled: bool,
    /// When a slot was granted.
    pub(crate) granted_at: Option<Millis>,
}

impl Active {
    /// It waits for a slot of its own.
    pub(crate) fn wants_slot(&self) -> bool {
        self.call.slot.is_some() && self.call.lease.is_none()
    }
}

/// A build and its program.
pub(crate) struct Drive {
    pub(crate) id: BuildId,
    pub(crate) build: Arc<NewBuild>,
    program: Box<dyn Program>,
    pub(crate) projection: Projection,
    pub(crate) concurrency: Option<u32>,
    /// The last turn committed or on its way to disk.
    pub(crate) seq: Seq,
    /// The turn on its way to disk, and what is held back until it is there.
    pub(crate) in_flight: Option<(Arc<Turn>, Vec<Effect>)>,
    /// What the next turn will tell the program.
    pub(crate) events: Vec<Event>,
    /// What the next turn will note, and what follows once that turn is on disk.
    pub(crate) marks: Vec<(Option<Mark>, Effect)>,
    pub(crate) begun: bool,
    pub(crate) ended: Option<(BuildResult, Option<String>)>,
    pub(crate) steps: BTreeMap<StepId, Active>,
    pub(crate) leases: BTreeMap<StepId, (String, Option<String>)>,
    pub(crate) timers: BTreeMap<StepId, Millis>,
    pub(crate) inputs: BTreeMap<StepId, InputSpec>,
    /// What of an earlier build may still be taken over.
    taken: Taken,
}

/// A program that was asked the same and answered otherwise.
pub(crate) struct Mismatch(pub(crate) String);

impl Drive {
    pub(crate) fn new(id: BuildId, build: NewBuild, loaded: Loaded) -> Self {
        Self {
            id,
            projection: Projection::new(id, build.clone(), &loaded.outline),
            taken: Taken::new(build.carry.as_deref()),
            build: Arc::new(build),
            program: loaded.program,
            concurrency: loaded.concurrency,
            seq: 0,
            in_flight: None,
            events: Vec::new(),
            marks: Vec::new(),
            begun: false,
            ended: None,
            steps: BTreeMap::new(),
            leases: BTreeMap::new(),
            timers: BTreeMap::new(),
            inputs: BTreeMap::new(),
        }
    }

    /// A build whose source cannot be loaded: it ends at its first turn with the reason.
    pub(crate) fn broken(id: BuildId, build: NewBuild, lines: Vec<String>) -> Self {
        let program = Box::new(Broken(lines));
        Self::new(id, build, Loaded { outline: Outline::default(), concurrency: None, program })
    }

    /// Asks the program. A panic of ours ends the build, never the server.
    pub(crate) fn resume(&mut self, at: Millis, events: &[Event]) -> Vec<Command> {
        match catch_unwind(AssertUnwindSafe(|| self.program.resume(at, events))) {
            Ok(commands) => commands,
            Err(_) => vec![Command::Finish {
                result: BuildResult::Failure,
                message: Some(
                    "internal error: the program of this build panicked; this is a defect of Haliotis".into(),
                ),
            }],
        }
    }

    /// Feeds the journal to the fresh program.
    pub(crate) fn replay(&mut self, turns: &[Turn]) -> Result<(), Mismatch> {
        for turn in turns {
            if !turn.events.is_empty() {
                let commands = self.resume(turn.at, &turn.events);
                if commands != turn.commands {
                    return Err(Mismatch(mismatch(self.seq + 1, &turn.commands, &commands)));
                }
            }
            self.fold(turn);
            self.projection.apply(turn);
            self.seq += 1;
        }
        Ok(())
    }

    /// Bookkeeping for one turn: events, commands, marks.
    pub(crate) fn fold(&mut self, turn: &Turn) {
        for event in &turn.events {
            match event {
                Event::Begun => self.begun = true,
                Event::StepEnded { id, .. } => drop(self.steps.remove(id)),
                Event::TimerFired { id } => drop(self.timers.remove(id)),
                Event::InputAnswered { id, .. } => drop(self.inputs.remove(id)),
                Event::AgentLeased { id, agent } => {
                    if let Some(lease) = self.leases.get_mut(id) {
                        lease.1 = Some(agent.clone());
                    }
                }
                Event::AbortRequested { .. } => {}
            }
        }
        for command in &turn.commands {
            self.fold_command(turn.at, command);
        }
        self.fold_carried(turn);
        for mark in &turn.marks {
            match mark {
                Mark::Carried { .. } => {}
                Mark::Granted { id, agent, .. } => {
                    if let Some(step) = self.steps.get_mut(id) {
                        step.stand = Stand::AtWork(Some(agent.clone()));
                        step.granted_at = Some(turn.at);
                    }
                }
                Mark::Handle { id, handle, .. } => {
                    if let Some(step) = self.steps.get_mut(id) {
                        step.handle = Some(handle.clone());
                    }
                }
            }
        }
    }

    /// Which steps of these commands an earlier build has done.
    pub(crate) fn carried(&self, commands: &[Command]) -> Vec<Mark> {
        self.taken.decide(commands, &self.projection.view().nodes)
    }

    fn fold_carried(&mut self, turn: &Turn) {
        if self.build.carry.is_none() {
            return;
        }
        for command in &turn.commands {
            let Command::StartStep(call) = command else { continue };
            let marked = turn.marks.iter().any(|mark| matches!(mark, Mark::Carried { id } if *id == call.id));
            if !marked {
                self.taken.refuse(&call.id, &self.projection.view().nodes);
                continue;
            }
            if let (Some(output), Some(step)) = (self.taken.take(&call.id), self.steps.get_mut(&call.id)) {
                step.stand = Stand::Carried(output);
            }
        }
    }

    fn fold_command(&mut self, at: Millis, command: &Command) {
        match command {
            Command::StartStep(call) => {
                let call = Arc::new(call.clone());
                let mut step =
                    Active { call, stand: Stand::AtWork(None), handle: None, cancelled: false, granted_at: None };
                if step.wants_slot() {
                    step.stand = Stand::Queued;
                }
                self.steps.insert(step.call.id.clone(), step);
            }
            Command::StartTimer { id, after_ms } => drop(self.timers.insert(id.clone(), at.plus(*after_ms))),
            Command::CancelTimer { id } => drop(self.timers.remove(id)),
            Command::LeaseAgent { id, label } => drop(self.leases.insert(id.clone(), (label.clone(), None))),
            Command::ReleaseAgent { id } => drop(self.leases.remove(id)),
            Command::AskInput { id, input } => drop(self.inputs.insert(id.clone(), input.clone())),
            Command::WithdrawInput { id } => drop(self.inputs.remove(id)),
            Command::Finish { result, message } => self.ended = Some((*result, message.clone())),
            Command::CancelStep { id } => {
                if let Some(step) = self.steps.get_mut(id) {
                    step.cancelled = true;
                }
            }
            Command::OpenBlock { .. } | Command::CloseBlock { .. } | Command::Skip { .. } | Command::Say { .. } => {}
        }
    }

    /// The key of an active step.
    pub(crate) fn key(&self, id: &StepId) -> Option<StepKey> {
        let step = self.steps.get(id)?;
        Some(StepKey { build: self.id, step: id.clone(), attempt: step.call.attempt })
    }

    /// Its state for lists.
    pub(crate) fn status(&self) -> BuildStatus {
        if self.ended.is_some() {
            BuildStatus::Ended
        } else if !self.begun {
            BuildStatus::Queued
        } else if self.inputs.is_empty() {
            BuildStatus::Running
        } else {
            BuildStatus::Waiting
        }
    }
}

fn mismatch(seq: Seq, journaled: &[Command], replayed: &[Command]) -> String {
    let at = journaled.iter().zip(replayed).take_while(|(left, right)| left == right).count();
    let show = |commands: &[Command]| {
        commands
            .get(at)
            .map_or_else(|| "nothing".to_owned(), |command| serde_json::to_string(command).unwrap_or_default())
    };
    format!(
        "turn {seq} does not replay: the journal has {}, the program of this version answers {}",
        show(journaled),
        show(replayed)
    )
}

/// The program of a source that cannot be loaded.
struct Broken(Vec<String>);

impl Program for Broken {
    fn resume(&mut self, _at: Millis, _events: &[Event]) -> Vec<Command> {
        let mut commands: Vec<_> = self.0.drain(..).map(|text| Command::Say { text }).collect();
        let message = match commands.first() {
            Some(Command::Say { text }) if commands.len() == 1 => text.clone(),
            Some(Command::Say { text }) => format!("{text} (and {} more, see the build's log)", commands.len() - 1),
            _ => "the definition cannot be loaded".to_owned(),
        };
        commands.push(Command::Finish { result: BuildResult::Failure, message: Some(message) });
        commands
    }
}
