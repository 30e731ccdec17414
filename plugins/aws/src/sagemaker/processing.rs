//! `sagemaker.processing`: a script over data, as a processing job.

use async_trait::async_trait;
use aws_sdk_sagemaker::types::{
    AppSpecification, NetworkConfig, ProcessingClusterConfig, ProcessingInput, ProcessingInstanceType,
    ProcessingJobStatus, ProcessingOutput, ProcessingOutputConfig, ProcessingResources, ProcessingS3DataType,
    ProcessingS3Input, ProcessingS3InputMode, ProcessingS3Output, ProcessingS3UploadMode, ProcessingStoppingCondition,
};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use super::job_step;
use crate::error::{Told, is_absent};
use crate::follow::{Job, Look, Status};
use crate::{Clients, arguments, image, uploads};

/// Where AWS lets processing jobs read and write.
const ROOT: &str = "/opt/ml/processing";
/// Name of the input that carries the script.
const CODE: &str = "code";

pub(crate) struct Processing;

#[async_trait]
impl StepRunner for Processing {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "sagemaker.processing",
            doc: "Runs a script as a SageMaker processing job.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments: schema_arguments(),
            outputs: schema_outputs(),
            open_outputs: true,
            cloud: true,
            example: "image: sagemaker-scikit-learn:1.2-1\ncode: pipelines/abalone/preprocess.py\n\
                      arguments: [--input-data, \"s3://my-bucket/dataset/abalone.csv\"]\n\
                      outputs: { train: /opt/ml/processing/train, test: /opt/ml/processing/test }",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        start(ctx).await
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        job_step::attach(ctx, &ProcessingJob).await
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        job_step::cancel(ctx, &ProcessingJob).await
    }
}

/// Arguments of processing, which evaluation has as well.
pub(super) fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Map, Path, String, Strings};
    let mut all = vec![
        ArgumentSchema::required(
            "image",
            String,
            "The container image. The local cloud knows short names as `sagemaker-scikit-learn:1.2-1`; AWS needs the full \
             registry URI.",
        ),
        ArgumentSchema::optional("code", Path, "A Python script of the workspace; it is uploaded and run by python3."),
        ArgumentSchema::optional("entrypoint", Strings, "Program and first arguments, instead of `code`."),
        ArgumentSchema::optional("arguments", Strings, "Arguments of the script."),
        ArgumentSchema::optional(
            "inputs",
            Map,
            "Name to `s3://` URI or workspace path, mounted at /opt/ml/processing/input/NAME; or to {source, destination}.",
        ),
        ArgumentSchema::optional(
            "outputs",
            Map,
            "Name to folder below /opt/ml/processing, uploaded at the end to s3://BUCKET/PIPELINE/BUILD/STEP/NAME; or to \
             {source, destination}.",
        ),
    ];
    all.extend(arguments::job_arguments());
    all
}

/// Outputs of processing, which evaluation has as well.
pub(super) fn schema_outputs() -> Vec<OutputSchema> {
    vec![
        OutputSchema { name: "job-name", doc: "Name of the job." },
        OutputSchema { name: "job-arn", doc: "ARN of the job." },
        OutputSchema { name: "output-NAME", doc: "S3 URI of each output." },
        OutputSchema { name: "exit-message", doc: "What the script wrote to /opt/ml/output/message." },
    ]
}

/// `start` of processing and of evaluation.
pub(super) async fn start(ctx: &StepContext) -> Result<Started, StepError> {
    job_step::start(ctx, &ProcessingJob, async |clients, name| create(ctx, &clients, &name).await).await
}

async fn create(ctx: &StepContext, clients: &Clients, name: &str) -> Result<(), StepError> {
    let mut inputs = inputs(ctx, clients).await?;
    let application = application(ctx, clients, &mut inputs).await?;
    let cluster = ProcessingClusterConfig::builder()
        .instance_count(arguments::count(ctx, "instance-count", 1)?)
        .instance_type(ProcessingInstanceType::from(ctx.text("instance-type").as_deref().unwrap_or("ml.m5.xlarge")))
        .volume_size_in_gb(arguments::count(ctx, "volume-gb", 30)?)
        .build();
    let network = arguments::Network::of(ctx)?.map(|network| {
        NetworkConfig::builder()
            .enable_network_isolation(network.isolation)
            .enable_inter_container_traffic_encryption(network.encryption)
            .set_vpc_config(network.vpc)
            .build()
    });
    let outputs = outputs(ctx, clients).await?;
    let config = (!outputs.is_empty()).then(|| ProcessingOutputConfig::builder().set_outputs(Some(outputs)).build());
    let stop = ProcessingStoppingCondition::builder().max_runtime_in_seconds(arguments::max_runtime_s(ctx)?).build();
    let sent = clients
        .sagemaker
        .create_processing_job()
        .processing_job_name(name)
        .app_specification(application)
        .set_processing_inputs((!inputs.is_empty()).then_some(inputs))
        .set_processing_output_config(config)
        .processing_resources(ProcessingResources::builder().cluster_config(cluster).build())
        .stopping_condition(stop)
        .set_environment(arguments::texts_by_name(ctx.map("env")))
        .set_network_config(network)
        .role_arn(arguments::role(ctx, clients)?)
        .set_tags(Some(arguments::tags(ctx)))
        .send()
        .await;
    job_step::created(sent, clients, &format!("creating the processing job {name}"))
}

