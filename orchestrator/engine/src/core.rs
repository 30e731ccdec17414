//! Decides. A pure state machine: [`Core::handle`] takes what happened and answers what to do; it knows no clock, no
//! task, no store.
//!
//! Wanted: nothing outside happens before the turn that asks for it is on disk; a build has at most one turn on its way
//! to disk; whatever happens meanwhile waits for the next turn.
//!
//! ```text
//! input -> pending events/marks of a build
//! build idle and something pending -> turn = resume + fold -> Append{after, turn}, effects held
//! Committed -> effects released, projection advanced, next turn if something is pending
//! Refused (another server was first) -> what runs here is stopped, the build is dropped here
//! ```
//!
//! | race | what happens |
//! |---|---|
//! | step ends twice (a restart re-ran its task) | the second finds no active step: ignored |
//! | step ends while its cancel is on its way to disk | the end waits for the next turn; the executor ignores the cancel |
//! | cancel of a queued step | withdrawn from the queue, the engine answers `Aborted` itself |
//! | a grant falls while the build's turn is in flight | the mark waits for the next turn; the slot is already taken |
//! | a build is taken over whose step runs on the agent of a server that is gone | the step is interrupted, its outcome unknown |
//! | death between the commit of a cancel and its effect | on recovery every cancelled step is asked again |
//! | abort while queued for its turn to run | the build begins and is told of the abort in one turn |
//! | a step that an earlier build has done | see carry.rs: it never reaches queue or executor |
//! | answer given twice | the second is refused: the question is no longer open |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haliotis_flow::{Command, Definition, Diagnostic, Event, Language};
use haliotis_model::{
    Answer, BuildId, BuildResult, Decision, Millis, NewBuild, Source, StepId, StepKey, StepOutput, StepSchema, Value,
};

use serde::{Deserialize, Serialize};

use crate::drive::{Drive, Stand};
use crate::executor::{AgentInfo, StepTask};
use crate::host::Standing;
use crate::journal::{Append, Mark, OutboxItem, Turn};
use crate::own::own_part;
use crate::queue::Queue;
use crate::view::BuildView;

/// What happened.
pub enum Input {
    /// A build was made and is on disk.
    Added(BuildId, Box<NewBuild>),
    /// A build of an earlier life, with its journal.
    Recovered(BuildId, Box<NewBuild>, Vec<Turn>),
    /// A step ended.
    StepEnded(StepKey, StepOutput),
    /// A runner wants its handle committed; the ticket is answered once it is.
    Handle(StepKey, Value, Ticket),
    /// A person answers; with what is known of them.
    Answer(BuildId, StepId, Answer, Standing, Ticket),
    /// A person stops a build.
    Abort(BuildId, String, String, Ticket),
    /// The build's turn is on disk.
    Committed(BuildId),
    /// Another server advanced the build.
    Refused(BuildId),
    /// Time passed.
    Tick,
}

/// Whom to answer.
pub type Ticket = u64;

/// What to do.
#[derive(Debug)]
pub enum Effect {
    /// Commit this.
    Append(Append),
    /// Run this step.
    Start(StepTask),
    /// Ask this step to stop.
    Cancel(StepKey),
    /// Answer a ticket.
    Reply(Ticket, Result<(), RefusedAnswer>),
    /// People may look again.
    Changed(BuildId),
    /// The build ended; its last view.
    Ended(Box<BuildView>),
}

/// Why an answer or an abort was not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum RefusedAnswer {
    /// No running build of that id here.
    #[error("build {0} is not running; it may have ended already")]
    NotRunning(BuildId),
    /// The question is not open.
    #[error("the question {0} is not open: it was answered or withdrawn already")]
    NotOpen(StepId),
    /// What would be approved changed since the person looked.
    #[error("this approval is void: what it would approve has changed; look again and decide anew")]
    Digest,
    /// The question wants a reason.
    #[error("a reason is required; say why")]
    Reason,
    /// Not among the approvers.
    #[error("{by} is not among those who may answer ({approvers})")]
    NotApprover {
        /// Who tried.
        by: String,
        /// Who may.
        approvers: String,
    },
    /// The build is their own work, and the question allows no self-approval.
    #[error("{by} {part} and may not approve it: this question wants a second person")]
    OwnWork {
        /// Who tried.
        by: String,
        /// What they did.
        part: String,
    },
    /// A value is missing or not allowed.
    #[error("parameter {0}")]
    Parameter(String),
}

