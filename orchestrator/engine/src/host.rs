//! The engine as others see it: a handle, and behind it one thread on which all programs live.
//!
//! The thread runs [`Core`] and nothing that waits. Appends and steps run on the runtime that started the engine and
//! report back by message. While the store fails (disk full, locked), the append is tried again with growing pauses: the
//! build stands still, nothing is lost, and it goes on without a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haliotis_flow::{Definition, Diagnostic, Language};
use haliotis_model::{Answer, BuildId, Millis, NewBuild, Source, StepId, StepKey, StepOutput, StepSchema, Value};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::core::{Core, Effect, Input, RefusedAnswer, Ticket};
use crate::executor::{AgentInfo, Executor, Reporter, StepTask};
use crate::journal::{Append, Created, Journal, JournalError, Turn};
use crate::projection::Projection;
use crate::view::BuildView;

/// Scripted programs recurse; a large stack costs address space, not memory.
const STACK_BYTES: usize = 256 << 20;
/// Messages handled in one go: bounds the size of one commit, not its count.
const BATCH: usize = 16_384;
/// How long the ends of short steps wait for each other while enough is granted ahead: a few share a commit then.
const GATHER: Duration = Duration::from_millis(2);
/// Followers that fall further behind than this are told to look at the whole again.
const CHANGES_KEPT: usize = 4_096;
/// First and longest pause between two tries of a failing store.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// What reaches the engine's thread.
pub(crate) enum Message {
    Input(Box<Input>),
    Ask(Ask, oneshot::Sender<Result<(), RefusedAnswer>>),
    Handle { key: StepKey, handle: Value, done: oneshot::Sender<Result<(), RefusedAnswer>> },
    View(BuildId, oneshot::Sender<Option<BuildView>>),
    Inspect(Box<Source>, oneshot::Sender<Result<Definition, Vec<Diagnostic>>>),
    Stop,
}

/// A person's wish.
pub(crate) enum Ask {
    Answer(BuildId, StepId, Answer),
    Abort(BuildId, String, String),
}

/// A build changed; look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The build.
    pub build: BuildId,
    /// It ended.
    pub ended: bool,
}

/// A handle to the engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    messages: mpsc::UnboundedSender<Message>,
    journal: Arc<dyn Journal>,
    languages: Vec<Arc<dyn Language>>,
    schemas: Vec<StepSchema>,
    agents: Vec<AgentInfo>,
    changes: broadcast::Sender<Changed>,
    store_fails: Arc<AtomicBool>,
    draining: AtomicBool,
}

/// What a start does with the builds of an earlier life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recover {
    /// Goes on with them.
    All,
    /// Leaves them as they are.
    None,
}

/// Why a build was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server is going down; the caller should come again.
    #[error("the server is shutting down; try again when it is back")]
    Draining,
}

impl Engine {
    /// Starts the engine and goes on with every unfinished build, or with none of them.
    ///
    /// # Errors
    /// When the journal of an unfinished build cannot be read; nothing was started then.
    pub async fn start(
        journal: Arc<dyn Journal>,
        executor: Arc<dyn Executor>,
        languages: Vec<Arc<dyn Language>>,
        recover: Recover,
    ) -> Result<Engine, JournalError> {
        let mut recovered = Vec::new();
        let unfinished = if recover == Recover::All { journal.unfinished().await? } else { Vec::new() };
        for id in unfinished {
            let (build, turns) = journal.load(id).await?;
            recovered.push(Message::Input(Box::new(Input::Recovered(id, Box::new(build), turns))));
        }
        let (messages, inbox) = mpsc::unbounded_channel();
        for message in recovered {
            let _ = messages.send(message);
        }
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        let store_fails = Arc::new(AtomicBool::new(false));
        let shared = Shared {
            messages: messages.clone(),
            journal: Arc::clone(&journal),
            languages: languages.clone(),
            schemas: executor.schemas(),
            agents: executor.agents(),
            changes: changes.clone(),
            store_fails: Arc::clone(&store_fails),
            draining: AtomicBool::new(false),
        };
        let outside =
            Outside { messages, journal, executor, changes, store_fails, runtime: tokio::runtime::Handle::current() };
        let (schemas, agents) = (shared.schemas.clone(), shared.agents.clone());
        std::thread::Builder::new()
            .name("engine".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || run(Core::new(languages, schemas, agents), inbox, &outside))
            .map_err(|error| JournalError::Store(format!("cannot start the engine's thread: {error}")))?;
        Ok(Engine(Arc::new(shared)))
    }

