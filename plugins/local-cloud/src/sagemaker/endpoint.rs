//! An endpoint as it is remembered.
//!
//! ```text
//!            fleet ready                 UpdateEndpoint           new fleet ready, old one drained
//! Creating ------------> InService -----------------> Updating -----------------------------> InService
//!     | not healthy          | DeleteEndpoint             | not healthy
//!     v                      v                            v
//!   Failed  ----------->  Deleting -> gone             InService with the old fleet and a FailureReason
//! ```
//! `next` is the fleet that is being brought up, `current` the one that answers. Both are names of processes and
//! folders, so a restarted server finds the processes again, or starts those that are gone.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sagemaker::clock;
use crate::sagemaker::listing::Item;
use crate::sagemaker::models::ResolvedModel;

/// As AWS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndpointStatus {
    Creating,
    InService,
    Updating,
    Failed,
    Deleting,
}

impl EndpointStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::InService => "InService",
            Self::Updating => "Updating",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
        }
    }
}

/// The model of one production variant, as it was when the fleet was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VariantPlan {
    pub(crate) name: String,
    pub(crate) model: ResolvedModel,
    pub(crate) weight: f64,
    /// What was asked for; the local cloud runs one process for any number.
    pub(crate) instances: u64,
    /// Seconds until the first successful ping.
    pub(crate) health_timeout_s: Option<u64>,
}

/// What one deployment runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FleetPlan {
    /// Names its processes and folders; never used again.
    pub(crate) id: String,
    pub(crate) config: String,
    pub(crate) variants: Vec<VariantPlan>,
    /// The configuration's `DataCaptureConfig`, or null.
    pub(crate) capture: Value,
    /// How often each process was started again, by `variant.container`; part of its key.
    #[serde(default)]
    pub(crate) restarts: std::collections::BTreeMap<String, u32>,
}

impl FleetPlan {
    /// Keys of the processes that may run for it: the attempt of the record, and the one its keeper may have begun.
    pub(crate) fn process_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for (v, variant) in self.variants.iter().enumerate() {
            for c in 0..variant.model.containers.len() {
                let last = self.restarts.get(&format!("{v}.{c}")).copied().unwrap_or(0);
                keys.extend([last, last + 1].map(|attempt| format!("serve-{}-{v}-{c}-{attempt}", self.id)));
            }
        }
        keys
    }
}

/// One endpoint. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: EndpointStatus,
    pub(crate) current: Option<FleetPlan>,
    pub(crate) next: Option<FleetPlan>,
    /// Fleets whose processes are to be stopped and whose folders are to go.
    pub(crate) retired: Vec<FleetPlan>,
    pub(crate) failure: Option<String>,
    pub(crate) deployment: Value,
    pub(crate) created: f64,
    pub(crate) modified: f64,
}

impl Endpoint {
    /// Moves on and notes when.
    pub(crate) fn turn(&mut self, status: EndpointStatus) {
        self.status = status;
        self.modified = clock::now();
    }

    /// The fleet of that id, wherever it stands.
    pub(crate) fn fleet_mut(&mut self, id: &str) -> Option<&mut FleetPlan> {
        self.current.iter_mut().chain(self.next.iter_mut()).chain(self.retired.iter_mut()).find(|fleet| fleet.id == id)
    }

    /// The answer of DescribeEndpoint.
    pub(crate) fn describe(&self) -> Value {
        let shown = self.current.as_ref().or(self.next.as_ref());
        let mut answer = json!({
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": shown.map(|fleet| &fleet.config),
            "EndpointStatus": self.status.word(),
            "CreationTime": clock::write(self.created),
            "LastModifiedTime": clock::write(self.modified),
        });
        if let Some(fleet) = &self.current {
            answer["ProductionVariants"] =
                fleet.variants.iter().map(|variant| describe_variant(variant, self)).collect();
        }
        if let Some(capture) = shown.map(|fleet| &fleet.capture).filter(|capture| capture.is_object()) {
            let on = capture["EnableCapture"].as_bool().unwrap_or(false);
            answer["DataCaptureConfig"] = json!({
                "EnableCapture": on,
                "CaptureStatus": if on { "Started" } else { "Stopped" },
                "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                "DestinationS3Uri": capture["DestinationS3Uri"],
                "KmsKeyId": capture["KmsKeyId"].as_str().unwrap_or_default(),
            });
        }
        if self.deployment.is_object() {
            answer["LastDeploymentConfig"] = self.deployment.clone();
        }
        if let (EndpointStatus::Updating, Some(next)) = (self.status, &self.next) {
            answer["PendingDeploymentSummary"] = json!({"EndpointConfigName": next.config});
        }
        if let Some(failure) = &self.failure {
            answer["FailureReason"] = json!(failure);
        }
        answer
    }

    /// As ListEndpoints shows it.
    pub(crate) fn item(&self) -> Item {
        Item {
            name: self.name.clone(),
            created: self.created,
            modified: self.modified,
            status: self.status.word().to_owned(),
            tie: 0,
            summary: json!({
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "CreationTime": clock::write(self.created),
                "LastModifiedTime": clock::write(self.modified),
                "EndpointStatus": self.status.word(),
            }),
        }
    }
}

fn describe_variant(variant: &VariantPlan, endpoint: &Endpoint) -> Value {
    let images = variant.model.containers.iter().map(|container| {
        json!({
            "SpecifiedImage": container.image,
            "ResolvedImage": container.image,
            "ResolutionTime": clock::write(endpoint.modified),
        })
    });
    json!({
        "VariantName": variant.name,
        "DeployedImages": images.collect::<Value>(),
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
        "CurrentInstanceCount": variant.instances,
        "DesiredInstanceCount": variant.instances,
    })
}
