//! The operations that change executions: Start, Stop, Retry, Update, and the answers to callbacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::AwsError;
use crate::events::Outbox;
use crate::sagemaker::pipelines::definition::{Definition, StepKind, list};
use crate::sagemaker::pipelines::operations::{given, text_of};
use crate::sagemaker::pipelines::record::{Execution, ExecutionStatus, Pipeline, StepStatus};
use crate::sagemaker::pipelines::{key, parameter, selective};
use crate::sagemaker::{SageMaker, clock};

/// Characters of an execution's id, as in every documented example.
const ID_LENGTH: usize = 12;

impl SageMaker {
    /// `StartPipelineExecution`. The same client token finds the execution that it started before.
    pub(crate) fn start_execution(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        let pipeline = self.pipeline(&input["PipelineName"])?;
        let token = input["ClientRequestToken"].as_str().unwrap_or_default();
        let known = self.pipelines.executions.select(|one| one.pipeline == pipeline.name && one.token == token);
        if let Some(known) = known.first() {
            return Ok(json!({"PipelineExecutionArn": known.arn}));
        }
        let version = input["PipelineVersionId"].as_u64();
        let Some((version, text)) = pipeline.definition(version) else {
            return Err(AwsError::not_found(format!(
                "Pipeline '{}' has no version {}.",
                pipeline.arn,
                version.unwrap_or(0)
            )));
        };
        let definition = Definition::parse(text, &pipeline.role)?;
        let parameters =
            parameter::values(&definition.parameters, &input["PipelineParameters"]).map_err(AwsError::validation)?;
        let mut execution = new_execution(&pipeline, version, text, parameters, input);
        if let Some(config) = given(&input["SelectiveExecutionConfig"]) {
            let all = self.pipelines.executions.select(|one| one.pipeline == pipeline.name);
            selective::prepare(&mut execution, &definition, config, &all)?;
        }
        let (id, arn) = (execution.id.clone(), execution.arn.clone());
        self.tell_execution(&mut execution, None);
        self.pipelines.executions.insert(&id, execution.clone())?;
        self.pipelines.pipelines.update(&key(&pipeline.name), |pipeline| {
            pipeline.last_run = Some(clock::now());
            let index = usize::try_from(version).unwrap_or(0).saturating_sub(1);
            if let Some(version) = pipeline.versions.get_mut(index) {
                version.last_execution = Some(arn.clone());
            }
            Ok(())
        })?;
        self.send_execution_events(&execution);
        self.begin_execution(&id);
        Ok(json!({"PipelineExecutionArn": arn}))
    }

    /// By ARN.
    pub(crate) fn execution(&self, arn: &Value) -> Result<Execution, AwsError> {
        let arn = arn.as_str().unwrap_or_default();
        let id = arn.rsplit_once("/execution/").map_or("", |(_, id)| id);
        let found = self.pipelines.executions.get(id).filter(|execution| execution.arn == arn);
        found.ok_or_else(|| AwsError::not_found(format!("Pipeline execution with ARN {arn} does not exist.")))
    }

    /// `StopPipelineExecution`: noted; the carrier asks the steps and waits for their end.
    pub(crate) fn stop_execution(&self, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        let changed = self.pipelines.executions.update(&execution.id, |execution| match execution.status {
            before @ (ExecutionStatus::Executing | ExecutionStatus::Stopping) => {
                execution.status = ExecutionStatus::Stopping;
                execution.modified = clock::now();
                if before != ExecutionStatus::Stopping {
                    self.tell_execution(execution, Some(before));
                }
                Ok(())
            }
            ExecutionStatus::Stopped | ExecutionStatus::Failed | ExecutionStatus::Succeeded => {
                Err(AwsError::conflict(format!(
                    "Pipeline execution {} cannot be stopped: its status is {}.",
                    execution.arn,
                    execution.status.word()
                )))
            }
        })?;
        if let Some(changed) = changed {
            self.send_execution_events(&changed);
        }
        self.changes.notify_waiters();
        Ok(json!({"PipelineExecutionArn": execution.arn}))
    }

