//! One step: its beginning, the making of its work, and the look at how the work goes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::AwsError;
use crate::lambda::Outcome;
use crate::sagemaker::job::{JobKind, Phase, Status};
use crate::sagemaker::pipelines::cache::{self, CacheNote, Candidate};
use crate::sagemaker::pipelines::condition;
use crate::sagemaker::pipelines::definition::{Definition, Step, StepKind, list};
use crate::sagemaker::pipelines::executions::new_id;
use crate::sagemaker::pipelines::expression::{self, to_text};
use crate::sagemaker::pipelines::record::{Execution, ExecutionStatus, StepRecord, StepStatus};
use crate::sagemaker::pipelines::retry::{self, Fault};
use crate::sagemaker::pipelines::scope::StepScope;
use crate::sagemaker::{SageMaker, clock};

/// Characters of a job's name.
const MAX_JOB_NAME: usize = 63;
/// Characters of the random ending of a job's name, and of a callback's token.
const RANDOM_LENGTH: usize = 10;

impl SageMaker {
    /// Begins a step that is ready: writes it down, and makes its work unless an earlier success stands for it.
    pub(super) async fn begin_step(
        self: &Arc<Self>,
        id: &str,
        definition: &Definition,
        step: &Step,
    ) -> Result<(), AwsError> {
        let Some(execution) = self.pipelines.executions.get(id) else { return Ok(()) };
        let work = work_name(&execution, step);
        let mut record = new_record(step, &work);
        let scope = StepScope { execution: &execution, definition, store: &self.s3, work: &work };
        if step.kind == StepKind::Condition {
            match condition::all_hold(step.conditions(), &scope) {
                Ok(held) => {
                    let outcome = if held { "True" } else { "False" };
                    record.properties = json!({"Outcome": outcome});
                    record.metadata = json!({"Condition": {"Outcome": outcome}});
                    record.end(StepStatus::Succeeded, None);
                }
                Err(reason) => record.end(StepStatus::Failed, Some(format!("ClientError: {reason}"))),
            }
            return self.add_step(id, record);
        }
        match resolved(step, &scope) {
            Ok(arguments) => record.arguments = arguments,
            Err(reason) => {
                record.end(StepStatus::Failed, Some(format!("ClientError: {reason}")));
                return self.add_step(id, record);
            }
        }
        if step.kind == StepKind::Fail {
            let message = to_text(&record.arguments["ErrorMessage"]);
            record.metadata = json!({"Fail": {"ErrorMessage": message}});
            record.end(StepStatus::Failed, Some(message));
            return self.add_step(id, record);
        }
        if let Some(kind) = job_kind(step.kind) {
            // What cannot be fetched is the job's to say.
            let _ = self.furnish_objects(&record.arguments, &self.job_log(kind, &work)).await;
        }
        self.look_into_cache(&execution, step, &mut record);
        let begun = !record.status.is_over();
        self.add_step(id, record.clone())?;
        match begun {
            true => self.launch(&execution, step, &record).await,
            false => Ok(()),
        }
    }

    /// Takes an earlier result when there is one; notes in any case why or why not.
    fn look_into_cache(&self, execution: &Execution, step: &Step, record: &mut StepRecord) {
        if !cache::is_cacheable(step.kind) {
            return;
        }
        let mut note =
            CacheNote { inputs: cache::inputs(step.kind, &record.arguments, &self.s3), ..CacheNote::default() };
        let Some(policy) = step.cache else {
            note.why = "caching is off for this step".to_owned();
            record.cache = Some(note);
            return;
        };
        let mut earlier =
            self.pipelines.executions.select(|one| one.pipeline == execution.pipeline && one.id != execution.id);
        earlier.sort_by(|a, b| b.created.total_cmp(&a.created));
        let candidates: Vec<_> = earlier.iter().filter_map(|one| candidate(one, step)).collect();
        let in_place = |note: &CacheNote| match note
            .outputs
            .iter()
            .find(|(uri, digest)| cache::content(&self.s3, uri) != **digest)
        {
            None => Ok(()),
            Some((uri, _)) => Err(format!("the output at {uri} is gone or changed")),
        };
        match cache::choose(policy, clock::now(), &note.inputs, &candidates, in_place) {
            Ok(source) => {
                let found = earlier.iter().find(|one| one.arn == source).and_then(|one| one.steps.get(&step.name));
                if let Some(found) = found {
                    note.outputs = found.cache.as_ref().map(|note| note.outputs.clone()).unwrap_or_default();
                    (record.properties, record.metadata) = (found.properties.clone(), found.metadata.clone());
                    record.end(StepStatus::Succeeded, None);
                }
                note.why = format!("arguments and contents are those of {source}");
                note.hit = Some(source.to_owned());
            }
            Err(why) => note.why = why,
        }
        tracing::info!(pipeline = %execution.pipeline, step = %step.name, hit = note.hit.is_some(), why = %note.why, "cache");
        record.cache = Some(note);
    }

