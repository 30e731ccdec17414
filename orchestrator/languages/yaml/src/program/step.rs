//! One step from its arguments to its end: cells of a matrix, attempts, timeouts, interruptions.

use std::rc::Rc;

use haliotis_flow::{BlockKind, Flow, StopReason};
use haliotis_model::{BuildResult, Call, Object, Placement, StepId, StepOutput, Value, Vars};

use super::question::{self, Interruption};
use super::values::Values;
use super::{End, Outcome, Run, call, label};
use crate::doc::{Action, Cell, Matrix, Named, Retry, Step};
use crate::expr::{EvalError, Status};
use crate::read::fit;

/// Says that a step, and all that it is made of, does not run.
pub(super) fn skip(run: &Run, flow: &Flow, index: usize, why: &str) {
    let step = &run.doc.steps[index];
    let id = run.id(&step.id);
    if let Some(matrix) = &step.matrix {
        for cell in &matrix.cells {
            flow.skip(cell_id(run, step, cell), why);
        }
    }
    flow.skip(id, why);
}

/// Ends a step that could not begin; a block with its message stands for it in the journal.
pub(super) fn fail(run: &Run, flow: &Flow, index: usize, why: String) -> End {
    let step = &run.doc.steps[index];
    settle(step, not_begun(flow, &run.id(&step.id), &step.name, why))
}

fn not_begun(flow: &Flow, id: &StepId, name: &str, why: String) -> Outcome {
    flow.open(id.clone(), name, BlockKind::Stage);
    flow.close(id.clone(), BuildResult::Failure, Some(why.clone()));
    Outcome::new(BuildResult::Failure, why)
}

fn cell_id(run: &Run, step: &Step, cell: &Cell) -> StepId {
    run.id(&format!("{}[{}]", step.id, cell.label))
}

/// Runs a step with all its cells.
pub(super) async fn run(run: &Rc<Run>, index: usize, flow: Flow, status: Status) -> End {
    let step = &run.doc.steps[index];
    let outcome = match &step.matrix {
        None => one(Rc::clone(run), index, None, flow, status).await,
        Some(matrix) => cells(run, index, matrix, flow, status).await,
    };
    settle(step, outcome)
}

/// A failure that the file allows makes the step unstable.
fn settle(step: &Step, outcome: Outcome) -> End {
    let allowed = step.continue_on_error && outcome.result == BuildResult::Failure;
    let result = if allowed { BuildResult::Unstable } else { outcome.result };
    End { result: Some(result), outputs: Rc::new(outcome.outputs), message: outcome.message, ..End::default() }
}

/// All cells at once. The first that fails stops the others, unless told otherwise.
async fn cells(run: &Rc<Run>, index: usize, matrix: &Matrix, flow: Flow, status: Status) -> Outcome {
    let step = &run.doc.steps[index];
    let id = run.id(&step.id);
    flow.open(id.clone(), step.name.clone(), BlockKind::Stage);
    let scope = flow.scope();
    let mut handles = Vec::with_capacity(matrix.cells.len());
    for number in 0..matrix.cells.len() {
        let (run, scope, fail_fast) = (Rc::clone(run), scope.clone(), matrix.fail_fast);
        handles.push(flow.spawn(async move {
            let outcome = cell(run, index, number, scope.clone(), status).await;
            if fail_fast && outcome.as_ref().is_some_and(|outcome| outcome.result == BuildResult::Failure) {
                scope.stop(&StopReason::FailFast);
            }
            outcome
        }));
    }
    let mut whole = Outcome::new(BuildResult::Success, None);
    for (cell, handle) in matrix.cells.iter().zip(handles) {
        let Some(outcome) = handle.await else { continue };
        // A cell that was stopped because another failed is not what went wrong.
        let stopped = outcome.result == BuildResult::Aborted && flow.stopped().is_none() && scope.stopped().is_some();
        let result = if stopped { BuildResult::Failure } else { outcome.result };
        let better = whole.result < result || (whole.result == result && result != BuildResult::Success && !stopped);
        if better && (!stopped || whole.message.is_none()) {
            let message = outcome.message.unwrap_or_else(|| result.as_str().to_owned());
            whole.message = Some(format!("[{}]: {message}", cell.label));
        }
        whole.result = whole.result.worst(result);
        whole.outputs.insert(cell.label.clone(), Value::Object(outcome.outputs));
    }
    flow.close(id, whole.result, whole.message.clone());
    whole
}

