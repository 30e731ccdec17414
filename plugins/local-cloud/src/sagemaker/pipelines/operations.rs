//! The operations of pipelines: Create, Update, Describe, Delete, List.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::AwsError;
use crate::sagemaker::listing::{self, Item, NEWEST_FIRST};
use crate::sagemaker::pipelines::definition::Definition;
use crate::sagemaker::pipelines::key;
use crate::sagemaker::pipelines::record::{Pipeline, Version};
use crate::sagemaker::{SageMaker, clock, tags};

impl SageMaker {
    /// `CreatePipeline`: the definition is checked as a whole first.
    pub(crate) fn create_pipeline(&self, input: &Value) -> Result<Value, AwsError> {
        tags::check(input)?;
        let name = input["PipelineName"].as_str().unwrap_or_default().to_owned();
        let token = input["ClientRequestToken"].as_str().unwrap_or_default().to_owned();
        let role = input["RoleArn"].as_str().unwrap_or_default().to_owned();
        let text = self.definition_text(input)?;
        Definition::parse(&text, &role)?;
        let arn = self.arn("pipeline", &name);
        if let Some(known) = self.pipelines.pipelines.get(&key(&name)) {
            return if known.token == token { Ok(json!({"PipelineArn": arn})) } else { Err(taken(&name)) };
        }
        self.set_tags_of_new(&arn, input)?;
        let now = clock::now();
        let pipeline = Pipeline {
            arn: arn.clone(),
            display_name: text_of(input, "PipelineDisplayName"),
            description: text_of(input, "PipelineDescription"),
            role,
            parallelism: given(&input["ParallelismConfiguration"]),
            token,
            created: now,
            modified: now,
            last_run: None,
            versions: vec![Version { definition: text, created: now, last_execution: None }],
            name: name.clone(),
        };
        match self.pipelines.pipelines.insert(&key(&name), pipeline)? {
            true => Ok(json!({"PipelineArn": arn})),
            false => Err(taken(&name)),
        }
    }

    /// The text, given or in an object.
    fn definition_text(&self, input: &Value) -> Result<String, AwsError> {
        let at = &input["PipelineDefinitionS3Location"];
        match (input["PipelineDefinition"].as_str(), at.is_null()) {
            (Some(_), false) => Err(AwsError::validation(
                "Both PipelineDefinition and PipelineDefinitionS3Location are given; give one of them.",
            )),
            (Some(text), true) => Ok(text.to_owned()),
            (None, false) => {
                let (bucket, name) =
                    (at["Bucket"].as_str().unwrap_or_default(), at["ObjectKey"].as_str().unwrap_or_default());
                let bytes = self.s3.read(bucket, name).map_err(|error| {
                    AwsError::validation(format!(
                        "Unable to read pipeline definition from s3://{bucket}/{name}: {}",
                        error.message
                    ))
                })?;
                String::from_utf8(bytes)
                    .map_err(|_| AwsError::validation("Unable to parse pipeline definition. It is not UTF-8."))
            }
            (None, true) => {
                Err(AwsError::validation("Either PipelineDefinition or PipelineDefinitionS3Location is required."))
            }
        }
    }

    /// `UpdatePipeline`: a new definition is a new version; executions under way keep theirs.
    pub(crate) fn update_pipeline(&self, input: &Value) -> Result<Value, AwsError> {
        let pipeline = self.pipeline(&input["PipelineName"])?;
        let role = text_of(input, "RoleArn").unwrap_or(pipeline.role);
        let changes_text = !input["PipelineDefinition"].is_null() || !input["PipelineDefinitionS3Location"].is_null();
        let text = if changes_text { Some(self.definition_text(input)?) } else { None };
        if let Some(text) = &text {
            Definition::parse(text, &role)?;
        }
        let changed = self.pipelines.pipelines.update(&key(&pipeline.name), |pipeline| {
            let now = clock::now();
            pipeline.role = role;
            pipeline.modified = now;
            if let Some(definition) = text {
                pipeline.versions.push(Version { definition, created: now, last_execution: None });
            }
            let set = |field: &mut Option<String>, member: &str| {
                if let Some(text) = text_of(input, member) {
                    *field = Some(text);
                }
            };
            set(&mut pipeline.display_name, "PipelineDisplayName");
            set(&mut pipeline.description, "PipelineDescription");
            if let Some(config) = given(&input["ParallelismConfiguration"]) {
                pipeline.parallelism = Some(config);
            }
            Ok(())
        })?;
        let versions = changed.map_or(0, |pipeline| pipeline.versions.len());
        Ok(json!({"PipelineArn": pipeline.arn, "PipelineVersionId": versions}))
    }

    /// By name or ARN.
    pub(crate) fn pipeline(&self, name_or_arn: &Value) -> Result<Pipeline, AwsError> {
        let text = name_or_arn.as_str().unwrap_or_default();
        let name = text.strip_prefix(&self.arn("pipeline", "")).unwrap_or(text);
        self.pipelines
            .pipelines
            .get(&key(name))
            .ok_or_else(|| AwsError::not_found(format!("Pipeline '{}' does not exist.", self.arn("pipeline", name))))
    }

    /// Whether a pipeline or an execution of that name is there: what follows `pipeline/` in an ARN.
    pub(crate) fn pipeline_exists(&self, rest: &str) -> bool {
        match rest.split_once("/execution/") {
            Some((_, id)) => self.pipelines.executions.get(id).is_some(),
            None => self.pipelines.pipelines.get(&key(rest)).is_some(),
        }
    }

