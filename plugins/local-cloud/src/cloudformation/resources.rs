//! What stacks are made of, behind one trait: the services of this local cloud, or a scripted stand-in in tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::kinds::Kind;
use crate::{AwsError, s3, sagemaker};

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// How a resource is, when looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Look {
    /// Not there.
    Absent,
    /// There, and on its way.
    Pending,
    /// There and well.
    Ready(Facts),
    /// There and broken: why.
    Failed(String),
}

/// What is known of a resource that is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// What `Ref` gives and people see as the physical id.
    pub(crate) physical: String,
    /// For `Fn::GetAtt`.
    pub(crate) attributes: BTreeMap<String, Value>,
    /// Properties that an update in place changes, as they are in force.
    pub(crate) holds: Value,
    /// Why the last update did not come into force, where the service says.
    pub(crate) trouble: Option<String>,
}

/// The operations a stack needs. All by the resource's own name, so that they can be repeated after a crash.
#[async_trait]
pub(crate) trait Resources: Send + Sync {
    /// Looks at it.
    async fn look(&self, kind: &Kind, name: &str) -> Result<Look, AwsError>;
    /// Begins to make it.
    async fn create(&self, kind: &Kind, name: &str, properties: &Value, tags: &Tags) -> Result<(), AwsError>;
    /// Begins to change it in place.
    async fn update(&self, kind: &Kind, name: &str, properties: &Value) -> Result<(), AwsError>;
    /// Replaces its tags.
    async fn retag(&self, kind: &Kind, physical: &str, before: &Tags, after: &Tags) -> Result<(), AwsError>;
    /// Begins to remove it; one that is not there is no error.
    async fn delete(&self, kind: &Kind, name: &str) -> Result<(), AwsError>;
}

/// The services of this local cloud.
pub(crate) struct Services {
    pub(crate) sagemaker: Arc<sagemaker::SageMaker>,
    pub(crate) s3: Arc<s3::Store>,
}

impl Services {
    async fn call(&self, operation: String, input: Value) -> Result<Value, AwsError> {
        self.sagemaker.call(&operation, input).await
    }

    fn is_bucket(kind: &Kind) -> bool {
        kind.name == "AWS::S3::Bucket"
    }

    fn look_bucket(&self, name: &str) -> Result<Look, AwsError> {
        match self.s3.bucket(name) {
            Err(error) if error.code == "NoSuchBucket" => Ok(Look::Absent),
            Err(error) => Err(error),
            Ok(_) => Ok(Look::Ready(Facts {
                physical: name.to_owned(),
                attributes: BTreeMap::from([("Arn".to_owned(), json!(format!("arn:aws:s3:::{name}")))]),
                ..Facts::default()
            })),
        }
    }
}

#[async_trait]
impl Resources for Services {
    async fn look(&self, kind: &Kind, name: &str) -> Result<Look, AwsError> {
        if Self::is_bucket(kind) {
            return self.look_bucket(name);
        }
        let input = json!({ kind.name_property: name });
        let found = match self.call(format!("Describe{}", kind.title), input).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(Look::Absent),
            Err(error) => return Err(error),
        };
        Ok(read_description(kind, name, &found))
    }

    async fn create(&self, kind: &Kind, name: &str, properties: &Value, tags: &Tags) -> Result<(), AwsError> {
        if Self::is_bucket(kind) {
            self.s3.create_bucket(name)?;
            return self.s3.set_bucket_tags(name, tags.clone());
        }
        let mut input: Map<String, Value> = properties.as_object().cloned().unwrap_or_default();
        if kind.updates_in_place {
            // CreateEndpoint knows nothing of what an update keeps.
            input.retain(|key, _| key == "EndpointConfigName" || key == "DeploymentConfig");
        }
        input.insert(kind.name_property.to_owned(), json!(name));
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), tag_list(tags));
        }
        self.call(format!("Create{}", kind.title), Value::Object(input)).await.map(|_| ())
    }

    async fn update(&self, kind: &Kind, name: &str, properties: &Value) -> Result<(), AwsError> {
        let mut input: Map<String, Value> = properties.as_object().cloned().unwrap_or_default();
        input.insert(kind.name_property.to_owned(), json!(name));
        self.call(format!("Update{}", kind.title), Value::Object(input)).await.map(|_| ())
    }

    async fn retag(&self, kind: &Kind, physical: &str, before: &Tags, after: &Tags) -> Result<(), AwsError> {
        if Self::is_bucket(kind) {
            return self.s3.set_bucket_tags(physical, after.clone());
        }
        let gone: Vec<&String> = before.keys().filter(|key| !after.contains_key(*key)).collect();
        if !gone.is_empty() {
            self.call("DeleteTags".to_owned(), json!({ "ResourceArn": physical, "TagKeys": gone })).await?;
        }
        if !after.is_empty() {
            self.call("AddTags".to_owned(), json!({ "ResourceArn": physical, "Tags": tag_list(after) })).await?;
        }
        Ok(())
    }

    async fn delete(&self, kind: &Kind, name: &str) -> Result<(), AwsError> {
        let result = if Self::is_bucket(kind) {
            self.s3.delete_bucket(name)
        } else {
            let input = json!({ kind.name_property: name });
            self.call(format!("Delete{}", kind.title), input).await.map(|_| ())
        };
        match result {
            Err(error) if is_absent(&error) => Ok(()),
            result => result,
        }
    }
}

/// SageMaker says with a `ValidationException` that a name is unknown.
fn is_absent(error: &AwsError) -> bool {
    let words = error.message.as_str();
    let unknown = words.starts_with("Could not find") || words.contains("does not exist");
    unknown && matches!(error.code.as_ref(), "ValidationException" | "ResourceNotFound" | "NoSuchBucket")
}

fn read_description(kind: &Kind, name: &str, found: &Value) -> Look {
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let reason = || match text("FailureReason") {
        empty if empty.is_empty() => format!("{} {name} failed", kind.title),
        reason => reason,
    };
    let status = [format!("{}Status", kind.title)].iter().map(|key| text(key)).next().unwrap_or_default();
    match status.as_str() {
        "" | "InService" | "Completed" => {
            let physical = text(&format!("{}Arn", kind.title));
            let attributes = BTreeMap::from([
                (kind.name_property.to_owned(), json!(name)),
                (format!("{}Arn", kind.title), json!(physical)),
            ]);
            let holds = json!({ "EndpointConfigName": found["EndpointConfigName"] });
            let trouble = found["FailureReason"].as_str().map(str::to_owned);
            let holds = if kind.updates_in_place { holds } else { Value::Null };
            Look::Ready(Facts { physical, attributes, holds, trouble })
        }
        "Failed" | "OutOfService" | "DeleteFailed" => Look::Failed(reason()),
        _ => Look::Pending,
    }
}

fn tag_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