/// Image, program and arguments; the script becomes one more input.
async fn application(
    ctx: &StepContext,
    clients: &Clients,
    inputs: &mut Vec<ProcessingInput>,
) -> Result<AppSpecification, StepError> {
    let image = image::resolved(clients, &ctx.required("image")?)?;
    let mut entrypoint = ctx.texts("entrypoint");
    if let Some(code) = ctx.text("code") {
        let path = uploads::workspace_path(ctx, &code)?;
        if !path.is_file() {
            return Err(usage(ctx, &format!("`code: {code}` must be a file")));
        }
        if !entrypoint.is_empty() {
            return Err(usage(ctx, "give `code` or `entrypoint`, not both"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let uri = uploads::file(ctx, clients, &path).await?;
        let folder = format!("{ROOT}/input/{CODE}");
        entrypoint = vec!["python3".to_owned(), format!("{folder}/{name}")];
        inputs.push(input(CODE, &uri, &folder));
    }
    let list = |texts: Vec<String>| (!texts.is_empty()).then_some(texts);
    Ok(AppSpecification::builder()
        .image_uri(image)
        .set_container_entrypoint(list(entrypoint))
        .set_container_arguments(list(ctx.texts("arguments")))
        .build())
}

async fn inputs(ctx: &StepContext, clients: &Clients) -> Result<Vec<ProcessingInput>, StepError> {
    let mut all = Vec::new();
    for (name, value) in ctx.map("inputs") {
        if name == CODE && ctx.arg("code").is_some() {
            return Err(usage(ctx, "the input `code` is the script; give the other one another name"));
        }
        let (source, destination) = ends(ctx, "inputs", &name, &value, "source")?;
        let destination = destination.unwrap_or_else(|| format!("{ROOT}/input/{name}"));
        let uri = uploads::source(ctx, clients, &source).await?;
        all.push(input(&name, &uri, &checked_folder(ctx, &destination)?));
    }
    Ok(all)
}

fn input(name: &str, uri: &str, folder: &str) -> ProcessingInput {
    let s3 = ProcessingS3Input::builder()
        .s3_uri(uri)
        .local_path(folder)
        .s3_data_type(ProcessingS3DataType::S3Prefix)
        .s3_input_mode(ProcessingS3InputMode::File)
        .build();
    ProcessingInput::builder().input_name(name).s3_input(s3).build()
}

async fn outputs(ctx: &StepContext, clients: &Clients) -> Result<Vec<ProcessingOutput>, StepError> {
    let mut all = Vec::new();
    for (name, value) in ctx.map("outputs") {
        let (source, destination) = ends(ctx, "outputs", &name, &value, "source")?;
        let uri = match destination {
            Some(uri) => uri,
            None => format!("{}/{name}", uploads::step_prefix(ctx, clients).await?),
        };
        let s3 = ProcessingS3Output::builder()
            .s3_uri(uri)
            .local_path(checked_folder(ctx, &source)?)
            .s3_upload_mode(ProcessingS3UploadMode::EndOfJob)
            .build();
        all.push(ProcessingOutput::builder().output_name(name).s3_output(s3).build());
    }
    Ok(all)
}

/// Both ends of an input or output: a text is its source.
fn ends(
    ctx: &StepContext,
    argument: &str,
    name: &str,
    value: &Value,
    first: &str,
) -> Result<(String, Option<String>), StepError> {
    let wrong = || usage(ctx, &format!("`{argument}.{name}` must be a text or {{source, destination}}"));
    match value {
        Value::String(text) => Ok((text.clone(), None)),
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
            Ok((text(first).ok_or_else(wrong)?, text("destination")))
        }
        _ => Err(wrong()),
    }
}

fn checked_folder(ctx: &StepContext, folder: &str) -> Result<String, StepError> {
    if folder.starts_with(ROOT) && !folder.split('/').any(|part| part == "..") {
        return Ok(folder.to_owned());
    }
    Err(usage(ctx, &format!("the container folder `{folder}` must lie below {ROOT}")))
}

fn usage(ctx: &StepContext, text: &str) -> StepError {
    StepError::Usage(format!("{}: {text}", ctx.call.uses))
}

/// A processing job under one name.
pub(super) struct ProcessingJob;

#[async_trait]
impl Job for ProcessingJob {
    fn kind(&self) -> &'static str {
        "processing"
    }

    fn log_group(&self) -> &'static str {
        "/aws/sagemaker/ProcessingJobs"
    }

    async fn look(&self, clients: &Clients, name: &str) -> Result<Option<Look>, StepError> {
        let described = match clients.sagemaker.describe_processing_job().processing_job_name(name).send().await {
            Err(error) if is_absent(&error) => return Ok(None),
            other => other.told(&clients.cloud, &format!("describing the processing job {name}"))?,
        };
        let status = described.processing_job_status.clone().unwrap_or(ProcessingJobStatus::InProgress);
        let mut outputs = Object::new();
        outputs.insert("job-name".to_owned(), name.into());
        outputs.insert("job-arn".to_owned(), described.processing_job_arn.into());
        for output in described.processing_output_config.and_then(|config| config.outputs).unwrap_or_default() {
            let uri = output.s3_output.and_then(|s3| s3.s3_uri);
            outputs.insert(format!("output-{}", output.output_name.unwrap_or_default()), uri.into());
        }
        outputs.insert("exit-message".to_owned(), described.exit_message.clone().unwrap_or_default().into());
        let reason = described.failure_reason.or(described.exit_message);
        Ok(Some(Look { phase: status.as_str().to_owned(), status: Status::of(status.as_str(), reason), outputs }))
    }

    async fn stop(&self, clients: &Clients, name: &str) -> Result<(), StepError> {
        let sent = clients.sagemaker.stop_processing_job().processing_job_name(name).send().await;
        job_step::stopped(sent, clients, &format!("stopping the processing job {name}"))
    }
}
