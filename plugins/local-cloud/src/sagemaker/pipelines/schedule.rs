//! Decides what an execution does next. Pure: a definition and a record in, a decision out.
//!
//! A step that failed lets those that run go on to their end and lets no other begin; so does a Fail step, and so does
//! a stop. (For a failed step this is an inference from the documentation; for a stop it is written there.)

use std::collections::BTreeMap;

use crate::sagemaker::pipelines::definition::{Definition, Step};
use crate::sagemaker::pipelines::graph;
use crate::sagemaker::pipelines::record::{Execution, ExecutionStatus, StepStatus};

/// Why AWS says an execution failed; the steps have their own reasons.
const STEP_FAILURE: &str = "Step failure: One or multiple steps failed.";

/// What an execution does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// These steps begin, in this order.
    Begin(Vec<String>),
    /// Something that runs must end first.
    Wait,
    /// It is over.
    End(ExecutionStatus, Option<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It has a record.
    Known(StepStatus),
    /// All that it needs has succeeded.
    Ready,
    /// It waits for something.
    Later,
    /// It is in a branch that was not taken, or comes after such a step, or was not selected.
    Never,
}

/// What to do next.
pub(crate) fn next(definition: &Definition, execution: &Execution) -> Next {
    let reach = reach_all(definition, execution);
    let running = execution.steps.values().filter(|step| !step.status.is_over()).count();
    let failed = execution.steps.values().any(|step| step.status == StepStatus::Failed);
    let halted = failed || execution.status == ExecutionStatus::Stopping;
    let ready: Vec<_> =
        definition.order.iter().filter(|name| reach.get(name.as_str()) == Some(&Reach::Ready)).collect();
    let room = execution.limit().saturating_sub(running);
    if !halted && !ready.is_empty() && room > 0 {
        return Next::Begin(ready.into_iter().take(room).cloned().collect());
    }
    if running > 0 || (!halted && !ready.is_empty()) {
        return Next::Wait;
    }
    match (execution.status, failed) {
        (ExecutionStatus::Stopping, _) => Next::End(ExecutionStatus::Stopped, None),
        (_, true) => Next::End(ExecutionStatus::Failed, Some(STEP_FAILURE.to_owned())),
        (_, false) => Next::End(ExecutionStatus::Succeeded, None),
    }
}

fn reach_all<'d>(definition: &'d Definition, execution: &Execution) -> BTreeMap<&'d str, Reach> {
    let mut found = BTreeMap::new();
    // Every round settles at least one level of the graph, which has no circle.
    for _ in 0..=definition.steps.len() {
        let before = found.len();
        for step in definition.steps.values() {
            if !found.contains_key(step.name.as_str())
                && let Some(reach) = reach(step, execution, &found)
            {
                found.insert(step.name.as_str(), reach);
            }
        }
        if found.len() == before {
            break;
        }
    }
    found
}

/// `None` while a step before it is not settled.
fn reach(step: &Step, execution: &Execution, found: &BTreeMap<&str, Reach>) -> Option<Reach> {
    if let Some(record) = execution.steps.get(&step.name) {
        return Some(Reach::Known(record.status));
    }
    if !is_selected(execution, &step.name) {
        return Some(Reach::Never);
    }
    let mut reach = Reach::Ready;
    for name in graph::before(step) {
        match found.get(name)? {
            Reach::Never => return Some(Reach::Never),
            Reach::Known(StepStatus::Succeeded) => {}
            Reach::Known(_) | Reach::Ready | Reach::Later => reach = Reach::Later,
        }
    }
    if let Some((condition, wanted)) = &step.branch
        && let Some(record) = execution.steps.get(condition).filter(|record| record.status == StepStatus::Succeeded)
        && (record.properties["Outcome"] == "True") != *wanted
    {
        return Some(Reach::Never);
    }
    Some(reach)
}

