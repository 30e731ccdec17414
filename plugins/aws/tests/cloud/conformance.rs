//! The suite of plugins/api over the steps whose remote work can be made quick, slow or endless.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sagemaker::config::{BehaviorVersion, Credentials, Region};
use haliotis_local_cloud::{DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY};
use haliotis_model::Value;
use haliotis_plugin_api::StepContext;
use haliotis_plugin_api::conformance::{self, Bench, Pace};
use haliotis_plugin_aws::registry;
use serde_json::json;

use crate::bed::{Bed, SKLEARN, XGBOOST, log, runner};

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
            "cloudformation.deploy" => return Some(deployments(ctx)),
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
    static GROUPS: AtomicUsize = AtomicUsize::new(0);
    let with = |pace| {
        let number = GROUPS.fetch_add(1, Ordering::Relaxed);
        let data = "s3://bench-artifacts/model.tar.gz";
        let with = json!({"group": format!("group-{number}"), "image": XGBOOST, "model-data": data});
        (pace == Pace::Quick).then_some(with)
    };
    let bed = Bed::new().await;
    let model = bed.dir.path().join("model.tar.gz");
    std::fs::write(&model, "not opened by the registry").unwrap();
    registry::ensure_bucket(&bed.settings, "bench-artifacts").await.unwrap();
    let uri = "s3://bench-artifacts/model.tar.gz";
    registry::put_object_file(&bed.settings, uri, &model).await.unwrap();
    let suite = Suite { bed, uses: "sagemaker.register-model", with };
    conformance::check(runner("sagemaker.register-model"), &suite).await.unwrap();
}

/// Deployments begin with this event; the log repeats the stack's events.
fn deployments(ctx: &StepContext) -> usize {
    log(ctx).matches("CREATE_IN_PROGRESS AWS::CloudFormation::Stack").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_conforms() {
    static STACKS: AtomicUsize = AtomicUsize::new(0);
    let with = |pace| {
        let number = STACKS.fetch_add(1, Ordering::Relaxed);
        let seconds = match pace {
            Pace::Quick => 0,
            Pace::Slow => 2,
            Pace::Endless => 1000,
        };
        let parameters = json!({"Number": number, "Seconds": seconds});
        Some(json!({"stack": format!("stack-{number}"), "template": "template.yml", "parameters": parameters}))
    };
    let bed = Bed::new().await;
    bed.file("template.yml", SLOW_TEMPLATE);
    put_slow_model(&bed).await;
    let suite = Suite { bed, uses: "cloudformation.deploy", with };
    conformance::check(runner("cloudformation.deploy"), &suite).await.unwrap();
}

/// An endpoint whose model takes as long to load as a parameter says.
const SLOW_TEMPLATE: &str = r#"
Parameters:
  Number: { Type: String }
  Seconds: { Type: String }
Resources:
  Model:
    Type: AWS::SageMaker::Model
    Properties:
      ExecutionRoleArn: arn:aws:iam::000000000000:role/haliotis-local
      PrimaryContainer:
        Image: sagemaker-scikit-learn:1.2-1
        ModelDataUrl: s3://bench-artifacts/slow/model.tar.gz
        Environment: { SAGEMAKER_PROGRAM: inference.py, SAGEMAKER_SUBMIT_DIRECTORY: /opt/ml/model/code, SECONDS: !Ref Seconds }
  EndpointConfig:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - VariantName: AllTraffic
          ModelName: !GetAtt Model.ModelName
          InstanceType: ml.m5.large
          InitialInstanceCount: 1
          InitialVariantWeight: 1.0
  Endpoint:
    Type: AWS::SageMaker::Endpoint
    Properties:
      EndpointName: !Sub "slow-${Number}"
      EndpointConfigName: !GetAtt EndpointConfig.EndpointConfigName
"#;

async fn put_slow_model(bed: &Bed) {
    let script = "import os, time\ndef model_fn(folder):\n    time.sleep(int(os.environ['SECONDS']))\n    return 1\n";
    let path = bed.dir.path().join("model.tar.gz");
    let gzip = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(script.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "code/inference.py", script.as_bytes()).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    registry::ensure_bucket(&bed.settings, "bench-artifacts").await.unwrap();
    registry::put_object_file(&bed.settings, "s3://bench-artifacts/slow/model.tar.gz", &path).await.unwrap();
}