/// One cell; `None`: its condition is false.
async fn cell(run: Rc<Run>, index: usize, number: usize, flow: Flow, status: Status) -> Option<Outcome> {
    let step = &run.doc.steps[index];
    let cell = &step.matrix.as_ref()?.cells[number];
    if let Some(reason) = flow.stopped() {
        flow.skip(cell_id(&run, step, cell), reason.message());
        return Some(Outcome::new(BuildResult::Aborted, reason.message()));
    }
    if let Some(condition) = &step.condition {
        match condition.condition(&Values { cell: Some(cell), status, ..Values::of(&run) }) {
            Ok(true) => {}
            Ok(false) => {
                let why = format!("its condition is false: {}", condition.text.trim());
                flow.skip(cell_id(&run, step, cell), why);
                return None;
            }
            Err(error) => return Some(not_begun(&flow, &cell_id(&run, step, cell), &cell.label, error.0)),
        }
    }
    Some(one(Rc::clone(&run), index, Some(number), flow, status).await)
}

/// One cell, or the step when it has no matrix.
async fn one(run: Rc<Run>, index: usize, number: Option<usize>, flow: Flow, status: Status) -> Outcome {
    let step = &run.doc.steps[index];
    let cell = number.and_then(|number| step.matrix.as_ref()?.cells.get(number));
    let id = cell.map_or_else(|| run.id(&step.id), |cell| cell_id(&run, step, cell));
    let vars = match step_vars(&run, step, cell, status) {
        Ok(vars) => vars,
        Err(error) => return not_begun(&flow, &id, &step.name, error.0),
    };
    let values = Values { cell, vars: Some(&vars), status, ..Values::of(&run) };
    let mut outcome = match &step.action {
        Action::Use { kind, placement, with, .. } => match arguments(&run, with, &values) {
            Ok(with) => {
                let call = prepare(&run, step, id.clone(), kind, *placement, with, &vars);
                attempts(&flow, call, step).await
            }
            Err(error) => return not_begun(&flow, &id, &step.name, error.0),
        },
        Action::File { with, doc: Some(doc), .. } => {
            let call = call::Called { run: &run, step, id: id.clone(), doc, with, vars: &vars };
            Box::pin(call::run(call, &flow, &values)).await
        }
        Action::File { path, .. } => return not_begun(&flow, &id, &step.name, format!("{path} was not read")),
        Action::Input(question) => {
            let asked = question::Asked { run: &run, id: id.clone(), question, timeout_ms: step.timeout_ms };
            match asked.spec(&values) {
                Ok(spec) => asked.ask(&flow, spec).await,
                Err(error) => return not_begun(&flow, &id, &step.name, error.0),
            }
        }
    };
    own_outputs(step, &mut outcome, values);
    outcome
}

/// `outputs:` of the step, computed from `self`.
fn own_outputs(step: &Step, outcome: &mut Outcome, values: Values<'_>) {
    if step.outputs.is_empty() || outcome.result > BuildResult::Unstable {
        return;
    }
    let own = serde_json::json!({
        "outputs": outcome.outputs,
        "result": outcome.result.as_str(),
        "message": outcome.message.clone().unwrap_or_default(),
    });
    let values = Values { own: Some(&own), ..values };
    for output in &step.outputs {
        match output.value.evaluate(&values) {
            Ok(value) => {
                outcome.outputs.insert(output.name.clone(), value);
            }
            Err(error) => {
                outcome.result = BuildResult::Failure;
                outcome.message = Some(format!("the output {:?} cannot be made: {}", output.name, error.0));
                return;
            }
        }
    }
}

/// The variables of a step: those of the caller, of the file, its own; each of its own may read the ones above it.
fn step_vars(run: &Run, step: &Step, cell: Option<&Cell>, status: Status) -> Result<Vars, EvalError> {
    let mut vars = run.inherited.vars.clone();
    vars.extend(run.vars.borrow().iter().map(|(name, text)| (name.clone(), text.clone())));
    for (name, value) in &step.vars {
        let text = value.evaluate_text(&Values { cell, vars: Some(&vars), status, ..Values::of(run) })?;
        vars.insert(name.clone(), text);
    }
    Ok(vars)
}

