//! Transform jobs: the model's serving process, fed with objects, its answers stored as `X.out`.
//!
//! A restart finds the serving process under the job's key and feeds all objects again: an answer stored twice is the
//! same answer under the same key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use serde_json::Value;

use crate::error::AwsError;
use crate::sagemaker::SageMaker;
use crate::sagemaker::fleet::wait_healthy_at;
use crate::sagemaker::invoke::{Broken, execution_parameters, post};
use crate::sagemaker::job::{Ending, Job};
use crate::sagemaker::processing::single_instance;
use crate::sagemaker::staging::{self, Download};
use crate::sagemaker::training::unpack_object;

/// Megabytes of one request unless job or container say otherwise; AWS' default.
const DEFAULT_PAYLOAD_MB: u64 = 6;
/// The largest that may be asked for; AWS' limit.
const MAX_PAYLOAD_MB: u64 = 100;
/// Seconds for one request unless the job says otherwise; AWS' default.
const DEFAULT_TIMEOUT_S: u64 = 600;
/// Retries of one request unless the job says otherwise; AWS' default.
const DEFAULT_RETRIES: u64 = 3;
/// The serving process must answer its first ping within this.
const HEALTHY_WITHIN: Duration = Duration::from_secs(240);

/// What AWS refuses when the job is created.
pub(crate) fn check(cloud: &SageMaker, input: &Value) -> Result<(), AwsError> {
    let model = cloud.model(input["ModelName"].as_str().unwrap_or_default())?;
    let resolved = cloud.resolve(&model.request)?;
    if resolved.containers.len() > 1 {
        return Err(AwsError::validation("The local cloud transforms with models of one container"));
    }
    single_instance(&input["TransformResources"], "transform job")?;
    let source = &input["TransformInput"];
    if matches!(source["SplitType"].as_str(), Some("RecordIO" | "TFRecord")) {
        return Err(AwsError::validation("TransformInput.SplitType: the local cloud offers None and Line"));
    }
    if source["DataSource"]["S3DataSource"]["S3DataType"] == "AugmentedManifestFile" {
        return Err(AwsError::validation("The local cloud offers no AugmentedManifestFile"));
    }
    if input["MaxPayloadInMB"].as_u64().is_some_and(|mb| mb > MAX_PAYLOAD_MB) {
        return Err(AwsError::validation(format!("MaxPayloadInMB must be at most {MAX_PAYLOAD_MB}")));
    }
    Ok(())
}

/// How the objects are cut and put together again.
struct Feed {
    by_line: bool,
    single: bool,
    join_lines: bool,
    max_bytes: usize,
    timeout: Duration,
    retries: u64,
    headers: HeaderMap,
}

/// Runs the job; the process is gone when this returns.
pub(crate) async fn run(cloud: &SageMaker, job: &Job) -> Ending {
    let key = job.process_key();
    let outcome = tokio::select! {
        outcome = serve_and_feed(cloud, job, &key) => outcome,
        () = stopped(cloud, job) => Ok(()),
    };
    cloud.stop_process(&key).await;
    let halted = cloud.jobs(job.kind).get(&job.name).is_some_and(|job| job.stop_requested);
    match outcome {
        _ if halted => Ending::Stopped { metrics: Vec::new() },
        Ok(()) => Ending::Completed { exit_message: None, metrics: Vec::new() },
        Err(reason) => Ending::Failed { reason, exit_message: None },
    }
}

async fn stopped(cloud: &SageMaker, job: &Job) {
    loop {
        let note = cloud.stop_notes.notified();
        if cloud.jobs(job.kind).get(&job.name).is_some_and(|job| job.stop_requested) {
            return;
        }
        note.await;
    }
}

