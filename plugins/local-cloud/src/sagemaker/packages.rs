//! The model registry: groups, and packages as numbered versions of a group or under a name of their own.

use haliotis_model::Object;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::events::Outbox;
use crate::sagemaker::listing::{self, Item, OLDEST_FIRST};
use crate::sagemaker::{SageMaker, clock, tags};

/// Custom metadata a package can have.
const MAX_METADATA: usize = 50;

/// A model package group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    name: String,
    arn: String,
    description: Option<String>,
    created: f64,
    /// Numbers are never given twice, also when the last version was deleted.
    last_version: u64,
}

/// Whether a package may be deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Approval {
    #[serde(rename = "PendingManualApproval")]
    Pending,
    Approved,
    Rejected,
}

impl Approval {
    fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Rejected].into_iter().find(|known| known.word() == word)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "PendingManualApproval",
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
        }
    }

    /// A decision can be changed into the other, and not taken back: who deployed on it must find it again.
    fn next(self, to: Self) -> Result<Self, AwsError> {
        match (self, to) {
            (Self::Pending, to) => Ok(to),
            (Self::Approved | Self::Rejected, Self::Approved | Self::Rejected) => Ok(to),
            (Self::Approved | Self::Rejected, Self::Pending) => Err(AwsError::validation(format!(
                "ModelApprovalStatus cannot be changed from {} to {}; approve or reject it, or register a new version",
                self.word(),
                to.word()
            ))),
        }
    }
}

/// A model package; `request` holds what was registered and later updates of those members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) arn: String,
    name: String,
    group: Option<String>,
    version: Option<u64>,
    pub(crate) approval: Option<Approval>,
    approval_description: Option<String>,
    client_token: Option<String>,
    created: f64,
    modified: f64,
    pub(crate) request: Value,
    /// Events of it that are not yet on their way.
    #[serde(default, skip_serializing_if = "Outbox::is_empty")]
    pub(crate) outbox: Outbox,
}

/// Key of `group/3` or of an unversioned name; `.` is in no name.
pub(crate) fn key(name: &str) -> String {
    name.replace('/', ".")
}

impl SageMaker {
    /// `CreateModelPackageGroup`
    pub(crate) fn create_group(&self, input: &Value) -> Result<Value, AwsError> {
        tags::check(input)?;
        let name = input["ModelPackageGroupName"].as_str().unwrap_or_default().to_owned();
        let arn = self.arn("model-package-group", &name);
        self.set_tags_of_new(&arn, input)?;
        let description = input["ModelPackageGroupDescription"].as_str().map(str::to_owned);
        let group = Group { name: name.clone(), arn: arn.clone(), description, created: clock::now(), last_version: 0 };
        if !self.groups.insert(&name, group)? {
            return Err(AwsError::validation(format!("Model Package Group already exists: {arn}")));
        }
        Ok(json!({ "ModelPackageGroupArn": arn }))
    }

    /// `DescribeModelPackageGroup`
    pub(crate) fn describe_group(&self, input: &Value) -> Result<Value, AwsError> {
        let group = self.group(&input["ModelPackageGroupName"])?;
        let mut answer = group.summary();
        answer.insert("CreatedBy".into(), json!({}));
        Ok(Value::Object(answer))
    }

    /// `ListModelPackageGroups`
    pub(crate) fn list_groups(&self, input: &Value) -> Result<Value, AwsError> {
        let items = self.groups.all().into_iter().map(|group| Item {
            name: group.name.clone(),
            created: group.created,
            modified: group.created,
            status: "Completed".to_owned(),
            tie: 0,
            summary: Value::Object(group.summary()),
        });
        listing::page(input, items.collect(), OLDEST_FIRST, "ModelPackageGroupSummaryList")
    }

    /// `DeleteModelPackageGroup`: only an empty one.
    pub(crate) fn delete_group(&self, input: &Value) -> Result<Value, AwsError> {
        let group = self.group(&input["ModelPackageGroupName"])?;
        let used = || self.packages.all().iter().any(|package| package.group.as_ref() == Some(&group.name));
        self.groups.remove(&group.name, |group| match used() {
            false => Ok(()),
            true => Err(AwsError::new(
                400,
                "ConflictException",
                format!("Model Package Group {} cannot be deleted because it contains model packages", group.arn),
            )),
        })?;
        self.forget_tags(&group.arn)?;
        Ok(json!({}))
    }

