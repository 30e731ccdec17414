//! `sagemaker.transform`: predictions for a whole data set, as a batch transform job.

use async_trait::async_trait;
use aws_sdk_sagemaker::types::{
    AssemblyType, BatchStrategy, ContainerDefinition, S3DataType, SplitType, TransformDataSource, TransformInput,
    TransformInstanceType, TransformJobStatus, TransformOutput, TransformResources, TransformS3DataSource,
};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use super::job_step;
use crate::error::{Told, is_absent};
use crate::follow::{Job, Look, Status};
use crate::{Clients, arguments, clients, image, names, uploads};

pub(crate) struct Transform;

#[async_trait]
impl StepRunner for Transform {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "sagemaker.transform",
            doc: "Scores a whole data set as a SageMaker batch transform job.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments: schema_arguments(),
            outputs: vec![
                OutputSchema { name: "job-name", doc: "Name of the job." },
                OutputSchema { name: "job-arn", doc: "ARN of the job." },
                OutputSchema { name: "output-uri", doc: "S3 prefix of the answers; input X becomes X.out." },
            ],
            open_outputs: false,
            cloud: true,
            example: "model-package-arn: ${{ steps.register.outputs.arn }}\n\
                      input: s3://my-bucket/batch/rows.csv\nsplit: Line",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        job_step::start(ctx, &TransformJob, async |clients, name| create(ctx, &clients, &name).await).await
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let output = job_step::attach(ctx, &TransformJob).await?;
        // The model was made for this job alone. That it is gone already, or stays, changes no result.
        let clients = clients(&ctx.cloud).await?;
        let name = names::job(ctx);
        if let Err(error) = clients.sagemaker.delete_model().model_name(&name).send().await {
            tracing::debug!(%error, model = %name, "the transform job's model was not deleted");
        }
        Ok(output)
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        job_step::cancel(ctx, &TransformJob).await
    }
}

fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Integer, Map, String};
    vec![
        ArgumentSchema::optional("model-package-arn", String, "The registered model to use."),
        ArgumentSchema::optional("model-data", String, "S3 URI of a model.tar.gz, instead; needs `image`."),
        ArgumentSchema::optional("image", String, "The container image for `model-data`."),
        ArgumentSchema::required("input", String, "`s3://` object or prefix, or workspace path."),
        ArgumentSchema::optional("output", String, "`s3://` prefix; default s3://BUCKET/PIPELINE/BUILD/STEP."),
        ArgumentSchema::optional("content-type", String, "Of the input.").or("text/csv"),
        ArgumentSchema::optional("accept", String, "Of the answers; default: the container's."),
        ArgumentSchema::optional("split", String, "How the input is cut into records.")
            .or("Line")
            .one_of(&["None", "Line", "RecordIO"]),
        ArgumentSchema::optional("assemble", String, "How answers are put together.")
            .or("Line")
            .one_of(&["None", "Line"]),
        ArgumentSchema::optional("strategy", String, "One record or several per request.")
            .one_of(&["SingleRecord", "MultiRecord"]),
        ArgumentSchema::optional("instance-type", String, "Kind of machine.").or("ml.m5.large"),
        ArgumentSchema::optional("instance-count", Integer, "How many machines.").or(1),
        ArgumentSchema::optional("role", String, "ARN of the role the model gets; default: the cloud's."),
        ArgumentSchema::optional("env", Map, "Variables of the container."),
        ArgumentSchema::optional("tags", Map, "Tags beside those that name pipeline, build and step."),
    ]
}

