//! The program of a build: the script's machine, and a driver that does what the script asks over [`Flow`].
//!
//! ```text
//! script thread ── step ──> Outcome::Call ──> step functions (async, over Flow) ──> resume(value or exception)
//!                 block step: its closure runs in a thread of its own, in a context of its own
//! pipeline { }  : the tree's fragments come as closures; declarative.rs runs the model over them
//! ```
//! The machine runs only between two awaits, so branches share it without locks. Its time and randomness come from the
//! journal (`Flow::now`, a counter under the build's name), so a replay makes the same values.

mod blocks;
mod changes;
mod console;
mod context;
mod declarative;
mod given;
mod host;
mod machine;
mod other;
mod steps;
mod values;
mod with_aws;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use haliotis_flow::{AsyncProgram, Flow, StopReason};
use haliotis_groovy::host::HostCall;
use haliotis_groovy::{Raise, Value, Vm};
use haliotis_groovy_syntax::Script;
use haliotis_model::{BuildResult, Call, NewBuild, StepId, StepOutput, StepSchema, Vars, WorkspaceKind};

use crate::declare::model::Model;
use context::{Ctx, Signal};
pub(crate) use steps::input::{Question, parameter};
pub(crate) use steps::kinds::script_kinds;
pub use with_aws::ROLE_PREFIX;

/// What a step answers: a value, or an exception.
pub(crate) type Answer = Result<Value, Raise>;
/// A future that is not sent.
pub(crate) type Async<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Instructions between two looks at the limits; the machine itself counts fuel.
const SLICE: u64 = 1_000_000;
/// What a branch says that was stopped because another failed.
const FAIL_FAST: &str = "Failed in another branch";
/// The field that marks the exception of a step whose end nobody knows.
const LOST: &str = "$lost";
/// Who stops a build that a newer one has overtaken at a milestone; such a build is NOT_BUILT.
pub const SUPERSEDED_BY: &str = "milestone";
/// Longest part of a step's path that its name gives, in characters.
const MAX_NAME: usize = 60;

/// What does not change while the build runs.
pub(crate) struct Facts {
    pub(crate) build: NewBuild,
    pub(crate) kinds: Vec<StepSchema>,
    pub(crate) script: Arc<Script>,
    pub(crate) model: Option<Rc<Model>>,
    /// Library files, pinned: path to text.
    pub(crate) libraries: BTreeMap<String, String>,
}

/// What the script changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) result: Option<BuildResult>,
    pub(crate) message: Option<String>,
    /// `env.X = …`
    pub(crate) overrides: Vars,
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    ids: BTreeMap<String, u32>,
    /// Milestones passed without a number of their own.
    pub(crate) milestones: i64,
    /// Texts of `resources` of libraries that were loaded by `library` while the script runs.
    pub(crate) resources: BTreeMap<String, String>,
    pub(crate) random: u64,
    /// Live nodes, for second workspaces.
    pub(crate) workspaces: Vec<String>,
    /// Files loaded by `load`.
    pub(crate) loaded: usize,
    /// What changed since the build before, once the server was asked.
    pub(crate) changes: Option<Rc<Vec<haliotis_model::Value>>>,
    /// Answers of the server's environment, by name.
    pub(crate) known: BTreeMap<String, Option<String>>,
}

/// Shared with the host, which the machine calls.
pub(crate) struct Shared {
    pub(crate) facts: Facts,
    pub(crate) state: RefCell<State>,
    pub(crate) root: Flow,
    /// The context of the thread that runs now.
    pub(crate) current: RefCell<Option<Ctx>>,
    /// A slot was freed.
    pub(crate) changed: Signal,
    /// What every script of the build sees.
    pub(crate) names: RefCell<machine::Names>,
    /// The Declarative pipelines of the Jenkinsfile and of its libraries, as their scripts number them.
    pub(crate) models: RefCell<Vec<Rc<Model>>>,
}

/// A build at run time.
pub(crate) struct Run {
    pub(crate) shared: Rc<Shared>,
    vm: RefCell<Vm>,
}

/// Makes the program.
pub(crate) fn program(facts: Facts) -> AsyncProgram {
    AsyncProgram::new(move |root| async move { begin(facts, root).await })
}