    fn group(&self, name_or_arn: &Value) -> Result<Group, AwsError> {
        let name = self.bare(name_or_arn, "model-package-group");
        self.groups.get(&name).ok_or_else(|| {
            AwsError::validation(format!(
                "ModelPackageGroup {} does not exist.",
                self.arn("model-package-group", &name)
            ))
        })
    }

    /// The name of a name or an ARN of ours. Another account's ARN names nothing here and is left whole.
    fn bare(&self, name_or_arn: &Value, kind: &str) -> String {
        let text = name_or_arn.as_str().unwrap_or_default();
        text.strip_prefix(&self.arn(kind, "")).unwrap_or(text).to_owned()
    }

    /// `CreateModelPackage`: the next version of its group, or a package of its own name.
    ///
    /// Races: the number is taken from the group's record in one table change, then the package is written; a crash
    /// between the two leaves a number unused. A second call with the same client token finds the first's package. The
    /// event is written with the package.
    pub(crate) fn create_package(&self, mut input: Value) -> Result<Value, AwsError> {
        tags::check(&input)?;
        let token = input["ClientToken"].as_str().map(str::to_owned);
        if let Some(found) = token.as_ref().and_then(|token| self.package_by_token(token)) {
            return Ok(json!({ "ModelPackageArn": found.arn }));
        }
        let package = match (input["ModelPackageGroupName"].is_null(), input["ModelPackageName"].is_null()) {
            (false, false) => {
                return Err(AwsError::validation(
                    "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which \
                     one to use.",
                ));
            }
            (true, true) => return Err(AwsError::validation("Missing ARN.")),
            (false, true) => self.new_version(&input)?,
            (true, false) => self.new_unversioned(&input)?,
        };
        self.set_tags_of_new(&package.arn, &input)?;
        if let Some(members) = input.as_object_mut() {
            const NOT_OF_THE_MODEL: [&str; 4] = ["Tags", "ClientToken", "ModelApprovalStatus", "ModelPackageGroupName"];
            members.retain(|name, _| !NOT_OF_THE_MODEL.contains(&name.as_str()));
        }
        let mut package = Package { request: input, client_token: token, ..package };
        let detail = self.tell_package(&mut package);
        let arn = package.arn.clone();
        let name = self.bare(&json!(arn), "model-package");
        if !self.packages.insert(&key(&name), package.clone())? {
            return Err(AwsError::validation(format!("Model Package already exists: {arn}")));
        }
        self.announce(&package, detail);
        Ok(json!({ "ModelPackageArn": arn }))
    }

    fn package_by_token(&self, token: &str) -> Option<Package> {
        self.packages.all().into_iter().find(|package| package.client_token.as_deref() == Some(token))
    }

    fn new_version(&self, input: &Value) -> Result<Package, AwsError> {
        if input["InferenceSpecification"].is_null() && input["SourceUri"].is_null() {
            return Err(AwsError::validation("InferenceSpecification is required to register a model package version"));
        }
        let group = self.group(&input["ModelPackageGroupName"])?;
        let numbered = self.groups.update(&group.name, |group| {
            group.last_version += 1;
            Ok(())
        })?;
        let Some(version) = numbered.map(|group| group.last_version) else {
            return Err(AwsError::validation(format!("ModelPackageGroup {} does not exist.", group.arn)));
        };
        let approval = input["ModelApprovalStatus"].as_str().and_then(Approval::parse);
        let arn = self.arn("model-package", &format!("{}/{version}", group.name));
        Ok(Package {
            approval: Some(approval.unwrap_or(Approval::Pending)),
            version: Some(version),
            group: Some(group.name.clone()),
            ..Package::bare(arn, group.name)
        })
    }

    fn new_unversioned(&self, input: &Value) -> Result<Package, AwsError> {
        if !input["ModelApprovalStatus"].is_null() {
            return Err(AwsError::validation(
                "ModelApprovalStatus can be given for versions of a model package group only",
            ));
        }
        let name = input["ModelPackageName"].as_str().unwrap_or_default().to_owned();
        Ok(Package::bare(self.arn("model-package", &name), name))
    }

    /// `DescribeModelPackage`
    pub(crate) fn describe_package(&self, input: &Value) -> Result<Value, AwsError> {
        Ok(self.package(&input["ModelPackageName"])?.describe(&self.settings.account))
    }