    /// Makes the work that the record names. Made already: found.
    async fn launch(self: &Arc<Self>, execution: &Execution, step: &Step, record: &StepRecord) -> Result<(), AwsError> {
        let made = match step.kind {
            StepKind::Lambda => Ok(json!({"Lambda": {"Arn": record.arguments["FunctionArn"], "OutputParameters": []}})),
            StepKind::Callback => self.send_callback(execution, record, "Executing"),
            _ => self.create_work(execution, step, record).await,
        };
        match made {
            Ok(metadata) => {
                let (properties, over) = self.properties_at_once(step, &metadata);
                self.change_step(&execution.id, &step.name, |step| {
                    step.metadata = metadata;
                    step.retry_at = None;
                    match over {
                        true => {
                            step.properties = properties;
                            step.end(StepStatus::Succeeded, None);
                        }
                        false => step.status = StepStatus::Executing,
                    }
                })?;
                Ok(())
            }
            Err(error) => {
                let operation = step.kind.operation().map_or("SendMessage", |(operation, _)| operation);
                let service = if step.kind.operation().is_some() { "sagemaker" } else { "sqs" };
                let reason =
                    format!("ClientError: Failed to invoke {service}:{operation}. Error Details: {}", error.message);
                self.fail_attempt(execution, step, record, Fault::of_refusal(&error), &reason)
            }
        }
    }

