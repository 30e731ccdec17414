//! Where a starting step's expressions find their values: the execution's record, and the objects that steps left.

use serde_json::{Value, json};

use crate::s3::{Location, Store};
use crate::sagemaker::clock;
use crate::sagemaker::pipelines::definition::Definition;
use crate::sagemaker::pipelines::expression::{self, Scope};
use crate::sagemaker::pipelines::record::Execution;

/// One step's view.
pub(crate) struct StepScope<'a> {
    pub(crate) execution: &'a Execution,
    pub(crate) definition: &'a Definition,
    pub(crate) store: &'a Store,
    /// What the step's job will be called.
    pub(crate) work: &'a str,
}

impl Scope for StepScope<'_> {
    fn parameter(&self, name: &str) -> Result<Value, String> {
        self.execution.parameters.get(name).cloned().ok_or_else(|| format!("there is no parameter {name}"))
    }

    fn variable(&self, name: &str) -> Result<Value, String> {
        let execution = self.execution;
        Ok(match name {
            "StartDateTime" => json!(date_time(execution.created)),
            "CurrentDateTime" => json!(date_time(clock::now())),
            "PipelineName" => json!(execution.pipeline),
            "PipelineArn" => json!(execution.pipeline_arn),
            "PipelineExecutionId" => json!(execution.id),
            "PipelineExecutionArn" => json!(execution.arn),
            "TrainingJobName" | "ProcessingJobName" => json!(self.work),
            _ => return Err(format!("there is no variable Execution.{name}")),
        })
    }

    fn properties(&self, step: &str) -> Result<Value, String> {
        let record = self.execution.steps.get(step);
        record.map(|record| record.properties.clone()).ok_or_else(|| format!("the step {step} has not run"))
    }

    fn property_file(&self, step: &str, name: &str) -> Result<Value, String> {
        let source = self.definition.steps.get(step).and_then(|source| source.property_file(name));
        let (output, path) = source.ok_or_else(|| format!("the step {step} has no property file {name}"))?;
        let uri = expression::look_up(
            &self.properties(step)?,
            &format!("ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri"),
        );
        let uri =
            uri.as_ref().and_then(Value::as_str).ok_or_else(|| format!("the step {step} has no output {output}"))?;
        self.object(&format!("{}/{path}", uri.trim_end_matches('/')))
    }

    fn object(&self, uri: &str) -> Result<Value, String> {
        let location = Location::parse(uri).ok_or_else(|| format!("{uri} is no s3:// address"))?;
        let bytes = self
            .store
            .read(&location.bucket, &location.key)
            .map_err(|error| format!("cannot read {uri}: {}", error.message))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{uri} is not JSON: {error}"))
    }
}

/// As `2026-01-31T12:30:45.123Z`.
fn date_time(seconds: f64) -> String {
    jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).map(|time| time.to_string()).unwrap_or_default()
}
