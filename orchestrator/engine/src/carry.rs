//! Taking over what an earlier build has done: which steps, decided once when the build is made ([`plan`]), and whether a
//! step that the program asks for is one of them, decided once when it is asked for and noted in the journal
//! ([`Taken::decide`]).
//!
//! The program runs as ever and is told the ends it was told before; only where they come from differs. So every language
//! can be run again from the middle, and a replay reads the journal like any other.
//!
//! ```text
//! plan(journal of #12, from /train) -> Carry { ends of steps, in NewBuild }          entry 0 of #13
//! program asks for /prepare  -> carried and asked for as before -> mark Carried -> StepEnded in the next turn
//! program asks for /train    -> not carried -> queue, agent, ... as ever
//! ```
//! | race | what happens |
//! |---|---|
//! | death after the mark, before the end is told | on recovery a step marked and not ended is told its end again, from entry 0 |
//! | abort while a taken end is on its way | the end counts, as that of a step that had ended just before |
//! | cancel of a taken step | nothing runs that could stop; the end is told |
//! | the earlier build is removed meanwhile | nothing: what is taken over is pinned; its files are copied before any step |
//! | two re-runs of one build at once | each has its own copy of everything |
//! | the code that decides changes between two lives of the server | the marks in the journal count, not the code |
//!
//! What is never taken over: questions (an approval holds for the build it was given in), what runs after the rest
//! (`when: always`, post), attempts that failed, and ends that nobody can tell.

use std::collections::{BTreeMap, BTreeSet};

use haliotis_flow::{Command, Event, NodeKind};
use haliotis_model::{BuildResult, Call, Carried, Carry, StepId, StepOutput};

use crate::journal::{Mark, Turn};
use crate::view::{BuildView, NodeState, NodeView};

/// Taken ends of one build as JSON, bytes: they stand in entry 0, which every look at the build reads.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// At what did not end well.
    Failed,
    /// At this step or group, and all that comes after it.
    Step(StepId),
}

/// What is known of the new build.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Its parameters differ from the earlier one's: a step is taken over only if asked for with the same arguments.
    pub other_parameters: bool,
    /// The outline does not say what a step needs (scripts): what began later came later.
    pub by_order: bool,
    /// The workspace is still there and is taken over.
    pub workspace: bool,
    /// Step kinds that fill a workspace: run again where it is a new one.
    pub fills: &'a [&'a str],
}

/// Why nothing can be taken over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CannotCarry {
    /// It runs.
    #[error("build #{0} has not ended; stop it or wait for it, then run it again from a step")]
    Running(u32),
    /// There is no such step.
    #[error("build #{number} has no step {step}; its page and `haliotis show` list them")]
    NoStep {
        /// The build.
        number: u32,
        /// What was asked for.
        step: StepId,
    },
    /// All is well.
    #[error("every step of build #{0} ended well; name the step to begin at, or run the whole again")]
    NothingFailed(u32),
    /// A script's later steps work on files that are gone.
    #[error(
        "the workspace of build #{0} is gone, and a script cannot go on without the files in it; run the whole again{1}"
    )]
    NoWorkspace(u32, &'static str),
    /// Too large.
    #[error(
        "what build #{number} gave is {bytes} bytes, more than the {MAX_BYTES} that a build can take over; run the whole again"
    )]
    TooLarge {
        /// The build.
        number: u32,
        /// Of its ends as JSON.
        bytes: usize,
    },
}

