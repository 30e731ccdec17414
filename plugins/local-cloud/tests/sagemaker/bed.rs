//! What every test stands on: a cloud in a folder of its own, and the few calls that all of them make.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use haliotis_local_cloud::sagemaker::{SageMaker, python};
use haliotis_local_cloud::{Config, PythonEnv, s3};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::processes::TestProcesses;

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/test";
pub(crate) const XGBOOST: &str = "sagemaker-xgboost:1.0-1-cpu-py3";
pub(crate) const SKLEARN: &str = "registry.example/sagemaker-scikit-learn:1.2-1-cpu-py3";
/// The longest that any small job or endpoint of these tests takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Bed {
    pub(crate) cloud: Arc<SageMaker>,
    pub(crate) s3: Arc<s3::Store>,
    pub(crate) processes: Arc<TestProcesses>,
    pub(crate) folder: TempDir,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let s3 = Arc::new(s3::Store::open(folder.path().join("s3")).unwrap());
        s3.create_bucket_if_absent("bkt").unwrap();
        let processes = Arc::new(TestProcesses::default());
        let cloud = open(&folder, &s3, &processes).await;
        Self { cloud, s3, processes, folder }
    }

    /// Another server over the same folder, with other processes.
    pub(crate) async fn reopen_with(&mut self, processes: Arc<dyn haliotis_plugin_api::Processes>) {
        self.cloud.close().await;
        let config = Config::new(self.folder.path(), python_env().await, processes);
        self.cloud = SageMaker::open(&config, Arc::clone(&self.s3)).await.unwrap();
    }

    /// The server goes, its processes stay, a new server opens the same folder.
    pub(crate) async fn restart(&mut self) {
        self.cloud.close().await;
        self.cloud = open(&self.folder, &self.s3, &self.processes).await;
    }

    pub(crate) async fn call(&self, operation: &str, input: Value) -> Value {
        self.cloud.call(operation, input).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    pub(crate) async fn refused(&self, operation: &str, input: Value) -> String {
        self.cloud.call(operation, input).await.map(|answer| panic!("accepted: {answer}")).unwrap_err().to_string()
    }

    pub(crate) fn put(&self, key: &str, text: impl AsRef<[u8]>) -> String {
        self.s3.put_bytes("bkt", key, text.as_ref()).unwrap();
        format!("s3://bkt/{key}")
    }

    pub(crate) fn get(&self, key: &str) -> String {
        String::from_utf8(self.s3.read("bkt", key).unwrap()).unwrap()
    }

    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.s3.list("bkt", prefix).unwrap().into_iter().map(|object| object.key).collect()
    }

    /// Waits for the job's end and gives its description.
    pub(crate) async fn ended(&self, kind: &str, name: &str) -> Value {
        self.until(&format!("Describe{kind}Job"), json!({format!("{kind}JobName"): name}), |answer| {
            let status = answer[format!("{kind}JobStatus")].as_str().unwrap();
            !matches!(status, "InProgress" | "Stopping")
        })
        .await
    }

    pub(crate) async fn until(&self, operation: &str, input: Value, done: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.call(operation, input.clone()).await;
            if done(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{operation} is still {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn invoke(&self, endpoint: &str, headers: &[(&'static str, &str)], body: &str) -> Response<Bytes> {
        self.cloud.invoke(endpoint, &header_map(headers), Bytes::from(body.to_owned())).await.unwrap()
    }

    pub(crate) async fn invoke_refused(&self, endpoint: &str, headers: &[(&'static str, &str)], body: &str) -> String {
        let outcome = self.cloud.invoke(endpoint, &header_map(headers), Bytes::from(body.to_owned())).await;
        outcome.unwrap_err().to_string()
    }

    pub(crate) fn log(&self, kind: &str, name: &str) -> String {
        let path = self.folder.path().join("logs").join(kind).join(format!("{name}.log"));
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

fn header_map(headers: &[(&'static str, &str)]) -> HeaderMap {
    headers.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap())).collect()
}

async fn open(folder: &TempDir, s3: &Arc<s3::Store>, processes: &Arc<TestProcesses>) -> Arc<SageMaker> {
    let config = Config::new(folder.path(), python_env().await, Arc::clone(processes) as _);
    SageMaker::open(&config, Arc::clone(s3)).await.unwrap()
}

pub(crate) async fn python_env() -> PythonEnv {
    let dir = std::env::var_os("HALIOTIS_PYTHON_DIR").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/haliotis/python")
    });
    python::ensure_python(&dir, |_| ()).await.unwrap()
}

pub(crate) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

/// `y = 3a - 2b`, label first, as the built-in XGBoost reads it.
pub(crate) fn csv(rows: u32, labelled: bool) -> String {
    let row = |n: u32| {
        let (a, b) = (f64::from(n % 17), f64::from(n * 7 % 11));
        let label = if labelled { format!("{},", 3.0 * a - 2.0 * b) } else { String::new() };
        format!("{label}{a},{b}\n")
    };
    (0..rows).map(row).collect()
}

pub(crate) fn training(name: &str, image: &str) -> Value {
    json!({
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"objective": "reg:linear", "num_round": "12", "max_depth": "4", "eta": "0.4", "silent": "0"},
        "InputDataConfig": [channel("train"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": "s3://bkt/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    })
}

pub(crate) fn channel(name: &str) -> Value {
    json!({
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": format!("s3://bkt/data/{name}")}},
    })
}

pub(crate) fn processing(name: &str, script: &str) -> Value {
    json!({
        "ProcessingJobName": name,
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
        },
        "ProcessingInputs": [{"InputName": "code", "S3Input": {
            "S3Uri": script, "LocalPath": "/opt/ml/processing/input/code", "S3DataType": "S3Prefix", "S3InputMode": "File"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": {
            "S3Uri": format!("s3://bkt/{name}/out"), "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}}]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
        "RoleArn": ROLE,
    })
}

impl Bed {
    /// A trained model's archive.
    pub(crate) async fn trained(&self, image: &str) -> String {
        self.put("data/train/train.csv", csv(200, true));
        self.put("data/validation/validation.csv", csv(50, true));
        let mut request = training("trained", image);
        if !image.contains(":1.0") {
            request["HyperParameters"].as_object_mut().unwrap().remove("silent");
        }
        self.call("CreateTrainingJob", request).await;
        let job = self.ended("Training", "trained").await;
        assert_eq!(job["TrainingJobStatus"], "Completed", "{job:#}\n{}", self.log("training", "trained"));
        job["ModelArtifacts"]["S3ModelArtifacts"].as_str().unwrap().to_owned()
    }

    /// A model archive with files, names as in the archive.
    pub(crate) fn archive(&self, key: &str, files: &[(&str, &str)]) -> String {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        self.put(key, builder.into_inner().unwrap().finish().unwrap())
    }
}
