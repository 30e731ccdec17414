//! The engine's thread: messages in, turns to the journal, effects out.
//!
//! It runs [`Core`] and waits for nothing but messages, and for the disk where the journal commits in place. Other
//! appends, and all steps, run on the runtime that started the engine and report back by message. While the store fails
//! (disk full, locked), the append is tried again with growing pauses: the build stands still, nothing is lost, and it
//! goes on without a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use haliotis_model::{BuildId, Millis, StepOutput};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::core::{Core, Effect, Input, RefusedAnswer, Ticket};
use crate::executor::{Executor, Reporter, StepTask};
use crate::host::{Ask, Changed, Message, now};
use crate::journal::{Append, Journal, JournalError};
use crate::view::BuildView;

/// Messages handled in one go: bounds the size of one commit, not its count.
const BATCH: usize = 16_384;
/// How long the ends of short steps wait for each other while enough is granted ahead: a few share a commit then. The
/// word that the last commit is done waits with them, or each end would get a commit of its own as soon as the disk is
/// free.
const GATHER: Duration = Duration::from_millis(2);
/// First and longest pause between two tries of a failing store.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// What the thread needs to act.
pub(crate) struct Outside {
    pub(crate) messages: mpsc::UnboundedSender<Message>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) changes: broadcast::Sender<Changed>,
    pub(crate) store_fails: Arc<AtomicBool>,
    pub(crate) runtime: tokio::runtime::Handle,
}

/// What the thread keeps beside the core.
#[derive(Default)]
struct State {
    tickets: Tickets,
    /// The build that ended last: whoever followed it asks for it right now, and need not wait for the disk.
    ended: Option<Box<BuildView>>,
}

impl State {
    fn last_ended(&self, build: BuildId) -> Option<BuildView> {
        self.ended.as_deref().filter(|view| view.id == build).cloned()
    }
}

/// Answers owed to people and runners.
#[derive(Default)]
struct Tickets {
    next: Ticket,
    open: BTreeMap<Ticket, oneshot::Sender<Result<(), RefusedAnswer>>>,
}

impl Tickets {
    fn add(&mut self, reply: oneshot::Sender<Result<(), RefusedAnswer>>) -> Ticket {
        self.next += 1;
        self.open.insert(self.next, reply);
        self.next
    }
}

/// Handles messages until it is told to stop.
pub(crate) async fn run(mut core: Core, mut inbox: mpsc::UnboundedReceiver<Message>, outside: &Outside) {
    let mut state = State::default();
    let mut messages = Vec::new();
    loop {
        receive(&mut inbox, &mut messages, core.next_timer()).await;
        if core.may_wait() && messages.iter().all(can_wait) {
            tokio::time::sleep(GATHER).await;
            while let Ok(message) = inbox.try_recv() {
                messages.push(message);
            }
        }
        let mut inputs = Vec::with_capacity(messages.len() + 1);
        let mut views = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Input(input) => inputs.push(*input),
                Message::Ask(Ask::Answer(build, id, answer, standing), reply) => {
                    inputs.push(Input::Answer(build, id, answer, standing, state.tickets.add(reply)));
                }
                Message::Ask(Ask::Abort(build, by, reason), reply) => {
                    inputs.push(Input::Abort(build, by, reason, state.tickets.add(reply)));
                }
                Message::Handle { key, handle, done } => {
                    inputs.push(Input::Handle(key, handle, state.tickets.add(done)));
                }
                Message::View(build, reply) => views.push((build, reply)),
                Message::Inspect(source, reply) => {
                    let _ = reply.send(core.inspect(&source));
                }
                Message::Stop => return,
            }
        }
        let mut appends = outside.handle(&mut core, inputs, &mut state);
        // With work enough on disk already the disk is not waited for: the steps at work go on meanwhile.
        if !core.may_wait() {
            appends = outside.append_here(&mut core, appends, &mut state);
        }
        outside.append(appends);
        for (build, reply) in views {
            let _ = reply.send(core.view(build).or_else(|| state.last_ended(build)));
        }
    }
}

/// Nothing that a person or a build without work waits for.
fn can_wait(message: &Message) -> bool {
    matches!(message, Message::Input(input) if matches!(**input, Input::StepEnded(..) | Input::Committed(_)))
}

