//! The operations that only show executions: Describe and List.

use serde_json::{Map, Value, json};

use crate::error::AwsError;

use crate::sagemaker::listing::{self, DefaultOrder, Item, NEWEST_FIRST};
use crate::sagemaker::pipelines::definition::Definition;
use crate::sagemaker::pipelines::expression::to_text;
use crate::sagemaker::pipelines::operations::created_filters;
use crate::sagemaker::pipelines::record::Execution;
use crate::sagemaker::{SageMaker, clock};

/// Parameters are listed by name.
const BY_NAME: DefaultOrder = DefaultOrder { by: "Name", descending: false };

impl SageMaker {
    /// `DescribePipelineExecution`
    pub(crate) fn describe_execution(&self, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        let mut answer = execution.summary();
        answer.remove("StartTime");
        if let Some(reason) = answer.remove("PipelineExecutionFailureReason") {
            answer.insert("FailureReason".into(), reason);
        }
        answer.insert("PipelineArn".into(), json!(execution.pipeline_arn));
        answer.insert("PipelineVersionId".into(), json!(execution.version));
        answer.insert("CreationTime".into(), clock::write(execution.created));
        answer.insert("LastModifiedTime".into(), clock::write(execution.modified));
        answer.insert("CreatedBy".into(), self.somebody());
        answer.insert("LastModifiedBy".into(), self.somebody());
        answer.insert("PipelineExperimentConfig".into(), json!({
            "ExperimentName": execution.pipeline.to_ascii_lowercase().chars().take(120).collect::<String>(), "TrialName": execution.id}));
        for (member, value) in
            [("ParallelismConfiguration", &execution.parallelism), ("SelectiveExecutionConfig", &execution.selective)]
        {
            if let Some(value) = value {
                answer.insert(member.into(), value.clone());
            }
        }
        Ok(Value::Object(answer))
    }

    /// `ListPipelineExecutions`, newest first.
    pub(crate) fn list_executions(&self, input: &Value) -> Result<Value, AwsError> {
        let pipeline = self.pipeline(&input["PipelineName"])?;
        let items = self.pipelines.executions.select(|one| one.pipeline == pipeline.name);
        let items = items.into_iter().map(|execution| Item {
            summary: Value::Object(execution.summary()),
            name: execution.arn,
            created: execution.created,
            modified: execution.modified,
            status: String::new(),
            tie: 0,
        });
        let mut filters = created_filters(input);
        if input["SortBy"] == "PipelineExecutionArn" {
            filters["SortBy"] = json!("Name");
        }
        listing::page(&filters, items.collect(), NEWEST_FIRST, "PipelineExecutionSummaries")
    }

    /// `ListPipelineExecutionSteps`: those that were reached, the last first.
    pub(crate) fn list_execution_steps(&self, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        let definition = Definition::parse(&execution.definition, &execution.role)?;
        let items = execution.steps.values().map(|step| {
            let source = definition.steps.get(&step.name);
            let text = |member: &str| source.and_then(|source| source.text(member));
            Item {
                name: step.name.clone(),
                created: step.order as f64,
                modified: step.started,
                status: String::new(),
                tie: 0,
                summary: step.summary(text("DisplayName"), text("Description")),
            }
        });
        listing::page(input, items.collect(), NEWEST_FIRST, "PipelineExecutionSteps")
    }

    /// `ListPipelineParametersForExecution`: the values in effect, defaults included.
    pub(crate) fn list_execution_parameters(&self, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        let items = execution.parameters.iter().map(|(name, value)| Item {
            name: name.clone(),
            created: 0.0,
            modified: 0.0,
            status: String::new(),
            tie: 0,
            summary: json!({"Name": name, "Value": to_text(value)}),
        });
        listing::page(input, items.collect(), BY_NAME, "PipelineParameters")
    }

    /// `DescribePipelineDefinitionForExecution`
    pub(crate) fn describe_execution_definition(&self, input: &Value) -> Result<Value, AwsError> {
        let execution = self.execution(&input["PipelineExecutionArn"])?;
        Ok(json!({"PipelineDefinition": execution.definition, "CreationTime": clock::write(execution.created)}))
    }

    /// An execution with what AWS' operations have no place for: the cache's reasons, what each step was asked.
    pub(crate) fn execution_report(&self, pipeline: &str, id: &str) -> Option<Value> {
        let execution = self.pipelines.executions.get(id).filter(|execution| execution.pipeline == pipeline)?;
        let steps = execution.steps_in_order().into_iter().map(|step| {
            json!({
                "name": step.name, "type": step.kind, "status": step.status.word(), "attempt": step.attempt,
                "work": step.work, "arguments": step.arguments, "failure": step.failure,
                "cache": step.cache.as_ref().map(|note| json!({"hit": note.hit, "why": note.why})),
            })
        });
        Some(json!({
            "arn": execution.arn, "status": execution.status.word(), "failure": execution.failure,
            "parameters": execution.parameters, "steps": steps.collect::<Vec<_>>(),
        }))
    }
}

impl Execution {
    fn summary(&self) -> Map<String, Value> {
        let mut summary = Map::new();
        summary.insert("PipelineExecutionArn".into(), json!(self.arn));
        summary.insert("StartTime".into(), clock::write(self.created));
        summary.insert("PipelineExecutionStatus".into(), json!(self.status.word()));
        let display_name =
            self.display_name.clone().unwrap_or_else(|| format!("execution-{}", (self.created * 1000.0) as u64));
        summary.insert("PipelineExecutionDisplayName".into(), json!(display_name));
        for (member, text) in
            [("PipelineExecutionDescription", &self.description), ("PipelineExecutionFailureReason", &self.failure)]
        {
            if let Some(text) = text {
                summary.insert(member.into(), json!(text));
            }
        }
        summary
    }
}