async fn begin(facts: Facts, root: Flow) -> (BuildResult, Option<String>) {
    let models = facts.model.iter().cloned().collect();
    let shared = Rc::new(Shared {
        facts,
        models: RefCell::new(models),
        state: RefCell::default(),
        root: root.clone(),
        current: RefCell::new(None),
        changed: Signal::default(),
        names: RefCell::default(),
    });
    console::started(&shared);
    console::libraries(&shared);
    let ctx = Ctx {
        flows: Rc::new(vec![Rc::new(RefCell::new(root.abortable()))]),
        root: root.clone(),
        node: None,
        folder: "".into(),
        env: Rc::default(),
        credentials: Rc::default(),
        secrets: Rc::default(),
        path: StepId::new(""),
        stage: None,
        container: None,
        registry: None,
        declarative: shared.facts.model.is_some(),
    };
    let ended = match machine::start(&shared) {
        Ok((vm, thread)) => {
            let run = Rc::new(Run { shared: Rc::clone(&shared), vm: RefCell::new(vm) });
            shared.say("[Pipeline] Start of Pipeline");
            let ended = run.thread(&ctx, thread).await;
            shared.say("[Pipeline] End of Pipeline");
            ended.map(drop).map_err(|raise| run.failed(&raise))
        }
        Err(message) => {
            shared.say(&format!("ERROR: {message}"));
            Err((BuildResult::Failure, message))
        }
    };
    finish(&shared, &root, ended.err())
}

fn finish(shared: &Shared, root: &Flow, error: Option<(BuildResult, String)>) -> (BuildResult, Option<String>) {
    let (set, said) = {
        let state = shared.state.borrow();
        (state.result, state.message.clone())
    };
    let mut result = set.unwrap_or(BuildResult::Success);
    let mut message = said;
    if let Some((worse, why)) = error {
        if worse >= result || message.is_none() {
            message = Some(why);
        }
        result = result.worst(worse);
    }
    if let Some(reason) = root.abort() {
        (result, message) = match &reason {
            StopReason::Aborted { by, reason } if by == SUPERSEDED_BY => (BuildResult::NotBuilt, Some(reason.clone())),
            other => (BuildResult::Aborted, Some(other.message())),
        };
    }
    shared.say(&format!("Finished: {}", console::word(result)));
    if result == BuildResult::Success { (result, None) } else { (result, message) }
}

impl Shared {
    /// A line of the console. Secrets are not there to be shown, only their placeholders.
    pub(crate) fn say(&self, text: &str) {
        for line in console::masked(text).split('\n') {
            self.root.say(line);
        }
    }

    /// Makes the build's result worse; never better.
    pub(crate) fn worsen(&self, result: BuildResult, why: Option<&str>) {
        let mut state = self.state.borrow_mut();
        let now = state.result.unwrap_or(BuildResult::Success);
        if result > now {
            state.result = Some(result);
            if let Some(why) = why {
                state.message = Some(why.to_owned());
            }
        }
    }

    /// A path below another that nothing has yet.
    pub(crate) fn fresh(&self, parent: &StepId, name: &str) -> StepId {
        let clean: String =
            name.chars().map(|c| if c == '/' || c.is_control() { '-' } else { c }).take(MAX_NAME).collect();
        let clean = if clean.trim().is_empty() { "step".to_owned() } else { clean.trim().to_owned() };
        let path = parent.child(&clean);
        let mut state = self.state.borrow_mut();
        let count = state.ids.entry(path.as_str().to_owned()).or_insert(0);
        *count += 1;
        if *count == 1 { path } else { parent.child(&format!("{clean}-{count}")) }
    }

    pub(crate) fn has_kind(&self, name: &str) -> bool {
        self.facts.kinds.iter().any(|kind| kind.name == name)
    }

    pub(crate) fn in_place(&self) -> bool {
        matches!(self.facts.build.workspace, WorkspaceKind::InPlace { .. })
    }
}

impl Run {
    /// The machine, between two awaits.
    pub(crate) fn vm<T>(&self, work: impl FnOnce(&mut Vm) -> T) -> T {
        work(&mut self.vm.borrow_mut())
    }

    /// An exception of a class.
    pub(crate) fn throw(&self, class: &str, message: &str) -> Raise {
        self.vm(|vm| vm.throw(class, message))
    }

    /// What a failed step throws.
    pub(crate) fn abort_exception(&self, message: &str) -> Raise {
        self.throw("hudson.AbortException", message)
    }

    /// The exception of a stop.
    pub(crate) fn interruption(&self, message: &str, result: BuildResult) -> Raise {
        let raise = self.throw("org.jenkinsci.plugins.workflow.steps.FlowInterruptedException", message);
        if let Raise::Throw(Value::Object(object)) = &raise {
            let mut fields = object.fields.borrow_mut();
            fields.push(("result".into(), Value::str(console::word(result))));
        }
        raise
    }

