//! Questions to people: the inputs of the file, and what to do with a step whose outcome nobody knows.

use haliotis_flow::{Flow, InputOutcome, StopReason};
use haliotis_model::{Answer, BuildResult, Decision, InputSpec, Object, ParameterKind, ParameterSpec, StepId, Value};

use super::values::Values;
use super::{Outcome, Run, digest};
use crate::doc::Question;
use crate::expr::EvalError;
use crate::read::coerce;

/// A question about to be asked.
pub(super) struct Asked<'a> {
    pub(super) run: &'a Run,
    pub(super) id: StepId,
    pub(super) question: &'a Question,
    pub(super) timeout_ms: Option<u64>,
}

impl Asked<'_> {
    /// The question with its values, and the digest that an answer must carry.
    pub(super) fn spec(&self, values: &Values<'_>) -> Result<InputSpec, EvalError> {
        let mut binds = Object::new();
        for bind in &self.question.binds {
            binds.insert(bind.name.clone(), bind.value.evaluate(values)?);
        }
        let mut spec = InputSpec {
            message: self.question.message.evaluate_text(values)?,
            ok: self.question.ok.clone(),
            approvers: self.question.approvers.clone(),
            parameters: self.question.parameters.clone(),
            reason_required: self.question.reason_required,
            self_approval: self.question.self_approval.unwrap_or(true),
            binds,
            digest: String::new(),
        };
        let facts = &self.run.facts;
        let mut bound = serde_json::json!({
            "input": self.id,
            "message": spec.message,
            "approvers": spec.approvers,
            "parameters": spec.parameters,
            "binds": spec.binds,
            "pipeline": facts.build.get("pipeline"),
            "build": facts.build.get("id"),
            "definition": facts.definition,
        });
        // Not there where it is allowed: digests of journals from before this rule stay what they are.
        if let (false, Some(object)) = (spec.self_approval, bound.as_object_mut()) {
            object.insert("self-approval".to_owned(), Value::Bool(false));
        }
        spec.digest = digest(&bound);
        Ok(spec)
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(self, flow: &Flow, spec: InputSpec) -> Outcome {
        let id = self.id.clone();
        let timer = id.child("timeout");
        let answer = flow.timeout(timer, self.timeout_ms, |inner| async move { inner.ask(id, spec).await }).await;
        match answer {
            InputOutcome::Stopped(reason @ StopReason::TimedOut { .. }) if flow.stopped().is_none() => {
                Outcome::new(BuildResult::Aborted, format!("nobody answered: {}", reason.message()))
            }
            InputOutcome::Stopped(reason) => Outcome::new(BuildResult::Aborted, reason.message()),
            InputOutcome::Answered(answer) if answer.decision == Decision::Rejected => {
                Outcome::new(BuildResult::Aborted, rejected(&answer))
            }
            InputOutcome::Answered(answer) => self.outputs(&answer),
        }
    }

    /// `by`, `reason`, `values` and each value by its name.
    fn outputs(&self, answer: &Answer) -> Outcome {
        let mut values = Object::new();
        for parameter in &self.question.parameters {
            let Some(value) = answer.value(&parameter.name).or(parameter.default.as_ref()) else {
                let why = format!("the answer has no value for {:?}", parameter.name);
                return Outcome::new(BuildResult::Failure, why);
            };
            match coerce(parameter, value) {
                Ok(value) => values.insert(parameter.name.clone(), value),
                Err(why) => return Outcome::new(BuildResult::Failure, format!("the answer does not fit: {why}")),
            };
        }
        let mut outcome = Outcome::new(BuildResult::Success, None);
        outcome.outputs.extend(values.clone());
        outcome.outputs.insert("by".to_owned(), Value::String(answer.by.clone()));
        outcome.outputs.insert("reason".to_owned(), Value::String(answer.reason.clone()));
        outcome.outputs.insert("values".to_owned(), Value::Object(values));
        outcome
    }
}

fn rejected(answer: &Answer) -> String {
    match answer.reason.as_str() {
        "" => format!("rejected by {}", answer.by),
        reason => format!("rejected by {}: {reason}", answer.by),
    }
}

/// What a person said about a step whose outcome is unknown.
pub(super) enum Interruption {
    Retry,
    Ends(Outcome),
}

/// Asks what to do. `number` counts the questions about this step from 1.
pub(super) async fn interrupted(flow: &Flow, step: &StepId, number: u32, why: &str) -> Interruption {
    let name = if number == 1 { "interrupted".to_owned() } else { format!("interrupted-{number}") };
    let id = step.child(&name);
    let message = format!("The outcome of {step} is unknown: {why}. Look what it did, then say how it goes on.");
    let outcome = ParameterSpec {
        name: "outcome".to_owned(),
        kind: ParameterKind::Choice,
        default: None,
        choices: ["retry", "success", "failure"].map(str::to_owned).to_vec(),
        description: "retry: run it again. success, failure: it ended so.".to_owned(),
    };
    let digest = digest(&serde_json::json!({ "input": id, "message": message, "parameters": [outcome] }));
    let spec = InputSpec {
        message,
        ok: "Go on".to_owned(),
        approvers: Vec::new(),
        parameters: vec![outcome],
        reason_required: false,
        self_approval: true,
        binds: Object::new(),
        digest,
    };
    match flow.ask(id, spec).await {
        InputOutcome::Stopped(reason) => Interruption::Ends(Outcome::new(BuildResult::Aborted, reason.message())),
        InputOutcome::Answered(answer) => decided(&answer, why),
    }
}

fn decided(answer: &Answer, why: &str) -> Interruption {
    if answer.decision == Decision::Rejected {
        return Interruption::Ends(Outcome::new(BuildResult::Aborted, rejected(answer)));
    }
    match answer.value("outcome").and_then(Value::as_str) {
        Some("retry") => Interruption::Retry,
        Some("success") => Interruption::Ends(Outcome::new(BuildResult::Success, None)),
        _ => {
            let message = format!("interrupted: {why}; {} says it failed", answer.by);
            Interruption::Ends(Outcome::new(BuildResult::Failure, message))
        }
    }
}