/// What a new build takes over from one that ended.
///
/// # Errors
/// See [`CannotCarry`].
pub fn plan(view: &BuildView, turns: &[Turn], at: &At, rules: Rules<'_>) -> Result<Carry, CannotCarry> {
    let number = view.build.number;
    if view.result.is_none() {
        return Err(CannotCarry::Running(number));
    }
    if rules.by_order && !rules.workspace {
        return Err(CannotCarry::NoWorkspace(number, ""));
    }
    let began = Began::of(turns);
    let again = match at {
        At::Failed => failed(view),
        At::Step(step) => named(view, step).ok_or_else(|| CannotCarry::NoStep { number, step: step.clone() })?,
    };
    if again.is_empty() {
        return Err(CannotCarry::NothingFailed(number));
    }
    let void = Void { again: closure(&view.nodes, &again), cut: began.first(&again), post: post(&view.nodes) };
    let asked = closure(&view.nodes, &questions(&view.nodes));
    let mut steps = BTreeMap::new();
    for (id, (order, call, output)) in began.ended {
        let filled = rules.workspace || !rules.fills.contains(&call.uses.as_str());
        if !filled || void.holds(&id, order, rules.by_order) {
            continue;
        }
        // What a person is asked anew may be answered otherwise, and a script may read the build's number.
        let exactly = rules.other_parameters || rules.by_order || asked.contains(&id);
        steps.insert(id, Carried { output, call: exactly.then(|| first_attempt(call)) });
    }
    let bytes = serde_json::to_vec(&steps).map_or(0, |json| json.len());
    if bytes > MAX_BYTES {
        return Err(CannotCarry::TooLarge { number, bytes });
    }
    let at = match at {
        At::Failed => String::new(),
        At::Step(step) => step.to_string(),
    };
    let Rules { by_order, workspace, .. } = rules;
    Ok(Carry { from: view.id, number, at, stage: None, steps, by_order, workspace })
}

/// Starts and good ends of steps in a journal.
#[derive(Default)]
struct Began {
    order: BTreeMap<StepId, usize>,
    ended: BTreeMap<StepId, (usize, Call, StepOutput)>,
}

impl Began {
    fn of(turns: &[Turn]) -> Began {
        let (mut began, mut calls) = (Began::default(), BTreeMap::new());
        for turn in turns {
            for event in &turn.events {
                let Event::StepEnded { id, output } = event else { continue };
                let Some(call) = calls.remove(id) else { continue };
                if output.result <= BuildResult::Unstable && output.interrupted.is_none() {
                    let order = began.order.get(id).copied().unwrap_or(0);
                    began.ended.insert(id.clone(), (order, call, output.clone()));
                }
            }
            for command in &turn.commands {
                let id = match command {
                    Command::StartStep(call) => {
                        calls.insert(call.id.clone(), call.clone());
                        began.ended.remove(&call.id);
                        &call.id
                    }
                    Command::OpenBlock { id, .. } | Command::AskInput { id, .. } => id,
                    _ => continue,
                };
                let next = began.order.len();
                began.order.entry(id.clone()).or_insert(next);
            }
        }
        began
    }

    /// When the first of these began.
    fn first(&self, nodes: &BTreeSet<StepId>) -> usize {
        nodes.iter().filter_map(|id| self.order.get(id)).min().copied().unwrap_or(usize::MAX)
    }
}

/// What is not taken over.
struct Void {
    again: BTreeSet<StepId>,
    cut: usize,
    post: BTreeSet<StepId>,
}

impl Void {
    fn holds(&self, id: &StepId, order: usize, by_order: bool) -> bool {
        let inside = |set: &BTreeSet<StepId>| set.iter().any(|node| within(id, node));
        inside(&self.post) || inside(&self.again) || (by_order && order >= self.cut)
    }
}

/// A step is, or lies inside, a node.
fn within(id: &StepId, node: &StepId) -> bool {
    id.as_str()
        .strip_prefix(node.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('['))
}

/// Leaves that began and did not end well.
fn failed(view: &BuildView) -> BTreeSet<StepId> {
    use NodeState::{Aborted, Failure, Interrupted};
    let bad = |node: &&NodeView| matches!(node.state, Failure | Aborted | Interrupted);
    let groups: BTreeSet<&StepId> = view.nodes.iter().filter_map(|node| node.group.as_ref()).collect();
    // A group failed because something in it did; only where nothing did, it is the group itself.
    let own = |node: &&NodeView| {
        !groups.contains(&node.id)
            || !view.nodes.iter().any(|other| other.group.as_ref() == Some(&node.id) && bad(&other))
    };
    view.nodes.iter().filter(bad).filter(own).map(|node| node.id.clone()).collect()
}

