//! Models and endpoint configurations: plain records that jobs and endpoints are made from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::s3::Location;
use crate::sagemaker::image::Image;
use crate::sagemaker::listing::{self, Item, NEWEST_FIRST};
use crate::sagemaker::packages::Approval;
use crate::sagemaker::{SageMaker, clock, tags};
use crate::table::Table;

/// A named record: what was asked, when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) arn: String,
    created: f64,
    pub(crate) request: Value,
}

/// One container of a model, with everything resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Container {
    /// `None`: the model's only container was given no name.
    pub(crate) hostname: Option<String>,
    pub(crate) image: String,
    pub(crate) model_data: Option<String>,
    pub(crate) environment: std::collections::BTreeMap<String, String>,
}

/// What an endpoint or a transform job runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResolvedModel {
    pub(crate) containers: Vec<Container>,
    /// Requests name one container instead of passing through all.
    pub(crate) direct: bool,
}

impl SageMaker {
    /// `CreateModel`
    pub(crate) fn create_model(&self, input: Value) -> Result<Value, AwsError> {
        tags::check(&input)?;
        self.resolve(&input)?;
        self.create_record(&self.models, "model", "Model", input)
    }

    /// `DescribeModel`
    pub(crate) fn describe_model(&self, input: &Value) -> Result<Value, AwsError> {
        let record = self.model(input["ModelName"].as_str().unwrap_or_default())?;
        let mut answer = record.describe("ModelArn");
        if answer.get("EnableNetworkIsolation").is_none() {
            answer["EnableNetworkIsolation"] = json!(false);
        }
        Ok(answer)
    }

    /// `ListModels`
    pub(crate) fn list_models(&self, input: &Value) -> Result<Value, AwsError> {
        list(&self.models, input, "Model", "Models")
    }

    /// `DeleteModel`; endpoints that run it go on, as in AWS.
    pub(crate) fn delete_model(&self, input: &Value) -> Result<Value, AwsError> {
        let record = self.model(input["ModelName"].as_str().unwrap_or_default())?;
        self.delete_record(&self.models, &record)
    }

    /// `CreateEndpointConfig`
    pub(crate) fn create_endpoint_config(&self, input: Value) -> Result<Value, AwsError> {
        tags::check(&input)?;
        let mut names = BTreeSet::new();
        for variant in items(&input["ProductionVariants"]) {
            let name = variant["VariantName"].as_str().unwrap_or_default();
            if !names.insert(name) {
                return Err(AwsError::validation(format!(
                    "Duplicate production variant name {name}; names must be unique"
                )));
            }
            self.model(variant["ModelName"].as_str().unwrap_or_default())?;
            let serverless = variant["ServerlessConfig"].is_object();
            if !serverless && (variant["InstanceType"].is_null() || variant["InitialInstanceCount"].is_null()) {
                return Err(AwsError::validation(format!(
                    "Production variant {name} needs InstanceType and InitialInstanceCount, or a ServerlessConfig"
                )));
            }
        }
        let destination = input["DataCaptureConfig"]["DestinationS3Uri"].as_str();
        if let Some(uri) = destination.filter(|uri| Location::parse(uri).is_none()) {
            return Err(AwsError::validation(format!("DataCaptureConfig.DestinationS3Uri {uri} is not an s3:// URI")));
        }
        self.create_record(&self.configs, "endpoint-config", "EndpointConfig", input)
    }

    /// `DescribeEndpointConfig`
    pub(crate) fn describe_endpoint_config(&self, input: &Value) -> Result<Value, AwsError> {
        let record = self.config(input["EndpointConfigName"].as_str().unwrap_or_default())?;
        Ok(record.describe("EndpointConfigArn"))
    }

    /// `ListEndpointConfigs`
    pub(crate) fn list_endpoint_configs(&self, input: &Value) -> Result<Value, AwsError> {
        list(&self.configs, input, "EndpointConfig", "EndpointConfigs")
    }

    /// `DeleteEndpointConfig`
    pub(crate) fn delete_endpoint_config(&self, input: &Value) -> Result<Value, AwsError> {
        let record = self.config(input["EndpointConfigName"].as_str().unwrap_or_default())?;
        self.delete_record(&self.configs, &record)
    }

    /// A model by name.
    pub(crate) fn model(&self, name: &str) -> Result<Record, AwsError> {
        let missing = || AwsError::validation(format!("Could not find model \"{}\".", self.arn("model", name)));
        self.models.get(name).ok_or_else(missing)
    }

    /// An endpoint configuration by name.
    pub(crate) fn config(&self, name: &str) -> Result<Record, AwsError> {
        self.configs.get(name).ok_or_else(|| {
            AwsError::validation(format!(
                "Could not find endpoint configuration \"{}\".",
                self.arn("endpoint-config", name)
            ))
        })
    }

    fn create_record(
        &self,
        table: &Table<Record>,
        kind: &str,
        title: &str,
        mut input: Value,
    ) -> Result<Value, AwsError> {
        let name = input[format!("{title}Name")].as_str().unwrap_or_default().to_owned();
        let arn = self.arn(kind, &name);
        self.set_tags_of_new(&arn, &input)?;
        if let Some(members) = input.as_object_mut() {
            members.remove("Tags");
        }
        let record = Record { name: name.clone(), arn: arn.clone(), created: clock::now(), request: input };
        if !table.insert(&name, record)? {
            let what = kind.replace("endpoint-config", "endpoint configuration");
            return Err(AwsError::validation(format!("Cannot create already existing {what} \"{arn}\".")));
        }
        Ok(json!({ format!("{title}Arn"): arn }))
    }

