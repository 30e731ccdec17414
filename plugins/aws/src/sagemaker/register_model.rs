//! `sagemaker.register-model`: a version in the model registry, once per step key.
//!
//! AWS' client token is forgotten after a while, so the key is also written into the version's metadata and looked for
//! before anything is created:
//!   created, handle committed          -> the handle names it
//!   created, crash before the commit   -> the metadata of the newest versions names it
//!   two starts at once                 -> the client token makes them one

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sagemaker::types::{
    InferenceSpecification, MetadataProperties, MetricsSource, ModelApprovalStatus, ModelMetrics,
    ModelPackageContainerDefinition, ModelPackageStatus, ModelQuality, ProductionVariantInstanceType,
    TransformInstanceType,
};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use crate::error::{Told, is_present};
use crate::follow::{self, Pace};
use crate::{Clients, arguments, clients, image, names, registry};

/// The metadata property that carries the step key.
const KEY: &str = "haliotis-key";
/// Newest versions whose metadata is looked at; more would have to be registered between a crash and the restart.
const MAX_LOOKED_AT: usize = 25;
/// Looks at a version that AWS still puts together.
const MAX_LOOKS: u32 = 360;

pub(crate) struct RegisterModel;

#[async_trait]
impl StepRunner for RegisterModel {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "sagemaker.register-model",
            doc: "Registers a model as a new version of a model package group.",
            placement: Placement::Server,
            delivery: Delivery::Token,
            arguments: schema_arguments(),
            outputs: vec![
                OutputSchema { name: "arn", doc: "ARN of the model package." },
                OutputSchema { name: "version", doc: "Its version, a number." },
                OutputSchema { name: "group", doc: "Its group." },
            ],
            open_outputs: false,
            cloud: true,
            example: "group: abalone\nimage: sagemaker-xgboost:1.7-1\n\
                      model-data: ${{ steps.train.outputs['model-data'] }}\n\
                      report-uri: ${{ steps.evaluate.outputs['report-uri'] }}\n\
                      approval-status: PendingManualApproval",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        let clients = clients(&ctx.cloud).await?;
        follow::introduce(ctx, &clients).await?;
        let arn = match find(ctx, &clients).await? {
            Some(arn) => arn,
            None => register(ctx, &clients).await?,
        };
        Ok(Started { handle: Some(json!({ "arn": arn })) })
    }

    async fn attach(&self, ctx: &StepContext, handle: &Value) -> Result<StepOutput, StepError> {
        let clients = clients(&ctx.cloud).await?;
        let arn = match handle.get("arn").and_then(Value::as_str) {
            Some(arn) => arn.to_owned(),
            None => find(ctx, &clients).await?.ok_or_else(|| {
                StepError::World("no model version carries this step's key; it was deleted".to_owned())
            })?,
        };
        registered(ctx, &clients, &arn).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        // It is one request; a version that is there stays, waiting for approval.
        Ok(())
    }
}

fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Map, String, Strings};
    vec![
        ArgumentSchema::required("group", String, "Model package group; made if absent."),
        ArgumentSchema::optional("group-description", String, "For a group that is made."),
        ArgumentSchema::required("image", String, "The container image that serves the model."),
        ArgumentSchema::required("model-data", String, "S3 URI of the model.tar.gz."),
        ArgumentSchema::optional("environment", Map, "Variables of the serving container."),
        ArgumentSchema::optional("approval-status", String, "The first state.").or("PendingManualApproval").one_of(&[
            "PendingManualApproval",
            "Approved",
            "Rejected",
        ]),
        ArgumentSchema::optional("report-uri", String, "S3 URI of the JSON report: the version's metrics."),
        ArgumentSchema::optional("content-types", Strings, "What the model takes.").or(json!(["text/csv"])),
        ArgumentSchema::optional("response-types", Strings, "What it answers.").or(json!(["text/csv"])),
        ArgumentSchema::optional("inference-instances", Strings, "Kinds of machine it may be served on.")
            .or(json!(["ml.t2.medium", "ml.m5.large"])),
        ArgumentSchema::optional("transform-instances", Strings, "Kinds of machine for batch transform.")
            .or(json!(["ml.m5.large"])),
        ArgumentSchema::optional("description", String, "For people."),
        ArgumentSchema::optional("metadata", Map, "Further properties, kept with the version."),
    ]
}

/// The version that this step's key made before.
async fn find(ctx: &StepContext, clients: &Clients) -> Result<Option<String>, StepError> {
    let token = names::token(ctx);
    let newest = registry::list_approvals(&clients.cloud, &ctx.required("group")?).await?;
    for package in newest.into_iter().take(MAX_LOOKED_AT) {
        let described = clients.sagemaker.describe_model_package().model_package_name(&package.arn).send().await;
        let described = described.told(&clients.cloud, &format!("describing the model package {}", package.arn))?;
        let key = described.customer_metadata_properties.and_then(|mut properties| properties.remove(KEY));
        if key.as_deref() == Some(&token) {
            return Ok(Some(package.arn));
        }
    }
    Ok(None)
}

