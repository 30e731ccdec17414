//! Training jobs: what is refused, what the container finds when it starts, what is taken from it at the end.

use std::collections::BTreeSet;
use std::path::Path;

use haliotis_model::Vars;
use serde_json::{Map, Value, json};

use crate::error::AwsError;
use crate::s3::{Location, Store};
use crate::sagemaker::image::{Framework, Image};
use crate::sagemaker::job::{Ending, ExitRecord, Job, MAX_REASON, cut};
use crate::sagemaker::metrics;
use crate::sagemaker::models::items as list;
use crate::sagemaker::processing::{make, single_instance, write_json};
use crate::sagemaker::staging::{self, Download};

/// What AWS refuses when the job is created.
pub(crate) fn check(input: &Value) -> Result<(), AwsError> {
    let algorithm = &input["AlgorithmSpecification"];
    let image = Image::parse(algorithm["TrainingImage"].as_str().unwrap_or_default())?;
    single_instance(&input["ResourceConfig"], "training job")?;
    file_mode(&algorithm["TrainingInputMode"], "AlgorithmSpecification.TrainingInputMode")?;
    metrics::check(&algorithm["MetricDefinitions"])?;
    let mut names = BTreeSet::new();
    for channel in list(&input["InputDataConfig"]) {
        let name = channel["ChannelName"].as_str().unwrap_or_default();
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) || name.starts_with('.') {
            return Err(AwsError::validation(format!(
                "1 validation error detected: Value '{name}' at 'inputDataConfig.channelName' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: [A-Za-z0-9\\.\\-_]+"
            )));
        }
        if !names.insert(name) {
            return Err(AwsError::validation(format!("Duplicate channel name {name}; channel names must be unique")));
        }
        if channel["DataSource"]["S3DataSource"].is_null() {
            return Err(AwsError::validation(format!("Channel {name} has no S3DataSource")));
        }
        if channel["DataSource"]["S3DataSource"]["S3DataType"] == "AugmentedManifestFile" {
            return Err(AwsError::validation(format!(
                "Channel {name}: the local cloud offers no AugmentedManifestFile"
            )));
        }
        file_mode(&channel["InputMode"], name)?;
    }
    let entry = algorithm["ContainerEntrypoint"].is_array() || hyperparameter(input, "sagemaker_program").is_some();
    if image.framework == Framework::ScikitLearn && !entry {
        return Err(AwsError::validation(
            "The scikit-learn image has no algorithm of its own; give the hyperparameters sagemaker_program and \
             sagemaker_submit_directory, or AlgorithmSpecification.ContainerEntrypoint",
        ));
    }
    Ok(())
}

fn file_mode(mode: &Value, place: &str) -> Result<(), AwsError> {
    match mode.as_str() {
        Some("Pipe") => {
            Err(AwsError::validation(format!("{place}: the local cloud offers File and FastFile, not Pipe")))
        }
        _ => Ok(()),
    }
}

/// The SageMaker SDK writes hyperparameters as JSON text within the text; both spellings are read.
fn hyperparameter(request: &Value, name: &str) -> Option<String> {
    let text = request["HyperParameters"][name].as_str()?;
    Some(serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()))
}

/// Fetches the channels and the code, writes the configuration, makes the output folders. `ml` is empty.
pub(crate) fn stage(store: &Store, region: &str, job: &Job, ml: &Path) -> Result<(), String> {
    for folder in ["input/config", "input/data", "model", "output/data", "code", "checkpoints"] {
        make(&ml.join(folder))?;
    }
    let request = &job.request;
    let config = ml.join("input/config");
    let hyperparameters =
        if request["HyperParameters"].is_object() { request["HyperParameters"].clone() } else { json!({}) };
    write_json(&config.join("hyperparameters.json"), &hyperparameters)?;
    write_json(&config.join("inputdataconfig.json"), &input_data_config(request))?;
    let resources = json!({"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo",
        "current_instance_type": request["ResourceConfig"]["InstanceType"]});
    write_json(&config.join("resourceconfig.json"), &resources)?;
    if request["CheckpointConfig"].is_object() {
        stage_checkpoints(store, region, request, ml, &config)?;
    }
    for channel in list(&request["InputDataConfig"]) {
        let source = &channel["DataSource"]["S3DataSource"];
        let what = Download {
            uri: source["S3Uri"].as_str().unwrap_or_default(),
            manifest: source["S3DataType"] == "ManifestFile",
            gunzip: channel["CompressionType"] == "Gzip",
        };
        let name = channel["ChannelName"].as_str().unwrap_or_default();
        staging::download(store, region, &what, &ml.join("input/data").join(name))?;
    }
    match hyperparameter(request, "sagemaker_submit_directory").filter(|uri| uri.starts_with("s3://")) {
        Some(uri) => unpack_object(store, &uri, &ml.join("code")),
        None => Ok(()),
    }
}

fn input_data_config(request: &Value) -> Value {
    let mut channels = Map::new();
    for channel in list(&request["InputDataConfig"]) {
        let distribution = &channel["DataSource"]["S3DataSource"]["S3DataDistributionType"];
        let mut entry = json!({
            "TrainingInputMode": "File",
            "S3DistributionType": distribution.as_str().unwrap_or("FullyReplicated"),
            "RecordWrapperType": channel["RecordWrapperType"].as_str().unwrap_or("None"),
        });
        if let Some(content_type) = channel["ContentType"].as_str() {
            entry["ContentType"] = json!(content_type);
        }
        channels.insert(channel["ChannelName"].as_str().unwrap_or_default().to_owned(), entry);
    }
    Value::Object(channels)
}

