//! Tells the event bus how executions and their steps go, in the shapes that AWS documents.

use serde_json::json;

use crate::sagemaker::pipelines::record::{Execution, ExecutionStatus, StepRecord, StepStatus};
use crate::sagemaker::{SageMaker, clock};

impl SageMaker {
    /// An execution has another status.
    pub(crate) fn announce_execution(&self, execution: &Execution, before: Option<ExecutionStatus>) {
        let mut detail = json!({
            "pipelineExecutionArn": execution.arn,
            "pipelineArn": execution.pipeline_arn,
            "pipelineExecutionDescription": execution.description.clone().unwrap_or_default(),
            "pipelineExecutionDisplayName": execution.display_name.clone().unwrap_or_default(),
            "currentPipelineExecutionStatus": execution.status.word(),
            "previousPipelineExecutionStatus": before.map(ExecutionStatus::word),
            "executionStartTime": clock::write(execution.created),
        });
        if execution.status.is_over() {
            detail["executionEndTime"] = clock::write(execution.modified);
        }
        if let Some(reason) = &execution.failure {
            detail["pipelineExecutionFailureReason"] = json!(reason);
        }
        let resources = [execution.pipeline_arn.as_str(), execution.arn.as_str()];
        self.emit("SageMaker Model Building Pipeline Execution Status Change", &resources, &detail);
    }

    /// A step has another status.
    pub(crate) fn announce_step(&self, execution: &Execution, step: &StepRecord, before: Option<StepStatus>) {
        let mut detail = json!({
            "metadata": step.metadata,
            "pipelineArn": execution.pipeline_arn,
            "pipelineExecutionArn": execution.arn,
            "stepName": step.name,
            "stepType": step.kind,
            "cacheHitResult": {},
            "currentStepStatus": step.status.word(),
            "previousStepStatus": before.map(StepStatus::word),
            "stepStartTime": clock::write(step.started),
        });
        if let Some(ended) = step.ended {
            detail["stepEndTime"] = clock::write(ended);
        }
        if let Some(reason) = &step.failure {
            detail["failureReason"] = json!(reason);
        }
        if let Some(source) = step.cache.as_ref().and_then(|cache| cache.hit.as_ref()) {
            detail["cacheHitResult"] = json!({"sourcePipelineExecutionArn": source});
        }
        let resources = [execution.pipeline_arn.as_str(), execution.arn.as_str()];
        self.emit("SageMaker Model Building Pipeline Execution Step Status Change", &resources, &detail);
    }

    /// An event of this service.
    pub(crate) fn emit(&self, detail_type: &str, resources: &[&str], detail: &serde_json::Value) {
        self.neighbours.events.emit("aws.sagemaker", detail_type, resources, detail);
    }
}
