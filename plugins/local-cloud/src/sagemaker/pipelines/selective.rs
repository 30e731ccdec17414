//! Selective executions: some steps run again, the results of those before them come from an earlier execution.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::AwsError;
use crate::sagemaker::pipelines::definition::{Definition, list};
use crate::sagemaker::pipelines::graph;
use crate::sagemaker::pipelines::record::{Execution, StepRecord, StepStatus};

/// Checks the selection and takes over the results that the selected steps build on.
///
/// # Errors
/// `ValidationException` naming the steps that are wrong or missing; `ResourceNotFound` for the source.
pub(crate) fn prepare(
    execution: &mut Execution,
    definition: &Definition,
    config: Value,
    all: &[Execution],
) -> Result<(), AwsError> {
    let selected: BTreeSet<String> =
        list(&config["SelectedSteps"]).iter().filter_map(|step| step["StepName"].as_str().map(str::to_owned)).collect();
    if let Some(name) = selected.iter().find(|name| !definition.steps.contains_key(*name)) {
        return Err(AwsError::validation(format!("SelectedSteps: the pipeline has no step '{name}'.")));
    }
    let before = graph::ancestors(&definition.steps, &selected);
    check_gaps(definition, &selected, &before)?;
    let needed: Vec<&str> = before.into_iter().filter(|name| !selected.contains(*name)).collect();
    let source = source(&config, all)?;
    let mut missing = Vec::new();
    for name in &needed {
        match source.and_then(|source| source.steps.get(*name)).filter(|step| step.status == StepStatus::Succeeded) {
            Some(step) => drop(execution.steps.insert((*name).to_owned(), taken_over(step, source))),
            None => missing.push(*name),
        }
    }
    if !missing.is_empty() {
        return Err(AwsError::validation(format!(
            "The source pipeline execution {} has no success of the steps that the selected ones depend on: {}",
            source.map_or("(there is none)", |source| source.arn.as_str()),
            missing.join(", ")
        )));
    }
    let mut config = config;
    if let Some(source) = source {
        config["SourcePipelineExecutionArn"] = json!(source.arn);
    }
    execution.selective = Some(config);
    Ok(())
}

/// The named execution, or the newest that is over.
fn source<'a>(config: &Value, all: &'a [Execution]) -> Result<Option<&'a Execution>, AwsError> {
    match config["SourcePipelineExecutionArn"].as_str() {
        Some(arn) => match all.iter().find(|one| one.arn == arn) {
            Some(found) if found.status.is_over() => Ok(Some(found)),
            Some(_) => Err(AwsError::validation(format!("The source pipeline execution {arn} has not ended yet."))),
            None => Err(AwsError::not_found(format!("Pipeline execution with ARN {arn} does not exist."))),
        },
        None => Ok(all.iter().filter(|one| one.status.is_over()).max_by(|a, b| a.created.total_cmp(&b.created))),
    }
}

/// All steps on a path between two selected ones must be selected.
fn check_gaps(definition: &Definition, selected: &BTreeSet<String>, before: &BTreeSet<&str>) -> Result<(), AwsError> {
    let between = before.iter().filter(|name| !selected.contains(**name)).find(|name| {
        let one = BTreeSet::from([(**name).to_owned()]);
        graph::ancestors(&definition.steps, &one).into_iter().any(|earlier| selected.contains(earlier))
    });
    match between {
        None => Ok(()),
        Some(name) => Err(AwsError::validation(format!(
            "SelectedSteps: the step '{name}' lies between two selected steps and must be selected too."
        ))),
    }
}

fn taken_over(step: &StepRecord, source: Option<&Execution>) -> StepRecord {
    StepRecord { taken_from: source.map(|source| source.arn.clone()), ..step.clone() }
}
