//! The resource types that stacks may hold: their properties, names, and which changes need a new resource.
//!
//! CloudFormation's values are texts more often than not (`InitialInstanceCount: !Ref Count`), and the services take
//! numbers and booleans; so scalars are brought to the type that the property has.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};

use super::parameters::plain;

/// A resource type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As in templates.
    pub(crate) name: &'static str,
    /// As in the service's operations: `Create{title}`.
    pub(crate) title: &'static str,
    /// The property that names it.
    pub(crate) name_property: &'static str,
    /// All other properties but `Tags`.
    properties: &'static [&'static str],
    required: &'static [&'static str],
    /// Changed properties reach the resource in place; otherwise a new one takes its place.
    pub(crate) updates_in_place: bool,
    /// The longest name.
    name_chars: usize,
    /// The name must be of lower-case letters.
    lower_case: bool,
}

/// All types, by name.
pub(crate) const KINDS: [&Kind; 5] = [
    &Kind {
        name: "AWS::S3::Bucket",
        title: "Bucket",
        name_property: "BucketName",
        properties: &[],
        required: &[],
        updates_in_place: false,
        name_chars: 63,
        lower_case: true,
    },
    &Kind {
        name: "AWS::SageMaker::Endpoint",
        title: "Endpoint",
        name_property: "EndpointName",
        properties: &[
            "DeploymentConfig",
            "EndpointConfigName",
            "ExcludeRetainedVariantProperties",
            "RetainAllVariantProperties",
            "RetainDeploymentConfig",
        ],
        required: &["EndpointConfigName"],
        updates_in_place: true,
        name_chars: 63,
        lower_case: false,
    },
    &Kind {
        name: "AWS::SageMaker::EndpointConfig",
        title: "EndpointConfig",
        name_property: "EndpointConfigName",
        properties: &[
            "AsyncInferenceConfig",
            "DataCaptureConfig",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "ExplainerConfig",
            "KmsKeyId",
            "ProductionVariants",
            "ShadowProductionVariants",
            "VpcConfig",
        ],
        required: &["ProductionVariants"],
        updates_in_place: false,
        name_chars: 63,
        lower_case: false,
    },
    &Kind {
        name: "AWS::SageMaker::Model",
        title: "Model",
        name_property: "ModelName",
        properties: &[
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "InferenceExecutionConfig",
            "PrimaryContainer",
            "VpcConfig",
        ],
        required: &[],
        updates_in_place: false,
        name_chars: 63,
        lower_case: false,
    },
    &Kind {
        name: "AWS::SageMaker::ModelPackageGroup",
        title: "ModelPackageGroup",
        name_property: "ModelPackageGroupName",
        properties: &["ModelPackageGroupDescription"],
        required: &[],
        updates_in_place: false,
        name_chars: 63,
        lower_case: false,
    },
];

/// Properties that are whole numbers, at any depth.
const INTEGERS: [&str; 13] = [
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "InitialInstanceCount",
    "InitialSamplingPercentage",
    "MaxConcurrency",
    "MaxConcurrentInvocationsPerInstance",
    "MaximumExecutionTimeoutInSeconds",
    "MemorySizeInMB",
    "ModelDataDownloadTimeoutInSeconds",
    "ProvisionedConcurrency",
    "TerminationWaitInSeconds",
    "VolumeSizeInGB",
    "WaitIntervalInSeconds",
    "DesiredInstanceCount",
];
/// Properties that are numbers, at any depth.
const NUMBERS: [&str; 2] = ["InitialVariantWeight", "DesiredWeight"];
/// Properties that are true or false, at any depth.
const FLAGS: [&str; 6] = [
    "EnableCapture",
    "EnableNetworkIsolation",
    "EnableSSMAccess",
    "RetainAllVariantProperties",
    "RetainDeploymentConfig",
    "AcceptEula",
];
/// Maps whose members are texts, whatever they are called.
const TEXT_MAPS: [&str; 1] = ["Environment"];

/// A type by its name in templates.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// A resource's evaluated properties, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) explicit_name: Option<String>,
    /// Without name and tags, every scalar of its property's type.
    pub(crate) properties: Value,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Kind {
    /// Takes evaluated properties apart and checks their names.
    ///
    /// # Errors
    /// The reason, as CloudFormation gives it for a resource.
    pub(crate) fn wanted(&self, evaluated: Value) -> Result<Wanted, String> {
        let Value::Object(mut map) = evaluated else {
            return Err("Properties validation failed: properties must be a map".to_owned());
        };
        let explicit_name = map.remove(self.name_property).map(|name| plain(&name)).filter(|name| !name.is_empty());
        let tags = read_tags(map.remove("Tags"))?;
        let failed = |what: String| {
            format!("Properties validation failed for a resource of type {} with message: {what}", self.name)
        };
        if let Some(key) = map.keys().find(|key| !self.properties.contains(&key.as_str())) {
            return Err(failed(format!("#: extraneous key [{key}] is not permitted")));
        }
        if let Some(key) = self.required.iter().find(|key| !map.contains_key(**key)) {
            return Err(failed(format!("#: required key [{key}] not found")));
        }
        let properties = typed_members(map, "#").map_err(failed)?;
        Ok(Wanted { explicit_name, properties: Value::Object(properties), tags })
    }

    /// A name for a resource that has none: `{stack}-{logical}-{random}`.
    pub(crate) fn make_name(&self, stack: &str, logical: &str) -> String {
        let random = uuid::Uuid::new_v4().simple().to_string()[..12].to_ascii_uppercase();
        // The random part must survive, and stacks are told apart by the end of a shortened name more than by both.
        let room = self.name_chars - random.len() - 2;
        let logical: String = logical.chars().take(room / 2).collect();
        let stack: String = stack.chars().take(room - logical.len()).collect();
        let name = format!("{}-{logical}-{random}", stack.trim_end_matches('-'));
        if self.lower_case { name.to_ascii_lowercase() } else { name }
    }
}

