//! Pipelines and executions as they are remembered. Times are seconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::events::Outbox;
use crate::sagemaker::clock;
use crate::sagemaker::job::{MAX_REASON, cut};
use crate::sagemaker::pipelines::cache::CacheNote;

/// A pipeline. Every update of its definition is a version, and an execution keeps the text it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pipeline {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) role: String,
    pub(crate) parallelism: Option<Value>,
    pub(crate) token: String,
    pub(crate) created: f64,
    pub(crate) modified: f64,
    pub(crate) last_run: Option<f64>,
    /// The first is version 1; never empty.
    pub(crate) versions: Vec<Version>,
}

/// One text of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) definition: String,
    pub(crate) created: f64,
    pub(crate) last_execution: Option<String>,
}

impl Pipeline {
    /// The definition of a version, the newest unless one is named.
    pub(crate) fn definition(&self, version: Option<u64>) -> Option<(u64, &str)> {
        let newest = self.versions.len() as u64;
        let number = version.unwrap_or(newest);
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        Some((number, self.versions.get(index)?.definition.as_str()))
    }
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ExecutionStatus {
    Executing,
    Stopping,
    Stopped,
    Failed,
    Succeeded,
}

impl ExecutionStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Executing => "Executing",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Succeeded)
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StepStatus {
    Starting,
    Executing,
    Stopping,
    Stopped,
    Failed,
    Succeeded,
}

impl StepStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Executing => "Executing",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Succeeded)
    }
}

/// One step of an execution, from the moment it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Position among the execution's steps: the first reached is 0.
    pub(crate) order: u64,
    pub(crate) status: StepStatus,
    pub(crate) started: f64,
    pub(crate) ended: Option<f64>,
    /// From 1.
    pub(crate) attempt: u64,
    /// The next attempt begins then.
    pub(crate) retry_at: Option<f64>,
    /// What the step makes is called so; decided before it is made. A callback's token.
    pub(crate) work: String,
    /// The step's arguments with every expression resolved; the same for all attempts.
    pub(crate) arguments: Value,
    /// What later steps may refer to.
    pub(crate) properties: Value,
    /// As AWS' step metadata.
    pub(crate) metadata: Value,
    /// Somebody sent a callback's end, or a function's answer came: `Ok` with outputs, or why not.
    pub(crate) answer: Option<Result<Value, String>>,
    pub(crate) failure: Option<String>,
    pub(crate) cache: Option<CacheNote>,
    /// The execution that this result was taken over from, in a selective execution.
    pub(crate) taken_from: Option<String>,
}

impl StepRecord {
    /// As `ListPipelineExecutionSteps` shows it.
    pub(crate) fn summary(&self, display_name: Option<String>, description: Option<String>) -> Value {
        let mut summary = Map::new();
        summary.insert("StepName".into(), json!(self.name));
        let texts = [
            ("StepDisplayName", display_name),
            ("StepDescription", description),
            ("FailureReason", self.failure.clone()),
        ];
        for (member, text) in texts.into_iter().filter_map(|(member, text)| Some((member, text?))) {
            summary.insert(member.into(), json!(text));
        }
        summary.insert("StartTime".into(), clock::write(self.started));
        if let Some(ended) = self.ended {
            summary.insert("EndTime".into(), clock::write(ended));
        }
        summary.insert("StepStatus".into(), json!(self.status.word()));
        summary.insert("AttemptCount".into(), json!(self.attempt));
        summary.insert("Metadata".into(), if self.metadata.is_null() { json!({}) } else { self.metadata.clone() });
        if let Some(source) = self.cache.as_ref().and_then(|cache| cache.hit.as_ref()) {
            summary.insert("CacheHitResult".into(), json!({"SourcePipelineExecutionArn": source}));
        }
        if let Some(source) = &self.taken_from {
            summary.insert("SelectiveExecutionResult".into(), json!({"SourcePipelineExecutionArn": source}));
        }
        Value::Object(summary)
    }

    /// Ends the step; the first end stands.
    pub(crate) fn end(&mut self, status: StepStatus, failure: Option<String>) {
        if !self.status.is_over() {
            self.status = status;
            self.ended = Some(clock::now());
            self.failure = failure.map(|reason| cut(&reason, MAX_REASON));
        }
    }
}

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Execution {
    /// Twelve lower-case letters and digits.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) pipeline: String,
    pub(crate) pipeline_arn: String,
    pub(crate) version: u64,
    /// What it runs, whatever becomes of the pipeline.
    pub(crate) definition: String,
    pub(crate) role: String,
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) token: String,
    pub(crate) parallelism: Option<Value>,
    pub(crate) selective: Option<Value>,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) status: ExecutionStatus,
    pub(crate) failure: Option<String>,
    pub(crate) created: f64,
    pub(crate) modified: f64,
    pub(crate) steps: BTreeMap<String, StepRecord>,
    /// Events of it that are not yet on their way.
    #[serde(default, skip_serializing_if = "Outbox::is_empty")]
    pub(crate) outbox: Outbox,
}

impl Execution {
    /// At most so many steps run at once.
    pub(crate) fn limit(&self) -> usize {
        let given = self.parallelism.as_ref().and_then(|config| config["MaxParallelExecutionSteps"].as_u64());
        given.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
    }

    /// In the order in which they were reached.
    pub(crate) fn steps_in_order(&self) -> Vec<&StepRecord> {
        let mut steps: Vec<_> = self.steps.values().collect();
        steps.sort_by_key(|step| step.order);
        steps
    }
}