    /// What is made in one call is done when it is made.
    fn properties_at_once(&self, step: &Step, metadata: &Value) -> (Value, bool) {
        match step.kind {
            StepKind::Model => {
                let name = metadata["Model"]["Arn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
                (self.describe_model(&json!({"ModelName": name})).unwrap_or_default(), true)
            }
            StepKind::RegisterModel => {
                let name = json!({"ModelPackageName": metadata["RegisterModel"]["Arn"]});
                (self.describe_package(&name).unwrap_or_default(), true)
            }
            _ => (Value::Null, false),
        }
    }

    async fn create_work(
        self: &Arc<Self>,
        execution: &Execution,
        step: &Step,
        record: &StepRecord,
    ) -> Result<Value, AwsError> {
        let Some((operation, name)) = step.kind.operation() else { return Ok(Value::Null) };
        let mut input = record.arguments.clone();
        if step.kind == StepKind::RegisterModel {
            self.make_group(&input["ModelPackageGroupName"])?;
            input["ClientToken"] = json!(record.work);
            if input["MetadataProperties"]["GeneratedBy"].is_null() {
                input["MetadataProperties"]["GeneratedBy"] = json!(execution.arn);
            }
        } else {
            input[name] = json!(record.work);
        }
        let arn_member = match step.kind {
            StepKind::Model => "ModelArn".to_owned(),
            StepKind::RegisterModel => "ModelPackageArn".to_owned(),
            _ => name.replace("Name", "Arn"),
        };
        let word = match step.kind {
            StepKind::Model => "Model",
            StepKind::RegisterModel => "RegisterModel",
            StepKind::Tuning => "TuningJob",
            _ => name.trim_end_matches("Name"),
        };
        // The name was written down before; what goes by it is ours, made before a crash.
        let arn = match self.made_already(step.kind, &record.work) {
            Some(arn) => json!(arn),
            // Boxed: a call can start an execution, whose carrier makes calls.
            None => Box::pin(self.call(operation, input)).await?[arn_member].clone(),
        };
        Ok(json!({word: {"Arn": arn}}))
    }

    fn made_already(&self, kind: StepKind, name: &str) -> Option<String> {
        match (job_kind(kind), kind) {
            (Some(job), _) => self.jobs(job).get(name).map(|job| job.arn),
            (None, StepKind::Model) => self.models.get(name).map(|model| model.arn),
            (None, StepKind::Tuning) => self.tuning_jobs.get(name).map(|tuning| tuning.arn),
            _ => None,
        }
    }

    /// A pipeline registers into a group that is not there yet: AWS makes it.
    fn make_group(&self, name: &Value) -> Result<(), AwsError> {
        match self.describe_group(&json!({"ModelPackageGroupName": name})) {
            Err(_) if name.is_string() => self.create_group(&json!({"ModelPackageGroupName": name})).map(drop),
            _ => Ok(()),
        }
    }

    fn send_callback(&self, execution: &Execution, record: &StepRecord, status: &str) -> Result<Value, AwsError> {
        let queue = record.arguments["SqsQueueUrl"].as_str().unwrap_or_default();
        let message = json!({"token": record.work, "pipelineExecutionArn": execution.arn,
            "arguments": record.arguments["Arguments"], "status": status});
        self.neighbours.sqs.send_to_url(queue, &message.to_string())?;
        Ok(json!({"Callback": {"CallbackToken": record.work, "SqsQueueUrl": queue, "OutputParameters": []}}))
    }

    /// The attempt failed: another one later, or the end of the step.
    fn fail_attempt(
        &self,
        execution: &Execution,
        step: &Step,
        record: &StepRecord,
        fault: Fault,
        reason: &str,
    ) -> Result<(), AwsError> {
        let stopping = execution.status == ExecutionStatus::Stopping;
        let wait =
            retry::delay(&step.retry, fault, record.attempt, clock::now() - record.started).filter(|_| !stopping);
        let next = work_name(execution, step);
        self.change_step(&execution.id, &step.name, |step| match wait {
            Some(wait) => {
                step.status = StepStatus::Starting;
                step.attempt += 1;
                step.retry_at = Some(clock::now() + wait);
                step.work = next;
                step.failure = Some(reason.to_owned());
            }
            None => step.end(StepStatus::Failed, Some(reason.to_owned())),
        })?;
        Ok(())
    }

    /// Looks how a step's work goes; asks it to stop when the execution is to stop.
    pub(super) async fn follow(
        self: &Arc<Self>,
        execution: &Execution,
        definition: &Definition,
        record: &StepRecord,
    ) -> Result<(), AwsError> {
        let Some(step) = definition.steps.get(&record.name) else { return Ok(()) };
        let stopping = execution.status == ExecutionStatus::Stopping;
        if record.status == StepStatus::Starting {
            return match record.retry_at {
                _ if stopping && record.retry_at.is_some() => {
                    self.end_step(execution, record, StepStatus::Stopped, None)
                }
                Some(at) if at > clock::now() => Ok(()),
                _ => self.launch(execution, step, record).await,
            };
        }
        if stopping && record.status == StepStatus::Executing {
            self.ask_step_to_stop(execution, step, record).await?;
        }
        match step.kind {
            StepKind::Lambda => self.follow_function(execution, step, record, stopping),
            StepKind::Callback => self.follow_answer(execution, step, record, stopping),
            StepKind::Tuning => self.follow_tuning(execution, step, record),
            kind => match job_kind(kind) {
                Some(kind) => self.follow_job(execution, step, record, kind),
                None => Ok(()),
            },
        }
    }

    async fn ask_step_to_stop(
        self: &Arc<Self>,
        execution: &Execution,
        step: &Step,
        record: &StepRecord,
    ) -> Result<(), AwsError> {
        self.change_step(&execution.id, &step.name, |step| step.status = StepStatus::Stopping)?;
        if step.kind == StepKind::Callback {
            // A queue that is gone cannot be told; the step then waits for its answer all the same.
            let _ = self.send_callback(execution, record, "Stopping");
        } else if step.kind == StepKind::Tuning {
            let _ = self.stop_tuning(&json!({"HyperParameterTuningJobName": record.work}));
        } else if let Some(kind) = job_kind(step.kind) {
            // It may have ended just now; then there is nothing to stop.
            let _ = self.stop_job(kind, &json!({kind.member("Name"): record.work})).await;
        }
        Ok(())
    }

    fn follow_job(
        &self,
        execution: &Execution,
        step: &Step,
        record: &StepRecord,
        kind: JobKind,
    ) -> Result<(), AwsError> {
        let Some(job) = self.jobs(kind).get(&record.work) else {
            let reason = format!("ClientError: the job {} was deleted while the pipeline ran it", record.work);
            return self.end_step(execution, record, StepStatus::Failed, Some(reason));
        };
        if job.phase != Phase::Ended {
            return Ok(());
        }
        match job.status {
            Status::Completed => self.succeed(execution, record, job.describe()),
            Status::Stopped | Status::Stopping => match job.out_of_time && !job.stop_requested {
                true => self.end_step(
                    execution,
                    record,
                    StepStatus::Failed,
                    Some("ClientError: the job ran out of its MaxRuntimeInSeconds".into()),
                ),
                false => self.end_step(execution, record, StepStatus::Stopped, None),
            },
            Status::Failed | Status::InProgress => {
                let reason = job.failure.unwrap_or_else(|| "the job failed".to_owned());
                self.fail_attempt(execution, step, record, Fault::of_job(&reason), &reason)
            }
        }
    }

    fn follow_tuning(&self, execution: &Execution, step: &Step, record: &StepRecord) -> Result<(), AwsError> {
        let Some(tuning) = self.tuning_jobs.get(&record.work) else {
            return self.end_step(
                execution,
                record,
                StepStatus::Failed,
                Some("ClientError: the tuning job was deleted".into()),
            );
        };
        match tuning.status {
            Status::Completed => self.succeed(execution, record, self.tuning_properties(&tuning)),
            Status::Stopped => self.end_step(execution, record, StepStatus::Stopped, None),
            Status::Failed => {
                let reason = tuning.failure.unwrap_or_default();
                self.fail_attempt(execution, step, record, Fault::of_job(&reason), &reason)
            }
            Status::InProgress | Status::Stopping => Ok(()),
        }
    }

    /// A success: what later steps can refer to, and what the outputs are now.
    fn succeed(&self, execution: &Execution, record: &StepRecord, properties: Value) -> Result<(), AwsError> {
        let outputs =
            output_addresses(&properties).into_iter().map(|uri| (uri.clone(), cache::content(&self.s3, &uri)));
        let outputs = outputs.collect();
        self.change_step(&execution.id, &record.name, |step| {
            step.properties = properties;
            if let Some(note) = &mut step.cache {
                note.outputs = outputs;
            }
            step.end(StepStatus::Succeeded, None);
        })?;
        Ok(())
    }

    fn end_step(
        &self,
        execution: &Execution,
        record: &StepRecord,
        status: StepStatus,
        reason: Option<String>,
    ) -> Result<(), AwsError> {
        self.change_step(&execution.id, &record.name, |step| step.end(status, reason)).map(drop)
    }

    /// A function's process is waited for by a task of its own, begun again after a restart.
    fn follow_function(
        self: &Arc<Self>,
        execution: &Execution,
        step: &Step,
        record: &StepRecord,
        stopping: bool,
    ) -> Result<(), AwsError> {
        if record.answer.is_some() {
            return self.follow_answer(execution, step, record, stopping);
        }
        let key = format!("{}-{}", execution.id, record.work);
        if !self.invocations.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key.clone()) {
            return Ok(());
        }
        let (this, id, record) = (Arc::clone(self), execution.id.clone(), record.clone());
        self.background(async move {
            let function = record.arguments["FunctionArn"].as_str().unwrap_or_default();
            let outcome = this.neighbours.lambda.invoke(&key, function, &record.arguments["Arguments"], None).await;
            let answer = match outcome {
                Ok(Outcome::Returned(value)) => Ok(value),
                Ok(Outcome::Failed(error)) => {
                    Err(format!("ClientError: the function {function} failed: {}", to_text(&error["errorMessage"])))
                }
                Err(error) => {
                    Err(format!("ClientError: Failed to invoke lambda:Invoke. Error Details: {}", error.message))
                }
            };
            match this.change_step(&id, &record.name, |step| step.answer = Some(answer)) {
                Ok(_) => this.neighbours.lambda.forget(&key).await,
                Err(error) => tracing::error!(%error, "the function's answer cannot be written; it is fetched again"),
            }
            this.invocations.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&key);
            this.changes.notify_waiters();
        });
        Ok(())
    }

    /// The end of a step that somebody else ends: a callback's answer, a function's return.
    fn follow_answer(
        &self,
        execution: &Execution,
        step: &Step,
        record: &StepRecord,
        stopping: bool,
    ) -> Result<(), AwsError> {
        match &record.answer {
            None => Ok(()),
            Some(Ok(_)) if stopping => self.end_step(execution, record, StepStatus::Stopped, None),
            Some(Err(reason)) => self.end_step(execution, record, StepStatus::Failed, Some(reason.clone())),
            Some(Ok(answer)) => match outputs(step, answer) {
                Ok(outputs) => {
                    let word = step.kind.word();
                    let shown: Vec<_> = outputs
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, value)| json!({"Name": name, "Value": to_text(value)}))
                        .collect();
                    self.change_step(&execution.id, &record.name, |step| {
                        step.properties = json!({"OutputParameters": outputs});
                        step.metadata[word]["OutputParameters"] = json!(shown);
                        step.end(StepStatus::Succeeded, None);
                    })?;
                    Ok(())
                }
                Err(reason) => self.end_step(execution, record, StepStatus::Failed, Some(reason)),
            },
        }
    }
}

