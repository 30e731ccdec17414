//! The engine as others see it: a handle, and behind it one thread on which all programs live (thread.rs).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use haliotis_flow::{Definition, Diagnostic, Language};
use haliotis_model::{Answer, BuildId, Millis, NewBuild, Source, StepId, StepKey, StepSchema, Value};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::core::{Core, Input, RefusedAnswer, Watch};
use crate::executor::{AgentInfo, Executor};
use crate::journal::{Created, Journal, JournalError, Turn};
use crate::projection::Projection;
use crate::thread::{self, Outside};
use crate::view::BuildView;

/// The stack of the thread that programs run on. Scripted programs recurse; a large stack costs address space, not memory.
pub const STACK_BYTES: usize = 256 << 20;
/// Followers that fall further behind than this are told to look at the whole again.
const CHANGES_KEPT: usize = 4_096;

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
    Answer(BuildId, StepId, Answer, Standing),
    Abort(BuildId, String, String),
}

/// What is known of who answers, beside the name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Groups; a question's approvers may be users and groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Further names of the person, as a full name: commits name people so.
    #[serde(default)]
    pub names: Vec<String>,
}

/// A person's wish on its way to the server that drives the build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Asked {
    /// An answer to a question.
    Answer {
        /// The question.
        input: StepId,
        /// The answer.
        answer: Answer,
        /// Who answers, beside the name.
        standing: Standing,
    },
    /// The build shall stop.
    Abort {
        /// Who asks.
        by: String,
        /// Why.
        reason: String,
    },
}