    /// Makes a build. When this returns, it is on disk and will run.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn create(&self, build: NewBuild) -> Result<Created, CreateError> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Err(CreateError::Draining);
        }
        let mut pinned = build;
        let created = self.0.journal.create(pinned.clone()).await?;
        if !created.existing {
            pinned.number = created.number;
            let _ = self.0.messages.send(Message::Input(Box::new(Input::Added(created.id, Box::new(pinned)))));
            let _ = self.0.changes.send(Changed { build: created.id, ended: false });
        }
        Ok(created)
    }

    /// Goes on with builds that another server left. Those that cannot be read stay as they are, and the error names the
    /// first of them.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub async fn adopt(&self, builds: &[BuildId]) -> Result<(), JournalError> {
        let mut first = Ok(());
        for &id in builds {
            match self.0.journal.load(id).await {
                Ok((build, turns)) => {
                    let _ =
                        self.0.messages.send(Message::Input(Box::new(Input::Recovered(id, Box::new(build), turns))));
                    let _ = self.0.changes.send(Changed { build: id, ended: false });
                }
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }

    /// Gives a person's answer. When this returns `Ok`, it is on disk.
    ///
    /// # Errors
    /// See [`RefusedAnswer`].
    pub async fn answer(&self, build: BuildId, input: StepId, answer: Answer) -> Result<(), RefusedAnswer> {
        self.ask(build, Ask::Answer(build, input, answer)).await
    }

    /// Asks a build to stop; a second time stops what must always run as well.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn abort(&self, build: BuildId, by: &str, reason: &str) -> Result<(), RefusedAnswer> {
        self.ask(build, Ask::Abort(build, by.to_owned(), reason.to_owned())).await
    }

    async fn ask(&self, build: BuildId, ask: Ask) -> Result<(), RefusedAnswer> {
        let (reply, verdict) = oneshot::channel();
        let _ = self.0.messages.send(Message::Ask(ask, reply));
        verdict.await.unwrap_or(Err(RefusedAnswer::NotRunning(build)))
    }

    /// A build as it stands, running or ended.
    ///
    /// # Errors
    /// When there is none, or its journal cannot be read.
    pub async fn view(&self, build: BuildId) -> Result<BuildView, JournalError> {
        let (reply, view) = oneshot::channel();
        let _ = self.0.messages.send(Message::View(build, reply));
        if let Ok(Some(view)) = view.await {
            return Ok(view);
        }
        let (pinned, turns) = self.0.journal.load(build).await?;
        let outline = crate::core::load(&self.0.languages, &self.0.schemas, build, &pinned)
            .map(|loaded| loaded.outline)
            .unwrap_or_default();
        Ok(Projection::of(build, pinned, &outline, &turns).view().clone())
    }

    /// A build's journal.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn journal(&self, build: BuildId) -> Result<(NewBuild, Vec<Turn>), JournalError> {
        self.0.journal.load(build).await
    }

    /// Waits for a build's end.
    ///
    /// # Errors
    /// When there is no such build.
    pub async fn wait(&self, build: BuildId) -> Result<BuildView, JournalError> {
        let mut changes = self.changes();
        loop {
            let view = self.view(build).await?;
            if view.result.is_some() {
                return Ok(view);
            }
            loop {
                match changes.recv().await {
                    Ok(changed) if changed.build == build && changed.ended => break,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => break,
                    Err(broadcast::error::RecvError::Closed) => return Err(JournalError::NoBuild(build)),
                }
            }
        }
    }

    /// What changes, as it changes. A receiver that lags should look at the whole again.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.0.changes.subscribe()
    }

    /// Reads a source without a build.
    ///
    /// # Errors
    /// All problems of the source.
    pub fn inspect(&self, source: &Source) -> Result<Definition, Vec<Diagnostic>> {
        let language = self.0.languages.iter().find(|language| language.name() == source.language);
        language.map_or_else(|| Ok(Definition::default()), |language| language.inspect(source, &self.0.schemas))
    }

    /// The same on the engine's thread, where a build made of this source next need not read it again.
    ///
    /// # Errors
    /// All problems of the source.
    pub async fn prepare(&self, source: &Source) -> Result<Definition, Vec<Diagnostic>> {
        let (reply, definition) = oneshot::channel();
        let _ = self.0.messages.send(Message::Inspect(Box::new(source.clone()), reply));
        match definition.await {
            Ok(definition) => definition,
            Err(_) => self.inspect(source),
        }
    }

    /// The language of a name.
    pub fn language(&self, name: &str) -> Option<Arc<dyn Language>> {
        self.0.languages.iter().find(|language| language.name() == name).cloned()
    }

    /// All step kinds.
    pub fn schemas(&self) -> &[StepSchema] {
        &self.0.schemas
    }

    /// All agents.
    pub fn agents(&self) -> &[AgentInfo] {
        &self.0.agents
    }

    /// The store takes writes.
    pub fn healthy(&self) -> bool {
        !self.0.store_fails.load(Ordering::Relaxed)
    }

    /// Takes no new builds from now on; steps at work are left to their supervisor.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Stops the thread. What is on disk goes on at the next start.
    pub fn stop(&self) {
        self.drain();
        let _ = self.0.messages.send(Message::Stop);
    }
}