    /// The package of an ARN, or of an unversioned name.
    pub(crate) fn package(&self, name_or_arn: &Value) -> Result<Package, AwsError> {
        let name = self.bare(name_or_arn, "model-package");
        self.packages.get(&key(&name)).ok_or_else(|| self.no_package(&name))
    }

    fn no_package(&self, name: &str) -> AwsError {
        let arn = if name.starts_with("arn:") { name.to_owned() } else { self.arn("model-package", name) };
        AwsError::validation(format!("ModelPackage {arn} does not exist."))
    }

    /// `ListModelPackages`: of one group its versions, else the unversioned unless the request says `Both`.
    pub(crate) fn list_packages(&self, input: &Value) -> Result<Value, AwsError> {
        let group = match &input["ModelPackageGroupName"] {
            Value::Null => None,
            name => Some(self.group(name)?.name),
        };
        let kind =
            input["ModelPackageType"].as_str().unwrap_or(if group.is_some() { "Versioned" } else { "Unversioned" });
        let approval = input["ModelApprovalStatus"].as_str();
        let items = self.packages.all().into_iter().filter(|package| {
            (group.is_none() || package.group == group)
                && (kind == "Both" || (kind == "Versioned") == package.version.is_some())
                && (approval.is_none() || package.approval.map(Approval::word) == approval)
        });
        listing::page(input, items.map(|package| package.item()).collect(), OLDEST_FIRST, "ModelPackageSummaryList")
    }

    /// `UpdateModelPackage`: approval, its description, custom metadata and the rest AWS lets change.
    pub(crate) fn update_package(&self, input: &Value) -> Result<Value, AwsError> {
        let before = self.package(&input["ModelPackageArn"])?;
        let name = self.bare(&json!(before.arn), "model-package");
        let mut detail = None;
        let changed = self.packages.update(&key(&name), |package| {
            let before = package.approval;
            package.change(input)?;
            detail = (package.approval != before).then(|| self.tell_package(package));
            Ok(())
        })?;
        let package = changed.ok_or_else(|| self.no_package(&name))?;
        if let Some(detail) = detail {
            self.announce(&package, detail);
        }
        Ok(json!({ "ModelPackageArn": package.arn }))
    }

    /// `DeleteModelPackage`
    pub(crate) fn delete_package(&self, input: &Value) -> Result<Value, AwsError> {
        let package = self.package(&input["ModelPackageName"])?;
        let name = self.bare(&json!(package.arn), "model-package");
        self.send_package_events(&package);
        self.packages.remove(&key(&name), |_| Ok(()))?;
        self.forget_tags(&package.arn)?;
        Ok(json!({}))
    }

    /// Puts the package's new state into its outbox; called before it is written. Gives the state as it is described.
    fn tell_package(&self, package: &mut Package) -> Value {
        let described = package.describe(&self.settings.account);
        let mut detail = described.clone();
        detail["CertifyForMarketplace"] = detail["CertifyForMarketplace"].as_bool().unwrap_or(false).into();
        let resources = [package.arn.as_str()];
        self.keep_event(&mut package.outbox, "SageMaker Model Package State Change", &resources, &detail);
        described
    }

    /// After the write. Nobody listening in this process is fine.
    fn announce(&self, package: &Package, detail: Value) {
        let _ = self.package_events.send(detail);
        self.send_package_events(package);
    }

    /// Sends what a package keeps.
    pub(crate) fn send_package_events(&self, package: &Package) {
        let name = self.bare(&json!(package.arn), "model-package");
        self.send_kept(&package.outbox, &self.packages, &key(&name), |package| &mut package.outbox);
    }
}

impl Group {
    fn summary(&self) -> Object {
        let mut summary = Object::new();
        summary.insert("ModelPackageGroupName".into(), json!(self.name));
        summary.insert("ModelPackageGroupArn".into(), json!(self.arn));
        if let Some(description) = &self.description {
            summary.insert("ModelPackageGroupDescription".into(), json!(description));
        }
        summary.insert("CreationTime".into(), clock::write(self.created));
        summary.insert("ModelPackageGroupStatus".into(), json!("Completed"));
        summary
    }
}

impl Package {
    fn bare(arn: String, name: String) -> Self {
        let now = clock::now();
        Self {
            arn,
            name,
            group: None,
            version: None,
            approval: None,
            approval_description: None,
            client_token: None,
            created: now,
            modified: now,
            request: Value::Null,
            outbox: Outbox::default(),
        }
    }