/// All running builds of this server.
pub struct Core {
    languages: Vec<Arc<dyn Language>>,
    schemas: Vec<StepSchema>,
    builds: BTreeMap<BuildId, Drive>,
    queue: Queue,
    timers: BTreeSet<(Millis, BuildId, StepId)>,
    /// Builds with something pending.
    dirty: BTreeSet<BuildId>,
    /// Builds begun and not ended, by pipeline: what concurrency rules count.
    begun: BTreeMap<String, BTreeSet<BuildId>>,
    /// Builds not begun.
    waiting: BTreeSet<BuildId>,
    watch: Watch,
}

/// Who hears which build's program is being asked, so that a build which brings the whole process down (a stack or memory
/// that runs out) can be told from the others after the next start.
pub struct Watch {
    /// Told the build before its program is asked, and `None` after.
    pub driving: Box<dyn Fn(Option<BuildId>) + Send>,
    /// Builds that are not driven any more, and why; they end with that.
    pub quarantined: BTreeMap<BuildId, String>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { driving: Box::new(|_| {}), quarantined: BTreeMap::new() }
    }
}

impl Core {
    /// No builds yet.
    pub fn new(languages: Vec<Arc<dyn Language>>, schemas: Vec<StepSchema>, agents: Vec<AgentInfo>) -> Self {
        Self {
            languages,
            schemas,
            builds: BTreeMap::new(),
            queue: Queue::new(agents),
            timers: BTreeSet::new(),
            dirty: BTreeSet::new(),
            begun: BTreeMap::new(),
            waiting: BTreeSet::new(),
            watch: Watch::default(),
        }
    }

    /// The same with somebody who watches.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// The one entrance.
    pub fn handle(&mut self, now: Millis, inputs: Vec<Input>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for input in inputs {
            self.input(now, input, &mut effects);
        }
        self.fire_timers(now);
        self.admit();
        let mut turns = self.turns(now);
        self.grant(now, &mut turns);
        self.send(turns, &mut effects);
        effects
    }

    /// When to come back with a `Tick`, if nothing else happens.
    pub fn next_timer(&self) -> Option<Millis> {
        self.timers.first().map(|(due, ..)| *due)
    }

    /// Ends of steps may wait a moment for each other: their agents have work enough that is on disk already.
    pub fn may_wait(&self) -> bool {
        self.queue.is_ahead()
    }

    /// A running build as it stands on disk.
    pub fn view(&self, build: BuildId) -> Option<BuildView> {
        let drive = self.builds.get(&build)?;
        let mut view = drive.projection.view().clone();
        for (id, step) in &drive.steps {
            if step.stand == Stand::Queued
                && let Some(node) = view.nodes.iter_mut().find(|node| node.id == *id)
            {
                node.message = Some(self.queue.why(step.call.slot.as_deref().unwrap_or("")));
            }
        }
        Some(view)
    }