fn read_tags(tags: Option<Value>) -> Result<BTreeMap<String, String>, String> {
    let Some(Value::Array(items)) = tags.clone() else {
        return if tags.is_none() { Ok(BTreeMap::new()) } else { Err("#/Tags: expected type: JSONArray".to_owned()) };
    };
    let pair = |tag: &Value| Some((plain(tag.get("Key")?), plain(tag.get("Value")?)));
    items.iter().map(|tag| pair(tag).ok_or_else(|| "#/Tags: every tag needs a Key and a Value".to_owned())).collect()
}

fn typed_members(map: Map<String, Value>, path: &str) -> Result<Map<String, Value>, String> {
    map.into_iter()
        .map(|(key, value)| {
            let place = format!("{path}/{key}");
            typed(&key, value, &place).map(|value| (key, value))
        })
        .collect()
}

fn typed(key: &str, value: Value, path: &str) -> Result<Value, String> {
    let wrong = |kind: &str, found: &str| format!("{path}: expected type: {kind}, found: {found}");
    match value {
        Value::Object(map) if TEXT_MAPS.contains(&key) => {
            Ok(map.into_iter().map(|(name, value)| (name, Value::String(plain(&value)))).collect::<Map<_, _>>().into())
        }
        Value::Object(map) => typed_members(map, path).map(Value::Object),
        Value::Array(items) => {
            let items = items.into_iter().enumerate().map(|(index, item)| typed(key, item, &format!("{path}/{index}")));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Null => Ok(Value::Null),
        scalar => {
            let text = plain(&scalar);
            if INTEGERS.contains(&key) {
                return text.trim().parse::<i64>().map(|number| json!(number)).map_err(|_| wrong("Integer", &text));
            }
            if NUMBERS.contains(&key) {
                let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
                return number.map(Value::Number).ok_or_else(|| wrong("Number", &text));
            }
            if FLAGS.contains(&key) {
                return text
                    .trim()
                    .to_ascii_lowercase()
                    .parse::<bool>()
                    .map(Value::Bool)
                    .map_err(|_| wrong("Boolean", &text));
            }
            Ok(Value::String(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_take_the_type_of_their_property() {
        let kind = find("AWS::SageMaker::EndpointConfig").unwrap();
        let evaluated = json!({
            "EndpointConfigName": "given",
            "ProductionVariants": [{"InitialInstanceCount": "2", "InitialVariantWeight": 1, "InstanceType": "ml.m5.large", "ModelName": 7}],
            "DataCaptureConfig": {"EnableCapture": "true", "InitialSamplingPercentage": "80"},
            "Tags": [{"Key": "a", "Value": 1}],
        });
        let wanted = kind.wanted(evaluated).unwrap();
        assert_eq!(wanted.explicit_name.as_deref(), Some("given"));
        assert_eq!(wanted.tags, BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        assert_eq!(
            wanted.properties,
            json!({
                "ProductionVariants": [{"InitialInstanceCount": 2, "InitialVariantWeight": 1.0, "InstanceType": "ml.m5.large", "ModelName": "7"}],
                "DataCaptureConfig": {"EnableCapture": true, "InitialSamplingPercentage": 80},
            })
        );
    }

    #[test]
    fn wrong_properties_are_named() {
        let kind = find("AWS::SageMaker::EndpointConfig").unwrap();
        let cases = [
            (json!({}), "required key [ProductionVariants] not found"),
            (json!({"ProductionVariants": [], "Nope": 1}), "extraneous key [Nope]"),
            (
                json!({"ProductionVariants": [{"InitialInstanceCount": "two"}]}),
                "#/ProductionVariants/0/InitialInstanceCount: expected type: Integer",
            ),
            (json!({"ProductionVariants": [], "Tags": [{"Key": "a"}]}), "#/Tags"),
        ];
        for (properties, expected) in cases {
            let reason = kind.wanted(properties.clone()).unwrap_err();
            assert!(reason.contains(expected), "{properties}: {reason}");
        }
    }

    #[test]
    fn made_names_are_short_and_of_the_right_letters() {
        for kind in KINDS {
            let name = kind.make_name(&"Stack-".repeat(20), "LogicalIdThatIsRatherLongForAResource");
            assert!(name.len() <= 63, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.contains("--"), "{name}");
        }
        assert!(find("AWS::S3::Bucket").unwrap().make_name("Stack", "Bucket").chars().all(|c| !c.is_ascii_uppercase()));
    }
}