    fn change(&mut self, input: &Value) -> Result<(), AwsError> {
        if let Some(to) = input["ModelApprovalStatus"].as_str().and_then(Approval::parse) {
            let Some(from) = self.approval else {
                return Err(AwsError::validation("An unversioned model package has no ModelApprovalStatus"));
            };
            self.approval = Some(from.next(to)?);
        }
        if let Some(text) = input["ApprovalDescription"].as_str() {
            self.approval_description = Some(text.to_owned());
        }
        for member in ["InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle"] {
            if !input[member].is_null() {
                self.request[member] = input[member].clone();
            }
        }
        if let Some(more) = input["AdditionalInferenceSpecificationsToAdd"].as_array() {
            let mut all = self.request["AdditionalInferenceSpecifications"].as_array().cloned().unwrap_or_default();
            all.extend(more.iter().cloned());
            self.request["AdditionalInferenceSpecifications"] = Value::Array(all);
        }
        self.change_metadata(input)?;
        self.modified = clock::now();
        Ok(())
    }

    fn change_metadata(&mut self, input: &Value) -> Result<(), AwsError> {
        let mut metadata = self.request["CustomerMetadataProperties"].as_object().cloned().unwrap_or_default();
        if let Some(more) = input["CustomerMetadataProperties"].as_object() {
            metadata.extend(more.clone());
        }
        for gone in input["CustomerMetadataPropertiesToRemove"].as_array().map(Vec::as_slice).unwrap_or_default() {
            metadata.remove(gone.as_str().unwrap_or_default());
        }
        if metadata.len() > MAX_METADATA {
            return Err(AwsError::limit(format!(
                "a model package has at most {MAX_METADATA} CustomerMetadataProperties"
            )));
        }
        match metadata.is_empty() {
            true => {
                self.request.as_object_mut().map(|members| members.remove("CustomerMetadataProperties"));
            }
            false => self.request["CustomerMetadataProperties"] = Value::Object(metadata),
        }
        Ok(())
    }

    fn summary(&self) -> Object {
        let mut summary = Object::new();
        summary.insert("ModelPackageName".into(), json!(self.name));
        if let (Some(group), Some(version)) = (&self.group, self.version) {
            summary.insert("ModelPackageGroupName".into(), json!(group));
            summary.insert("ModelPackageVersion".into(), json!(version));
        }
        summary.insert("ModelPackageArn".into(), json!(self.arn));
        if let Some(description) = self.request.get("ModelPackageDescription") {
            summary.insert("ModelPackageDescription".into(), description.clone());
        }
        summary.insert("CreationTime".into(), clock::write(self.created));
        summary.insert("ModelPackageStatus".into(), json!("Completed"));
        if let Some(approval) = self.approval {
            summary.insert("ModelApprovalStatus".into(), json!(approval.word()));
        }
        summary
    }

    fn item(&self) -> Item {
        Item {
            name: self.name.clone(),
            created: self.created,
            modified: self.modified,
            status: "Completed".to_owned(),
            tie: self.version.unwrap_or(0),
            summary: Value::Object(self.summary()),
        }
    }

    fn describe(&self, account: &str) -> Value {
        let mut answer = self.summary();
        answer.extend(self.request.as_object().cloned().unwrap_or_default());
        answer.insert("ModelPackageStatusDetails".into(), json!({"ValidationStatuses": [], "ImageScanStatuses": []}));
        answer.insert("LastModifiedTime".into(), clock::write(self.modified));
        let who = json!({"IamIdentity": {"Arn": format!("arn:aws:iam::{account}:root"), "PrincipalId": account}});
        answer.insert("CreatedBy".into(), who.clone());
        answer.insert("LastModifiedBy".into(), who);
        if let Some(text) = &self.approval_description {
            answer.insert("ApprovalDescription".into(), json!(text));
        }
        Value::Object(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_can_be_changed_but_not_taken_back() {
        use Approval::{Approved, Pending, Rejected};
        for (from, to, legal) in [
            (Pending, Approved, true),
            (Pending, Rejected, true),
            (Approved, Rejected, true),
            (Rejected, Approved, true),
            (Approved, Approved, true),
            (Approved, Pending, false),
            (Rejected, Pending, false),
        ] {
            assert_eq!(from.next(to).is_ok(), legal, "{from:?} -> {to:?}");
        }
    }
}
