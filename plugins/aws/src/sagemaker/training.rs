//! `sagemaker.training`: a model from data, as a training job.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sagemaker::types::{
    AlgorithmSpecification, Channel, DataSource, MetricDefinition, OutputDataConfig, ResourceConfig,
    S3DataDistribution, S3DataSource, S3DataType, StoppingCondition, TrainingInputMode, TrainingInstanceType,
    TrainingJobStatus,
};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use super::job_step;
use crate::error::{Told, is_absent};
use crate::follow::{Job, Look, Status};
use crate::{Clients, arguments, image, uploads};

/// What channels hold unless they say otherwise.
const DEFAULT_CONTENT_TYPE: &str = "text/csv";

pub(crate) struct Training;

#[async_trait]
impl StepRunner for Training {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "sagemaker.training",
            doc: "Trains a model as a SageMaker training job.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments: schema_arguments(),
            outputs: vec![
                OutputSchema { name: "job-name", doc: "Name of the job." },
                OutputSchema { name: "job-arn", doc: "ARN of the job." },
                OutputSchema { name: "model-data", doc: "S3 URI of the model.tar.gz." },
                OutputSchema { name: "metrics", doc: "Last value of each metric by name, as `validation:rmse`." },
            ],
            open_outputs: false,
            cloud: true,
            example: "image: sagemaker-xgboost:1.7-1\n\
                      hyperparameters: { objective: \"reg:squarederror\", num_round: 50, max_depth: 5, eta: 0.2 }\n\
                      channels:\n  train: ${{ steps.preprocess.outputs['output-train'] }}\n  \
                      validation: ${{ steps.preprocess.outputs['output-validation'] }}",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        job_step::start(ctx, &TrainingJob, async |clients, name| create(ctx, &clients, &name).await).await
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        job_step::attach(ctx, &TrainingJob).await
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        job_step::cancel(ctx, &TrainingJob).await
    }
}

fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{List, Map, Path, String};
    let mut all = vec![
        ArgumentSchema::required("image", String, "The container image, as of `sagemaker.processing`."),
        ArgumentSchema::optional("hyperparameters", Map, "Hyperparameters of the algorithm or of the script."),
        ArgumentSchema::required(
            "channels",
            Map,
            "Name to `s3://` URI or workspace path, or to {source, content-type, input-mode, distribution}.",
        ),
        ArgumentSchema::optional("content-type", String, "Of channels that name none.").or(DEFAULT_CONTENT_TYPE),
        ArgumentSchema::optional(
            "output-path",
            String,
            "`s3://` prefix; the model becomes OUTPUT-PATH/JOB/output/model.tar.gz. Default: \
             s3://BUCKET/PIPELINE/BUILD/STEP.",
        ),
        ArgumentSchema::optional("entry-point", String, "Script mode: the script to run, in `source-dir`."),
        ArgumentSchema::optional("source-dir", Path, "Script mode: the folder that is uploaded with the script."),
        ArgumentSchema::optional("metrics", List, "Metrics to find in the log of an image of your own: {name, regex}."),
    ];
    all.extend(arguments::job_arguments());
    all
}

async fn create(ctx: &StepContext, clients: &Clients, name: &str) -> Result<(), StepError> {
    let algorithm = AlgorithmSpecification::builder()
        .training_image(image::resolved(clients, &ctx.required("image")?)?)
        .training_input_mode(TrainingInputMode::File)
        .set_metric_definitions(metric_definitions(ctx)?)
        .build();
    let resources = ResourceConfig::builder()
        .instance_type(TrainingInstanceType::from(ctx.text("instance-type").as_deref().unwrap_or("ml.m5.xlarge")))
        .instance_count(arguments::count(ctx, "instance-count", 1)?)
        .volume_size_in_gb(arguments::count(ctx, "volume-gb", 30)?)
        .build();
    let output_path = match ctx.text("output-path") {
        Some(path) => path,
        None => uploads::step_prefix(ctx, clients).await?,
    };
    let network = arguments::Network::of(ctx)?;
    let mut request = clients
        .sagemaker
        .create_training_job()
        .training_job_name(name)
        .algorithm_specification(algorithm)
        .set_hyper_parameters(hyperparameters(ctx, clients, name).await?)
        .set_input_data_config(Some(channels(ctx, clients).await?))
        .output_data_config(OutputDataConfig::builder().s3_output_path(output_path).build())
        .resource_config(resources)
        .stopping_condition(StoppingCondition::builder().max_runtime_in_seconds(arguments::max_runtime_s(ctx)?).build())
        .set_environment(arguments::texts_by_name(ctx.map("env")))
        .role_arn(arguments::role(ctx, clients)?)
        .set_tags(Some(arguments::tags(ctx)));
    if let Some(network) = network {
        request = request
            .set_vpc_config(network.vpc)
            .enable_network_isolation(network.isolation)
            .enable_inter_container_traffic_encryption(network.encryption);
    }
    job_step::created(request.send().await, clients, &format!("creating the training job {name}"))
}