/// Checkpoints of an earlier job under the same URI are there when the container starts; that there are none is fine.
fn stage_checkpoints(store: &Store, region: &str, request: &Value, ml: &Path, config: &Path) -> Result<(), String> {
    write_json(
        &config.join("checkpointconfig.json"),
        &json!({
        "S3Uri": request["CheckpointConfig"]["S3Uri"], "LocalPath": "/opt/ml/checkpoints"}),
    )?;
    let uri = request["CheckpointConfig"]["S3Uri"].as_str().unwrap_or_default();
    let earlier = Location::parse(uri).and_then(|at| store.list(&at.bucket, &at.key).ok()).unwrap_or_default();
    if earlier.is_empty() {
        return Ok(());
    }
    let what = Download { uri, manifest: false, gunzip: false };
    staging::download(store, region, &what, &ml.join("checkpoints")).map(|_| ())
}

/// Unpacks a `.tar.gz` object.
pub(crate) fn unpack_object(store: &Store, uri: &str, into: &Path) -> Result<(), String> {
    let location = Location::parse(uri).ok_or_else(|| format!("ClientError: {uri} is not an s3://bucket/key URI"))?;
    let (file, _) = store
        .open_object(&location.bucket, &location.key)
        .map_err(|error| format!("ClientError: Could not find {uri}: {}", error.message))?;
    staging::unpack(file, uri, into)
}

/// What the container runs: its own entrypoint if one is given, else the framework's.
pub(crate) fn program(job: &Job, runtimes: &Path) -> Vec<String> {
    let algorithm = &job.request["AlgorithmSpecification"];
    let given = list(&algorithm["ContainerEntrypoint"]).iter().chain(list(&algorithm["ContainerArguments"]));
    let given: Vec<String> = given.filter_map(Value::as_str).map(str::to_owned).collect();
    if algorithm["ContainerEntrypoint"].is_array() {
        return given;
    }
    let mut argv = vec!["python3".to_owned(), runtimes.join("train.py").to_string_lossy().into_owned()];
    argv.extend(given);
    argv
}

/// Variables beside those every container gets.
pub(crate) fn vars(job: &Job) -> Vars {
    let config = "/opt/ml/input/config";
    let mut vars = Vars::from([
        ("TRAINING_JOB_NAME".to_owned(), job.name.clone()),
        ("TRAINING_JOB_ARN".to_owned(), job.arn.clone()),
        ("SM_INPUT_TRAINING_CONFIG_FILE".to_owned(), format!("{config}/hyperparameters.json")),
        ("SM_INPUT_DATA_CONFIG_FILE".to_owned(), format!("{config}/inputdataconfig.json")),
        ("SM_CHECKPOINT_CONFIG_FILE".to_owned(), format!("{config}/checkpointconfig.json")),
    ]);
    // A bad image was refused when the job was made; without the words train.py says what is missing.
    if let Ok(image) = Image::parse(job.request["AlgorithmSpecification"]["TrainingImage"].as_str().unwrap_or_default())
    {
        vars.insert("HALIOTIS_FRAMEWORK".to_owned(), image.word().to_owned());
        vars.insert("HALIOTIS_FRAMEWORK_VERSION".to_owned(), image.version_text());
        vars.insert("HALIOTIS_PICKLE_MODEL".to_owned(), image.pickles_model().to_string());
    }
    vars
}

/// Judges the end and stores the artifacts of a job that completed or was stopped.
pub(crate) fn collect(store: &Store, job: &Job, ml: &Path, log: &Path, exit: ExitRecord) -> Ending {
    let halted = job.stop_requested || job.out_of_time;
    if exit.code != 0 && !halted {
        return Ending::Failed { reason: failure_reason(ml, exit), exit_message: None };
    }
    match store_artifacts(store, job, ml) {
        Err(reason) => Ending::Failed { reason, exit_message: None },
        Ok(()) => {
            let metrics = metrics::last_values(&job.request["AlgorithmSpecification"]["MetricDefinitions"], log);
            match halted {
                true => Ending::Stopped { metrics },
                false => Ending::Completed { exit_message: None, metrics },
            }
        }
    }
}

/// Exit code 2 is the container's word for a mistake of the user, as in the real training toolkits.
fn failure_reason(ml: &Path, exit: ExitRecord) -> String {
    let said = std::fs::read(ml.join("output/failure")).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let who = if exit.code == 2 { "ClientError" } else { "AlgorithmError" };
    let said = match said.trim() {
        "" => "See job logs for more information",
        text => text,
    };
    let code = format!(", exit code: {}", exit.code);
    format!("{}{code}", cut(&format!("{who}: {said}"), MAX_REASON - code.len()))
}

fn store_artifacts(store: &Store, job: &Job, ml: &Path) -> Result<(), String> {
    if job.request["CheckpointConfig"].is_object() {
        let uri = job.request["CheckpointConfig"]["S3Uri"].as_str().unwrap_or_default();
        staging::upload(store, &ml.join("checkpoints"), uri)?;
    }
    if job.request["OutputDataConfig"]["CompressionType"] == "NONE" {
        staging::upload(store, &ml.join("model"), &job.model_uri())?;
        return staging::upload(store, &ml.join("output/data"), &format!("{}/data/", job.output_prefix())).map(|_| ());
    }
    let beside = ml.parent().unwrap_or(ml);
    let archive = beside.join("model.tar.gz");
    staging::pack(&ml.join("model"), &archive)?;
    staging::upload_file(store, &archive, &job.model_uri())?;
    if staging::is_empty(&ml.join("output/data")) {
        return Ok(());
    }
    let archive = beside.join("output.tar.gz");
    staging::pack(&ml.join("output/data"), &archive)?;
    staging::upload_file(store, &archive, &format!("{}/output.tar.gz", job.output_prefix()))
}
