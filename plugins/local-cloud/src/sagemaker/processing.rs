//! Processing jobs: what is refused, what the container finds when it starts, what is taken from it at the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::AwsError;
use crate::s3::Store;
use crate::sagemaker::image::Image;
use crate::sagemaker::job::{Ending, ExitRecord, Job, MAX_REASON, cut};
use crate::sagemaker::models::items as list;
use crate::sagemaker::staging::{self, Download};

/// Where inputs and outputs must lie in the container.
const ROOT: &str = "/opt/ml/processing";

/// What AWS refuses when the job is created.
pub(crate) fn check(input: &Value) -> Result<(), AwsError> {
    Image::parse(input["AppSpecification"]["ImageUri"].as_str().unwrap_or_default())?;
    if input["AppSpecification"]["ContainerEntrypoint"].as_array().is_none_or(Vec::is_empty) {
        return Err(AwsError::validation(
            "AppSpecification.ContainerEntrypoint is missing: the local runtimes have no entrypoint of their own; name \
             one, as [\"python3\", \"/opt/ml/processing/input/code/script.py\"]",
        ));
    }
    single_instance(&input["ProcessingResources"]["ClusterConfig"], "processing job")?;
    let mut names = BTreeSet::new();
    for item in list(&input["ProcessingInputs"]) {
        let name = item["InputName"].as_str().unwrap_or_default();
        if !names.insert(name) {
            return Err(AwsError::validation(format!("Input names must be unique; {name} is given more than once")));
        }
        let s3 = &item["S3Input"];
        if s3.is_null() {
            return Err(AwsError::validation(format!("Input {name} has no S3Input")));
        }
        if s3["S3InputMode"] == "Pipe" {
            return Err(AwsError::validation(format!(
                "Input {name}: the local cloud offers S3InputMode File, not Pipe"
            )));
        }
        local_path(&s3["LocalPath"], "input", name)?;
    }
    names.clear();
    for item in list(&input["ProcessingOutputConfig"]["Outputs"]) {
        let name = item["OutputName"].as_str().unwrap_or_default();
        if !names.insert(name) {
            return Err(AwsError::validation(format!("Output names must be unique; {name} is given more than once")));
        }
        if item["S3Output"].is_null() {
            return Err(AwsError::validation(format!("Output {name} has no S3Output")));
        }
        local_path(&item["S3Output"]["LocalPath"], "output", name)?;
    }
    Ok(())
}

/// AWS' answer when an account's quota is one instance, which is what one machine is.
pub(crate) fn single_instance(cluster: &Value, usage: &str) -> Result<(), AwsError> {
    match cluster["InstanceCount"].as_u64() {
        None | Some(0 | 1) => Ok(()),
        Some(count) => Err(AwsError::limit(format!(
            "The account-level service limit '{} for {usage} usage' is 1 Instances, with current utilization of 0 \
             Instances and a request delta of {count} Instances. The local cloud runs jobs on one machine; ask for 1",
            cluster["InstanceType"].as_str().unwrap_or_default(),
        ))),
    }
}

fn local_path(path: &Value, what: &str, name: &str) -> Result<(), AwsError> {
    let path = path.as_str().unwrap_or_default();
    let inside = path == ROOT || path.starts_with("/opt/ml/processing/");
    if inside && !path.split('/').any(|part| part == ".." || part == ".") {
        return Ok(());
    }
    Err(AwsError::validation(format!("LocalPath '{path}' of {what} {name} must be an absolute path below {ROOT}")))
}

/// A path of the container below the folder that is mounted at `/opt/ml`.
pub(crate) fn host_path(ml: &Path, container_path: &str) -> PathBuf {
    ml.join(container_path.trim_start_matches("/opt/ml").trim_start_matches('/'))
}