/// The hyperparameters, all as texts; in script mode also those that tell the container what to run.
async fn hyperparameters(
    ctx: &StepContext,
    clients: &Clients,
    name: &str,
) -> Result<Option<HashMap<String, String>>, StepError> {
    let mut all = arguments::texts_by_name(ctx.map("hyperparameters")).unwrap_or_default();
    match (ctx.text("entry-point"), ctx.text("source-dir")) {
        (None, None) => {}
        (Some(program), Some(folder)) => {
            if !uploads::workspace_path(ctx, &folder)?.join(&program).is_file() {
                return Err(usage(&format!("the script `{program}` is not in the folder `{folder}`")));
            }
            all.insert("sagemaker_submit_directory".to_owned(), uploads::packed(ctx, clients, &folder).await?);
            all.insert("sagemaker_program".to_owned(), program);
            all.insert("sagemaker_region".to_owned(), clients.cloud.region.clone());
            all.insert("sagemaker_job_name".to_owned(), name.to_owned());
            all.insert("sagemaker_container_log_level".to_owned(), "20".to_owned());
        }
        _ => return Err(usage("script mode needs both `entry-point` and `source-dir`")),
    }
    Ok((!all.is_empty()).then_some(all))
}

async fn channels(ctx: &StepContext, clients: &Clients) -> Result<Vec<Channel>, StepError> {
    let default = ctx.text("content-type").unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned());
    let mut all = Vec::new();
    for (name, value) in ctx.map("channels") {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let source = match &value {
            Value::String(source) => Some(source.clone()),
            _ => text("source"),
        };
        let source =
            source.ok_or_else(|| usage(&format!("`channels.{name}` must be a text or a map with `source`")))?;
        let distribution = text("distribution").unwrap_or_else(|| "FullyReplicated".to_owned());
        let s3 = S3DataSource::builder()
            .s3_data_type(S3DataType::S3Prefix)
            .s3_uri(uploads::source(ctx, clients, &source).await?)
            .s3_data_distribution_type(S3DataDistribution::from(distribution.as_str()))
            .build();
        all.push(
            Channel::builder()
                .channel_name(name)
                .data_source(DataSource::builder().s3_data_source(s3).build())
                .content_type(text("content-type").unwrap_or_else(|| default.clone()))
                .set_input_mode(text("input-mode").as_deref().map(TrainingInputMode::from))
                .build(),
        );
    }
    if all.is_empty() {
        return Err(usage("`channels` names no channel; give at least `train`"));
    }
    Ok(all)
}

fn metric_definitions(ctx: &StepContext) -> Result<Option<Vec<MetricDefinition>>, StepError> {
    let Some(list) = ctx.arg("metrics").and_then(Value::as_array) else { return Ok(None) };
    let definition = |value: &Value| {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        match (text("name"), text("regex")) {
            (Some(name), Some(regex)) => Ok(MetricDefinition::builder().name(name).regex(regex).build()),
            _ => Err(usage("each of `metrics` must be {name, regex}")),
        }
    };
    list.iter().map(definition).collect::<Result<Vec<_>, _>>().map(Some)
}

fn usage(text: &str) -> StepError {
    StepError::Usage(format!("sagemaker.training: {text}"))
}

struct TrainingJob;

#[async_trait]
impl Job for TrainingJob {
    fn kind(&self) -> &'static str {
        "training"
    }

    fn log_group(&self) -> &'static str {
        "/aws/sagemaker/TrainingJobs"
    }

    async fn look(&self, clients: &Clients, name: &str) -> Result<Option<Look>, StepError> {
        let described = match clients.sagemaker.describe_training_job().training_job_name(name).send().await {
            Err(error) if is_absent(&error) => return Ok(None),
            other => other.told(&clients.cloud, &format!("describing the training job {name}"))?,
        };
        let word = described.training_job_status.as_ref().map_or("", TrainingJobStatus::as_str);
        let status = Status::of(word, described.failure_reason);
        let mut metrics = Object::new();
        for metric in described.final_metric_data_list.unwrap_or_default() {
            metrics.insert(metric.metric_name.unwrap_or_default(), metric.value.map(shortest).into());
        }
        let model = described.model_artifacts.and_then(|model| model.s3_model_artifacts);
        let outputs = Object::from_iter([
            ("job-name".to_owned(), name.into()),
            ("job-arn".to_owned(), described.training_job_arn.into()),
            ("model-data".to_owned(), model.into()),
            ("metrics".to_owned(), metrics.into()),
        ]);
        let phase = described.secondary_status.map_or_else(String::new, |status| status.as_str().to_owned());
        Ok(Some(Look { status, phase, outputs }))
    }

    async fn stop(&self, clients: &Clients, name: &str) -> Result<(), StepError> {
        let sent = clients.sagemaker.stop_training_job().training_job_name(name).send().await;
        job_step::stopped(sent, clients, &format!("stopping the training job {name}"))
    }
}

/// AWS gives 32 bits; widened bit by bit, 2.1 would read 2.0999999046325684.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

#[cfg(test)]
mod tests {
    #[test]
    fn metrics_read_as_written() {
        assert_eq!(super::shortest(2.1), 2.1);
    }
}