async fn serve_and_feed(cloud: &SageMaker, job: &Job, key: &str) -> Result<(), String> {
    let refused = |error: AwsError| format!("ClientError: {}", error.message);
    let model = cloud.model(job.request["ModelName"].as_str().unwrap_or_default()).map_err(refused)?;
    let resolved = cloud.resolve(&model.request).map_err(refused)?;
    let container = resolved.containers.into_iter().next().ok_or("ClientError: the model has no container")?;
    let folder = cloud.job_folder(job);
    fetch(cloud, job, container.model_data.clone(), &folder).await?;
    let port_file = folder.join("port");
    let mut vars = cloud.serving_vars(&folder, &container, key, &port_file);
    vars.extend(own_vars(&job.request));
    let program = vec!["python3".to_owned(), cloud.runtimes.join("serve.py").to_string_lossy().into_owned()];
    let spec = cloud.contained(&folder, &program, vars, cloud.job_log(job.kind, &job.name)).await?;
    cloud.processes.spawn(key, spec).await.map_err(|error| format!("InternalServerError: {error}"))?;
    let ended = cloud.processes.wait(key);
    tokio::pin!(ended);
    let port = tokio::select! {
        exit = &mut ended => return Err(format!("AlgorithmError: the serving process ended before it answered ({exit:?}). See job logs for more information")),
        port = wait_healthy_at(&port_file, key, HEALTHY_WITHIN) => port.ok_or("AlgorithmError: the container did not answer /ping with 200 in time")?,
    };
    let input = folder.join("input");
    let feed = plan_feed(&job.request, execution_parameters(port).await.unwrap_or(Value::Null));
    tokio::select! {
        exit = &mut ended => Err(format!("AlgorithmError: the serving process ended while it worked ({exit:?}). See job logs for more information")),
        fed = feed_all(cloud, job, &input, port, &feed) => fed,
    }
}

/// The model and the objects; both only when an earlier server had not fetched them already.
async fn fetch(cloud: &SageMaker, job: &Job, model_data: Option<String>, folder: &Path) -> Result<(), String> {
    if folder.join("ready").exists() {
        return Ok(());
    }
    let (store, region, folder, request) =
        (Arc::clone(&cloud.s3), cloud.settings.region.clone(), folder.to_owned(), job.request.clone());
    cloud
        .blocking(move || {
            std::fs::create_dir_all(folder.join("ml/model"))
                .map_err(|error| format!("InternalServerError: {error}"))?;
            if let Some(uri) = model_data {
                unpack_object(&store, &uri, &folder.join("ml/model"))?;
            }
            let source = &request["TransformInput"]["DataSource"]["S3DataSource"];
            let what = Download {
                uri: source["S3Uri"].as_str().unwrap_or_default(),
                manifest: source["S3DataType"] == "ManifestFile",
                gunzip: request["TransformInput"]["CompressionType"] == "Gzip",
            };
            staging::download(&store, &region, &what, &folder.join("input"))?;
            std::fs::write(folder.join("ready"), b"").map_err(|error| format!("InternalServerError: {error}"))
        })
        .await
}

/// What the container is told of the job, beside its own environment.
fn own_vars(request: &Value) -> Vec<(String, String)> {
    let mut vars = vec![("SAGEMAKER_BATCH".to_owned(), "true".to_owned())];
    if let Some(mb) = request["MaxPayloadInMB"].as_u64() {
        vars.push(("SAGEMAKER_MAX_PAYLOAD_IN_MB".to_owned(), mb.to_string()));
    }
    if let Some(n) = request["MaxConcurrentTransforms"].as_u64() {
        vars.push(("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS".to_owned(), n.to_string()));
    }
    let strategy = request["BatchStrategy"].as_str().unwrap_or("MultiRecord");
    let strategy = if strategy == "SingleRecord" { "SINGLE_RECORD" } else { "MULTI_RECORD" };
    vars.push(("SAGEMAKER_BATCH_STRATEGY".to_owned(), strategy.to_owned()));
    if let Some(given) = request["Environment"].as_object() {
        vars.extend(given.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
    }
    vars
}

/// The job's word counts first, then the container's, then the default.
fn plan_feed(request: &Value, container: Value) -> Feed {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [(CONTENT_TYPE, &request["TransformInput"]["ContentType"]), (ACCEPT, &request["TransformOutput"]["Accept"])]
    {
        if let Some(value) = value.as_str().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    }
    let asked = request["MaxPayloadInMB"].as_u64().or(container["MaxPayloadInMB"].as_u64());
    let strategy = request["BatchStrategy"].as_str().or(container["BatchStrategy"].as_str());
    let client = &request["ModelClientConfig"];
    Feed {
        by_line: request["TransformInput"]["SplitType"] == "Line",
        single: matches!(strategy, Some("SingleRecord" | "SINGLE_RECORD")),
        join_lines: request["TransformOutput"]["AssembleWith"] == "Line",
        max_bytes: match asked.unwrap_or(DEFAULT_PAYLOAD_MB) {
            0 => usize::MAX,
            mb => (mb as usize) << 20,
        },
        timeout: Duration::from_secs(client["InvocationsTimeoutInSeconds"].as_u64().unwrap_or(DEFAULT_TIMEOUT_S)),
        retries: client["InvocationsMaxRetries"].as_u64().unwrap_or(DEFAULT_RETRIES),
        headers,
    }
}

async fn feed_all(cloud: &SageMaker, job: &Job, input: &Path, port: u16, feed: &Feed) -> Result<(), String> {
    let folder = input.to_owned();
    let names = cloud.blocking(move || staging::file_names(&folder)).await?;
    let target = job.request["TransformOutput"]["S3OutputPath"].as_str().unwrap_or_default().to_owned();
    for name in names {
        let path = input.join(&name);
        let bytes = tokio::fs::read(&path)
            .await
            .map_err(|error| format!("InternalServerError: {}: {error}", path.display()))?;
        let mut output = Vec::new();
        for payload in split(&bytes, feed, &name)? {
            let answer = send(port, feed, Bytes::copy_from_slice(payload), &name).await?;
            output.extend_from_slice(&answer);
            if feed.join_lines && !output.ends_with(b"\n") {
                output.push(b'\n');
            }
        }
        let (store, uri) = (Arc::clone(&cloud.s3), format!("{}/{name}.out", target.trim_end_matches('/')));
        cloud.blocking(move || staging::upload_bytes(&store, &output, &uri)).await?;
    }
    Ok(())
}

/// Whole lines, as many as fit a request, or one; without splitting, the object as it is.
fn split<'a>(bytes: &'a [u8], feed: &Feed, name: &str) -> Result<Vec<&'a [u8]>, String> {
    let too_large =
        |size: usize| format!("ClientError: a record of {name} has {size} bytes, more than MaxPayloadInMB allows");
    if !feed.by_line {
        return if bytes.len() > feed.max_bytes { Err(too_large(bytes.len())) } else { Ok(vec![bytes]) };
    }
    let mut payloads = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.len() > feed.max_bytes {
            return Err(too_large(line.len()));
        }
        if end > start && (feed.single || end + line.len() - start > feed.max_bytes) {
            payloads.push(&bytes[start..end]);
            start = end;
        }
        end += line.len();
    }
    if end > start {
        payloads.push(&bytes[start..end]);
    }
    Ok(payloads)
}