/// The declared outputs out of an answer; each must be there, and be a plain value.
fn outputs(step: &Step, answer: &Value) -> Result<Value, String> {
    let mut found = serde_json::Map::new();
    for output in list(&step.raw["OutputParameters"]) {
        let name = output["OutputName"].as_str().unwrap_or_default();
        match &answer[name] {
            Value::Null => return Err(format!("ClientError: the answer lacks the output parameter {name}")),
            Value::Object(_) | Value::Array(_) => {
                return Err(format!("ClientError: the output parameter {name} is no plain value"));
            }
            value => drop(found.insert(name.to_owned(), value.clone())),
        }
    }
    Ok(Value::Object(found))
}

/// The step's arguments without expressions; of functions and callbacks also what stands beside the arguments.
fn resolved(step: &Step, scope: &StepScope<'_>) -> Result<Value, String> {
    let arguments = expression::resolve(&step.arguments, scope)?;
    let beside = match step.kind {
        StepKind::Lambda => "FunctionArn",
        StepKind::Callback => "SqsQueueUrl",
        kind => {
            let mut arguments = arguments;
            if let Some(role) = kind.role_member().filter(|role| arguments[*role].is_null()) {
                arguments[role] = json!(scope.execution.role);
            }
            return Ok(arguments);
        }
    };
    Ok(json!({beside: expression::resolve(&step.raw[beside], scope)?, "Arguments": arguments}))
}

