//! SageMaker Pipelines: definitions that are checked when they are created, and executions that really run them.
//!
//! ```text
//! CreatePipeline -> definition (checked: steps, expressions, conditions, parameters)
//! StartPipelineExecution -> a record -> carry: schedule::next decides, work begins and follows steps
//! ```
//! The record of an execution is all there is: a restart reads it, decides again, and finds the work of each step under
//! the name that was written down before the work began. See `carry` for the races.

mod announce;
mod cache;
mod carry;
mod condition;
mod definition;
mod executions;
mod expression;
mod graph;
mod operations;
mod parameter;
mod record;
mod retry;
mod schedule;
mod scope;
mod selective;
mod shown;
mod work;

use serde_json::Value;

use crate::OpenError;
use crate::error::AwsError;
use crate::sagemaker::SageMaker;
use crate::table::Table;

pub(crate) use expression::is_expression;
use record::{Execution, Pipeline};

/// The pipelines and their executions.
pub(crate) struct Pipelines {
    pipelines: Table<Pipeline>,
    executions: Table<Execution>,
}

impl Pipelines {
    /// Opens the state below the folder of records.
    pub(crate) fn open(records: &std::path::Path) -> Result<Self, OpenError> {
        Ok(Self {
            pipelines: Table::open(records.join("pipelines"))?,
            executions: Table::open(records.join("pipeline-executions"))?,
        })
    }
}

impl SageMaker {
    /// The operations of this folder; `None`: it is another's.
    pub(crate) fn pipeline_operation(
        self: &std::sync::Arc<Self>,
        operation: &str,
        input: &Value,
    ) -> Option<Result<Value, AwsError>> {
        Some(match operation {
            "CreatePipeline" => self.create_pipeline(input),
            "UpdatePipeline" => self.update_pipeline(input),
            "DescribePipeline" => self.describe_pipeline(input),
            "DeletePipeline" => self.delete_pipeline(input),
            "ListPipelines" => self.list_pipelines(input),
            "ListPipelineVersions" => self.list_pipeline_versions(input),
            "StartPipelineExecution" => self.start_execution(input),
            "StopPipelineExecution" => self.stop_execution(input),
            "RetryPipelineExecution" => self.retry_execution(input),
            "DescribePipelineExecution" => self.describe_execution(input),
            "UpdatePipelineExecution" => self.update_execution(input),
            "ListPipelineExecutions" => self.list_executions(input),
            "ListPipelineExecutionSteps" => self.list_execution_steps(input),
            "ListPipelineParametersForExecution" => self.list_execution_parameters(input),
            "DescribePipelineDefinitionForExecution" => self.describe_execution_definition(input),
            "SendPipelineExecutionStepSuccess" => self.answer_callback(input, true),
            "SendPipelineExecutionStepFailure" => self.answer_callback(input, false),
            _ => return None,
        })
    }

    /// Takes up the executions that were under way.
    pub(crate) fn resume_executions(self: &std::sync::Arc<Self>) {
        for execution in self.pipelines.executions.select(|execution| !execution.status.is_over()) {
            self.begin_execution(&execution.id);
        }
    }
}

/// A pipeline's name may be longer than a file's; such a name is kept under its hash.
fn key(name: &str) -> String {
    use sha2::{Digest, Sha256};
    const LONGEST: usize = 200;
    if name.len() <= LONGEST { name.to_owned() } else { hex::encode(Sha256::digest(name.as_bytes())) }
}
