//! The model registry and endpoints as the server, the command line and the trigger loop see them.
//!
//! Metrics of a model version are the JSON that its report holds; a report's URI never gets other content, so what was
//! read once is kept.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use aws_sdk_sagemaker::operation::describe_model_package::DescribeModelPackageOutput;
use aws_sdk_sagemaker::primitives::DateTime;
use aws_sdk_sagemaker::types::{
    EndpointSortKey, ModelApprovalStatus, ModelPackageGroupSortBy, ModelPackageSortBy, OrderKey, SortOrder,
};
use futures_util::{StreamExt, TryStreamExt};
use haliotis_model::{Millis, Value};
use haliotis_plugin_api::{CloudSettings, StepError};
use serde::Serialize;

use crate::error::{Told, is_absent};
use crate::storage::{self, S3Uri};
use crate::{Clients, clients};

/// Most versions of a group that are listed, the newest first.
const MAX_VERSIONS: usize = 200;
/// Most groups or endpoints that are listed.
const MAX_LISTED: usize = 1000;
/// One page of a listing: AWS' maximum.
const PAGE: i32 = 100;
/// Requests at a time while a listing is filled in.
const AT_ONCE: usize = 4;
/// Largest report that is read, in bytes.
const MAX_REPORT: usize = 1024 * 1024;
/// Reports kept in memory.
const MAX_KEPT: usize = 500;
/// Longest description of an approval that AWS takes, in characters.
const MAX_REASON: usize = 1024;
/// Largest answer of an endpoint, in bytes: AWS' limit for a synchronous call.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// A group of model versions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelGroup {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created: Millis,
}

/// One version and its approval state: what the trigger loop compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelApproval {
    /// ARN.
    pub arn: String,
    /// From 1.
    pub version: i32,
    /// `PendingManualApproval`, `Approved`, `Rejected`.
    pub status: String,
}

/// A model version, whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelPackage {
    /// ARN.
    pub arn: String,
    /// Its group.
    pub group: String,
    /// From 1.
    pub version: i32,
    /// Approval: `PendingManualApproval`, `Approved`, `Rejected`.
    pub status: String,
    /// `Completed` when it can be used.
    pub state: String,
    /// Registered.
    pub created: Millis,
    /// Last changed, as by an approval.
    pub modified: Option<Millis>,
    /// For people.
    pub description: String,
    /// Who approved or rejected and why, as `who: why`.
    pub approval_description: String,
    /// CustomerMetadataProperties.
    pub metadata: BTreeMap<String, String>,
    /// S3 URI of the report.
    pub report_uri: Option<String>,
    /// The report, when it can be read and is JSON.
    pub metrics: Option<Value>,
    /// The image that serves it.
    pub image: Option<String>,
    /// S3 URI of the model.tar.gz.
    pub model_data: Option<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndpointInfo {
    /// Its name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// `InService` and others.
    pub status: String,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Its configuration's name.
    pub config: String,
    /// Kind of machine of the first variant.
    pub instance_type: Option<String>,
    /// How many of them.
    pub instance_count: Option<i32>,
    /// The registered model behind its first variant.
    pub model_package_arn: Option<String>,
    /// Made.
    pub created: Millis,
    /// Last changed.
    pub modified: Millis,
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoked {
    /// Content type of the body.
    pub content_type: String,
    /// The answer.
    pub body: Vec<u8>,
    /// The variant that answered.
    pub variant: Option<String>,
}

/// The groups, by name.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn list_groups(cloud: &CloudSettings) -> Result<Vec<ModelGroup>, StepError> {
    let clients = clients(cloud).await?;
    let mut pages = clients
        .sagemaker
        .list_model_package_groups()
        .sort_by(ModelPackageGroupSortBy::Name)
        .sort_order(SortOrder::Ascending)
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.told(cloud, "listing the model package groups")?;
        groups.extend(page.model_package_group_summary_list.unwrap_or_default().into_iter().map(|group| ModelGroup {
            name: group.model_package_group_name.unwrap_or_default(),
            description: group.model_package_group_description.unwrap_or_default(),
            created: millis(group.creation_time.as_ref()),
        }));
        if groups.len() >= MAX_LISTED {
            break;
        }
    }
    Ok(groups)
}