    fn delete_record(&self, table: &Table<Record>, record: &Record) -> Result<Value, AwsError> {
        table.remove(&record.name, |_| Ok(()))?;
        self.forget_tags(&record.arn)?;
        Ok(json!({}))
    }

    /// The containers of a CreateModel request: packages looked up, images and model data checked.
    pub(crate) fn resolve(&self, request: &Value) -> Result<ResolvedModel, AwsError> {
        let given = match (&request["PrimaryContainer"], items(&request["Containers"])) {
            (Value::Null, []) => {
                return Err(AwsError::validation("Requires a PrimaryContainer or at least one of Containers."));
            }
            (Value::Null, containers) => containers.to_vec(),
            (primary, []) => vec![primary.clone()],
            (_, _) => {
                return Err(AwsError::validation("Both PrimaryContainer and Containers are given; give one of them."));
            }
        };
        let mut containers = Vec::new();
        for container in &given {
            match container["ModelPackageName"].is_null() {
                true => containers.push(self.container(container, &json!({}))?),
                false => containers.extend(self.package_containers(container)?),
            }
        }
        let direct = request["InferenceExecutionConfig"]["Mode"] == "Direct";
        check_hostnames(&containers, direct)?;
        Ok(ResolvedModel { containers, direct })
    }

    fn package_containers(&self, given: &Value) -> Result<Vec<Container>, AwsError> {
        let package = self.package(&given["ModelPackageName"])?;
        if let Some(approval) = package.approval.filter(|approval| *approval != Approval::Approved) {
            return Err(AwsError::validation(format!(
                "Cannot create a model from the model package {}: its ModelApprovalStatus is {}, and must be Approved",
                package.arn,
                approval.word()
            )));
        }
        let specification = match given["InferenceSpecificationName"].as_str() {
            None => &package.request["InferenceSpecification"],
            Some(name) => {
                let more = items(&package.request["AdditionalInferenceSpecifications"]);
                more.iter().find(|specification| specification["Name"] == name).ok_or_else(|| {
                    AwsError::validation(format!("Model package {} has no inference specification {name}", package.arn))
                })?
            }
        };
        let containers: Vec<_> =
            items(&specification["Containers"]).iter().map(|c| self.container(c, given)).collect::<Result<_, _>>()?;
        match containers.is_empty() {
            true => Err(AwsError::validation(format!("Model package {} has no containers to deploy", package.arn))),
            false => Ok(containers),
        }
    }

    /// `over`: the container that names the package; its environment and host name win.
    fn container(&self, container: &Value, over: &Value) -> Result<Container, AwsError> {
        let image = container["Image"].as_str().ok_or_else(|| AwsError::validation("A container has no Image."))?;
        Image::parse(image)?;
        if container["Mode"] == "MultiModel" {
            return Err(AwsError::validation("The local cloud offers containers in Mode SingleModel, not MultiModel"));
        }
        let model_data =
            container["ModelDataUrl"].as_str().or(container["ModelDataSource"]["S3DataSource"]["S3Uri"].as_str());
        if let Some(uri) = model_data {
            self.check_model_data(uri)?;
        }
        let pairs = [container, over].into_iter().filter_map(|from| from["Environment"].as_object()).flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let hostname = over["ContainerHostname"].as_str().or(container["ContainerHostname"].as_str());
        Ok(Container {
            hostname: hostname.map(str::to_owned),
            image: image.to_owned(),
            model_data: model_data.map(str::to_owned),
            environment: pairs.map(|(name, value)| (name.clone(), text(value))).collect(),
        })
    }

    fn check_model_data(&self, uri: &str) -> Result<(), AwsError> {
        let there = Location::parse(uri).is_some_and(|at| self.s3.head(&at.bucket, &at.key).is_ok());
        if !there {
            return Err(AwsError::validation(format!("Could not find model data at {uri}.")));
        }
        if !uri.ends_with(".tar.gz") {
            return Err(AwsError::validation(format!("Model data at {uri} must be a .tar.gz archive.")));
        }
        Ok(())
    }
}

fn check_hostnames(containers: &[Container], direct: bool) -> Result<(), AwsError> {
    let mut seen = BTreeSet::new();
    for container in containers {
        match &container.hostname {
            None if direct => {
                return Err(AwsError::validation(
                    "Every container of a model in Direct mode needs a ContainerHostname.",
                ));
            }
            Some(name) if !seen.insert(name) => {
                return Err(AwsError::validation(format!(
                    "ContainerHostname {name} is given to more than one container."
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Record {
    fn describe(&self, arn_member: &str) -> Value {
        let mut answer = self.request.clone();
        answer[arn_member] = json!(self.arn);
        answer["CreationTime"] = clock::write(self.created);
        answer
    }
}

fn list(table: &Table<Record>, input: &Value, title: &str, list_name: &str) -> Result<Value, AwsError> {
    let items = table.all().into_iter().map(|record| Item {
        summary: json!({
            format!("{title}Name"): record.name,
            format!("{title}Arn"): record.arn,
            "CreationTime": clock::write(record.created),
        }),
        name: record.name,
        created: record.created,
        modified: record.created,
        status: String::new(),
        tie: 0,
    });
    listing::page(input, items.collect(), NEWEST_FIRST, list_name)
}

/// The items of a list member; none when it is not given.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