    /// Running builds.
    pub fn running(&self) -> impl Iterator<Item = BuildId> + '_ {
        self.builds.keys().copied()
    }

    /// Any source as a program; used for views of ended builds too.
    ///
    /// # Errors
    /// One line per problem.
    pub fn load(&self, id: BuildId, build: &NewBuild) -> Result<haliotis_flow::Loaded, Vec<String>> {
        load(&self.languages, &self.schemas, id, build)
    }

    /// What a source says of its pipeline.
    ///
    /// # Errors
    /// All problems of the source.
    pub fn inspect(&self, source: &Source) -> Result<Definition, Vec<Diagnostic>> {
        let language = self.languages.iter().find(|language| language.name() == source.language);
        language.map_or_else(|| Ok(Definition::default()), |language| language.inspect(source, &self.schemas))
    }

    fn input(&mut self, now: Millis, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Added(id, build) => self.add(id, *build),
            Input::Recovered(id, build, turns) => self.recover(id, *build, &turns, effects),
            Input::StepEnded(key, output) => self.step_ended(&key, output),
            Input::Handle(key, handle, ticket) => self.handle_of(key, handle, ticket, effects),
            Input::Answer(build, id, answer, standing, ticket) => {
                let verdict = self.answer(build, &id, answer, &standing, ticket);
                if let Err(refused) = verdict {
                    effects.push(Effect::Reply(ticket, Err(refused)));
                }
            }
            Input::Abort(build, by, reason, ticket) => match self.builds.get_mut(&build) {
                Some(drive) if drive.ended.is_none() => {
                    drive.events.push(Event::AbortRequested { by, reason });
                    drive.marks.push((None, Effect::Reply(ticket, Ok(()))));
                    self.dirty.insert(build);
                }
                _ => effects.push(Effect::Reply(ticket, Err(RefusedAnswer::NotRunning(build)))),
            },
            Input::Committed(build) => self.committed(build, effects),
            Input::Refused(build) => self.lose(build, effects),
            Input::Tick => {}
        }
        let _ = now;
    }

    fn add(&mut self, id: BuildId, build: NewBuild) {
        let drive = match self.load(id, &build) {
            Ok(loaded) => Drive::new(id, build, loaded),
            Err(lines) => Drive::broken(id, build, lines),
        };
        self.queue.belongs(id, group(&drive.build));
        self.builds.insert(id, drive);
        self.waiting.insert(id);
    }

    fn recover(&mut self, id: BuildId, build: NewBuild, turns: &[Turn], effects: &mut Vec<Effect>) {
        self.queue.belongs(id, group(&build));
        if let Some(why) = self.watch.quarantined.get(&id).cloned() {
            return self.end_at_once(id, build, turns.len(), why);
        }
        (self.watch.driving)(Some(id));
        let mut drive = match self.load(id, &build) {
            Ok(loaded) => Drive::new(id, build.clone(), loaded),
            Err(lines) => Drive::broken(id, build.clone(), lines),
        };
        let replayed = drive.replay(turns);
        (self.watch.driving)(None);
        if let Err(mismatch) = replayed {
            return self.end_at_once(id, build, turns.len(), mismatch.0);
        }
        for (timer, due) in &drive.timers {
            self.timers.insert((*due, id, timer.clone()));
        }
        for (lease, (label, agent)) in &drive.leases {
            match agent {
                // The slot of a server that is gone: giving it back later finds nothing.
                Some(agent) => self.queue.retake(id, agent),
                None => self.queue.push(id, lease.clone(), label),
            }
        }
        let mut stopped = Vec::new();
        for (step, active) in &drive.steps {
            let lease = active.call.lease.as_ref().and_then(|lease| drive.leases.get(lease)?.1.as_ref());
            match &active.stand {
                Stand::AtWork(own)
                    if let Some(agent) = own.as_ref().or(lease).filter(|name| !self.queue.knows(name)) =>
                {
                    let output = StepOutput::interrupted(format!(
                        "it ran on {agent}, whose server is gone; nobody here can tell how it ended"
                    ));
                    stopped.push(Event::StepEnded { id: step.clone(), output });
                }
                Stand::Queued if active.cancelled => {
                    let output = StepOutput::aborted("stopped before it began");
                    stopped.push(Event::StepEnded { id: step.clone(), output });
                }
                Stand::Queued => self.queue.push(id, step.clone(), active.call.slot.as_deref().unwrap_or("")),
                Stand::Carried(output) => {
                    stopped.push(Event::StepEnded { id: step.clone(), output: output.clone() });
                }
                Stand::AtWork(agent) => {
                    if let Some(agent) = agent {
                        self.queue.retake(id, agent);
                    }
                    effects.extend(start(&drive, step, true));
                    if active.cancelled {
                        effects.extend(drive.key(step).map(Effect::Cancel));
                    }
                }
            }
        }
        if !stopped.is_empty() {
            drive.events = stopped;
            self.dirty.insert(id);
        }
        if drive.begun {
            self.begun.entry(drive.build.pipeline.clone()).or_default().insert(id);
        } else {
            self.waiting.insert(id);
        }
        self.builds.insert(id, drive);
    }

    /// A build whose program cannot go on: its next turn is its last and says why.
    fn end_at_once(&mut self, id: BuildId, build: NewBuild, turns: usize, why: String) {
        let mut drive = Drive::broken(id, build, vec![why]);
        drive.seq = turns as u64;
        drive.events.push(Event::Begun);
        self.dirty.insert(id);
        self.builds.insert(id, drive);
    }

    fn step_ended(&mut self, key: &StepKey, output: StepOutput) {
        let Some(drive) = self.builds.get_mut(&key.build) else { return };
        let current = drive.steps.get(&key.step).is_some_and(|step| step.call.attempt == key.attempt);
        let told = drive.events.iter().any(|event| matches!(event, Event::StepEnded { id, .. } if *id == key.step));
        if current && !told {
            drive.events.push(Event::StepEnded { id: key.step.clone(), output });
            self.dirty.insert(key.build);
        }
    }

    fn handle_of(&mut self, key: StepKey, handle: Value, ticket: Ticket, effects: &mut Vec<Effect>) {
        match self.builds.get_mut(&key.build).filter(|drive| drive.steps.contains_key(&key.step)) {
            Some(drive) => {
                let mark = Mark::Handle { id: key.step, attempt: key.attempt, handle };
                drive.marks.push((Some(mark), Effect::Reply(ticket, Ok(()))));
                self.dirty.insert(key.build);
            }
            None => effects.push(Effect::Reply(ticket, Err(RefusedAnswer::NotRunning(key.build)))),
        }
    }

    fn answer(
        &mut self,
        build: BuildId,
        id: &StepId,
        answer: Answer,
        standing: &Standing,
        ticket: Ticket,
    ) -> Result<(), RefusedAnswer> {
        let drive = self.builds.get_mut(&build).ok_or(RefusedAnswer::NotRunning(build))?;
        let spec = drive.inputs.get(id).ok_or_else(|| RefusedAnswer::NotOpen(id.clone()))?;
        let told =
            drive.events.iter().any(|event| matches!(event, Event::InputAnswered { id: told, .. } if told == id));
        if told {
            return Err(RefusedAnswer::NotOpen(id.clone()));
        }
        if spec.digest != answer.digest {
            return Err(RefusedAnswer::Digest);
        }
        if spec.reason_required && answer.reason.trim().is_empty() {
            return Err(RefusedAnswer::Reason);
        }
        let named = |name: &String| *name == answer.by || standing.groups.contains(name);
        if !spec.approvers.is_empty() && !spec.approvers.iter().any(named) {
            return Err(RefusedAnswer::NotApprover { by: answer.by, approvers: spec.approvers.join(", ") });
        }
        if answer.decision == Decision::Approved && !spec.self_approval {
            // To reject one's own work is always allowed.
            if let Some(part) = own_part(&drive.build, &answer.by, &standing.names) {
                return Err(RefusedAnswer::OwnWork { by: answer.by, part: part.to_owned() });
            }
        }
        if answer.decision == Decision::Approved {
            check_values(spec, &answer).map_err(RefusedAnswer::Parameter)?;
        }
        drive.events.push(Event::InputAnswered { id: id.clone(), answer });
        // The person is told "done" only when it is on disk.
        drive.marks.push((None, Effect::Reply(ticket, Ok(()))));
        self.dirty.insert(build);
        Ok(())
    }

    fn committed(&mut self, build: BuildId, effects: &mut Vec<Effect>) {
        let Some(drive) = self.builds.get_mut(&build) else { return };
        let Some((turn, held)) = drive.in_flight.take() else { return };
        drive.projection.apply(&turn);
        effects.extend(held);
        effects.push(Effect::Changed(build));
        if drive.ended.is_some() {
            effects.push(Effect::Ended(Box::new(drive.projection.view().clone())));
            self.forget(build);
        } else if !drive.events.is_empty() || !drive.marks.is_empty() {
            self.dirty.insert(build);
        }
    }

    /// Another server drives the build now. What runs of it here is stopped: the other cannot see it, and has told people
    /// that its outcome is unknown.
    fn lose(&mut self, build: BuildId, effects: &mut Vec<Effect>) {
        if let Some(drive) = self.builds.get_mut(&build) {
            let held = drive.in_flight.take().map(|(_, held)| held).unwrap_or_default();
            let noted = std::mem::take(&mut drive.marks).into_iter().map(|(_, effect)| effect);
            effects.extend(held.into_iter().chain(noted).filter_map(|effect| match effect {
                Effect::Reply(ticket, _) => Some(Effect::Reply(ticket, Err(RefusedAnswer::NotRunning(build)))),
                _ => None,
            }));
            let at_work = drive.steps.iter().filter(|(_, step)| matches!(step.stand, Stand::AtWork(_)));
            effects.extend(at_work.filter_map(|(id, _)| drive.key(id)).map(Effect::Cancel));
            effects.push(Effect::Changed(build));
        }
        self.forget(build);
    }

    fn forget(&mut self, build: BuildId) {
        let Some(drive) = self.builds.remove(&build) else { return };
        for (timer, due) in drive.timers {
            self.timers.remove(&(due, build, timer));
        }
        for (id, step) in &drive.steps {
            match &step.stand {
                Stand::Queued => drop(self.queue.withdraw(build, id)),
                Stand::AtWork(Some(agent)) => self.queue.give_back(build, agent),
                Stand::AtWork(None) | Stand::Carried(_) => {}
            }
        }
        for (id, (_, agent)) in &drive.leases {
            match agent {
                Some(agent) => self.queue.give_back(build, agent),
                None => drop(self.queue.withdraw(build, id)),
            }
        }
        self.queue.gone(build);
        self.waiting.remove(&build);
        self.dirty.remove(&build);
        if let Some(begun) = self.begun.get_mut(&drive.build.pipeline) {
            begun.remove(&build);
            if begun.is_empty() {
                self.begun.remove(&drive.build.pipeline);
            }
        }
    }

    fn fire_timers(&mut self, now: Millis) {
        while let Some((due, build, id)) = self.timers.first().cloned() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            if let Some(drive) = self.builds.get_mut(&build) {
                drive.events.push(Event::TimerFired { id });
                self.dirty.insert(build);
            }
        }
    }

    /// Builds begin in the order they were made, as far as their pipelines' concurrency rules allow.
    fn admit(&mut self) {
        for id in self.waiting.clone() {
            let Some(drive) = self.builds.get_mut(&id) else { continue };
            let begun = self.begun.entry(drive.build.pipeline.clone()).or_default();
            let free = drive.concurrency.is_none_or(|most| begun.len() < most as usize);
            let aborted = drive.events.iter().any(|event| matches!(event, Event::AbortRequested { .. }));
            if free || aborted {
                begun.insert(id);
                drive.events.insert(0, Event::Begun);
                self.waiting.remove(&id);
                self.dirty.insert(id);
            }
        }
        self.begun.retain(|_, builds| !builds.is_empty());
    }

    /// Asks the program of every build that has something pending and nothing in flight.
    fn turns(&mut self, now: Millis) -> BTreeMap<BuildId, (Turn, Vec<Effect>)> {
        let mut turns = BTreeMap::new();
        let ready: Vec<_> = self.dirty.iter().copied().filter(|id| self.idle(*id)).collect();
        for id in ready {
            self.dirty.remove(&id);
            let turn = self.turn(now, id);
            turns.extend(turn.map(|turn| (id, turn)));
        }
        turns
    }

    fn idle(&self, id: BuildId) -> bool {
        self.builds.get(&id).is_some_and(|drive| drive.in_flight.is_none() && drive.ended.is_none())
    }

    fn turn(&mut self, now: Millis, id: BuildId) -> Option<(Turn, Vec<Effect>)> {
        let drive = self.builds.get_mut(&id)?;
        let mut turn = Turn { at: now, events: std::mem::take(&mut drive.events), ..Turn::default() };
        let mut held = Vec::new();
        for (mark, effect) in std::mem::take(&mut drive.marks) {
            turn.marks.extend(mark);
            held.push(effect);
        }
        for event in &turn.events {
            if let Event::StepEnded { id: step, .. } = event
                && let Some(active) = drive.steps.get(step)
                && let Stand::AtWork(Some(agent)) = &active.stand
            {
                self.queue.give_back(id, agent);
                if let Some(granted_at) = active.granted_at {
                    self.queue.ended(agent, now.since(granted_at));
                }
            }
        }
        if !turn.events.is_empty() {
            // What is put aside is not asked any more: its end is ours alone.
            if !self.watch.quarantined.contains_key(&id) {
                (self.watch.driving)(Some(id));
            }
            turn.commands = drive.resume(now, &turn.events);
            (self.watch.driving)(None);
            turn.marks.extend(drive.carried(&turn.commands));
        }
        for command in &turn.commands {
            if let Command::ReleaseAgent { id: lease } = command
                && let Some((_, Some(agent))) = drive.leases.get(lease)
            {
                self.queue.give_back(id, agent);
            }
        }
        drive.fold(&turn);
        self.act(id, &turn, &mut held);
        Some((turn, held))
    }

    /// What follows from a turn's commands; held until the turn is on disk.
    fn act(&mut self, id: BuildId, turn: &Turn, held: &mut Vec<Effect>) {
        let Some(drive) = self.builds.get_mut(&id) else { return };
        for command in &turn.commands {
            match command {
                Command::StartStep(call) => match drive.steps.get(&call.id).map(|step| &step.stand) {
                    Some(Stand::Queued) => {
                        self.queue.push(id, call.id.clone(), call.slot.as_deref().unwrap_or(""));
                    }
                    Some(Stand::Carried(output)) => {
                        drive.events.push(Event::StepEnded { id: call.id.clone(), output: output.clone() });
                        self.dirty.insert(id);
                    }
                    _ => held.extend(start(drive, &call.id, false)),
                },
                Command::CancelStep { id: step } => {
                    if matches!(drive.steps.get(step).map(|step| &step.stand), Some(Stand::Carried(_))) {
                        // Its end is on its way already.
                    } else if self.queue.withdraw(id, step) {
                        let output = StepOutput::aborted("stopped before it began");
                        drive.events.push(Event::StepEnded { id: step.clone(), output });
                        self.dirty.insert(id);
                    } else {
                        held.extend(drive.key(step).map(Effect::Cancel));
                    }
                }
                Command::StartTimer { id: timer, .. } => {
                    self.timers.extend(drive.timers.get(timer).map(|due| (*due, id, timer.clone())));
                }
                Command::CancelTimer { id: timer } => {
                    self.timers.retain(|(_, build, other)| *build != id || other != timer);
                }
                Command::LeaseAgent { id: lease, label } => self.queue.push(id, lease.clone(), label),
                Command::ReleaseAgent { id: lease } => drop(self.queue.withdraw(id, lease)),
                Command::Finish { .. } => {
                    let left: Vec<_> = drive.steps.keys().cloned().collect();
                    held.extend(left.iter().filter_map(|step| drive.key(step)).map(Effect::Cancel));
                }
                Command::AskInput { .. }
                | Command::WithdrawInput { .. }
                | Command::OpenBlock { .. }
                | Command::CloseBlock { .. }
                | Command::Skip { .. }
                | Command::Say { .. } => {}
            }
        }
    }

    /// Hands out free slots; each grant is a mark in its build's turn.
    fn grant(&mut self, now: Millis, turns: &mut BTreeMap<BuildId, (Turn, Vec<Effect>)>) {
        while let Some((id, step, agent)) = self.queue.grant() {
            let Some(drive) = self.builds.get_mut(&id) else { continue };
            if drive.leases.contains_key(&step) {
                drive.events.push(Event::AgentLeased { id: step, agent });
                self.dirty.insert(id);
                continue;
            }
            let Some(active) = drive.steps.get_mut(&step) else { continue };
            let mark = Mark::Granted { id: step.clone(), attempt: active.call.attempt, agent: agent.clone() };
            active.stand = Stand::AtWork(Some(agent));
            active.granted_at = Some(now);
            let Some(effect) = start(drive, &step, false) else { continue };
            if let Some((turn, held)) = turns.get_mut(&id) {
                turn.marks.push(mark);
                held.push(effect);
            } else if drive.in_flight.is_some() {
                drive.marks.push((Some(mark), effect));
            } else {
                let turn = Turn { at: now, marks: vec![mark], ..Turn::default() };
                turns.insert(id, (turn, vec![effect]));
            }
        }
    }

    fn send(&mut self, turns: BTreeMap<BuildId, (Turn, Vec<Effect>)>, effects: &mut Vec<Effect>) {
        for (id, (turn, held)) in turns {
            let Some(drive) = self.builds.get_mut(&id) else { continue };
            let turn = Arc::new(turn);
            let append = Append {
                build: id,
                after: drive.seq,
                turn: Arc::clone(&turn),
                status: drive.status(),
                ended: drive.ended.clone(),
                outbox: outbox(drive),
            };
            drive.seq += 1;
            drive.in_flight = Some((turn, held));
            effects.push(Effect::Append(append));
        }
    }
}