/// The versions of a group and their approval states, the newest first; one request per hundred. A group that is not
/// there has none.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn list_approvals(cloud: &CloudSettings, group: &str) -> Result<Vec<ModelApproval>, StepError> {
    let clients = clients(cloud).await?;
    let mut pages = clients
        .sagemaker
        .list_model_packages()
        .model_package_group_name(group)
        .sort_by(ModelPackageSortBy::CreationTime)
        .sort_order(SortOrder::Descending)
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Err(error) if is_absent(&error) => break,
            other => other.told(cloud, &format!("listing the model packages of {group}"))?,
        };
        found.extend(page.model_package_summary_list.unwrap_or_default().into_iter().map(|package| ModelApproval {
            arn: package.model_package_arn.unwrap_or_default(),
            version: package.model_package_version.unwrap_or_default(),
            status: package.model_approval_status.map_or_else(String::new, |status| status.as_str().to_owned()),
        }));
        if found.len() >= MAX_VERSIONS {
            break;
        }
    }
    // Times have a resolution; the version decides between two of the same instant.
    found.sort_by_key(|package| std::cmp::Reverse(package.version));
    found.truncate(MAX_VERSIONS);
    Ok(found)
}

/// The versions of a group with their metrics, the newest first, at most 200.
///
/// # Errors
/// When the cloud cannot be asked. A report that cannot be read is no error: `metrics` is `None`.
pub async fn list_model_packages(cloud: &CloudSettings, group: &str) -> Result<Vec<ModelPackage>, StepError> {
    let approvals = list_approvals(cloud, group).await?;
    futures_util::stream::iter(approvals)
        .map(|package| async move { describe(cloud, &package.arn).await })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// One version.
///
/// # Errors
/// `Usage` when there is no such version.
pub async fn describe(cloud: &CloudSettings, arn: &str) -> Result<ModelPackage, StepError> {
    let clients = clients(cloud).await?;
    let sent = clients.sagemaker.describe_model_package().model_package_name(arn).send().await;
    let mut package = package(sent.told(cloud, &format!("describing the model package {arn}"))?);
    if let Some(uri) = &package.report_uri {
        package.metrics = report(&clients, uri).await;
    }
    Ok(package)
}

fn package(described: DescribeModelPackageOutput) -> ModelPackage {
    let container = described.inference_specification.and_then(|spec| spec.containers?.into_iter().next());
    let statistics = described.model_metrics.and_then(|metrics| metrics.model_quality?.statistics);
    ModelPackage {
        arn: described.model_package_arn.unwrap_or_default(),
        group: described.model_package_group_name.unwrap_or_default(),
        version: described.model_package_version.unwrap_or_default(),
        status: described.model_approval_status.map_or_else(String::new, |status| status.as_str().to_owned()),
        state: described.model_package_status.map_or_else(String::new, |status| status.as_str().to_owned()),
        created: millis(described.creation_time.as_ref()),
        modified: described.last_modified_time.as_ref().map(|time| millis(Some(time))),
        description: described.model_package_description.unwrap_or_default(),
        approval_description: described.approval_description.unwrap_or_default(),
        metadata: described.customer_metadata_properties.unwrap_or_default().into_iter().collect(),
        report_uri: statistics.and_then(|source| source.s3_uri),
        metrics: None,
        image: container.as_ref().and_then(|container| container.image.clone()),
        model_data: container.and_then(|container| container.model_data_url),
    }
}

/// Approves or rejects a version; who and why are kept with it.
///
/// # Errors
/// `Usage` for a status that is none, or when there is no such version.
pub async fn set_approval(
    cloud: &CloudSettings,
    arn: &str,
    status: &str,
    by: &str,
    reason: &str,
) -> Result<(), StepError> {
    let known =
        [ModelApprovalStatus::Approved, ModelApprovalStatus::Rejected, ModelApprovalStatus::PendingManualApproval];
    let Some(status) = known.into_iter().find(|known| known.as_str() == status) else {
        return Err(StepError::Usage(format!(
            "`{status}` is no approval status; it is Approved, Rejected or PendingManualApproval"
        )));
    };
    let text = if reason.is_empty() { by.to_owned() } else { format!("{by}: {reason}") };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect();
    let clients = clients(cloud).await?;
    let sent = clients
        .sagemaker
        .update_model_package()
        .model_package_arn(arn)
        .model_approval_status(status)
        .approval_description(text)
        .send()
        .await;
    sent.told(cloud, &format!("setting the approval of {arn}")).map(drop)
}

/// The endpoints, the last changed first.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn endpoints(cloud: &CloudSettings) -> Result<Vec<EndpointInfo>, StepError> {
    let clients = clients(cloud).await?;
    let mut pages = clients
        .sagemaker
        .list_endpoints()
        .sort_by(EndpointSortKey::CreationTime)
        .sort_order(OrderKey::Descending)
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.told(cloud, "listing the endpoints")?;
        names.extend(page.endpoints.unwrap_or_default().into_iter().filter_map(|endpoint| endpoint.endpoint_name));
        if names.len() >= MAX_LISTED {
            break;
        }
    }
    let clients = &*clients;
    let mut all: Vec<EndpointInfo> = futures_util::stream::iter(names)
        .map(|name| async move { describe_endpoint(clients, &name).await })
        .buffered(AT_ONCE)
        .try_filter_map(async |found| Ok(found))
        .try_collect()
        .await?;
    all.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.modified));
    Ok(all)
}

