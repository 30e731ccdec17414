//! The suite of plugins/api over the steps whose remote work can be made quick, slow or endless.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sagemaker::config::{BehaviorVersion, Credentials, Region};
use haliotis_local_cloud::{DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY};
use haliotis_model::Value;
use haliotis_plugin_api::StepContext;
use haliotis_plugin_api::conformance::{self, Bench, Pace};
use serde_json::json;

use crate::bed::{Bed, SKLEARN, XGBOOST, runner};

struct Suite {
    bed: Bed,
    uses: &'static str,
    with: fn(Pace) -> Option<Value>,
}

#[async_trait]
impl Bench for Suite {
    fn context(&self, pace: Pace) -> Option<StepContext> {
        Some(self.bed.context("conform", self.uses, (self.with)(pace)?))
    }

    /// Jobs or versions that carry the key, as the cloud lists them.
    async fn effects(&self, ctx: &StepContext) -> Option<usize> {
        let client = client(&self.bed);
        let name = haliotis_plugin_aws::job_name(ctx);
        Some(match self.uses {
            "sagemaker.processing" | "sagemaker.evaluate" => {
                let listed = client.list_processing_jobs().name_contains(name).send().await.unwrap();
                listed.processing_job_summaries.unwrap_or_default().len()
            }
            "sagemaker.training" => {
                let listed = client.list_training_jobs().name_contains(name).send().await.unwrap();
                listed.training_job_summaries.unwrap_or_default().len()
            }
            _ => {
                let group = ctx.text("group").unwrap();
                let listed = client.list_model_packages().model_package_group_name(group).send().await.unwrap();
                // Each context of this suite registers in a group of its own.
                listed.model_package_summary_list.unwrap_or_default().len()
            }
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }
}

fn client(bed: &Bed) -> aws_sdk_sagemaker::Client {
    let keys = Credentials::builder()
        .access_key_id(DEFAULT_ACCESS_KEY)
        .secret_access_key(DEFAULT_SECRET_KEY)
        .provider_name("test")
        .build();
    let config = aws_sdk_sagemaker::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(bed.settings.endpoint_url.clone().unwrap())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_sagemaker::Client::from_conf(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn processing_conforms() {
    let bed = Bed::new().await;
    bed.file("quick.py", "print('quick')\n");
    bed.file("slow.py", "import time\nprint('slow', flush=True)\ntime.sleep(1)\n");
    bed.file("endless.py", "import time\nprint('endless', flush=True)\ntime.sleep(1000)\n");
    let with = |pace| {
        let code = match pace {
            Pace::Quick => "quick.py",
            Pace::Slow => "slow.py",
            Pace::Endless => "endless.py",
        };
        Some(json!({"image": SKLEARN, "code": code}))
    };
    let suite = Suite { bed, uses: "sagemaker.processing", with };
    conformance::check(runner("sagemaker.processing"), &suite).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn training_conforms() {
    let bed = Bed::new().await;
    bed.file("rows.csv", "1,2\n2,3\n");
    bed.file("code/quick.py", "open('/opt/ml/model/m', 'w').write('m')\n");
    bed.file("code/slow.py", "import time\ntime.sleep(1)\nopen('/opt/ml/model/m', 'w').write('m')\n");
    bed.file("code/endless.py", "import time\ntime.sleep(1000)\n");
    let with = |pace| {
        let script = match pace {
            Pace::Quick => "quick.py",
            Pace::Slow => "slow.py",
            Pace::Endless => "endless.py",
        };
        let channels = json!({"train": "rows.csv"});
        Some(json!({"image": SKLEARN, "channels": channels, "entry-point": script, "source-dir": "code"}))
    };
    let suite = Suite { bed, uses: "sagemaker.training", with };
    conformance::check(runner("sagemaker.training"), &suite).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn register_conforms() {
    static GROUPS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let with = |pace| {
        let number = GROUPS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let data = "s3://bench-artifacts/model.tar.gz";
        let with = json!({"group": format!("group-{number}"), "image": XGBOOST, "model-data": data});
        (pace == Pace::Quick).then_some(with)
    };
    let bed = Bed::new().await;
    let model = bed.dir.path().join("model.tar.gz");
    std::fs::write(&model, "not opened by the registry").unwrap();
    haliotis_plugin_aws::registry::ensure_bucket(&bed.settings, "bench-artifacts").await.unwrap();
    let uri = "s3://bench-artifacts/model.tar.gz";
    haliotis_plugin_aws::registry::put_object_file(&bed.settings, uri, &model).await.unwrap();
    let suite = Suite { bed, uses: "sagemaker.register-model", with };
    conformance::check(runner("sagemaker.register-model"), &suite).await.unwrap();
}
