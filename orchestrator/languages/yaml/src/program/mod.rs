//! The program of a build: async functions over [`Flow`].
//!
//! ```text
//! main scope (abort and the build's timeout stop it)      root scope (nothing stops it but the engine)
//!   /checkout, then the steps of phase 1                    steps with `when: always`, all of phase 2 (post)
//! ```
//! | situation | what happens |
//! |---|---|
//! | abort while steps run | they are asked to stop and awaited; those not begun are skipped; phase 2 runs; `Aborted` |
//! | abort during phase 2 | phase 2 goes on (a second abort is the engine's); `Aborted` |
//! | a step's timeout and its end in one turn | events apply in order; a success counts, else it timed out |
//! | an expression that fails | its step fails with the place and the reason; nothing was started |
//! | a question rejected | its step is aborted, what needs it is skipped, the rest goes on; `Aborted` |

mod call;
mod phase;
mod question;
mod step;
mod values;

use std::cell::RefCell;
use std::rc::Rc;

use haliotis_flow::{AsyncProgram, Flow, StopReason};
use haliotis_model::{BuildId, BuildResult, Call, NewBuild, Object, StepId, Value, Vars};
use sha2::{Digest as _, Sha256};

use crate::doc::{Action, Doc};
use crate::expr::Status;
use crate::read::coerce;
use phase::Verdict;
use values::Values;

/// What all parts of a build share.
pub(crate) struct Facts {
    /// `build.*`
    build: Object,
    /// `event.*`
    event: Object,
    /// SHA-256 of the definition with its files, bound into every question.
    definition: String,
}

/// One file being run: the build's own, or one that a step calls.
pub(crate) struct Run {
    facts: Rc<Facts>,
    doc: Rc<Doc>,
    /// The path of the calling step; empty for the build's own file.
    prefix: String,
    /// The scope that nothing stops.
    root: Flow,
    parameters: Object,
    /// The file's own variables, evaluated.
    vars: RefCell<Vars>,
    /// Variables, credentials and label that the caller gives.
    inherited: Inherited,
    ends: RefCell<Vec<Option<End>>>,
    /// Why no step of phase 1 can begin.
    blocked: RefCell<Option<Blocked>>,
}

#[derive(Clone, Default)]
struct Inherited {
    vars: Vars,
    credentials: Vars,
    agent: Option<String>,
}

struct Blocked {
    why: String,
    result: BuildResult,
}

/// How a step ended.
#[derive(Clone, Default)]
struct End {
    /// `None`: skipped.
    result: Option<BuildResult>,
    outputs: Rc<Object>,
    message: Option<String>,
    /// The step that failed, when this one failed or was skipped for it.
    root: Option<usize>,
    /// The same for an aborted one.
    aborted: Option<usize>,
}

/// How a part went.
struct Outcome {
    result: BuildResult,
    outputs: Object,
    message: Option<String>,
}

impl Outcome {
    fn new(result: BuildResult, message: impl Into<Option<String>>) -> Self {
        Self { result, outputs: Object::new(), message: message.into() }
    }
}

/// The program of a build.
pub(crate) fn program(id: BuildId, build: &NewBuild, doc: Rc<Doc>) -> AsyncProgram {
    let facts = Rc::new(facts(id, build));
    let parameters = parameters(&doc, &build.parameters);
    let checkout = implicit_checkout(&doc, build.source.commit.is_some());
    AsyncProgram::new(move |root| async move {
        let ends = RefCell::new(vec![None; doc.steps.len()]);
        let run = Rc::new(Run {
            facts,
            doc,
            prefix: String::new(),
            root: root.clone(),
            parameters,
            vars: RefCell::default(),
            inherited: Inherited::default(),
            ends,
            blocked: RefCell::default(),
        });
        let outcome = whole(&run, root.abortable(), checkout).await;
        finish(&run, outcome)
    })
}

/// The end of the build: outputs said, and the abort that was asked for counts.
fn finish(run: &Rc<Run>, outcome: Outcome) -> (BuildResult, Option<String>) {
    let Outcome { mut result, outputs, mut message } = outcome;
    if let Some(reason) = run.root.abort() {
        (result, message) = (BuildResult::Aborted, Some(reason.message()));
    }
    for (name, value) in &outputs {
        run.root.say(format!("output {name} = {}", crate::expr::show(value)));
    }
    (result, message)
}

/// A file from beginning to end: phase 1 in the scope given, then phase 2 in the root scope, then its outputs.
async fn whole(run: &Rc<Run>, flow: Flow, checkout: bool) -> Outcome {
    if let Err(error) = evaluate_vars(run) {
        run.root.say(error.clone());
        *run.blocked.borrow_mut() = Some(Blocked { why: error, result: BuildResult::Failure });
    }
    let timed = {
        let run = Rc::clone(run);
        let timer = run.id("~timeout");
        flow.timeout(timer, run.doc.timeout_ms, move |inner| async move {
            if checkout {
                check_out(&run, &inner).await;
            }
            phase::run(&run, inner.clone(), false, None).await;
            inner.stopped()
        })
        .await
    };
    let overall = overall(run);
    phase::run(run, run.root.clone(), true, Some(overall)).await;
    let mut outcome = summary(run);
    if outcome.result == BuildResult::Aborted
        && let Some(StopReason::TimedOut { .. }) = &timed
        && flow.stopped().is_none()
    {
        outcome.message = timed.map(|reason| format!("the pipeline {}", reason.message()));
    }
    outputs(run, &mut outcome);
    outcome
}

