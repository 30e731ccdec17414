//! What a job may take for granted though nobody set it up: the Python environment of its runtime, and the one public
//! object that AWS' own seeds read their data from.
//!
//! Both are made by the first job that needs them and kept. What is being done is told in the job's log, since that is
//! where the person who waits looks.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::PythonEnv;
use crate::s3::Location;
use crate::sagemaker::job::Job;
use crate::sagemaker::python::{self, PythonProgress};
use crate::sagemaker::{SageMaker, dataset};

/// AWS keeps the seeds' data in a public bucket of this name for each region.
const PUBLIC_BUCKET: &str = "sagemaker-servicecatalog-seedcode-";
const PUBLIC_KEY: &str = "dataset/abalone-dataset.csv";

impl SageMaker {
    /// Makes what the job needs and is not there yet; the error is the job's failure reason.
    pub(crate) async fn furnish(&self, job: &Job) -> Result<(), String> {
        let log = self.job_log(job.kind, &job.name);
        self.furnish_python(&log).await?;
        self.furnish_objects(&job.request, &log).await
    }

    /// Fetches the public objects that a request names. A pipeline's step does so before it compares contents with an
    /// earlier one's; the Python environment is made when there is something to fetch.
    pub(crate) async fn furnish_objects(&self, request: &serde_json::Value, log: &Path) -> Result<(), String> {
        for location in public_objects(request) {
            if self.s3.head(&location.bucket, &location.key).is_err() {
                self.furnish_python(log).await?;
                self.furnish_object(&location, log).await?;
            }
        }
        Ok(())
    }

    /// An interpreter that is no environment of ours is left as it is.
    pub(crate) async fn furnish_python(&self, log: &Path) -> Result<(), String> {
        let interpreter = &self.settings.python;
        let Some(dir) = interpreter.parent().and_then(Path::parent) else { return Ok(()) };
        let foreign = interpreter.exists() && !dir.join("pyvenv.cfg").exists();
        if foreign || python::is_ready(dir) {
            return Ok(());
        }
        tell(log, "making the Python environment of the job runtimes; this happens once and takes a few minutes");
        let made = python::ensure_python(dir, |progress| match progress {
            PythonProgress::Ready => {}
            PythonProgress::Waiting => tell(log, "another process makes it; waiting"),
            PythonProgress::Creating { python } => tell(log, &format!("with {python}")),
            PythonProgress::Installing(line) => tell(log, &line),
        });
        made.await.map(drop).map_err(|error| format!("InternalServerError: {error}"))
    }

    async fn furnish_object(&self, location: &Location, log: &Path) -> Result<(), String> {
        tell(log, &format!("{} is AWS' public sample; fetching the same data once", location.uri()));
        let env = PythonEnv { interpreter: self.settings.python.clone() };
        let dir = self.home.join("datasets");
        std::fs::create_dir_all(&dir).map_err(|error| format!("InternalServerError: {}: {error}", dir.display()))?;
        let file =
            dataset::obtain_abalone(&dir, &env).await.map_err(|error| format!("InternalServerError: {error}"))?;
        let (store, location) = (Arc::clone(&self.s3), location.clone());
        self.blocking(move || {
            let put = store
                .create_bucket_if_absent(&location.bucket)
                .and_then(|()| store.put_file(&location.bucket, &location.key, &file).map(drop));
            put.map_err(|error| format!("InternalServerError: {}", error.message))
        })
        .await
    }
}

/// The public objects that a request names anywhere.
fn public_objects(request: &serde_json::Value) -> Vec<Location> {
    match request {
        serde_json::Value::String(text) => Location::parse(text)
            .filter(|location| location.bucket.starts_with(PUBLIC_BUCKET) && location.key == PUBLIC_KEY)
            .into_iter()
            .collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(public_objects).collect(),
        serde_json::Value::Object(fields) => fields.values().flat_map(public_objects).collect(),
        _ => Vec::new(),
    }
}

/// A line in the log; a log that cannot be written must not stop the job.
fn tell(log: &Path, line: &str) {
    let opened: std::io::Result<File> = OpenOptions::new().create(true).append(true).open(log);
    if let Ok(mut file) = opened {
        let _ = writeln!(file, "[local cloud] {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::public_objects;

    #[test]
    fn public_objects_are_found_wherever_they_stand() {
        let request = serde_json::json!({
            "ProcessingInputs": [{"S3Input": {"S3Uri": "s3://sagemaker-servicecatalog-seedcode-eu-west-1/dataset/abalone-dataset.csv"}}],
            "AppSpecification": {"ContainerArguments": ["--input-data", "s3://other/dataset/abalone-dataset.csv"]},
        });
        let found = public_objects(&request);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bucket, "sagemaker-servicecatalog-seedcode-eu-west-1");
    }
}
