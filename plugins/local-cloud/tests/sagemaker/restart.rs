//! The server goes at the worst moments; what was promised is kept.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Bed, SKLEARN, processing, text};
use crate::processes::TestProcesses;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_found_again_and_its_outputs_are_stored() {
    let mut bed = Bed::new().await;
    let script = bed.put(
        "code/script.py",
        r#"
import os, time
print("began", flush=True)
while not os.path.exists("/opt/ml/processing/out/../go"): time.sleep(0.02)
open("/opt/ml/processing/out/runs", "a").write("once\n")
"#,
    );
    bed.call("CreateProcessingJob", processing("long", &script)).await;
    while !bed.log("processing", "long").contains("began") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bed.restart().await;
    assert_eq!(
        bed.call("DescribeProcessingJob", json!({"ProcessingJobName": "long"})).await["ProcessingJobStatus"],
        "InProgress"
    );
    // The job's own folder, where the script looks.
    let jobs = bed.folder.path().join("sagemaker/jobs");
    let job = std::fs::read_dir(jobs).unwrap().next().unwrap().unwrap().path();
    std::fs::write(job.join("ml/processing/go"), "").unwrap();
    let job = bed.ended("Processing", "long").await;
    assert_eq!(job["ProcessingJobStatus"], "Completed", "{job:#}\n{}", bed.log("processing", "long"));
    assert_eq!(bed.get("long/out/runs"), "once\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_at_any_moment_leads_to_the_same_end() {
    let mut bed = Bed::new().await;
    let script = bed.put("code/script.py", "open('/opt/ml/processing/out/x','w').write('done')");
    for round in 0..12_u64 {
        let name = format!("job-{round}");
        bed.call("CreateProcessingJob", processing(&name, &script)).await;
        tokio::time::sleep(Duration::from_millis(round * 9)).await;
        bed.restart().await;
        let job = bed.ended("Processing", &name).await;
        assert_eq!(job["ProcessingJobStatus"], "Completed", "after {} ms: {job:#}", round * 9);
        assert_eq!(bed.get(&format!("{name}/out/x")), "done");
    }
    assert!(bed.processes.running().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_went_down_with_the_machine_fails() {
    let mut bed = Bed::new().await;
    let script = bed.put("code/script.py", "import time; print('began', flush=True); time.sleep(600)");
    bed.call("CreateProcessingJob", processing("down", &script)).await;
    while !bed.log("processing", "down").contains("began") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The machine comes back: its supervisor knows the key, and that the process is gone.
    bed.reopen_with(std::sync::Arc::new(LosesAll(TestProcesses::default()))).await;
    let answer = bed.ended("Processing", "down").await;
    assert!(answer["FailureReason"].as_str().unwrap().starts_with("InternalServerError: the machine"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_answers_again_after_a_restart_with_the_same_process() {
    let mut bed = Bed::new().await;
    let data = bed.archive("m.tar.gz", &[("code/inference.py", "import os\ndef model_fn(d): return os.getpid()\ndef transform_fn(m, d, c, a): return str(m), 'text/plain'\n")]);
    bed.configured("m", json!([{"Image": SKLEARN, "ModelDataUrl": data}]), Value::Null).await;
    assert_eq!(bed.endpoint("e", "m").await["EndpointStatus"], "InService");
    let before = text(&bed.invoke("e", &[("content-type", "text/csv")], "x").await);
    bed.restart().await;
    let after = bed.until_answers("e").await;
    assert_eq!(after, before, "the process went on");

    // It dies while no server looks: the next one starts it again.
    bed.cloud.close().await;
    let pid = rustix::process::Pid::from_raw(bed.processes.pid("serve-").unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    bed.restart().await;
    assert_ne!(bed.until_answers("e").await, before);
    // A server that leaves nothing running, and the next, which brings the endpoint back.
    bed.cloud.shut_down().await;
    assert!(bed.processes.running().is_empty());
    bed.restart().await;
    bed.until_answers("e").await;
    bed.call("DeleteEndpoint", json!({"EndpointName": "e"})).await;
    bed.restart().await;
    bed.gone("e").await;
    assert!(bed.processes.running().is_empty());
}

impl Bed {
    /// The first answer: right after a restart the endpoint may not have been taken up yet.
    async fn until_answers(&self, endpoint: &str) -> String {
        loop {
            let headers = [("content-type", "text/csv")]
                .map(|(n, v)| (n.parse::<http::HeaderName>().unwrap(), v.parse().unwrap()));
            let answer = self.cloud.invoke(endpoint, &headers.into_iter().collect(), "x".into()).await;
            if let Some(response) = answer.ok().filter(|response| response.status() == 200) {
                return text(&response);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A supervisor that knows every key and has lost every process.
struct LosesAll(TestProcesses);

#[async_trait::async_trait]
impl haliotis_plugin_api::Processes for LosesAll {
    async fn spawn(
        &self,
        key: &str,
        spec: haliotis_plugin_api::ProcessSpec,
    ) -> Result<(), haliotis_plugin_api::ProcessError> {
        if key.starts_with("probe-") { self.0.spawn(key, spec).await } else { Ok(()) }
    }

    async fn wait(&self, key: &str) -> Result<haliotis_plugin_api::Exit, haliotis_plugin_api::ProcessError> {
        if key.starts_with("probe-") {
            return self.0.wait(key).await;
        }
        Err(haliotis_plugin_api::ProcessError::Lost(key.to_owned()))
    }

    async fn kill(&self, _: &str, _: u64) -> Result<(), haliotis_plugin_api::ProcessError> {
        Ok(())
    }

    async fn forget(&self, _: &str) -> Result<(), haliotis_plugin_api::ProcessError> {
        Ok(())
    }
}
