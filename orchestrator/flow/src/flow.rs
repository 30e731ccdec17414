//! The handle through which an async program asks for things, and the blocks that languages share.
//!
//! **Cancelling is "ask, then await the end".** A [`Flow`] belongs to a scope. Stopping a scope sends `CancelStep` for
//! each step in flight inside it (the step's end is still awaited), withdraws its questions, ends its timers and refuses
//! whatever it would start afterwards. A scope inside a stopped scope is stopped too. Futures are never dropped to stop
//! them.
//!
//! | race | what happens |
//! |---|---|
//! | step ended and scope stopped in one turn | events apply in order: the output counts, the cancel finds nothing |
//! | timer fired after `CancelTimer` was journaled | the engine may still tell it: no waiter, ignored |
//! | answer after `WithdrawInput` | likewise ignored |
//! | step started in a stopped scope | never reaches the journal: `Aborted` at once |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use haliotis_model::{Answer, BuildResult, Call, InputSpec, Millis, StepId, StepOutput};

use crate::exec::{Ready, Tasks};
use crate::{BlockKind, Command, Event};

/// Why a scope was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A person or a rule stopped the build.
    Aborted {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A timeout passed.
    TimedOut {
        /// Its length, milliseconds.
        after_ms: u64,
    },
    /// Something beside it failed and the rest shall not go on.
    FailFast,
}

impl StopReason {
    /// For people.
    pub fn message(&self) -> String {
        match self {
            StopReason::Aborted { by, reason } if reason.is_empty() => format!("aborted by {by}"),
            StopReason::Aborted { by, reason } => format!("aborted by {by}: {reason}"),
            StopReason::TimedOut { after_ms } => format!("timed out after {} s", *after_ms as f64 / 1000.0),
            StopReason::FailFast => "stopped because something beside it failed".to_owned(),
        }
    }
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq)]
pub enum InputOutcome {
    /// A person answered.
    Answered(Answer),
    /// The scope was stopped first.
    Stopped(StopReason),
}

type ScopeId = usize;

#[derive(Default)]
struct Scope {
    children: Vec<ScopeId>,
    stopped: Option<StopReason>,
    /// What is in flight, in the order it was asked for.
    pending: BTreeMap<StepId, Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Step,
    Timer,
    Lease,
    Input,
}

/// What a waiter is told.
enum Told {
    Output(StepOutput),
    Fired,
    Leased(String),
    Answered(Answer),
    Stopped(StopReason),
}

#[derive(Default)]
struct Waiter {
    told: Option<Told>,
    waker: Option<Waker>,
}

/// Everything an async program keeps outside its futures.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) now: Millis,
    pub(crate) commands: Vec<Command>,
    pub(crate) tasks: Tasks,
    waiters: BTreeMap<StepId, Waiter>,
    scopes: Vec<Scope>,
    /// Set by `AbortRequested`.
    abort: Option<StopReason>,
    /// Scopes that an abort stops.
    abortable: Vec<ScopeId>,
}

impl State {
    fn tell(&mut self, id: &StepId, told: Told) {
        if let Some(waiter) = self.waiters.get_mut(id)
            && waiter.told.is_none()
        {
            waiter.told = Some(told);
            if let Some(waker) = waiter.waker.take() {
                waker.wake();
            }
        }
    }

    fn stop(&mut self, scope: ScopeId, reason: &StopReason) {
        if self.scopes[scope].stopped.is_some() {
            return;
        }
        self.scopes[scope].stopped = Some(reason.clone());
        let pending: Vec<_> = self.scopes[scope].pending.iter().map(|(id, kind)| (id.clone(), *kind)).collect();
        for (id, kind) in pending {
            self.cancel(&id, kind, reason);
        }
        for child in self.scopes[scope].children.clone() {
            self.stop(child, reason);
        }
    }

    fn cancel(&mut self, id: &StepId, kind: Kind, reason: &StopReason) {
        let told = self.waiters.get(id).is_none_or(|waiter| waiter.told.is_some());
        if told {
            return;
        }
        match kind {
            Kind::Step => self.commands.push(Command::CancelStep { id: id.clone() }),
            Kind::Timer => {
                self.commands.push(Command::CancelTimer { id: id.clone() });
                self.tell(id, Told::Stopped(reason.clone()));
            }
            Kind::Lease => {
                self.commands.push(Command::ReleaseAgent { id: id.clone() });
                self.tell(id, Told::Stopped(reason.clone()));
            }
            Kind::Input => {
                self.commands.push(Command::WithdrawInput { id: id.clone() });
                self.tell(id, Told::Stopped(reason.clone()));
            }
        }
    }
}