    /// `DescribePipeline`
    pub(crate) fn describe_pipeline(&self, input: &Value) -> Result<Value, AwsError> {
        let pipeline = self.pipeline(&input["PipelineName"])?;
        let version = input["PipelineVersionId"].as_u64();
        let Some((_, definition)) = pipeline.definition(version) else {
            return Err(AwsError::not_found(format!(
                "Pipeline '{}' has no version {}.",
                pipeline.arn,
                version.unwrap_or(0)
            )));
        };
        let mut answer = pipeline.summary();
        answer.insert("PipelineDefinition".into(), json!(definition));
        answer.insert("PipelineStatus".into(), json!("Active"));
        answer.insert("CreatedBy".into(), self.somebody());
        answer.insert("LastModifiedBy".into(), self.somebody());
        if let Some(time) = answer.remove("LastExecutionTime") {
            answer.insert("LastRunTime".into(), time);
        }
        if let Some(config) = &pipeline.parallelism {
            answer.insert("ParallelismConfiguration".into(), config.clone());
        }
        Ok(Value::Object(answer))
    }

    /// Who did it: there is one account and nobody else.
    pub(crate) fn somebody(&self) -> Value {
        let account = &self.settings.account;
        json!({"IamIdentity": {"Arn": format!("arn:aws:iam::{account}:root"), "PrincipalId": account}})
    }

    /// `DeletePipeline`: not while it runs.
    pub(crate) fn delete_pipeline(&self, input: &Value) -> Result<Value, AwsError> {
        let pipeline = self.pipeline(&input["PipelineName"])?;
        let running = self.pipelines.executions.select(|one| one.pipeline == pipeline.name && !one.status.is_over());
        if let Some(execution) = running.first() {
            return Err(AwsError::conflict(format!(
                "Pipeline {} has running executions, as {}; stop them first.",
                pipeline.arn, execution.arn
            )));
        }
        self.pipelines.pipelines.remove(&key(&pipeline.name), |_| Ok(()))?;
        self.forget_tags(&pipeline.arn)?;
        Ok(json!({"PipelineArn": pipeline.arn}))
    }

    /// `ListPipelines`
    pub(crate) fn list_pipelines(&self, input: &Value) -> Result<Value, AwsError> {
        let prefix = input["PipelineNamePrefix"].as_str().unwrap_or_default();
        let items = self.pipelines.pipelines.select(|pipeline| pipeline.name.starts_with(prefix));
        let items = items.into_iter().map(|pipeline| Item {
            summary: Value::Object(pipeline.summary()),
            name: pipeline.name,
            created: pipeline.created,
            modified: pipeline.modified,
            status: String::new(),
            tie: 0,
        });
        listing::page(&created_filters(input), items.collect(), NEWEST_FIRST, "PipelineSummaries")
    }

    /// `ListPipelineVersions`
    pub(crate) fn list_pipeline_versions(&self, input: &Value) -> Result<Value, AwsError> {
        let pipeline = self.pipeline(&input["PipelineName"])?;
        let items = pipeline.versions.iter().enumerate().map(|(index, version)| {
            let mut summary = json!({"PipelineArn": pipeline.arn, "PipelineVersionId": index + 1, "CreationTime": clock::write(version.created)});
            if let Some(arn) = &version.last_execution {
                summary["LastExecutionPipelineExecutionArn"] = json!(arn);
            }
            Item { name: String::new(), created: version.created, modified: version.created, status: String::new(), tie: index as u64, summary }
        });
        listing::page(&created_filters(input), items.collect(), NEWEST_FIRST, "PipelineVersionSummaries")
    }

    /// Lets an execution run in the background, to its end.
    pub(crate) fn begin_execution(self: &Arc<Self>, id: &str) {
        let (this, id) = (Arc::clone(self), id.to_owned());
        self.background(async move { this.carry_execution(&id).await });
    }
}

/// These operations say `CreatedAfter` where others say `CreationTimeAfter`.
pub(super) fn created_filters(input: &Value) -> Value {
    let mut filters = input.clone();
    for (from, to) in [("CreatedAfter", "CreationTimeAfter"), ("CreatedBefore", "CreationTimeBefore")] {
        if !input[from].is_null() {
            filters[to] = input[from].clone();
        }
    }
    filters
}

fn taken(name: &str) -> AwsError {
    AwsError::validation(format!(
        "Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists."
    ))
}

/// A text member of a request.
pub(super) fn text_of(input: &Value, member: &str) -> Option<String> {
    input[member].as_str().map(str::to_owned)
}

/// A member that was given.
pub(super) fn given(value: &Value) -> Option<Value> {
    (!value.is_null()).then(|| value.clone())
}

impl Pipeline {
    fn summary(&self) -> Map<String, Value> {
        let mut summary = Map::new();
        let display_name = self.display_name.as_ref().unwrap_or(&self.name);
        for (member, text) in [
            ("PipelineArn", &self.arn),
            ("PipelineName", &self.name),
            ("PipelineDisplayName", display_name),
            ("RoleArn", &self.role),
        ] {
            summary.insert(member.into(), json!(text));
        }
        if let Some(text) = &self.description {
            summary.insert("PipelineDescription".into(), json!(text));
        }
        summary.insert("CreationTime".into(), clock::write(self.created));
        summary.insert("LastModifiedTime".into(), clock::write(self.modified));
        if let Some(time) = self.last_run {
            summary.insert("LastExecutionTime".into(), clock::write(time));
        }
        summary
    }
}