async fn create(ctx: &StepContext, clients: &Clients, name: &str) -> Result<(), StepError> {
    let input = uploads::source(ctx, clients, &ctx.required("input")?).await?;
    let output = match ctx.text("output") {
        Some(uri) => uri,
        None => uploads::step_prefix(ctx, clients).await?,
    };
    create_model(ctx, clients, name).await?;
    let source = TransformS3DataSource::builder().s3_data_type(S3DataType::S3Prefix).s3_uri(input).build();
    let word = |argument: &str, default: &str| ctx.text(argument).unwrap_or_else(|| default.to_owned());
    let input = TransformInput::builder()
        .data_source(TransformDataSource::builder().s3_data_source(source).build())
        .content_type(word("content-type", "text/csv"))
        .split_type(SplitType::from(word("split", "Line").as_str()))
        .build();
    let output = TransformOutput::builder()
        .s3_output_path(output)
        .set_accept(ctx.text("accept"))
        .assemble_with(AssemblyType::from(word("assemble", "Line").as_str()))
        .build();
    let resources = TransformResources::builder()
        .instance_type(TransformInstanceType::from(word("instance-type", "ml.m5.large").as_str()))
        .instance_count(arguments::count(ctx, "instance-count", 1)?)
        .build();
    let sent = clients
        .sagemaker
        .create_transform_job()
        .transform_job_name(name)
        .model_name(name)
        .transform_input(input)
        .transform_output(output)
        .transform_resources(resources)
        .set_batch_strategy(ctx.text("strategy").as_deref().map(BatchStrategy::from))
        .set_tags(Some(arguments::tags(ctx)))
        .send()
        .await;
    job_step::created(sent, clients, &format!("creating the transform job {name}"))
}

/// A transform job wants a model by name: one of the job's own name is made.
async fn create_model(ctx: &StepContext, clients: &Clients, name: &str) -> Result<(), StepError> {
    let container = ContainerDefinition::builder();
    let container = match (ctx.text("model-package-arn"), ctx.text("model-data"), ctx.text("image")) {
        (Some(arn), None, None) => container.model_package_name(arn),
        (None, Some(data), Some(image)) => container.model_data_url(data).image(image::resolved(clients, &image)?),
        _ => {
            return Err(StepError::Usage(
                "sagemaker.transform: give either `model-package-arn`, or `model-data` with `image`".to_owned(),
            ));
        }
    };
    let sent = clients
        .sagemaker
        .create_model()
        .model_name(name)
        .primary_container(container.set_environment(arguments::texts_by_name(ctx.map("env"))).build())
        .execution_role_arn(arguments::role(ctx, clients)?)
        .set_tags(Some(arguments::tags(ctx)))
        .send()
        .await;
    job_step::created(sent, clients, &format!("creating the model {name}"))
}

struct TransformJob;

#[async_trait]
impl Job for TransformJob {
    fn kind(&self) -> &'static str {
        "transform"
    }

    fn log_group(&self) -> &'static str {
        "/aws/sagemaker/TransformJobs"
    }

    async fn look(&self, clients: &Clients, name: &str) -> Result<Option<Look>, StepError> {
        let described = match clients.sagemaker.describe_transform_job().transform_job_name(name).send().await {
            Err(error) if is_absent(&error) => return Ok(None),
            other => other.told(&clients.cloud, &format!("describing the transform job {name}"))?,
        };
        let word = described.transform_job_status.as_ref().map_or("", TransformJobStatus::as_str);
        let status = Status::of(word, described.failure_reason);
        let uri = described.transform_output.and_then(|output| output.s3_output_path);
        let outputs = Object::from_iter([
            ("job-name".to_owned(), name.into()),
            ("job-arn".to_owned(), described.transform_job_arn.into()),
            ("output-uri".to_owned(), uri.into()),
        ]);
        let phase = described.transform_job_status.map_or_else(String::new, |status| status.as_str().to_owned());
        Ok(Some(Look { status, phase, outputs }))
    }

    async fn stop(&self, clients: &Clients, name: &str) -> Result<(), StepError> {
        let sent = clients.sagemaker.stop_transform_job().transform_job_name(name).send().await;
        job_step::stopped(sent, clients, &format!("stopping the transform job {name}"))
    }
}