/// Whose turn a build takes in the queue: its repository, or its pipeline where it has none.
fn group(build: &NewBuild) -> &str {
    build.source.repo.as_deref().unwrap_or(&build.pipeline)
}

/// Makes the program of a build.
pub(crate) fn load(
    languages: &[Arc<dyn Language>],
    schemas: &[StepSchema],
    id: BuildId,
    build: &NewBuild,
) -> Result<haliotis_flow::Loaded, Vec<String>> {
    let name = &build.source.language;
    let Some(language) = languages.iter().find(|language| language.name() == name) else {
        return Err(vec![format!("no language `{name}` is known to this server")]);
    };
    if language.version() != build.program_version {
        return Err(vec![format!(
            "this build was started with version {} of the language `{name}`, this server has version {}; start it again",
            build.program_version,
            language.version()
        )]);
    }
    language.load(id, build, schemas).map_err(|diagnostics| {
        let line = |d: &haliotis_flow::Diagnostic| format!("{}:{}:{}: {}", d.file, d.line, d.column, d.message);
        diagnostics.iter().map(line).collect()
    })
}

fn start(drive: &Drive, step: &StepId, recovered: bool) -> Option<Effect> {
    let key = drive.key(step)?;
    let active = drive.steps.get(step)?;
    let agent = match &active.stand {
        Stand::AtWork(agent) => agent.clone(),
        Stand::Queued | Stand::Carried(_) => return None,
    };
    Some(Effect::Start(StepTask {
        key,
        call: Arc::clone(&active.call),
        build: Arc::clone(&drive.build),
        agent,
        handle: active.handle.clone(),
        recovered,
    }))
}

fn outbox(drive: &Drive) -> Vec<OutboxItem> {
    let Some((result, _)) = &drive.ended else { return Vec::new() };
    let body = serde_json::json!({
        "pipeline": drive.build.pipeline,
        "number": drive.build.number,
        "result": BuildResult::as_str(*result),
    });
    vec![OutboxItem { kind: "build-ended".to_owned(), body }]
}

fn check_values(spec: &haliotis_model::InputSpec, answer: &Answer) -> Result<(), String> {
    crate::parameters::resolve(&spec.parameters, &answer.values).map(drop).map_err(|problems| problems.join("; "))
}
