//! Starts steps when their needs have ended.
//!
//! Every gate counts the needs that have not ended; at zero its verdict is taken once and its waiters become ready, in
//! the order of the file. Work is linear in steps and edges, and nothing recurses: a step that is skipped is recorded
//! and what waits for it joins the same queue.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use haliotis_flow::Flow;
use haliotis_model::BuildResult;

use super::values::Values;
use super::{End, Run, step};
use crate::doc::{Step, When};
use crate::expr::Status;

/// How the needs of a step went.
#[derive(Clone, Copy, Default)]
pub(super) struct Verdict {
    /// The first step that failed, also further back.
    pub(super) failed: Option<usize>,
    pub(super) aborted: Option<usize>,
    pub(super) skipped: Option<usize>,
    /// No step failed, but what comes before all of them (checkout, the variables).
    pub(super) blocked: bool,
    pub(super) blocked_aborted: bool,
}

impl Verdict {
    pub(super) fn status(&self) -> Status {
        let failed = self.failed.is_some() || self.blocked;
        let success = !failed && self.aborted.is_none() && self.skipped.is_none() && !self.blocked_aborted;
        Status { failed, success }
    }

    fn with(self, other: Verdict) -> Verdict {
        Verdict {
            failed: self.failed.or(other.failed),
            aborted: self.aborted.or(other.aborted),
            skipped: self.skipped.or(other.skipped),
            blocked: self.blocked || other.blocked,
            blocked_aborted: self.blocked_aborted || other.blocked_aborted,
        }
    }
}

