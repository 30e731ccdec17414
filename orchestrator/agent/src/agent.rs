//! The local agent: runs step kinds on this machine, in this process or by processes of the supervisor.
//!
//! One attempt, in order: find the step kind; wait for a slot, if it takes one; make its context (folders, variables,
//! credentials, log); check its arguments; `start`; commit the handle; `attach`; turn whatever came into an output.
//! A wish to stop is heard at each point (running.rs). Nothing that a runner does, a panic included, gets past here.
//! What the agent cannot write because the disk is full waits for room (room.rs).
//!
//! **After a restart** (`recovered`), with the handle in the journal: attach. Without one, the delivery decides: a step
//! that is idempotent or harmless is started again, which finds the first; an at-most-once step is started only if no
//! mark says that it was begun before, and otherwise attached to, and if that tells nothing, it is interrupted.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use haliotis_engine::{AgentInfo, Executor, Reporter, StepTask};
use haliotis_model::{
    BuildId, BuildResult, Delivery, Interrupted, Placement, StepKey, StepOutput, StepSchema, Value, Vars,
};
use haliotis_plugin_api::{
    CloudSettings, Exit, Log, ProcessError, ProcessSpec, Processes, StepContext, StepError, StepRunner,
};

use crate::arguments;
use crate::credentials::{self, Bound, Credentials};
use crate::folders::Folders;
use crate::log::StepLog;
use crate::mask::Masker;
use crate::room::{self, Patience, Room};
use crate::running::{Entered, Running};
use crate::slots::{Slot, Slots};
use crate::take_over::TakeOver;
use crate::vars;

/// The agent's name; pipelines may ask for it as for a label.
pub const AGENT_NAME: &str = "local";
/// From SIGTERM to SIGKILL: time for a training script to write its last checkpoint, short enough for a person who
/// waits for an abort.
pub const GRACE_MS: u64 = 10_000;
/// In the scratch folder of an at-most-once attempt: `start` was called.
const BEGUN: &str = "begun";

/// What a local agent needs.
pub struct AgentConfig {
    /// The data folder: logs, workspaces, artifacts, stashes and scratch lie below it.
    pub data_dir: PathBuf,
    /// How many steps with a slot at once; at least one.
    pub slots: u32,
    /// Its name: [`AGENT_NAME`], unless several servers share a database, which must tell their agents apart.
    pub name: String,
    /// Labels, beside the agent's name.
    pub labels: Vec<String>,
    /// Base of the pages' addresses for `BUILD_URL`; empty: there are none.
    pub base_url: String,
    /// The cloud that steps talk to.
    pub cloud: Arc<CloudSettings>,
    /// Variables for every process, over what is inherited.
    pub vars: Vars,
    /// All step kinds.
    pub runners: Vec<&'static dyn StepRunner>,
    /// Local processes.
    pub processes: Arc<dyn Processes>,
    /// Where credentials are looked up.
    pub credentials: Arc<dyn Credentials>,
}

/// Runs steps on this machine.
pub struct LocalAgent {
    /// Sorted by name.
    kinds: Vec<(StepSchema, &'static dyn StepRunner)>,
    info: AgentInfo,
    slots: Slots,
    folders: Folders,
    room: Room,
    base_url: String,
    base_vars: Vars,
    cloud: Arc<CloudSettings>,
    processes: Arc<dyn Processes>,
    credentials: Arc<dyn Credentials>,
    running: Running,
    takes: TakeOver,
}

/// The way to the journal, as far as an attempt needs it.
#[async_trait]
trait Commits: Send + Sync {
    /// Commits the handle; `false`: the server is going down.
    async fn handle(&self, handle: Value) -> bool;
}

#[async_trait]
impl Commits for Reporter {
    async fn handle(&self, handle: Value) -> bool {
        Reporter::handle(self, handle).await
    }
}

/// A context, and what lives as long as it does.
struct Prepared {
    ctx: Arc<StepContext>,
    log: Arc<StepLog>,
    bound: Bound,
}

impl LocalAgent {
    /// An agent. Within a tokio runtime it also removes what builds of an earlier life left behind.
    pub fn new(config: AgentConfig) -> LocalAgent {
        let mut kinds: Vec<_> = config.runners.into_iter().map(|runner| (runner.schema(), runner)).collect();
        kinds.sort_by_key(|(schema, _)| schema.name);
        let slots = config.slots.max(1);
        let agent = LocalAgent {
            kinds,
            info: AgentInfo { name: config.name, labels: config.labels, slots },
            slots: Slots::new(slots),
            folders: Folders::new(&config.data_dir),
            room: Room::new(&config.data_dir),
            base_url: config.base_url,
            base_vars: vars::base(&config.vars),
            cloud: config.cloud,
            processes: config.processes,
            credentials: config.credentials,
            running: Running::default(),
            takes: TakeOver::default(),
        };
        let forgotten = agent.folders.builds_in_trash();
        agent.clean_up(forgotten);
        agent
    }