/// Now, by the wall clock; the journal's times are for people and for timers that outlive a restart.
#[expect(clippy::disallowed_methods, reason = "the one clock; everything below is given the time")]
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What the thread needs to act.
struct Outside {
    messages: mpsc::UnboundedSender<Message>,
    journal: Arc<dyn Journal>,
    executor: Arc<dyn Executor>,
    changes: broadcast::Sender<Changed>,
    store_fails: Arc<AtomicBool>,
    runtime: tokio::runtime::Handle,
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

fn run(mut core: Core, mut inbox: mpsc::UnboundedReceiver<Message>, outside: &Outside) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        tracing::error!("the engine cannot make its timer; it stops");
        return;
    };
    runtime.block_on(async {
        let mut tickets = Tickets::default();
        let mut messages = Vec::new();
        loop {
            receive(&mut inbox, &mut messages, core.next_timer()).await;
            if core.may_wait() && messages.iter().all(is_step_end) {
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
                    Message::Ask(Ask::Answer(build, id, answer), reply) => {
                        inputs.push(Input::Answer(build, id, answer, tickets.add(reply)));
                    }
                    Message::Ask(Ask::Abort(build, by, reason), reply) => {
                        inputs.push(Input::Abort(build, by, reason, tickets.add(reply)));
                    }
                    Message::Handle { key, handle, done } => inputs.push(Input::Handle(key, handle, tickets.add(done))),
                    Message::View(build, reply) => views.push((build, reply)),
                    Message::Inspect(source, reply) => {
                        let _ = reply.send(core.inspect(&source));
                    }
                    Message::Stop => return,
                }
            }
            let mut appends = Vec::new();
            for effect in core.handle(now(), inputs) {
                outside.act(effect, &mut tickets, &mut appends);
            }
            outside.append(appends);
            for (build, reply) in views {
                let _ = reply.send(core.view(build));
            }
        }
    });
}

fn is_step_end(message: &Message) -> bool {
    matches!(message, Message::Input(input) if matches!(**input, Input::StepEnded(..)))
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
    fn act(&self, effect: Effect, tickets: &mut Tickets, appends: &mut Vec<Append>) {
        match effect {
            Effect::Append(append) => appends.push(append),
            Effect::Start(task) => self.start(task),
            Effect::Cancel(key) => {
                let executor = Arc::clone(&self.executor);
                self.runtime.spawn(async move { executor.cancel(&key).await });
            }
            Effect::Reply(ticket, verdict) => {
                if let Some(reply) = tickets.open.remove(&ticket) {
                    let _ = reply.send(verdict);
                }
            }
            Effect::Changed(build) => drop(self.changes.send(Changed { build, ended: false })),
            Effect::Ended(view) => {
                let (executor, changes) = (Arc::clone(&self.executor), self.changes.clone());
                self.runtime.spawn(async move {
                    if let Some(result) = view.result {
                        executor.build_ended(view.id, result).await;
                    }
                    let _ = changes.send(Changed { build: view.id, ended: true });
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

    /// Commits, and tries again until the store takes it.
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
                let input = match verdict {
                    Ok(()) => Input::Committed(build),
                    Err(error) => {
                        tracing::warn!(%build, %error, "another server drives this build");
                        Input::Refused(build)
                    }
                };
                let _ = messages.send(Message::Input(Box::new(input)));
            }
        });
    }
}
