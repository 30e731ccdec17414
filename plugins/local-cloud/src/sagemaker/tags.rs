//! Tags of any resource, by ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::sagemaker::SageMaker;

/// Tags a resource can have.
const MAX_TAGS: usize = 50;

/// The tags of one resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TagSet {
    arn: String,
    tags: BTreeMap<String, String>,
}

/// What the shape cannot say of the `Tags` of a Create request.
pub(crate) fn check(input: &Value) -> Result<(), AwsError> {
    let mut seen = BTreeMap::new();
    for (key, value) in read(input) {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(AwsError::validation(format!(
                "aws: prefixed tag key names are not allowed for external use: {key}"
            )));
        }
        if seen.insert(key.clone(), value).is_some() {
            return Err(AwsError::validation(format!(
                "Duplicate tag keys found: {key}. Please provide unique tag keys"
            )));
        }
    }
    Ok(())
}

fn read(input: &Value) -> Vec<(String, String)> {
    let tags = input["Tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tags.iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

impl SageMaker {
    /// `AddTags`
    pub(crate) fn add_tags(&self, input: &Value) -> Result<Value, AwsError> {
        let arn = self.taggable(input)?;
        check(input)?;
        let tags = self.change_tags(&arn, |tags| tags.extend(read(input)))?;
        Ok(json!({ "Tags": write(&tags) }))
    }

    /// `ListTags`; all fit one page.
    pub(crate) fn list_tags(&self, input: &Value) -> Result<Value, AwsError> {
        let arn = self.taggable(input)?;
        Ok(json!({ "Tags": write(&self.tags_of(&arn)) }))
    }

    /// `DeleteTags`
    pub(crate) fn delete_tags(&self, input: &Value) -> Result<Value, AwsError> {
        let arn = self.taggable(input)?;
        let keys = input["TagKeys"].as_array().cloned().unwrap_or_default();
        self.change_tags(&arn, |tags| tags.retain(|key, _| !keys.iter().any(|gone| gone == key.as_str())))?;
        Ok(json!({}))
    }

    /// Tags that came with a Create request. Written before the resource itself: a crash between leaves tags of
    /// nothing, which the next Create of that ARN replaces.
    pub(crate) fn set_tags_of_new(&self, arn: &str, input: &Value) -> Result<(), AwsError> {
        let tags = read(input);
        if tags.is_empty() || self.exists(arn) {
            return Ok(());
        }
        self.forget_tags(arn)?;
        self.change_tags(arn, |set| set.extend(tags)).map(|_| ())
    }

    /// Takes the tags of a deleted resource away.
    pub(crate) fn forget_tags(&self, arn: &str) -> Result<(), AwsError> {
        self.tags.remove(&key(arn), |_| Ok(())).map(|_| ())
    }

    /// The tags of a resource.
    pub(crate) fn tags_of(&self, arn: &str) -> BTreeMap<String, String> {
        self.tags.get(&key(arn)).map(|set| set.tags).unwrap_or_default()
    }

    fn change_tags(
        &self,
        arn: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let key = key(arn);
        self.tags.insert(&key, TagSet { arn: arn.to_owned(), tags: BTreeMap::new() })?;
        let changed = self.tags.update(&key, |set| {
            change(&mut set.tags);
            if set.tags.len() > MAX_TAGS {
                return Err(AwsError::limit(format!("{arn} would have more than {MAX_TAGS} tags; delete some first")));
            }
            Ok(())
        })?;
        Ok(changed.map(|set| set.tags).unwrap_or_default())
    }

    fn taggable(&self, input: &Value) -> Result<String, AwsError> {
        let arn = input["ResourceArn"].as_str().unwrap_or_default();
        if self.exists(arn) {
            return Ok(arn.to_owned());
        }
        Err(AwsError::validation(format!("Resource does not exist: {arn}")))
    }
}

/// ARNs hold `:` and `/`; their hash is a file name.
fn key(arn: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(&Sha256::digest(arn.as_bytes())[..16])
}

fn write(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