    fn kind(&self, name: &str) -> Option<&(StepSchema, &'static dyn StepRunner)> {
        let at = self.kinds.binary_search_by(|(schema, _)| schema.name.cmp(name)).ok()?;
        self.kinds.get(at)
    }

    /// Forgets the builds' processes and empties the trash, aside.
    fn clean_up(&self, builds: Vec<BuildId>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (processes, folders) = (Arc::clone(&self.processes), self.folders.clone());
        runtime.spawn(async move {
            for build in builds {
                // A leftover record harms nobody.
                let _ = processes.forget_all(&format!("{build}-")).await;
            }
            let _ = tokio::task::spawn_blocking(move || folders.empty_trash()).await;
        });
    }

    async fn run_attempt(&self, task: &StepTask, reporter: &dyn Commits) -> StepOutput {
        let entered = self.running.enter(&task.key);
        caught(self.in_slot(task, reporter, &entered)).await.unwrap_or_else(|words| {
            let message =
                format!("internal error in the step kind `{}`: it panicked: {words}; please report it", task.call.uses);
            tracing::error!(key = %task.key, "{message}");
            StepOutput::failure(message)
        })
    }

    /// Waits for its turn, then does the work.
    async fn in_slot(&self, task: &StepTask, reporter: &dyn Commits, entered: &Entered) -> StepOutput {
        let Some((schema, runner)) = self.kind(&task.call.uses) else {
            return StepOutput::failure(format!(
                "there is no step kind `{}`; `haliotis steps` lists them all",
                task.call.uses
            ));
        };
        let slot = if takes_slot(task) {
            let slot = tokio::select! {
                biased;
                () = entered.stopped() => None,
                slot = self.slots.take(runner.follows()) => Some(slot),
            };
            let Some(slot) = slot else { return StepOutput::aborted("stopped before it began") };
            Some(slot)
        } else {
            None
        };
        match self.prepared(task, schema, *runner, slot.as_ref(), entered).await {
            Ok(prepared) => {
                let attempt = Attempt {
                    task,
                    schema,
                    runner: *runner,
                    reporter,
                    entered,
                    prepared: &prepared,
                    slot: slot.as_ref(),
                    room: &self.room,
                };
                let output = self.work(attempt).await;
                self.write_owed(&prepared.log, entered).await;
                prepared.bound.remove_files();
                output
            }
            Err(message) if entered.must_stop() => StepOutput::aborted(message),
            Err(message) => {
                StepLog::new(self.folders.log(task.key.build, &task.key.slug()), Masker::new([])).line(&message);
                StepOutput::failure(message)
            }
        }
    }