fn candidate<'a>(execution: &'a Execution, step: &Step) -> Option<Candidate<'a>> {
    let record = execution.steps.get(&step.name).filter(|record| record.kind == step.kind.word())?;
    let note = record.cache.as_ref().filter(|note| note.hit.is_none() && record.status == StepStatus::Succeeded)?;
    Some(Candidate { execution: &execution.arn, ended: record.ended?, note })
}

/// Where a job's description says its outputs are.
fn output_addresses(properties: &Value) -> Vec<String> {
    let outputs =
        list(&properties["ProcessingOutputConfig"]["Outputs"]).iter().map(|output| &output["S3Output"]["S3Uri"]);
    let others = [&properties["ModelArtifacts"]["S3ModelArtifacts"], &properties["TransformOutput"]["S3OutputPath"]];
    outputs.chain(others).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn new_record(step: &Step, work: &str) -> StepRecord {
    StepRecord {
        name: step.name.clone(),
        kind: step.kind.word().to_owned(),
        order: 0,
        status: StepStatus::Starting,
        started: clock::now(),
        ended: None,
        attempt: 1,
        retry_at: None,
        work: work.to_owned(),
        arguments: Value::Null,
        properties: Value::Null,
        metadata: Value::Null,
        answer: None,
        failure: None,
        cache: None,
        taken_from: None,
    }
}

fn job_kind(kind: StepKind) -> Option<JobKind> {
    match kind {
        StepKind::Processing => Some(JobKind::Processing),
        StepKind::Training => Some(JobKind::Training),
        StepKind::Transform => Some(JobKind::Transform),
        _ => None,
    }
}

/// `pipelines-{execution}-{step}-{random}`, or the name that the step gives as a beginning.
fn work_name(execution: &Execution, step: &Step) -> String {
    let random = new_id(RANDOM_LENGTH);
    let own = step.kind.operation().and_then(|(_, name)| step.arguments[name].as_str());
    let (longest, ending) = match (step.kind, own) {
        (StepKind::Callback, _) => return random,
        // A client token of CreateModelPackage has at most 36 characters.
        (StepKind::RegisterModel, _) => return format!("{}-{random}", execution.id),
        // The names of tuning jobs are half as long, as those of their training jobs come from them.
        (StepKind::Tuning, _) => (32, format!("-{random}")),
        (_, None) => (MAX_JOB_NAME, format!("-{random}")),
        (_, Some(_)) => (MAX_JOB_NAME, format!("-{}-{random}", execution.id)),
    };
    let beginning = match (own, step.kind) {
        (Some(own), _) => own.to_owned(),
        (None, StepKind::Tuning) => format!("{}-{}", execution.id, step.name),
        (None, _) => format!("pipelines-{}-{}", execution.id, step.name),
    };
    let beginning: String = beginning.replace('_', "-").chars().take(longest - ending.len()).collect();
    format!("{}{ending}", beginning.trim_end_matches('-'))
}