/// Waits for messages or the next timer, whichever is first.
async fn receive(inbox: &mut mpsc::UnboundedReceiver<Message>, messages: &mut Vec<Message>, timer: Option<Millis>) {
    let Some(due) = timer else {
        if inbox.recv_many(messages, BATCH).await == 0 {
            messages.push(Message::Stop);
        }
        return;
    };
    let pause = Duration::from_millis(due.since(now()));
    tokio::select! {
        received = inbox.recv_many(messages, BATCH) => if received == 0 { messages.push(Message::Stop) },
        () = tokio::time::sleep(pause) => {}
    }
}

impl Outside {
    /// Tells the core, does what it answers, and gives back what is to be committed.
    fn handle(&self, core: &mut Core, inputs: Vec<Input>, state: &mut State) -> Vec<Append> {
        let mut appends = Vec::new();
        for effect in core.handle(now(), inputs) {
            self.act(effect, state, &mut appends);
        }
        appends
    }

    fn act(&self, effect: Effect, state: &mut State, appends: &mut Vec<Append>) {
        match effect {
            Effect::Append(append) => appends.push(append),
            Effect::Start(task) => self.start(task),
            Effect::Cancel(key) => {
                let executor = Arc::clone(&self.executor);
                self.runtime.spawn(async move { executor.cancel(&key).await });
            }
            Effect::Reply(ticket, verdict) => {
                if let Some(reply) = state.tickets.open.remove(&ticket) {
                    let _ = reply.send(verdict);
                }
            }
            Effect::Changed(build) => drop(self.changes.send(Changed { build, ended: false })),
            Effect::Ended(view) => {
                let (executor, changes) = (Arc::clone(&self.executor), self.changes.clone());
                let (build, result) = (view.id, view.result);
                state.ended = Some(view);
                self.runtime.spawn(async move {
                    if let Some(result) = result {
                        executor.build_ended(build, result).await;
                    }
                    let _ = changes.send(Changed { build, ended: true });
                });
            }
        }
    }

    fn start(&self, task: StepTask) {
        let (executor, messages) = (Arc::clone(&self.executor), self.messages.clone());
        let key = task.key.clone();
        let reporter = Reporter { key: key.clone(), engine: messages.clone() };
        let work = self.runtime.spawn(async move { executor.run(task, reporter).await });
        self.runtime.spawn(async move {
            let output = work.await.unwrap_or_else(|error| {
                StepOutput::failure(format!("internal error: the runner of this step went down ({error})"))
            });
            let _ = messages.send(Message::Input(Box::new(Input::StepEnded(key, output))));
        });
    }

    /// Commits on this thread, and whatever follows from that, if the journal can. What is left is for the patient way.
    fn append_here(&self, core: &mut Core, mut appends: Vec<Append>, state: &mut State) -> Vec<Append> {
        while !appends.is_empty() {
            let Some(Ok(verdicts)) = self.journal.append_here(&appends) else { break };
            let builds = appends.iter().map(|append| append.build);
            let inputs = builds.zip(verdicts).map(|(build, verdict)| told(build, verdict)).collect();
            appends = self.handle(core, inputs, state);
        }
        appends
    }

    /// Commits aside, and tries again until the store takes it.
    fn append(&self, mut appends: Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let (journal, messages, fails) =
            (Arc::clone(&self.journal), self.messages.clone(), Arc::clone(&self.store_fails));
        self.runtime.spawn(async move {
            let mut pause = RETRY_FIRST;
            let builds: Vec<_> = appends.iter().map(|append| append.build).collect();
            let verdicts = loop {
                // Cloned only when it may be needed again: a failing store is the rare case, but losing a turn is not an
                // option.
                match journal.append(appends.clone()).await {
                    Ok(verdicts) => break verdicts,
                    Err(error) => {
                        fails.store(true, Ordering::Relaxed);
                        tracing::error!(%error, "cannot write the journal; builds stand still until it works again");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(RETRY_LONGEST);
                    }
                }
            };
            fails.store(false, Ordering::Relaxed);
            appends.clear();
            for (build, verdict) in builds.into_iter().zip(verdicts) {
                let _ = messages.send(Message::Input(Box::new(told(build, verdict))));
            }
        });
    }
}

/// What the journal's verdict means to the core.
fn told(build: BuildId, verdict: Result<(), JournalError>) -> Input {
    match verdict {
        Ok(()) => Input::Committed(build),
        Err(error) => {
            tracing::warn!(%build, %error, "another server drives this build");
            Input::Refused(build)
        }
    }
}