/// The handle. Cheap to clone; clones share the scope.
#[derive(Clone)]
pub struct Flow {
    state: Rc<RefCell<State>>,
    ready: Arc<Ready>,
    scope: ScopeId,
}

impl Flow {
    pub(crate) fn root(state: Rc<RefCell<State>>, ready: Arc<Ready>) -> Self {
        state.borrow_mut().scopes.push(Scope::default());
        Self { state, ready, scope: 0 }
    }

    pub(crate) fn state(&self) -> Rc<RefCell<State>> {
        Rc::clone(&self.state)
    }

    pub(crate) fn apply(state: &Rc<RefCell<State>>, event: &Event) {
        let mut state = state.borrow_mut();
        match event {
            Event::Begun => {}
            Event::StepEnded { id, output } => state.tell(id, Told::Output(output.clone())),
            Event::TimerFired { id } => state.tell(id, Told::Fired),
            Event::AgentLeased { id, agent } => state.tell(id, Told::Leased(agent.clone())),
            Event::InputAnswered { id, answer } => state.tell(id, Told::Answered(answer.clone())),
            Event::AbortRequested { by, reason } => {
                let reason = StopReason::Aborted { by: by.clone(), reason: reason.clone() };
                if state.abort.is_some() {
                    // Asked twice: what must always run is stopped as well.
                    state.stop(0, &reason);
                    return;
                }
                state.abort = Some(reason.clone());
                for scope in state.abortable.clone() {
                    state.stop(scope, &reason);
                }
            }
        }
    }

    /// The time of the events being handled. Journaled, so the same on every replay.
    pub fn now(&self) -> Millis {
        self.state.borrow().now
    }

    /// A scope inside this one.
    #[must_use]
    pub fn scope(&self) -> Flow {
        let mut state = self.state.borrow_mut();
        let id = state.scopes.len();
        let stopped = state.scopes[self.scope].stopped.clone();
        state.scopes.push(Scope { stopped, ..Scope::default() });
        state.scopes[self.scope].children.push(id);
        drop(state);
        Flow { state: Rc::clone(&self.state), ready: Arc::clone(&self.ready), scope: id }
    }

    /// A scope inside this one that a person's abort stops. The root is not stopped by it, so that what must always run
    /// (post, clean-up) still can; a second abort stops the root too.
    #[must_use]
    pub fn abortable(&self) -> Flow {
        let flow = self.scope();
        let abort = {
            let mut state = self.state.borrow_mut();
            state.abortable.push(flow.scope);
            state.abort.clone()
        };
        if let Some(reason) = abort {
            flow.stop(&reason);
        }
        flow
    }

    /// Stops the scope: asks all inside it to end.
    pub fn stop(&self, reason: &StopReason) {
        self.state.borrow_mut().stop(self.scope, reason);
    }

    /// Why the scope was stopped, if it was.
    pub fn stopped(&self) -> Option<StopReason> {
        self.state.borrow().scopes[self.scope].stopped.clone()
    }

    /// The abort a person asked for, if one did.
    pub fn abort(&self) -> Option<StopReason> {
        self.state.borrow().abort.clone()
    }

    /// Runs a step to its end. A retry calls again with the next attempt.
    pub async fn step(&self, call: Call) -> StepOutput {
        if let Some(reason) = self.stopped() {
            return StepOutput::aborted(reason.message());
        }
        let id = call.id.clone();
        match self.wait(id, Kind::Step, Command::StartStep(call)).await {
            Told::Output(output) => output,
            Told::Stopped(reason) => StepOutput::aborted(reason.message()),
            Told::Fired | Told::Leased(_) | Told::Answered(_) => {
                StepOutput::failure("told something that is no output")
            }
        }
    }

    /// Waits. `Err` when the scope was stopped first.
    ///
    /// # Errors
    /// The reason of the stop.
    pub async fn sleep(&self, id: StepId, after_ms: u64) -> Result<(), StopReason> {
        if let Some(reason) = self.stopped() {
            return Err(reason);
        }
        match self.wait(id.clone(), Kind::Timer, Command::StartTimer { id, after_ms }).await {
            Told::Stopped(reason) => Err(reason),
            _ => Ok(()),
        }
    }