/// A refusal by the container (4xx) is final; anything else is tried again.
async fn send(port: u16, feed: &Feed, payload: Bytes, name: &str) -> Result<Bytes, String> {
    let mut said = String::new();
    for _ in 0..=feed.retries {
        match tokio::time::timeout(feed.timeout, post(port, &feed.headers, payload.clone())).await {
            Ok(Ok(answer)) if (200..300).contains(&answer.status) => return Ok(answer.body),
            Ok(Ok(answer)) => {
                said = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body).trim());
                if answer.status < 500 {
                    break;
                }
            }
            Ok(Err(Broken::Connect(error) | Broken::Under(error))) => said = error,
            Err(_) => said = format!("no answer within {} s", feed.timeout.as_secs()),
        }
    }
    Err(format!("AlgorithmError: See job logs for more information: {name}: bad HTTP response: {said}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn feed(request: Value) -> Feed {
        plan_feed(&request, Value::Null)
    }

    #[test]
    fn lines_are_batched_up_to_the_limit() {
        let mut multi = feed(json!({"TransformInput": {"SplitType": "Line"}}));
        multi.max_bytes = 5;
        assert_eq!(split(b"a\nbb\nccc\ndd", &multi, "x").unwrap(), [&b"a\nbb\n"[..], b"ccc\n", b"dd"]);
        assert!(split(b"toolong\n", &multi, "x").unwrap_err().contains("a record of x has 8 bytes"));
        let single = feed(json!({"TransformInput": {"SplitType": "Line"}, "BatchStrategy": "SingleRecord"}));
        assert_eq!(split(b"a\nb\n", &single, "x").unwrap().len(), 2);
        assert_eq!(split(b"a\nb\n", &feed(json!({})), "x").unwrap().len(), 1);
    }

    #[test]
    fn the_job_is_asked_before_the_container() {
        let container = json!({"MaxPayloadInMB": 2, "BatchStrategy": "SINGLE_RECORD"});
        let from_container = plan_feed(&json!({}), container.clone());
        assert_eq!((from_container.max_bytes, from_container.single), (2 << 20, true));
        let from_job = plan_feed(&json!({"MaxPayloadInMB": 1, "BatchStrategy": "MultiRecord"}), container);
        assert_eq!((from_job.max_bytes, from_job.single), (1 << 20, false));
    }
}