/// Fetches the inputs, makes the folders of the outputs, writes the configuration. `ml` is empty.
pub(crate) fn stage(store: &Store, region: &str, job: &Job, ml: &Path) -> Result<(), String> {
    for item in list(&job.request["ProcessingInputs"]) {
        let s3 = &item["S3Input"];
        let what = Download {
            uri: s3["S3Uri"].as_str().unwrap_or_default(),
            manifest: s3["S3DataType"] == "ManifestFile",
            gunzip: s3["S3CompressionType"] == "Gzip",
        };
        staging::download(store, region, &what, &host_path(ml, s3["LocalPath"].as_str().unwrap_or(ROOT)))?;
    }
    let outputs = list(&job.request["ProcessingOutputConfig"]["Outputs"]).iter();
    let outputs = outputs.filter_map(|output| output["S3Output"]["LocalPath"].as_str());
    let folders = outputs.map(|path| host_path(ml, path)).chain([ml.join("output"), ml.join("config")]);
    for folder in folders {
        make(&folder)?;
    }
    let request = &job.request;
    let config = json!({
        "ProcessingJobArn": job.arn,
        "ProcessingJobName": job.name,
        "AppSpecification": request["AppSpecification"],
        "Environment": request["Environment"],
        "ProcessingInputs": request["ProcessingInputs"],
        "ProcessingOutputConfig": request["ProcessingOutputConfig"],
        "ProcessingResources": request["ProcessingResources"],
        "RoleArn": request["RoleArn"],
        "StoppingCondition": request["StoppingCondition"],
    });
    write_json(&ml.join("config/processingjobconfig.json"), &config)?;
    write_json(&ml.join("config/resourceconfig.json"), &json!({"current_host": "algo-1", "hosts": ["algo-1"]}))
}

/// Entrypoint and arguments, as the container is started.
pub(crate) fn program(job: &Job) -> Vec<String> {
    let app = &job.request["AppSpecification"];
    let parts = list(&app["ContainerEntrypoint"]).iter().chain(list(&app["ContainerArguments"]));
    parts.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Judges the end and stores the outputs of a job that completed.
pub(crate) fn collect(store: &Store, job: &Job, ml: &Path, exit: ExitRecord) -> Ending {
    let exit_message = match std::fs::read(ml.join("output/message")).map(String::from_utf8) {
        Ok(Ok(text)) => Some(cut(&text, MAX_REASON)),
        Ok(Err(_)) => {
            let reason = "ClientError: the exit message in /opt/ml/output/message is not UTF-8 text".to_owned();
            return Ending::Failed { reason, exit_message: None };
        }
        Err(_) => None,
    };
    if exit.code != 0 {
        let reason = format!("AlgorithmError: See job logs for more information, exit code: {}", exit.code);
        return Ending::Failed { reason, exit_message };
    }
    for item in list(&job.request["ProcessingOutputConfig"]["Outputs"]) {
        let output = &item["S3Output"];
        let folder = host_path(ml, output["LocalPath"].as_str().unwrap_or(ROOT));
        if let Err(reason) = staging::upload(store, &folder, output["S3Uri"].as_str().unwrap_or_default()) {
            return Ending::Failed { reason, exit_message };
        }
    }
    Ending::Completed { exit_message, metrics: Vec::new() }
}

/// Makes a folder of the job.
pub(crate) fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("InternalServerError: cannot make {}: {error}", folder.display()))
}

/// Writes a configuration file of the container.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), String> {
    std::fs::write(path, value.to_string())
        .map_err(|error| format!("InternalServerError: cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({
            "AppSpecification": {"ImageUri": "sagemaker-scikit-learn:1.2-1", "ContainerEntrypoint": ["python3"]},
            "ProcessingInputs": [{"InputName": "code", "S3Input": {"LocalPath": "/opt/ml/processing/input/code"}}],
            "ProcessingOutputConfig": {"Outputs": [
                {"OutputName": "train", "S3Output": {"LocalPath": "/opt/ml/processing/train"}}]},
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"}},
        })
    }

    fn refused(change: impl FnOnce(&mut Value)) -> String {
        let mut request = request();
        change(&mut request);
        check(&request).unwrap_err().message
    }

    #[test]
    fn the_good_passes() {
        check(&request()).unwrap();
    }

    #[test]
    fn what_cannot_run_is_refused_when_it_is_created() {
        let two = refused(|r| r["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = json!(2));
        assert!(two.contains("'ml.m5.xlarge for processing job usage' is 1 Instances"), "{two}");
        let path =
            refused(|r| r["ProcessingInputs"][0]["S3Input"]["LocalPath"] = json!("/opt/ml/processing/../../etc"));
        assert!(path.contains("of input code must be an absolute path below /opt/ml/processing"), "{path}");
        let output = refused(|r| r["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"] = json!("/tmp"));
        assert!(output.contains("LocalPath '/tmp' of output train"), "{output}");
        let twice = refused(|r| {
            let first = r["ProcessingInputs"][0].clone();
            r["ProcessingInputs"].as_array_mut().unwrap().push(first);
        });
        assert!(twice.contains("code is given more than once"), "{twice}");
        assert!(refused(|r| r["AppSpecification"]["ImageUri"] = json!("x:1")).contains("no runtime for the image x:1"));
    }
}