    /// Asks people. No slot is held.
    pub async fn ask(&self, id: StepId, input: InputSpec) -> InputOutcome {
        if let Some(reason) = self.stopped() {
            return InputOutcome::Stopped(reason);
        }
        match self.wait(id.clone(), Kind::Input, Command::AskInput { id, input }).await {
            Told::Answered(answer) => InputOutcome::Answered(answer),
            Told::Stopped(reason) => InputOutcome::Stopped(reason),
            _ => InputOutcome::Stopped(StopReason::FailFast),
        }
    }

    /// Reserves a slot; the agent's name. Give it back with [`Flow::release`].
    ///
    /// # Errors
    /// The reason when the scope was stopped first; there is then nothing to give back.
    pub async fn lease(&self, id: StepId, label: &str) -> Result<String, StopReason> {
        if let Some(reason) = self.stopped() {
            return Err(reason);
        }
        let command = Command::LeaseAgent { id: id.clone(), label: label.to_owned() };
        match self.wait(id, Kind::Lease, command).await {
            Told::Leased(agent) => Ok(agent),
            Told::Stopped(reason) => Err(reason),
            _ => Err(StopReason::FailFast),
        }
    }

    /// Gives a slot back.
    pub fn release(&self, id: StepId) {
        self.command(Command::ReleaseAgent { id });
    }

    /// Runs `body` in a scope that is stopped after `after_ms`; its end is awaited all the same. `None`: no limit.
    pub async fn timeout<T, F, Fut>(&self, id: StepId, after_ms: Option<u64>, body: F) -> T
    where
        T: 'static,
        F: FnOnce(Flow) -> Fut,
        Fut: Future<Output = T> + 'static,
    {
        let Some(after_ms) = after_ms else { return body(self.clone()).await };
        let inner = self.scope();
        let timer = self.scope();
        let watched = inner.clone();
        let clock = timer.clone();
        let _watch = self.spawn(async move {
            if clock.sleep(id, after_ms).await.is_ok() {
                watched.stop(&StopReason::TimedOut { after_ms });
            }
        });
        let value = body(inner).await;
        timer.stop(&StopReason::FailFast);
        value
    }

    /// A stage or group begins.
    pub fn open(&self, id: StepId, name: impl Into<String>, kind: BlockKind) {
        self.command(Command::OpenBlock { id, name: name.into(), kind });
    }

    /// It ended.
    pub fn close(&self, id: StepId, result: BuildResult, message: Option<String>) {
        self.command(Command::CloseBlock { id, result, message });
    }

    /// Something of the outline will not run.
    pub fn skip(&self, id: StepId, why: impl Into<String>) {
        self.command(Command::Skip { id, why: why.into() });
    }

    /// A line for the build's log.
    pub fn say(&self, text: impl Into<String>) {
        self.command(Command::Say { text: text.into() });
    }

    /// Runs a future beside the others. Dropping the handle does not stop it.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        let cell = Rc::new(RefCell::new((None::<T>, None::<Waker>)));
        let done = Rc::clone(&cell);
        let task = Box::pin(async move {
            let value = future.await;
            let waker = {
                let mut cell = done.borrow_mut();
                cell.0 = Some(value);
                cell.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        self.state.borrow_mut().tasks.add(&self.ready, task);
        JoinHandle(cell)
    }

    fn command(&self, command: Command) {
        self.state.borrow_mut().commands.push(command);
    }

    async fn wait(&self, id: StepId, kind: Kind, command: Command) -> Told {
        {
            let mut state = self.state.borrow_mut();
            state.commands.push(command);
            state.waiters.insert(id.clone(), Waiter::default());
            state.scopes[self.scope].pending.insert(id.clone(), kind);
        }
        let told = Wait { state: &self.state, id: &id }.await;
        let mut state = self.state.borrow_mut();
        state.waiters.remove(&id);
        state.scopes[self.scope].pending.remove(&id);
        drop(state);
        told
    }
}

struct Wait<'a> {
    state: &'a Rc<RefCell<State>>,
    id: &'a StepId,
}

impl Future for Wait<'_> {
    type Output = Told;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Told> {
        let mut state = self.state.borrow_mut();
        let Some(waiter) = state.waiters.get_mut(self.id) else { return Poll::Pending };
        match waiter.told.take() {
            Some(told) => Poll::Ready(told),
            None => {
                waiter.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The end of a spawned future.
pub struct JoinHandle<T>(Rc<RefCell<(Option<T>, Option<Waker>)>>);

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut cell = self.0.borrow_mut();
        match cell.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                cell.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