    /// Prepares it, as soon as the disk has room for that.
    async fn prepared(
        &self,
        task: &StepTask,
        schema: &StepSchema,
        runner: &dyn StepRunner,
        slot: Option<&Slot>,
        entered: &Entered,
    ) -> Result<Prepared, String> {
        // What runs already is followed whatever the disk says.
        if !task.recovered && !entered.unless_stopped(self.room.to_begin()).await {
            return Err("stopped before it began, while the disk was full".to_owned());
        }
        let mut patience = Patience::default();
        loop {
            match self.prepare(task, schema, runner, slot).await {
                Err(message) if room::tells_full(&message) => {
                    tracing::warn!(key = %task.key, message, "the disk is full: the step waits for room");
                    if !entered.unless_stopped(self.room.more(&mut patience)).await {
                        return Err(message);
                    }
                }
                prepared => return prepared,
            }
        }
    }

    /// Lines that the full disk did not take are written before the step's end is told.
    async fn write_owed(&self, log: &StepLog, entered: &Entered) {
        let mut patience = Patience::default();
        while log.owes() && entered.unless_stopped(self.room.more(&mut patience)).await {}
    }

    /// Folders, variables, credentials, arguments, log.
    async fn prepare(
        &self,
        task: &StepTask,
        schema: &StepSchema,
        runner: &dyn StepRunner,
        slot: Option<&Slot>,
    ) -> Result<Prepared, String> {
        self.check_cloud(task, schema)?;
        let (key, slug) = (&task.key, task.key.slug());
        self.takes.before_first_step(&self.folders, key.build, &task.build).await?;
        let workspace = self.folders.workspace_of_call(key.build, &task.build, task.call.folder.as_deref())?;
        let scratch = self.folders.scratch(key.build, &slug);
        // A kind without arguments and outputs has nothing to keep; ten thousand joins should not make folders.
        if !(schema.arguments.is_empty() && schema.outputs.is_empty() && schema.placement == Placement::Server) {
            // A thousand small scripts should not make a thousand folders either.
            let unused =
                !runner.wants_scratch() && schema.delivery != Delivery::AtMostOnce && task.call.credentials.is_empty();
            let scratch = if unused { scratch.parent().unwrap_or(&scratch) } else { &scratch };
            for dir in [workspace.as_path(), scratch] {
                make_dir(dir).map_err(|error| format!("the folder {} cannot be made: {error}", dir.display()))?;
            }
        }
        let mut call = (*task.call).clone();
        call.with = arguments::checked(schema, &call.with)?;
        let bound = credentials::bind(self.credentials.as_ref(), &call, &task.build, &scratch).await?;
        bound.fill(&mut call);
        // A step in a folder of the workspace is still told the workspace itself.
        let numbered = task.call.folder.as_deref().filter(|folder| folder.starts_with('@'));
        let root = numbered.map(|folder| folder.split('/').next().unwrap_or(folder));
        let root = self.folders.workspace_of_call(key.build, &task.build, root)?;
        let of_build = vars::of_build(&self.base_vars, key.build, &task.build, &self.base_url, &root);
        let mut vars = vars::of_call(of_build, &call);
        vars.extend(bound.vars.clone());
        let masker = Masker::new(bound.secrets.iter().map(|(_, secret)| secret.expose()));
        let log = Arc::new(StepLog::new(self.folders.log(key.build, &slug), masker));
        let ctx = StepContext {
            key: key.clone(),
            call: Arc::new(call),
            build: Arc::clone(&task.build),
            workspace,
            artifacts: self.folders.artifacts(key.build),
            stashes: self.folders.stashes(key.build),
            scratch,
            vars,
            secrets: bound.secrets.clone(),
            log: Arc::clone(&log) as Arc<dyn Log>,
            processes: self.processes_of(slot),
            cloud: bound.cloud(&self.cloud, &task.call),
            grace_ms: GRACE_MS,
        };
        Ok(Prepared { ctx: Arc::new(ctx), log, bound })
    }

    /// The processes as a step sees them that follows another's, or does not.
    fn processes_of(&self, slot: Option<&Slot>) -> Arc<dyn Processes> {
        let processes = Arc::clone(&self.processes);
        match slot.and_then(|slot| slot.after.clone()) {
            Some(after) => Arc::new(Behind { processes, after }),
            None => processes,
        }
    }