/// The build's own commit, which is what the step takes without arguments.
async fn check_out(run: &Rc<Run>, flow: &Flow) {
    let mut call = Call::new(run.id("checkout"), "checkout");
    call.slot = Some(label(run.doc.agent.as_deref()));
    let output = flow.step(call).await;
    if output.result > BuildResult::Unstable {
        let reason = flow.stopped().map(|reason| reason.message()).or(output.message).unwrap_or_default();
        let result = if flow.stopped().is_some() { BuildResult::Aborted } else { BuildResult::Failure };
        let verb = if result == BuildResult::Aborted { "was aborted" } else { "failed" };
        let why = if reason.is_empty() { format!("checkout {verb}") } else { format!("checkout {verb}: {reason}") };
        *run.blocked.borrow_mut() = Some(Blocked { why, result });
    }
}

/// How phase 1 went, for the steps of phase 2.
fn overall(run: &Run) -> Verdict {
    let mut verdict = Verdict::default();
    for (index, end) in run.ends.borrow().iter().enumerate() {
        let Some(end) = end else { continue };
        match end.result {
            Some(BuildResult::Failure | BuildResult::NotBuilt) => verdict.failed = verdict.failed.or(Some(index)),
            Some(BuildResult::Aborted) => verdict.aborted = verdict.aborted.or(Some(index)),
            _ => {}
        }
    }
    match run.blocked.borrow().as_ref().map(|blocked| blocked.result) {
        Some(BuildResult::Aborted) => verdict.blocked_aborted = true,
        Some(_) => verdict.blocked = true,
        None => {}
    }
    verdict
}

/// The worst of the steps, and which one that was.
fn summary(run: &Run) -> Outcome {
    let mut outcome = Outcome::new(BuildResult::Success, None);
    if let Some(blocked) = run.blocked.borrow().as_ref() {
        outcome = Outcome::new(blocked.result, blocked.why.clone());
    }
    for (step, end) in run.doc.steps.iter().zip(run.ends.borrow().iter()) {
        let Some(End { result: Some(result), message, .. }) = end else { continue };
        if *result <= outcome.result {
            continue;
        }
        let verb = match result {
            BuildResult::Aborted => "was aborted",
            BuildResult::Unstable => "is unstable",
            _ => "failed",
        };
        let path = run.id(&step.id);
        let text = match message {
            Some(message) => format!("the step {path} {verb}: {message}"),
            None => format!("the step {path} {verb}"),
        };
        outcome = Outcome::new(*result, text);
    }
    outcome
}

/// The outputs of the file. One that cannot be made fails a build that was well, and is left out of one that was not.
fn outputs(run: &Rc<Run>, outcome: &mut Outcome) {
    let values = Values::of(run);
    for output in &run.doc.outputs {
        match output.value.evaluate(&values) {
            Ok(value) => {
                outcome.outputs.insert(output.name.clone(), value);
            }
            Err(error) if outcome.result <= BuildResult::Unstable => {
                outcome.result = BuildResult::Failure;
                outcome.message = Some(format!("the output {:?} cannot be made: {}", output.name, error.0));
            }
            Err(_) => {}
        }
    }
}

/// The variables of the file, in order; each may read the ones above it.
fn evaluate_vars(run: &Rc<Run>) -> Result<(), String> {
    for (name, value) in &run.doc.vars {
        let text = value.evaluate_text(&Values::of(run)).map_err(|error| error.0)?;
        run.vars.borrow_mut().insert(name.clone(), text);
    }
    Ok(())
}

impl Run {
    /// The path of a step of this file.
    fn id(&self, step: &str) -> StepId {
        StepId::new(format!("{}/{step}", self.prefix))
    }
}

/// A label expression as the agents know it: `any` is no condition.
pub(crate) fn label(agent: Option<&str>) -> String {
    agent.filter(|label| *label != "any").unwrap_or_default().to_owned()
}

/// The build gets its sources by itself, unless the file does it or does not want them.
pub(crate) fn implicit_checkout(doc: &Doc, has_source: bool) -> bool {
    let own = |step: &crate::doc::Step| {
        step.id == "checkout" || matches!(&step.action, Action::Use { kind, .. } if kind == "checkout")
    };
    has_source && doc.checkout && !doc.steps.iter().any(own)
}

/// All parameters by their types; what the build does not give has its default.
pub(crate) fn parameters(doc: &Doc, given: &Object) -> Object {
    let mut all = Object::new();
    for parameter in &doc.parameters {
        if let Some(value) = given.get(&parameter.name).or(parameter.default.as_ref()) {
            all.insert(parameter.name.clone(), coerce(parameter, value).unwrap_or_else(|_| value.clone()));
        }
    }
    all
}

fn facts(id: BuildId, build: &NewBuild) -> Facts {
    let source = &build.source;
    let text = |value: &Option<String>| Value::String(value.clone().unwrap_or_default());
    let values = [
        ("number", Value::from(build.number)),
        ("id", Value::from(id.0)),
        ("pipeline", Value::String(build.pipeline.clone())),
        ("commit", text(&source.commit)),
        ("branch", text(&source.branch)),
        ("repo", text(&source.repo)),
        ("cloud", Value::String(build.cloud.clone())),
        ("url", Value::String(format!("/builds/{id}"))),
    ];
    let definition = serde_json::json!({ "text": source.text, "files": source.files });
    Facts {
        build: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        event: build.event.clone(),
        definition: digest(&definition),
    }
}

/// SHA-256 over JSON with sorted keys, hexadecimal.
pub(crate) fn digest(value: &Value) -> String {
    hex::encode(Sha256::digest(canonical(value).to_string().as_bytes()))
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let sorted: std::collections::BTreeMap<&String, Value> =
                object.iter().map(|(name, value)| (name, canonical(value))).collect();
            Value::Object(sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

/// For expressions outside of any step.
fn no_status() -> Status {
    Status { failed: false, success: true }
}