fn named(view: &BuildView, step: &StepId) -> Option<BTreeSet<StepId>> {
    view.nodes.iter().find(|node| node.id == *step).map(|node| BTreeSet::from([node.id.clone()]))
}

fn questions(nodes: &[NodeView]) -> BTreeSet<StepId> {
    nodes.iter().filter(|node| node.kind == NodeKind::Input).map(|node| node.id.clone()).collect()
}

fn post(nodes: &[NodeView]) -> BTreeSet<StepId> {
    nodes.iter().filter(|node| node.kind == NodeKind::Post).map(|node| node.id.clone()).collect()
}

/// These nodes with all that needs them, or a group around them, and all that lies inside of what needs them. Linear in
/// nodes and needs.
fn closure(nodes: &[NodeView], from: &BTreeSet<StepId>) -> BTreeSet<StepId> {
    let mut needed_by: BTreeMap<&StepId, Vec<&StepId>> = BTreeMap::new();
    let mut inside: BTreeMap<&StepId, Vec<&StepId>> = BTreeMap::new();
    let around: BTreeMap<&StepId, &StepId> =
        nodes.iter().filter_map(|node| Some((&node.id, node.group.as_ref()?))).collect();
    for node in nodes {
        for need in &node.needs {
            needed_by.entry(need).or_default().push(&node.id);
        }
        if let Some(group) = &node.group {
            inside.entry(group).or_default().push(&node.id);
        }
    }
    let mut found = from.clone();
    let mut left: Vec<StepId> = from.iter().cloned().collect();
    while let Some(id) = left.pop() {
        let mut next: Vec<&StepId> = inside.get(&id).cloned().unwrap_or_default();
        let mut group = Some(&id);
        while let Some(id) = group {
            next.extend(needed_by.get(id).into_iter().flatten());
            group = around.get(id).copied();
        }
        for id in next {
            if found.insert(id.clone()) {
                left.push(id.clone());
            }
        }
    }
    found
}

fn first_attempt(mut call: Call) -> Call {
    call.attempt = 1;
    call
}

/// What a running build may still take over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    left: BTreeMap<StepId, Carried>,
    by_order: bool,
}

impl Taken {
    pub(crate) fn new(carry: Option<&Carry>) -> Taken {
        carry.map_or_else(Taken::default, |carry| Taken { left: carry.steps.clone(), by_order: carry.by_order })
    }

    /// Marks for the steps of these commands that are taken over.
    pub(crate) fn decide(&self, commands: &[Command], nodes: &[NodeView]) -> Vec<Mark> {
        if self.left.is_empty() {
            return Vec::new();
        }
        let mut then = self.clone();
        let mut marks = Vec::new();
        for command in commands {
            let Command::StartStep(call) = command else { continue };
            if then.offers(call) {
                marks.push(Mark::Carried { id: call.id.clone() });
                then.left.remove(&call.id);
            } else {
                then.refuse(&call.id, nodes);
            }
        }
        marks
    }

    fn offers(&self, call: &Call) -> bool {
        let same = |carried: &Carried| carried.call.as_ref().is_none_or(|then| then == call);
        call.attempt == 1 && self.left.get(&call.id).is_some_and(same)
    }

    /// The end of a step that the journal says is taken over.
    pub(crate) fn take(&mut self, id: &StepId) -> Option<StepOutput> {
        self.left.remove(id).map(|carried| carried.output)
    }

    /// A step runs: what was made after it is void where it should have been taken over.
    pub(crate) fn refuse(&mut self, id: &StepId, nodes: &[NodeView]) {
        if self.left.is_empty() || self.left.remove(id).is_none() {
            return;
        }
        if self.by_order {
            self.left.clear();
        } else {
            let void = closure(nodes, &BTreeSet::from([id.clone()]));
            self.left.retain(|step, _| !void.iter().any(|node| within(step, node)));
        }
    }
}