    /// A build pinned to one cloud never reaches another, also when the server was started anew with another one.
    fn check_cloud(&self, task: &StepTask, schema: &StepSchema) -> Result<(), String> {
        let pinned = task.build.cloud.split(':').next().unwrap_or_default();
        if !schema.cloud || pinned.is_empty() || pinned == self.cloud.name {
            return Ok(());
        }
        Err(format!(
            "the build was made for the cloud `{}`, and this server talks to `{}`; start the server with --cloud {pinned}, \
             or start a new build",
            task.build.cloud, self.cloud.name
        ))
    }

    async fn work(&self, attempt: Attempt<'_>) -> StepOutput {
        let Attempt { schema, entered, prepared, .. } = attempt;
        let mut ended = attempt.run().await;
        if let (Err(StepError::Unknown(why)), Delivery::AtLeastOnce, false) =
            (&ended, schema.delivery, entered.must_stop())
        {
            // Running it twice does no harm, so an unknown end is no reason to ask anybody.
            prepared.log.line(&format!("its outcome is unknown ({why}); it is started again"));
            let _ = self.processes.forget(&prepared.ctx.slug()).await;
            ended = attempt.begin().await;
        }
        let mut patience = Patience::default();
        while let Err(StepError::World(why) | StepError::Usage(why)) = &ended
            && schema.delivery == Delivery::AtLeastOnce
            && room::tells_full(why)
            && !entered.must_stop()
        {
            prepared.log.line(&format!("the disk is full ({why}); it is started again once there is room"));
            tracing::warn!(key = %prepared.ctx.key, why, "the disk is full: the step waits for room");
            if !entered.unless_stopped(self.room.more(&mut patience)).await {
                break;
            }
            let _ = self.processes.forget(&prepared.ctx.slug()).await;
            ended = attempt.begin().await;
        }
        ended.unwrap_or_else(|error| told(error, entered.must_stop(), &prepared.log))
    }
}

/// One attempt with all it needs.
struct Attempt<'a> {
    task: &'a StepTask,
    schema: &'a StepSchema,
    runner: &'static dyn StepRunner,
    reporter: &'a dyn Commits,
    entered: &'a Entered,
    prepared: &'a Prepared,
    slot: Option<&'a Slot>,
    room: &'a Room,
}

impl Attempt<'_> {
    async fn run(&self) -> Result<StepOutput, StepError> {
        if let Some(handle) = &self.task.handle {
            return self.follow(handle.clone()).await;
        }
        let begun = self.prepared.ctx.scratch.join(BEGUN);
        if self.schema.delivery == Delivery::AtMostOnce {
            if self.task.recovered && begun.exists() {
                return self.look_again().await;
            }
            self.note_begun(&begun).await?;
        }
        self.begin().await
    }

    /// Nothing has been started yet, so a full disk is waited for.
    async fn note_begun(&self, mark: &std::path::Path) -> std::io::Result<()> {
        haliotis_failpoints::failpoint!("agent.begun.before");
        let mut patience = Patience::default();
        loop {
            match std::fs::write(mark, "") {
                Err(error) if room::is_full(&error) => {
                    if !self.entered.unless_stopped(self.room.more(&mut patience)).await {
                        return Err(error);
                    }
                }
                written => {
                    haliotis_failpoints::failpoint!("agent.begun.after");
                    return written;
                }
            }
        }
    }

    async fn begin(&self) -> Result<StepOutput, StepError> {
        if self.entered.must_stop() && !self.task.recovered {
            return Ok(StepOutput::aborted("stopped before it began"));
        }
        let started = self.runner.start(&self.prepared.ctx).await?;
        if let Some(slot) = self.slot.filter(|_| self.runner.follows()) {
            slot.begun(self.prepared.ctx.slug());
        }
        if let Some(handle) = &started.handle
            && !self.reporter.handle(handle.clone()).await
        {
            // Nobody is left to read this; the next life of the server finds what was started under its key.
            return Ok(StepOutput::aborted("the server is going down"));
        }
        self.follow(started.handle.unwrap_or(Value::Null)).await
    }

    async fn follow(&self, handle: Value) -> Result<StepOutput, StepError> {
        let ctx = &self.prepared.ctx;
        if self.entered.attached(ctx, &handle) {
            cancel(self.runner, ctx, &handle).await;
        }
        self.runner.attach(ctx, &handle).await
    }

    /// An at-most-once step that may have been started before the restart is asked how it ended, never begun again.
    async fn look_again(&self) -> Result<StepOutput, StepError> {
        self.follow(Value::Null).await.map_err(|error| {
            StepError::Unknown(format!("the server went down while it was being started; asked how it went: {error}"))
        })
    }
}

