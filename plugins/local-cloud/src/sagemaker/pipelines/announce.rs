//! Tells the event bus how executions and their steps go, in the shapes that AWS documents.
//!
//! An event goes into the record's outbox before the record is written, and from there to the bus afterwards.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::events::Outbox;
use crate::sagemaker::pipelines::record::{Execution, ExecutionStatus, StepStatus};
use crate::sagemaker::{SageMaker, clock};
use crate::table::Table;

impl SageMaker {
    /// An execution has another status; called before it is written.
    pub(crate) fn tell_execution(&self, execution: &mut Execution, before: Option<ExecutionStatus>) {
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
        let kind = "SageMaker Model Building Pipeline Execution Status Change";
        self.keep_event(&mut execution.outbox, kind, &resources, &detail);
    }

    /// A step has another status; called before its execution is written.
    pub(crate) fn tell_step(&self, execution: &mut Execution, name: &str, before: Option<StepStatus>) {
        let Some(step) = execution.steps.get(name) else { return };
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
        let kind = "SageMaker Model Building Pipeline Execution Step Status Change";
        self.keep_event(&mut execution.outbox, kind, &resources, &detail);
    }

    /// Sends what an execution keeps; called after it was written.
    pub(crate) fn send_execution_events(&self, execution: &Execution) {
        self.send_kept(&execution.outbox, &self.pipelines.executions, &execution.id, |one| &mut one.outbox);
    }

    /// Puts an event of this service into a record's outbox.
    pub(crate) fn keep_event(&self, outbox: &mut Outbox, detail_type: &str, resources: &[&str], detail: &Value) {
        self.neighbours.events.keep(outbox, "aws.sagemaker", detail_type, resources, detail);
    }

    /// Sends what a record keeps and takes it out of the record. What cannot be written is told in the server's log, and
    /// stays in the record.
    pub(crate) fn send_kept<T: Clone + Serialize + DeserializeOwned>(
        &self,
        outbox: &Outbox,
        records: &Table<T>,
        key: &str,
        outbox_of: impl FnOnce(&mut T) -> &mut Outbox,
    ) {
        let sent = self.neighbours.events.send(outbox);
        if sent.is_empty() {
            return;
        }
        let forgotten = records.update(key, |record| {
            outbox_of(record).forget(&sent);
            Ok(())
        });
        if let Err(error) = forgotten {
            tracing::error!(key, %error, "events that are on their way cannot be taken out of their record; they are sent again");
        }
    }

    /// Sends what a crash left between a change and its event.
    pub(crate) fn send_left_events(&self) {
        for package in self.packages.select(|package| !package.outbox.is_empty()) {
            self.send_package_events(&package);
        }
        for execution in self.pipelines.executions.select(|execution| !execution.outbox.is_empty()) {
            self.send_execution_events(&execution);
        }
    }
}