    /// The stop that reached a context, as an exception; fresh scopes are in place when this returns.
    pub(crate) fn delivered(&self, ctx: &Ctx) -> Option<Raise> {
        let reason = ctx.deliver()?;
        let message = match &reason {
            StopReason::TimedOut { .. } => "Timeout has been exceeded".to_owned(),
            StopReason::FailFast => FAIL_FAST.to_owned(),
            StopReason::Aborted { by, reason } if by == SUPERSEDED_BY => {
                return Some(self.interruption(reason, BuildResult::NotBuilt));
            }
            StopReason::Aborted { by, .. } => format!("Aborted by {by}"),
        };
        Some(self.interruption(&message, BuildResult::Aborted))
    }

    /// Runs a thread to its end.
    pub(crate) fn thread<'a>(self: &'a Rc<Self>, ctx: &'a Ctx, mut thread: machine::Thread) -> Async<'a, Answer> {
        Box::pin(async move {
            loop {
                *self.shared.current.borrow_mut() = Some(ctx.clone());
                let outcome = self.vm.borrow_mut().run(&mut thread, SLICE);
                match outcome {
                    machine::Outcome::Done(value) => return Ok(value),
                    machine::Outcome::Threw(value) => return Err(Raise::Throw(value)),
                    machine::Outcome::Fatal(text) => return Err(Raise::Fatal(text)),
                    machine::Outcome::Paused => {}
                    machine::Outcome::Call(call) => {
                        let answer = self.host_call(ctx, call).await;
                        if let Err(Raise::Fatal(text)) = answer {
                            return Err(Raise::Fatal(text));
                        }
                        thread.resume(answer);
                    }
                }
            }
        })
    }

    /// Calls a closure of the script in a context; or what stands for one where Declarative itself is in a block.
    pub(crate) async fn closure(self: &Rc<Self>, ctx: &Ctx, closure: &Value, args: &[Value]) -> Answer {
        if let Value::Host(object) = closure
            && let Some(inside) = object.as_any().downcast_ref::<declarative::Inside>()
        {
            return inside.run(ctx.clone()).await.map(|()| Value::Null);
        }
        let thread = self.vm(|vm| machine::closure(vm, closure, args));
        self.thread(ctx, thread).await
    }

    async fn host_call(self: &Rc<Self>, ctx: &Ctx, call: HostCall) -> Answer {
        if call.property {
            return self.late_property(ctx, &call).await;
        }
        if let Some(receiver) = &call.receiver {
            return self.object_call(ctx, receiver.as_ref(), &call).await;
        }
        if &*call.name == "pipeline" && !self.shared.models.borrow().is_empty() {
            return self.declarative(ctx, &call.args).await;
        }
        self.step(ctx, &call.name, &call.args).await
    }

    /// Runs one step kind and gives its output, whatever that is.
    pub(crate) async fn perform(&self, ctx: &Ctx, call: Call) -> Result<StepOutput, Raise> {
        let flow = ctx.flow();
        let mut call = call;
        if call.slot.is_some() {
            let Some(node) = &ctx.node else { return Err(self.no_node(ctx)) };
            let lease = match node.lease(&flow).await {
                Ok(lease) => lease,
                Err(reason) => {
                    return Err(self
                        .delivered(ctx)
                        .unwrap_or_else(|| self.interruption(&reason.message(), BuildResult::Aborted)));
                }
            };
            call.lease = Some(lease);
            node.enter();
            let output = flow.step(call).await;
            node.leave();
            return Ok(output);
        }
        Ok(flow.step(call).await)
    }

    /// Runs one step kind; a failure is an exception, an unstable result marks the build.
    pub(crate) async fn run_call(&self, ctx: &Ctx, call: Call) -> Result<StepOutput, Raise> {
        let uses = call.uses.clone();
        let output = self.perform(ctx, call).await?;
        self.judge(ctx, &uses, output)
    }

    pub(crate) fn judge(&self, ctx: &Ctx, uses: &str, output: StepOutput) -> Result<StepOutput, Raise> {
        let message = output.message.clone().unwrap_or_else(|| format!("{uses} failed"));
        match output.result {
            BuildResult::Success => Ok(output),
            BuildResult::Unstable => {
                self.mark(ctx, BuildResult::Unstable, &message);
                Ok(output)
            }
            BuildResult::Aborted => {
                Err(self.delivered(ctx).unwrap_or_else(|| self.interruption(&message, BuildResult::Aborted)))
            }
            BuildResult::Failure | BuildResult::NotBuilt => {
                let raise = self.abort_exception(&message);
                if output.interrupted.is_some()
                    && let Raise::Throw(Value::Object(object)) = &raise
                {
                    object.fields.borrow_mut().push((LOST.into(), Value::Bool(true)));
                }
                Err(raise)
            }
        }
    }