/// The way to the other servers of one database.
#[async_trait]
pub trait Elsewhere: Send + Sync {
    /// Carries a wish to the server that drives the build; `None`: no other server drives it, or none took it in time.
    async fn carry(&self, build: BuildId, asked: Asked) -> Option<Result<(), RefusedAnswer>>;
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
    elsewhere: OnceLock<Arc<dyn Elsewhere>>,
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
        Self::start_watched(journal, executor, languages, recover, Watch::default()).await
    }

    /// The same with somebody who watches which build is being driven.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_watched(
        journal: Arc<dyn Journal>,
        executor: Arc<dyn Executor>,
        languages: Vec<Arc<dyn Language>>,
        recover: Recover,
        watch: Watch,
    ) -> Result<Engine, JournalError> {
        let (engine, mut start) = prepare(journal, executor, languages, recover).await?;
        start.watch = watch;
        std::thread::Builder::new()
            .name("engine".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => runtime.block_on(start.run()),
                Err(error) => tracing::error!(%error, "the engine cannot make its timer; it stops"),
            })
            .map_err(|error| JournalError::Store(format!("cannot start the engine's thread: {error}")))?;
        Ok(engine)
    }

    /// The same on this thread, within a [`tokio::task::LocalSet`]: for a process that has one build to run and saves the
    /// changes of thread. The thread should have a stack of [`STACK_BYTES`].
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_here(
        journal: Arc<dyn Journal>,
        executor: Arc<dyn Executor>,
        languages: Vec<Arc<dyn Language>>,
        recover: Recover,
    ) -> Result<Engine, JournalError> {
        let (engine, start) = prepare(journal, executor, languages, recover).await?;
        tokio::task::spawn_local(start.run());
        Ok(engine)
    }

    /// Makes a build. When this returns, it is on disk and will run. It does so, too, when the caller goes away before
    /// (a client that hangs up while the disk is slow): whatever reached the disk is driven.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn create(&self, build: NewBuild) -> Result<Created, CreateError> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Err(CreateError::Draining);
        }
        let engine = self.clone();
        tokio::spawn(async move { engine.make(build).await })
            .await
            .map_err(|error| JournalError::Store(format!("making the build broke off: {error}")))?
    }

    async fn make(&self, mut build: NewBuild) -> Result<Created, CreateError> {
        let created = self.0.journal.create(build.clone()).await?;
        if !created.existing {
            build.number = created.number;
            let _ = self.0.messages.send(Message::Input(Box::new(Input::Added(created.id, Box::new(build)))));
            let _ = self.0.changes.send(Changed { build: created.id, ended: false });
        }
        Ok(created)
    }

    /// Goes on with builds that another server left. The answer is those whose journal cannot be read, and why; they stay
    /// as they are.
    pub async fn adopt(&self, builds: &[BuildId]) -> Vec<(BuildId, JournalError)> {
        let mut unread = Vec::new();
        for &id in builds {
            match self.0.journal.load(id).await {
                Ok((build, turns)) => {
                    let _ =
                        self.0.messages.send(Message::Input(Box::new(Input::Recovered(id, Box::new(build), turns))));
                    let _ = self.0.changes.send(Changed { build: id, ended: false });
                }
                Err(error) => unread.push((id, error)),
            }
        }
        unread
    }

    /// Gives a person's answer. When this returns `Ok`, it is on disk.
    ///
    /// # Errors
    /// See [`RefusedAnswer`].
    pub async fn answer(&self, build: BuildId, input: StepId, answer: Answer) -> Result<(), RefusedAnswer> {
        self.answer_as(build, input, answer, Standing::default()).await
    }

    /// The same for somebody of whom more is known.
    ///
    /// # Errors
    /// See [`RefusedAnswer`].
    pub async fn answer_as(
        &self,
        build: BuildId,
        input: StepId,
        answer: Answer,
        standing: Standing,
    ) -> Result<(), RefusedAnswer> {
        let asked = Asked::Answer { input: input.clone(), answer: answer.clone(), standing: standing.clone() };
        self.ask_all(build, Ask::Answer(build, input, answer, standing), asked).await
    }

    /// Asks a build to stop; a second time stops what must always run as well.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn abort(&self, build: BuildId, by: &str, reason: &str) -> Result<(), RefusedAnswer> {
        let asked = Asked::Abort { by: by.to_owned(), reason: reason.to_owned() };
        self.ask_all(build, Ask::Abort(build, by.to_owned(), reason.to_owned()), asked).await
    }

    /// Does what another server was asked: here alone.
    ///
    /// # Errors
    /// See [`RefusedAnswer`].
    pub async fn take(&self, build: BuildId, asked: Asked) -> Result<(), RefusedAnswer> {
        match asked {
            Asked::Answer { input, answer, standing } => {
                self.ask(build, Ask::Answer(build, input, answer, standing)).await
            }
            Asked::Abort { by, reason } => self.ask(build, Ask::Abort(build, by, reason)).await,
        }
    }

    /// From now on builds that another server drives are reached through this.
    pub fn reach(&self, elsewhere: Arc<dyn Elsewhere>) {
        let _ = self.0.elsewhere.set(elsewhere);
    }

    /// Another server advanced a build: those who follow it here look again.
    pub fn changed(&self, changed: Changed) {
        let _ = self.0.changes.send(changed);
    }

    /// Whether a build is driven here.
    pub async fn drives(&self, build: BuildId) -> bool {
        let (reply, view) = oneshot::channel();
        self.0.messages.send(Message::View(build, reply)).is_ok() && matches!(view.await, Ok(Some(_)))
    }

    /// Whether the engine's thread takes messages; waits for as long as it does not.
    pub async fn answers(&self) -> bool {
        let (reply, view) = oneshot::channel();
        self.0.messages.send(Message::View(BuildId(0), reply)).is_ok() && view.await.is_ok()
    }

    async fn ask_all(&self, build: BuildId, ask: Ask, asked: Asked) -> Result<(), RefusedAnswer> {
        match (self.ask(build, ask).await, self.0.elsewhere.get()) {
            (Err(RefusedAnswer::NotRunning(_)), Some(elsewhere)) => {
                elsewhere.carry(build, asked).await.unwrap_or(Err(RefusedAnswer::NotRunning(build)))
            }
            (verdict, _) => verdict,
        }
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

/// What the thread begins with.
struct Start {
    languages: Vec<Arc<dyn Language>>,
    schemas: Vec<StepSchema>,
    agents: Vec<AgentInfo>,
    watch: Watch,
    inbox: mpsc::UnboundedReceiver<Message>,
    outside: Outside,
}

impl Start {
    async fn run(self) {
        thread::run(
            Core::new(self.languages, self.schemas, self.agents).watched(self.watch),
            self.inbox,
            &self.outside,
        )
        .await;
    }
}

async fn prepare(
    journal: Arc<dyn Journal>,
    executor: Arc<dyn Executor>,
    languages: Vec<Arc<dyn Language>>,
    recover: Recover,
) -> Result<(Engine, Start), JournalError> {
    let (messages, inbox) = mpsc::unbounded_channel();
    let unfinished = if recover == Recover::All { journal.unfinished().await? } else { Vec::new() };
    for id in unfinished {
        let (build, turns) = journal.load(id).await?;
        let _ = messages.send(Message::Input(Box::new(Input::Recovered(id, Box::new(build), turns))));
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
        elsewhere: OnceLock::new(),
    };
    let (schemas, agents) = (shared.schemas.clone(), shared.agents.clone());
    let runtime = tokio::runtime::Handle::current();
    let outside = Outside { messages, journal, executor, changes, store_fails, runtime };
    Ok((Engine(Arc::new(shared)), Start { languages, schemas, agents, watch: Watch::default(), inbox, outside }))
}

/// Now, by the wall clock; the journal's times are for people and for timers that outlive a restart.
#[expect(clippy::disallowed_methods, reason = "the one clock; everything below is given the time")]
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