/// One endpoint with the model behind it; `None` when there is no such endpoint.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn endpoint(cloud: &CloudSettings, name: &str) -> Result<Option<EndpointInfo>, StepError> {
    describe_endpoint(&*clients(cloud).await?, name).await
}

async fn describe_endpoint(clients: &Clients, name: &str) -> Result<Option<EndpointInfo>, StepError> {
    let described = match clients.sagemaker.describe_endpoint().endpoint_name(name).send().await {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.told(&clients.cloud, &format!("describing the endpoint {name}"))?,
    };
    let config = described.endpoint_config_name.unwrap_or_default();
    let variant = first_variant(clients, &config).await?;
    let (model, instance_type, instance_count) = variant.unwrap_or_default();
    let model_package_arn = match model {
        Some(model) => package_of_model(clients, &model).await?,
        None => None,
    };
    Ok(Some(EndpointInfo {
        name: name.to_owned(),
        arn: described.endpoint_arn.unwrap_or_default(),
        status: described.endpoint_status.map_or_else(String::new, |status| status.as_str().to_owned()),
        failure_reason: described.failure_reason,
        config,
        instance_type,
        instance_count,
        model_package_arn,
        created: millis(described.creation_time.as_ref()),
        modified: millis(described.last_modified_time.as_ref()),
    }))
}

type Variant = (Option<String>, Option<String>, Option<i32>);

/// Model, machine and count of a configuration's first variant. While an endpoint is created it may have no
/// configuration yet, and it outlives a configuration that was deleted.
async fn first_variant(clients: &Clients, config: &str) -> Result<Option<Variant>, StepError> {
    if config.is_empty() {
        return Ok(None);
    }
    let described = match clients.sagemaker.describe_endpoint_config().endpoint_config_name(config).send().await {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.told(&clients.cloud, &format!("describing the endpoint configuration {config}"))?,
    };
    let variant = described.production_variants.unwrap_or_default().into_iter().next();
    Ok(variant.map(|variant| {
        let machine = variant.instance_type.map(|kind| kind.as_str().to_owned());
        (variant.model_name, machine, variant.initial_instance_count)
    }))
}