    /// Build and stage get a result.
    pub(crate) fn mark(&self, ctx: &Ctx, result: BuildResult, why: &str) {
        self.shared.worsen(result, Some(why));
        if let Some(stage) = &ctx.stage {
            stage.result.set(stage.result.get().worst(result));
        }
    }

    pub(crate) fn no_node(&self, ctx: &Ctx) -> Raise {
        if ctx.declarative {
            return self.abort_exception(crate::words::NO_NODE);
        }
        self.throw(
            "java.lang.IllegalStateException",
            "Required context class hudson.FilePath is missing\nPerhaps you forgot to surround the code with a step that provides this, such as: node",
        )
    }

    /// A call of a step kind in a context: its path, variables, credentials, node.
    pub(crate) fn call(&self, ctx: &Ctx, name: &str, uses: &str) -> Call {
        let mut call = Call::new(self.shared.fresh(&ctx.path, name), uses);
        let on_agent = self
            .shared
            .facts
            .kinds
            .iter()
            .find(|kind| kind.name == uses)
            .is_none_or(|kind| kind.placement == haliotis_model::Placement::Agent);
        if on_agent {
            call.slot = Some(ctx.node.as_ref().map(|node| node.label.clone()).unwrap_or_default());
        }
        if let Some(node) = &ctx.node {
            let folder = [node.workspace.as_str(), &ctx.folder].into_iter().filter(|part| !part.is_empty());
            let folder = folder.collect::<Vec<_>>().join("/");
            call.folder = Some(folder).filter(|folder| !folder.is_empty());
        }
        call.vars = self.shared.state.borrow().overrides.clone();
        call.vars.extend((*ctx.env).clone());
        if let Some(stage) = &ctx.stage {
            call.vars.entry("STAGE_NAME".to_owned()).or_insert_with(|| stage.name.clone());
        }
        call.credentials = (*ctx.credentials).clone();
        call
    }

    /// The result that an exception means, and what to tell; prints it as Jenkins does.
    fn failed(&self, raise: &Raise) -> (BuildResult, String) {
        let (result, message) = self.meaning(raise);
        let shown = match raise {
            Raise::Throw(value) => {
                let class = self.vm(|vm| vm.class_name(value));
                match &*class {
                    "hudson.AbortException" => format!("ERROR: {message}"),
                    class if class.ends_with("FlowInterruptedException") => message.clone(),
                    _ => self.vm(|vm| machine::describe(vm, value)),
                }
            }
            _ => format!("ERROR: {message}"),
        };
        if !shown.is_empty() {
            self.shared.say(&shown);
        }
        (result, message)
    }

    /// The result that an exception means, and its message.
    pub(crate) fn meaning(&self, raise: &Raise) -> (BuildResult, String) {
        let value = match raise {
            Raise::Throw(value) => value,
            Raise::Fatal(text) => return (BuildResult::Failure, text.clone()),
            Raise::NoMatch => return (BuildResult::Failure, "a library function refused its arguments".to_owned()),
        };
        let class = self.vm(|vm| vm.class_name(value));
        let mut message = String::new();
        let mut result = BuildResult::Failure;
        if let Value::Object(object) = value {
            for (name, field) in object.fields.borrow().iter() {
                match (&**name, field) {
                    ("message", Value::Str(text)) => message = text.to_string(),
                    ("result", Value::Str(word)) => result = console::parse(word).unwrap_or(BuildResult::Failure),
                    _ => {}
                }
            }
        }
        if message.is_empty() || !(class.ends_with("AbortException") || class.ends_with("FlowInterruptedException")) {
            message = if message.is_empty() { class.to_string() } else { format!("{class}: {message}") };
        }
        (result, message)
    }

    /// The build's result after an error of one of its parts. A branch that was stopped because another failed adds
    /// nothing: the other's failure is the result.
    pub(crate) fn account(&self, raise: &Raise) {
        let (result, why) = self.meaning(raise);
        if why != FAIL_FAST {
            self.shared.worsen(result, Some(&why));
        }
    }

    /// Whether an exception tells of a step that began and whose end nobody knows.
    pub(crate) fn is_lost(&self, raise: &Raise) -> bool {
        match raise {
            Raise::Throw(Value::Object(object)) => object.fields.borrow().iter().any(|(name, _)| &**name == LOST),
            _ => false,
        }
    }

    /// Whether an exception is an interruption.
    pub(crate) fn is_interruption(&self, raise: &Raise) -> bool {
        match raise {
            Raise::Throw(value) => self.vm(|vm| vm.class_name(value)).ends_with("FlowInterruptedException"),
            _ => false,
        }
    }
}