/// The arguments, each as its step kind wants it.
fn arguments(run: &Run, with: &[Named], values: &Values<'_>) -> Result<Object, EvalError> {
    let mut all = Object::new();
    for argument in with {
        let value = argument.value.evaluate(values)?;
        let value = match argument.kind {
            Some(kind) if argument.value.literal().is_none() => fit(value, kind).map_err(|wanted| {
                let (file, at) = (&run.doc.file, argument.at);
                EvalError(format!("{file}:{}:{}: {} must be {wanted}", at.line, at.column, argument.name))
            })?,
            _ => value,
        };
        all.insert(argument.name.clone(), value);
    }
    Ok(all)
}

fn prepare(run: &Run, step: &Step, id: StepId, kind: &str, placement: Placement, with: Object, vars: &Vars) -> Call {
    let mut call = Call::new(id, kind);
    call.with = with;
    call.vars.clone_from(vars);
    for given in [&run.inherited.credentials, &run.doc.credentials, &step.credentials] {
        call.credentials.extend(given.iter().map(|(name, id)| (name.clone(), id.clone())));
    }
    if placement == Placement::Agent {
        let agent = step.agent.as_deref().or(run.doc.agent.as_deref()).or(run.inherited.agent.as_deref());
        call.slot = Some(label(agent));
    }
    call
}

/// Attempts until one succeeds, the file allows no more, or the scope is stopped.
async fn attempts(flow: &Flow, call: Call, step: &Step) -> Outcome {
    let mut call = call;
    let mut retries = 0;
    let mut asked = 0;
    loop {
        let output = attempt(flow, call.clone(), step.timeout_ms).await;
        if let Some(interrupted) = &output.interrupted {
            asked += 1;
            match question::interrupted(flow, &call.id, asked, &interrupted.why).await {
                Interruption::Retry => {
                    call.attempt += 1;
                    continue;
                }
                Interruption::Ends(outcome) => return outcome,
            }
        }
        let more = output.result == BuildResult::Failure && retries < step.retry.max && flow.stopped().is_none();
        if !more {
            return Outcome { result: output.result, outputs: output.outputs, message: output.message };
        }
        retries += 1;
        let delay_ms = delay(step.retry, retries);
        let timer = call.id.child(&format!("retry-{retries}"));
        if delay_ms > 0
            && let Err(reason) = flow.sleep(timer, delay_ms).await
        {
            return Outcome::new(BuildResult::Aborted, reason.message());
        }
        call.attempt += 1;
    }
}

/// The wait before a further attempt, milliseconds.
fn delay(retry: Retry, number: u32) -> u64 {
    let factor = retry.backoff.powi(i32::try_from(number - 1).unwrap_or(i32::MAX));
    let ms = retry.delay_ms as f64 * factor;
    if ms < crate::limits::MAX_DURATION_MS as f64 { ms as u64 } else { crate::limits::MAX_DURATION_MS }
}

/// One attempt, with its own time limit.
async fn attempt(flow: &Flow, call: Call, timeout_ms: Option<u64>) -> StepOutput {
    let name = if call.attempt == 1 { "timeout".to_owned() } else { format!("timeout-{}", call.attempt) };
    let timer = call.id.child(&name);
    let (mut output, timed) = flow
        .timeout(timer, timeout_ms, |inner| async move {
            let output = inner.step(call).await;
            let stopped = inner.stopped();
            (output, stopped)
        })
        .await;
    if output.result <= BuildResult::Unstable {
        return output;
    }
    match (flow.stopped(), timed) {
        (Some(reason), _) => {
            output.result = BuildResult::Aborted;
            output.message = Some(reason.message());
            output.interrupted = None;
        }
        (None, Some(reason @ StopReason::TimedOut { .. })) => {
            output.result = BuildResult::Failure;
            output.message = Some(reason.message());
            output.interrupted = None;
        }
        _ => {}
    }
    output
}