/// Whether a selective execution runs the step; any other runs all.
pub(crate) fn is_selected(execution: &Execution, name: &str) -> bool {
    let Some(selective) = &execution.selective else { return true };
    selective["SelectedSteps"].as_array().into_iter().flatten().any(|step| step["StepName"] == name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sagemaker::pipelines::record::StepRecord;

    fn model(name: &str, needs: &[&str]) -> Value {
        json!({"Name": name, "Type": "Model", "DependsOn": needs, "Arguments": {"PrimaryContainer": {"Image": "i"}}})
    }

    fn definition(steps: Value) -> Definition {
        let text = json!({"Version": "2020-12-01", "Steps": steps}).to_string();
        Definition::parse(&text, "arn:aws:iam::123456789012:role/test").unwrap()
    }

    fn execution(steps: &[(&str, StepStatus, &str)]) -> Execution {
        let record = |(order, (name, status, outcome)): (usize, &(&str, StepStatus, &str))| {
            let record = json!({"name": name, "kind": "Model", "order": order, "status": status, "started": 0.0, "attempt": 1,
                "work": "", "arguments": null, "properties": {"Outcome": outcome}, "metadata": null});
            ((*name).to_owned(), serde_json::from_value::<StepRecord>(record).unwrap())
        };
        let mut execution: Execution = serde_json::from_value(json!({"id": "x", "arn": "a", "pipeline": "p", "pipeline_arn": "pa",
            "version": 1, "definition": "", "role": "", "token": "", "parameters": {}, "status": "Executing", "created": 0.0,
            "modified": 0.0, "steps": {}}))
        .unwrap();
        execution.steps = steps.iter().enumerate().map(record).collect();
        execution
    }

    fn begin(names: &[&str]) -> Next {
        Next::Begin(names.iter().map(|name| (*name).to_owned()).collect())
    }

    use StepStatus::{Executing, Failed, Succeeded};

    #[test]
    fn steps_begin_when_what_they_need_has_succeeded() {
        let diamond =
            definition(json!([model("D", &["B", "C"]), model("A", &[]), model("B", &["A"]), model("C", &["A"])]));
        let after = |steps: &[(&str, StepStatus, &str)]| next(&diamond, &execution(steps));
        assert_eq!(after(&[]), begin(&["A"]));
        assert_eq!(after(&[("A", Executing, "")]), Next::Wait);
        assert_eq!(after(&[("A", Succeeded, "")]), begin(&["B", "C"]));
        assert_eq!(after(&[("A", Succeeded, ""), ("B", Succeeded, ""), ("C", Executing, "")]), Next::Wait);
        let all = [("A", Succeeded, ""), ("B", Succeeded, ""), ("C", Succeeded, ""), ("D", Succeeded, "")];
        assert_eq!(after(&all[..3]), begin(&["D"]));
        assert_eq!(after(&all), Next::End(ExecutionStatus::Succeeded, None));
    }

    #[test]
    fn at_most_so_many_at_once() {
        let three = definition(json!([model("A", &[]), model("B", &[]), model("C", &[])]));
        let mut run = execution(&[]);
        run.parallelism = Some(json!({"MaxParallelExecutionSteps": 2}));
        assert_eq!(next(&three, &run), begin(&["A", "B"]));
        let mut run = execution(&[("A", Executing, ""), ("B", Executing, "")]);
        run.parallelism = Some(json!({"MaxParallelExecutionSteps": 2}));
        assert_eq!(next(&three, &run), Next::Wait);
    }

    #[test]
    fn the_branch_not_taken_and_all_after_it_never_run() {
        let gate = json!({"Name": "Gate", "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [model("Then", &[])], "ElseSteps": [model("Else", &[])]}});
        let branches = definition(json!([gate, model("AfterThen", &["Then"]), model("AfterGate", &["Gate"])]));
        assert_eq!(next(&branches, &execution(&[])), begin(&["Gate"]));
        assert_eq!(next(&branches, &execution(&[("Gate", Succeeded, "False")])), begin(&["Else", "AfterGate"]));
        let done = [("Gate", Succeeded, "False"), ("Else", Succeeded, ""), ("AfterGate", Succeeded, "")];
        assert_eq!(next(&branches, &execution(&done)), Next::End(ExecutionStatus::Succeeded, None));
    }

    #[test]
    fn a_failure_and_a_stop_let_others_finish_and_none_begin() {
        let two = definition(json!([model("A", &[]), model("B", &[]), model("C", &[])]));
        assert_eq!(next(&two, &execution(&[("A", Failed, ""), ("B", Executing, "")])), Next::Wait);
        let failed = next(&two, &execution(&[("A", Failed, ""), ("B", Succeeded, "")]));
        assert_eq!(failed, Next::End(ExecutionStatus::Failed, Some(STEP_FAILURE.to_owned())));
        let mut stopping = execution(&[("A", Succeeded, "")]);
        stopping.status = ExecutionStatus::Stopping;
        assert_eq!(next(&two, &stopping), Next::End(ExecutionStatus::Stopped, None));
    }

    #[test]
    fn only_what_was_selected_runs() {
        let chain = definition(json!([model("A", &[]), model("B", &["A"]), model("C", &["B"])]));
        let mut run = execution(&[("A", Succeeded, "")]);
        run.selective = Some(json!({"SelectedSteps": [{"StepName": "B"}]}));
        assert_eq!(next(&chain, &run), begin(&["B"]));
        run.steps.extend(execution(&[("B", Succeeded, "")]).steps);
        assert_eq!(next(&chain, &run), Next::End(ExecutionStatus::Succeeded, None));
    }
}
