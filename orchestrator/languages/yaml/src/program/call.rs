//! A step that is another pipeline file.

use std::cell::RefCell;
use std::rc::Rc;

use haliotis_flow::{BlockKind, Flow, StopReason};
use haliotis_model::{BuildResult, Object, StepId, Value, Vars};

use super::values::Values;
use super::{Inherited, Outcome, Run, whole};
use crate::doc::{Doc, Named, Step};
use crate::read::coerce;

/// The file and what it is given.
pub(super) struct Called<'a> {
    pub(super) run: &'a Rc<Run>,
    pub(super) step: &'a Step,
    pub(super) id: StepId,
    pub(super) doc: &'a Rc<Doc>,
    pub(super) with: &'a [Named],
    pub(super) vars: &'a Vars,
}

/// Runs it to its end; its outputs are the step's.
pub(super) async fn run(called: Called<'_>, flow: &Flow, values: &Values<'_>) -> Outcome {
    let Called { run, step, id, .. } = &called;
    flow.open(id.clone(), step.name.clone(), BlockKind::Call);
    let outcome = match parameters(&called, values) {
        Err(why) => Outcome::new(BuildResult::Failure, why),
        Ok(parameters) => {
            let inner = Rc::new(inner(&called, parameters));
            let timer = id.child("~call-timeout");
            let (mut outcome, stopped) = flow
                .timeout(timer, step.timeout_ms, move |flow| async move {
                    // A scope of its own: the file's timeout stops what is inside, not what is beside it.
                    let outcome = whole(&inner, flow.scope(), false).await;
                    (outcome, flow.stopped())
                })
                .await;
            if outcome.result == BuildResult::Aborted && flow.stopped().is_none() && run.root.abort().is_none() {
                // Its own time limit is a failure of this step; a rejected question inside stays an abort.
                match stopped {
                    Some(reason @ StopReason::TimedOut { .. }) => {
                        outcome = Outcome::new(BuildResult::Failure, reason.message());
                    }
                    _ if outcome
                        .message
                        .as_ref()
                        .is_some_and(|message| message.starts_with("the pipeline timed out")) =>
                    {
                        outcome.result = BuildResult::Failure;
                    }
                    _ => {}
                }
            }
            outcome
        }
    };
    flow.close(id.clone(), outcome.result, outcome.message.clone());
    outcome
}

fn inner(called: &Called<'_>, parameters: Object) -> Run {
    let Called { run, step, id, doc, vars, .. } = called;
    let mut credentials = run.inherited.credentials.clone();
    for given in [&run.doc.credentials, &step.credentials] {
        credentials.extend(given.iter().map(|(name, id)| (name.clone(), id.clone())));
    }
    let agent = step.agent.clone().or_else(|| run.doc.agent.clone()).or_else(|| run.inherited.agent.clone());
    Run {
        facts: Rc::clone(&run.facts),
        doc: Rc::clone(doc),
        prefix: id.as_str().to_owned(),
        root: run.root.clone(),
        parameters,
        vars: RefCell::default(),
        inherited: Inherited { vars: (*vars).clone(), credentials, agent },
        ends: RefCell::new(vec![None; doc.steps.len()]),
        blocked: RefCell::default(),
    }
}

/// The file's parameters: what `with:` gives, else their defaults.
fn parameters(called: &Called<'_>, values: &Values<'_>) -> Result<Object, String> {
    let mut all = Object::new();
    for parameter in &called.doc.parameters {
        let given = called.with.iter().find(|argument| argument.name == parameter.name);
        let given = given.map(|argument| argument.value.evaluate(values)).transpose().map_err(|error| error.0)?;
        match given.filter(|value| *value != Value::Null).or_else(|| parameter.default.clone()) {
            Some(value) => {
                all.insert(parameter.name.clone(), coerce(parameter, &value)?);
            }
            None => return Err(format!("{} needs the parameter {:?}", called.doc.file, parameter.name)),
        }
    }
    Ok(all)
}