struct Phase {
    run: Rc<Run>,
    /// The scope of steps that may be stopped.
    flow: Flow,
    after_all: bool,
    /// How the phase before went.
    before: Option<Verdict>,
    remaining: RefCell<Vec<usize>>,
    verdicts: RefCell<Vec<Verdict>>,
    ready: RefCell<VecDeque<usize>>,
    left: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// What becomes of a step whose needs have ended.
enum Decision {
    Run(Status),
    Skip(String),
    Fail(String),
}

/// Runs the steps of one phase to their end.
pub(super) async fn run(run: &Rc<Run>, flow: Flow, after_all: bool, before: Option<Verdict>) {
    let doc = &run.doc;
    let left = doc.steps.iter().filter(|step| step.after_all == after_all).count();
    if left == 0 {
        return;
    }
    let open = |need: &&usize| run.ends.borrow()[**need].is_none();
    let remaining: Vec<usize> = doc.gates.iter().map(|gate| gate.needs.iter().filter(open).count()).collect();
    let phase = Rc::new(Phase {
        run: Rc::clone(run),
        flow,
        after_all,
        before,
        verdicts: RefCell::new(vec![Verdict::default(); doc.gates.len()]),
        ready: RefCell::default(),
        left: Cell::new(left),
        waker: RefCell::default(),
        remaining: RefCell::new(remaining),
    });
    phase.begin();
    phase.drain();
    poll_fn(|cx| {
        if phase.left.get() == 0 {
            return Poll::Ready(());
        }
        *phase.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

impl Phase {
    /// Readies the steps that wait for nothing.
    fn begin(&self) {
        let remaining = self.remaining.borrow();
        for (gate, count) in remaining.iter().enumerate() {
            if *count == 0 {
                self.judge(gate);
            }
        }
        let free = |step: &Step| step.gate.is_none_or(|gate| remaining[gate] == 0);
        let steps = self.run.doc.steps.iter().enumerate();
        let ready = steps.filter(|(_, step)| step.after_all == self.after_all && free(step)).map(|(index, _)| index);
        self.ready.borrow_mut().extend(ready);
    }

    fn judge(&self, gate: usize) {
        let ends = self.run.ends.borrow();
        let mut verdict = Verdict::default();
        for need in &self.run.doc.gates[gate].needs {
            let Some(end) = &ends[*need] else { continue };
            verdict.failed = verdict.failed.or(end.root);
            verdict.aborted = verdict.aborted.or(end.aborted);
            if end.result.is_none() {
                verdict.skipped = verdict.skipped.or(Some(*need));
            }
        }
        self.verdicts.borrow_mut()[gate] = verdict;
    }

    fn drain(self: &Rc<Self>) {
        loop {
            let Some(index) = self.ready.borrow_mut().pop_front() else { break };
            let verdict = self.verdict(index);
            match self.decide(index, verdict) {
                Decision::Run(status) => self.start(index, status),
                Decision::Skip(why) => {
                    step::skip(&self.run, &self.flow, index, &why);
                    let skipped = End { root: verdict.failed, aborted: verdict.aborted, ..End::default() };
                    self.record(index, skipped);
                }
                Decision::Fail(why) => {
                    let end = step::fail(&self.run, &self.flow, index, why);
                    self.record(index, end);
                }
            }
        }
        if self.left.get() == 0
            && let Some(waker) = self.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }

    fn verdict(&self, index: usize) -> Verdict {
        let own = self.run.doc.steps[index].gate.map(|gate| self.verdicts.borrow()[gate]).unwrap_or_default();
        self.before.map_or(own, |before| own.with(before))
    }

    fn decide(&self, index: usize, verdict: Verdict) -> Decision {
        let step = &self.run.doc.steps[index];
        let status = verdict.status();
        if !step.unstoppable() {
            if let Some(reason) = self.flow.stopped() {
                return Decision::Skip(reason.message());
            }
            if let Some(blocked) = self.run.blocked.borrow().as_ref() {
                return Decision::Skip(blocked.why.clone());
            }
        }
        if step.when == When::Failed && !status.failed {
            return Decision::Skip("nothing before it failed".to_owned());
        }
        if !step.decides_itself() && !status.success {
            return Decision::Skip(self.reason(verdict));
        }
        let Some(condition) = &step.condition else { return Decision::Run(status) };
        if condition.parsed.references.iter().any(|reference| reference.path[0] == "matrix") {
            // Decided for each cell.
            return Decision::Run(status);
        }
        match condition.condition(&Values { status, ..Values::of(&self.run) }) {
            Ok(true) => Decision::Run(status),
            Ok(false) => Decision::Skip(format!("its condition is false: {}", condition.text.trim())),
            Err(error) => Decision::Fail(error.0),
        }
    }

    /// Why a step whose needs did not all succeed does not run.
    fn reason(&self, verdict: Verdict) -> String {
        let path = |index: usize| self.run.id(&self.run.doc.steps[index].id);
        match (verdict.failed, verdict.aborted, verdict.skipped) {
            (Some(index), ..) => format!("{} failed", path(index)),
            (None, Some(index), _) => format!("{} was aborted", path(index)),
            (None, None, Some(index)) => format!("{} was skipped", path(index)),
            (None, None, None) => "the build did not succeed".to_owned(),
        }
    }

    fn start(self: &Rc<Self>, index: usize, status: Status) {
        let phase = Rc::clone(self);
        let unstoppable = self.run.doc.steps[index].unstoppable();
        let flow = if unstoppable { self.run.root.clone() } else { self.flow.clone() };
        let _task = self.flow.spawn(async move {
            let end = step::run(&phase.run, index, flow, status).await;
            phase.record(index, end);
            phase.drain();
        });
    }

    fn record(&self, index: usize, mut end: End) {
        match end.result {
            Some(BuildResult::Failure | BuildResult::NotBuilt) => end.root = Some(index),
            Some(BuildResult::Aborted) => end.aborted = Some(index),
            _ => {}
        }
        self.run.ends.borrow_mut()[index] = Some(end);
        self.left.set(self.left.get() - 1);
        for gate in &self.run.doc.feeds[index] {
            let left = {
                let mut remaining = self.remaining.borrow_mut();
                remaining[*gate] -= 1;
                remaining[*gate]
            };
            if left == 0 {
                self.judge(*gate);
                let waiters = self.run.doc.gates[*gate].waiters.iter().copied();
                let ours = waiters.filter(|waiter| self.run.doc.steps[*waiter].after_all == self.after_all);
                self.ready.borrow_mut().extend(ours);
            }
        }
    }
}