    /// `RetryPipelineExecution`: what failed or was stopped runs again, with the same definition and parameters.
    pub(crate) fn retry_execution(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        let changed = self.pipelines.executions.update(&execution.id, |execution| {
            let before = execution.status;
            if !matches!(execution.status, ExecutionStatus::Failed | ExecutionStatus::Stopped) {
                return Err(AwsError::conflict(format!(
                    "Pipeline execution {} cannot be retried: its status is {}; only a failed or stopped one can be.",
                    execution.arn,
                    execution.status.word()
                )));
            }
            execution.steps.retain(|_, step| step.status == StepStatus::Succeeded);
            execution.status = ExecutionStatus::Executing;
            execution.failure = None;
            execution.modified = clock::now();
            if let Some(config) = given(&input["ParallelismConfiguration"]) {
                execution.parallelism = Some(config);
            }
            self.tell_execution(execution, Some(before));
            Ok(())
        })?;
        if let Some(changed) = changed {
            self.send_execution_events(&changed);
            self.begin_execution(&changed.id);
        }
        Ok(json!({"PipelineExecutionArn": execution.arn}))
    }

    /// `UpdatePipelineExecution`
    pub(crate) fn update_execution(&self, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        self.pipelines.executions.update(&execution.id, |execution| {
            if let Some(text) = text_of(input, "PipelineExecutionDescription") {
                execution.description = Some(text);
            }
            if let Some(text) = text_of(input, "PipelineExecutionDisplayName") {
                execution.display_name = Some(text);
            }
            if let Some(config) = given(&input["ParallelismConfiguration"]) {
                execution.parallelism = Some(config);
            }
            execution.modified = clock::now();
            Ok(())
        })?;
        self.changes.notify_waiters();
        Ok(json!({"PipelineExecutionArn": execution.arn}))
    }

    /// `SendPipelineExecutionStepSuccess` and `…Failure`. The first answer counts; another is refused.
    pub(crate) fn answer_callback(&self, input: &Value, good: bool) -> Result<Value, AwsError> {
        let token = input["CallbackToken"].as_str().unwrap_or_default();
        let waits = |execution: &Execution| {
            let callback = StepKind::Callback.word();
            let step = execution.steps.values().find(|step| step.kind == callback && step.work == token);
            step.map(|step| step.name.clone())
        };
        let unknown = || AwsError::not_found(format!("There is no callback step that waits for the token {token}."));
        let execution =
            self.pipelines.executions.select(|one| waits(one).is_some()).into_iter().next().ok_or_else(unknown)?;
        let answer = match good {
            true => Ok(outputs(&input["OutputParameters"])),
            false => Err(text_of(input, "FailureReason").unwrap_or_else(|| "The callback step failed.".to_owned())),
        };
        self.pipelines.executions.update(&execution.id, |execution| {
            let step = waits(execution).and_then(|name| execution.steps.get_mut(&name)).ok_or_else(unknown)?;
            if step.status.is_over() || step.answer.is_some() {
                return Err(AwsError::validation(format!(
                    "The callback with the token {token} has been answered already."
                )));
            }
            step.answer = Some(answer);
            Ok(())
        })?;
        self.changes.notify_waiters();
        Ok(json!({"PipelineExecutionArn": execution.arn}))
    }
}

/// `[{Name, Value}]` as an object.
fn outputs(value: &Value) -> Value {
    list(value).iter().filter_map(|item| Some((item["Name"].as_str()?.to_owned(), item["Value"].clone()))).collect()
}

fn new_execution(
    pipeline: &Pipeline,
    version: u64,
    definition: &str,
    parameters: BTreeMap<String, Value>,
    input: &Value,
) -> Execution {
    let id = new_id(ID_LENGTH);
    let now = clock::now();
    Execution {
        arn: format!("{}/execution/{id}", pipeline.arn),
        id,
        pipeline: pipeline.name.clone(),
        pipeline_arn: pipeline.arn.clone(),
        version,
        definition: definition.to_owned(),
        role: pipeline.role.clone(),
        display_name: text_of(input, "PipelineExecutionDisplayName"),
        description: text_of(input, "PipelineExecutionDescription"),
        token: text_of(input, "ClientRequestToken").unwrap_or_default(),
        parallelism: given(&input["ParallelismConfiguration"]).or_else(|| pipeline.parallelism.clone()),
        selective: None,
        parameters,
        status: ExecutionStatus::Executing,
        failure: None,
        created: now,
        modified: now,
        steps: BTreeMap::new(),
        outbox: Outbox::default(),
    }
}

/// Random lower-case letters and digits, at most 32.
pub(super) fn new_id(length: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    let random = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
    // A version-4 UUID fixes six bits in its bytes 6 and 8; those are left out.
    let free = random.iter().enumerate().filter(|(index, _)| !matches!(index % 16, 6 | 8)).map(|(_, byte)| byte);
    free.take(length).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}