/// Processes of a step that follows the process of another.
struct Behind {
    processes: Arc<dyn Processes>,
    after: String,
}

#[async_trait]
impl Processes for Behind {
    async fn spawn(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        self.processes.spawn(key, spec).await
    }

    async fn begin(&self, key: &str, spec: ProcessSpec) -> Result<(), ProcessError> {
        self.processes.begin_after(key, spec, &self.after).await
    }

    async fn wait(&self, key: &str) -> Result<Exit, ProcessError> {
        self.processes.wait(key).await
    }

    async fn kill(&self, key: &str, grace_ms: u64) -> Result<(), ProcessError> {
        self.processes.kill(key, grace_ms).await
    }

    async fn forget(&self, key: &str) -> Result<(), ProcessError> {
        self.processes.forget(key).await
    }
}

/// Nearly always it is there, and a look is cheaper than a try.
fn make_dir(dir: &std::path::Path) -> std::io::Result<()> {
    if dir.is_dir() { Ok(()) } else { std::fs::create_dir_all(dir) }
}

/// A leased step runs on its lease's slot.
fn takes_slot(task: &StepTask) -> bool {
    task.call.slot.is_some() && task.call.lease.is_none()
}

async fn cancel(runner: &dyn StepRunner, ctx: &StepContext, handle: &Value) {
    if let Err(error) = runner.cancel(ctx, handle).await {
        ctx.log.line(&format!("it cannot be stopped: {error}"));
    }
}

/// What an error of a runner means for the build.
fn told(error: StepError, stopped: bool, log: &StepLog) -> StepOutput {
    let message = log.masked(&error.to_string());
    log.line(&message);
    match error {
        StepError::Unknown(why) => {
            let interrupted = Some(Interrupted { why: log.masked(&why) });
            StepOutput { interrupted, ..StepOutput::failure(message) }
        }
        StepError::Usage(_) | StepError::World(_) if stopped => StepOutput::aborted(message),
        StepError::Usage(_) | StepError::World(_) => StepOutput::failure(message),
    }
}

/// Runs a future to its end; a panic in it is an `Err` with its words.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            std::task::Poll::Ready(Err(words.unwrap_or_else(|| "without a word".to_owned())))
        }
    })
    .await
}

#[async_trait]
impl Executor for LocalAgent {
    fn agents(&self) -> Vec<AgentInfo> {
        vec![self.info.clone()]
    }

    fn schemas(&self) -> Vec<StepSchema> {
        self.kinds.iter().map(|(schema, _)| schema.clone()).collect()
    }

    async fn run(&self, task: StepTask, reporter: Reporter) -> StepOutput {
        self.run_attempt(&task, &reporter).await
    }

    async fn cancel(&self, key: &StepKey) {
        let Some((ctx, handle)) = self.running.stop(key) else { return };
        let Some((_, runner)) = self.kind(&ctx.call.uses) else { return };
        if let Err(words) = caught(cancel(*runner, &ctx, &handle)).await {
            tracing::error!(%key, "internal error: stopping it panicked: {words}");
        }
    }

    async fn build_ended(&self, build: BuildId, result: BuildResult) {
        self.takes.forget(build).await;
        self.folders.retire(build, result);
        self.clean_up(vec![build]);
    }
}

#[cfg(test)]
#[path = "agent_tests.rs"]
pub(crate) mod tests;