async fn register(ctx: &StepContext, clients: &Clients) -> Result<String, StepError> {
    let group = ctx.required("group")?;
    ensure_group(ctx, clients, &group).await?;
    let metrics = ctx.text("report-uri").map(|uri| {
        let source = MetricsSource::builder().content_type("application/json").s3_uri(uri).build();
        ModelMetrics::builder().model_quality(ModelQuality::builder().statistics(source).build()).build()
    });
    let status = ctx.text("approval-status").unwrap_or_else(|| "PendingManualApproval".to_owned());
    let sent = clients
        .sagemaker
        .create_model_package()
        .model_package_group_name(&group)
        .set_model_package_description(ctx.text("description"))
        .inference_specification(specification(ctx, clients)?)
        .model_approval_status(ModelApprovalStatus::from(status.as_str()))
        .set_model_metrics(metrics)
        .set_customer_metadata_properties(Some(metadata(ctx)))
        .set_metadata_properties(provenance(ctx))
        .client_token(format!("haliotis-{}", names::token(ctx)))
        .send()
        .await;
    let made = sent.told(&clients.cloud, &format!("registering a model in the group {group}"))?;
    made.model_package_arn.ok_or_else(|| StepError::Unknown("the registry gave no ARN".to_owned()))
}

async fn ensure_group(ctx: &StepContext, clients: &Clients, group: &str) -> Result<(), StepError> {
    let described = clients.sagemaker.describe_model_package_group().model_package_group_name(group).send().await;
    if described.is_ok() {
        return Ok(());
    }
    let sent = clients
        .sagemaker
        .create_model_package_group()
        .model_package_group_name(group)
        .set_model_package_group_description(ctx.text("group-description"))
        .send()
        .await;
    match sent {
        Err(error) if is_present(&error) => Ok(()),
        other => other.told(&clients.cloud, &format!("making the model package group {group}")).map(drop),
    }
}

fn specification(ctx: &StepContext, clients: &Clients) -> Result<InferenceSpecification, StepError> {
    let container = ModelPackageContainerDefinition::builder()
        .image(image::resolved(clients, &ctx.required("image")?)?)
        .model_data_url(ctx.required("model-data")?)
        .set_environment(arguments::texts_by_name(ctx.map("environment")))
        .build();
    let texts = |name: &str, default: &[&str]| {
        let given = ctx.texts(name);
        if given.is_empty() { default.iter().map(|&text| text.to_owned()).collect() } else { given }
    };
    let serve = texts("inference-instances", &["ml.t2.medium", "ml.m5.large"]);
    let transform = texts("transform-instances", &["ml.m5.large"]);
    Ok(InferenceSpecification::builder()
        .containers(container)
        .set_supported_content_types(Some(texts("content-types", &["text/csv"])))
        .set_supported_response_mime_types(Some(texts("response-types", &["text/csv"])))
        .set_supported_realtime_inference_instance_types(Some(
            serve.iter().map(|kind| ProductionVariantInstanceType::from(kind.as_str())).collect(),
        ))
        .set_supported_transform_instance_types(Some(
            transform.iter().map(|kind| TransformInstanceType::from(kind.as_str())).collect(),
        ))
        .build())
}

/// The step's metadata and ours: pipeline, build, commit, key.
fn metadata(ctx: &StepContext) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = ctx
        .map("metadata")
        .into_iter()
        .map(|(name, value)| (name, names::tag_value(&arguments::plain(&value))))
        .collect();
    all.insert("haliotis-pipeline".to_owned(), names::tag_value(&ctx.build.pipeline));
    all.insert("haliotis-build".to_owned(), ctx.build.number.to_string());
    all.insert(KEY.to_owned(), names::token(ctx));
    if let Some(commit) = &ctx.build.source.commit {
        all.insert("git-commit".to_owned(), names::tag_value(commit));
    }
    all
}

/// AWS' own fields for where a version comes from.
fn provenance(ctx: &StepContext) -> Option<MetadataProperties> {
    let source = &ctx.build.source;
    source.commit.as_ref()?;
    let repository = source.repo.as_ref().map(|repo| repo.chars().take(1024).collect::<String>());
    Some(MetadataProperties::builder().set_commit_id(source.commit.clone()).set_repository(repository).build())
}

/// Waits until the version can be used.
async fn registered(ctx: &StepContext, clients: &Clients, arn: &str) -> Result<StepOutput, StepError> {
    let mut pace = Pace::new(ctx);
    for _ in 0..MAX_LOOKS {
        let described = clients.sagemaker.describe_model_package().model_package_name(arn).send().await;
        let described = described.told(&clients.cloud, &format!("describing the model package {arn}"))?;
        let (group, version) = (described.model_package_group_name, described.model_package_version);
        match described.model_package_status {
            Some(ModelPackageStatus::Pending | ModelPackageStatus::InProgress) => pace.wait(0).await,
            Some(ModelPackageStatus::Failed) => {
                return Ok(StepOutput::failure(format!("the registry could not put {arn} together")));
            }
            _ => {
                let line = format!("registered {arn}\n");
                if !std::fs::read_to_string(ctx.log.path()).is_ok_and(|log| log.contains(&line)) {
                    ctx.log.line(line.trim_end());
                }
                return Ok(StepOutput::success(Object::from_iter([
                    ("arn".to_owned(), arn.into()),
                    ("version".to_owned(), version.into()),
                    ("group".to_owned(), group.into()),
                ])));
            }
        }
    }
    Err(StepError::World(format!("{arn} is still being put together; look at it and run the step again")))
}