async fn package_of_model(clients: &Clients, model: &str) -> Result<Option<String>, StepError> {
    let described = match clients.sagemaker.describe_model().model_name(model).send().await {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.told(&clients.cloud, &format!("describing the model {model}"))?,
    };
    let container = described.primary_container.or_else(|| described.containers?.into_iter().next());
    Ok(container.and_then(|container| container.model_package_name))
}

/// Sends one request to an endpoint.
///
/// # Errors
/// `World` with the model's own words when it refuses, or when the endpoint is not in service.
pub async fn invoke(
    cloud: &CloudSettings,
    endpoint: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<Invoked, StepError> {
    let clients = clients(cloud).await?;
    let sent = clients
        .runtime
        .invoke_endpoint()
        .endpoint_name(endpoint)
        .content_type(content_type)
        .body(aws_sdk_sagemakerruntime::primitives::Blob::new(body))
        .send()
        .await;
    let answer = sent.told(cloud, &format!("invoking the endpoint {endpoint}"))?;
    let body = answer.body.map(aws_sdk_sagemakerruntime::primitives::Blob::into_inner).unwrap_or_default();
    if body.len() > MAX_ANSWER {
        return Err(StepError::World(format!("the endpoint {endpoint} answered {} bytes", body.len())));
    }
    Ok(Invoked {
        content_type: answer.content_type.unwrap_or_default(),
        body,
        variant: answer.invoked_production_variant,
    })
}

/// Makes sure that a bucket is there: made on the local cloud, an error on AWS.
///
/// # Errors
/// When it is missing on AWS, or the cloud cannot be asked.
pub async fn ensure_bucket(cloud: &CloudSettings, bucket: &str) -> Result<(), StepError> {
    storage::ensure_bucket(&*clients(cloud).await?, bucket).await
}

/// Uploads a file to `s3://BUCKET/KEY`.
///
/// # Errors
/// When the file cannot be read or the cloud cannot be asked.
pub async fn put_object_file(cloud: &CloudSettings, uri: &str, file: &Path) -> Result<(), StepError> {
    storage::put_file(&*clients(cloud).await?, &S3Uri::parse(uri)?, file).await
}

/// The object at `s3://BUCKET/KEY`, at most `limit` bytes.
///
/// # Errors
/// `Usage` when there is no such object or it is longer.
pub async fn get_object(cloud: &CloudSettings, uri: &str, limit: usize) -> Result<Vec<u8>, StepError> {
    storage::get(&*clients(cloud).await?, &S3Uri::parse(uri)?, limit).await
}

/// The account that calls, by STS.
///
/// # Errors
/// When STS cannot be asked.
pub async fn caller_account(cloud: &CloudSettings) -> Result<String, StepError> {
    clients(cloud).await?.account().await.map(str::to_owned)
}

/// Reports read so far, by cloud and URI, the oldest first.
static REPORTS: Mutex<VecDeque<(String, Value)>> = Mutex::new(VecDeque::new());

async fn report(clients: &Clients, uri: &str) -> Option<Value> {
    let key = format!("{} {uri}", clients.cloud.endpoint_url.as_deref().unwrap_or_default());
    let kept = |reports: &VecDeque<(String, Value)>| reports.iter().find(|(at, _)| *at == key).map(|(_, v)| v.clone());
    if let Some(report) = kept(&REPORTS.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Some(report);
    }
    let bytes = match storage::get(clients, &S3Uri::parse(uri).ok()?, MAX_REPORT).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::debug!(%error, uri, "a model's report cannot be read");
            return None;
        }
    };
    let report: Value = serde_json::from_slice(&bytes).ok()?;
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    if reports.len() >= MAX_KEPT {
        reports.pop_front();
    }
    reports.push_back((key, report.clone()));
    Some(report)
}

fn millis(time: Option<&DateTime>) -> Millis {
    Millis(time.and_then(|time| time.to_millis().ok()).unwrap_or(0))
}
