//! A template as a whole: its blocks, checked before anything is made, and the order its resources ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::kinds::{self, Kind};
use super::parameters::{self, ParameterSpec, plain};
use super::{invalid, source};
use crate::AwsError;

/// CloudFormation's limits.
const MAX_RESOURCES: usize = 500;
const MAX_OUTPUTS: usize = 200;
const MAX_DESCRIPTION_BYTES: usize = 1024;
/// The one version there is.
const VERSION: &str = "2010-09-09";
/// Blocks that a template may have. `Metadata` and `Rules`' absence aside, others are refused by name.
const BLOCKS: [&str; 8] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
];
/// What a resource may say.
const RESOURCE_KEYS: [&str; 9] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "CreationPolicy",
    "UpdatePolicy",
];

/// A checked template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) description: Option<String>,
    pub(crate) parameters: Vec<ParameterSpec>,
    pub(crate) mappings: Map<String, Value>,
    pub(crate) conditions: Map<String, Value>,
    /// In the order of the text.
    pub(crate) resources: Vec<ResourceSpec>,
    pub(crate) outputs: Vec<OutputSpec>,
}

/// A resource as the template declares it.
#[derive(Clone, Debug)]
pub(crate) struct ResourceSpec {
    pub(crate) logical: String,
    pub(crate) kind: &'static Kind,
    pub(crate) properties: Value,
    pub(crate) condition: Option<String>,
    pub(crate) retain: bool,
    depends_on: Vec<String>,
}

/// An output as the template declares it.
#[derive(Clone, Debug)]
pub(crate) struct OutputSpec {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) description: Option<String>,
    pub(crate) condition: Option<String>,
    pub(crate) export: Option<Value>,
}

impl Template {
    /// Parses and checks a template's text.
    ///
    /// # Errors
    /// `ValidationError` in CloudFormation's words.
    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        let value = source::parse(text)?;
        let root = value.as_object().cloned().unwrap_or_default();
        let unknown: Vec<&str> = root.keys().map(String::as_str).filter(|key| !BLOCKS.contains(key)).collect();
        if !unknown.is_empty() {
            return Err(format_error(
                &format!("Invalid template property or properties [{}]", unknown.join(", ")),
                "Invalid",
            ));
        }
        if let Some(version) = root.get("AWSTemplateFormatVersion").map(plain).filter(|version| version != VERSION) {
            return Err(format_error(&format!("{version} is not a supported value for AWSTemplateFormatVersion."), ""));
        }
        let description = root.get("Description").map(plain);
        if description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION_BYTES) {
            return Err(format_error(&format!("Description is longer than {MAX_DESCRIPTION_BYTES} bytes"), ""));
        }
        let template = Self {
            description,
            parameters: parameters::read(root.get("Parameters"))?,
            mappings: block(&root, "Mappings")?,
            conditions: block(&root, "Conditions")?,
            resources: read_resources(&block(&root, "Resources")?)?,
            outputs: read_outputs(&block(&root, "Outputs")?)?,
        };
        template.check_references()?;
        template.order()?;
        Ok(template)
    }

    pub(crate) fn resource(&self, logical: &str) -> Option<&ResourceSpec> {
        self.resources.iter().find(|resource| resource.logical == logical)
    }

    /// The resources so that each comes after all it needs; among the free, in the order of the text.
    ///
    /// # Errors
    /// A circle of needs.
    pub(crate) fn order(&self) -> Result<Vec<&ResourceSpec>, AwsError> {
        let needs: BTreeMap<&str, BTreeSet<String>> =
            self.resources.iter().map(|resource| (resource.logical.as_str(), self.needs(resource))).collect();
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut order = Vec::with_capacity(self.resources.len());
        while order.len() < self.resources.len() {
            let free = self.resources.iter().find(|resource| {
                !done.contains(&resource.logical) && needs[resource.logical.as_str()].is_subset(&done)
            });
            let Some(free) = free else {
                let stuck = self.resources.iter().map(|resource| resource.logical.as_str());
                let stuck: Vec<_> = stuck.filter(|name| !done.contains(*name)).collect();
                return Err(invalid(format!("Circular dependency between resources: [{}]", stuck.join(", "))));
            };
            done.insert(free.logical.clone());
            order.push(free);
        }
        Ok(order)
    }

    /// Logical names that must be there first.
    fn needs(&self, resource: &ResourceSpec) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        references(&resource.properties, &mut names);
        names.extend(resource.depends_on.iter().cloned());
        names.retain(|name| self.resource(name).is_some());
        names
    }

    /// Everything named is declared.
    fn check_references(&self) -> Result<(), AwsError> {
        let known = |name: &str| {
            name.starts_with("AWS::")
                || self.parameters.iter().any(|spec| spec.name == name)
                || self.resource(name).is_some()
        };
        let mut names = BTreeSet::new();
        self.resources.iter().for_each(|resource| references(&resource.properties, &mut names));
        names.extend(self.resources.iter().flat_map(|resource| resource.depends_on.iter().cloned()));
        unresolved(&names, known, "Resources")?;
        let mut names = BTreeSet::new();
        for output in &self.outputs {
            references(&output.value, &mut names);
            output.export.iter().for_each(|export| references(export, &mut names));
        }
        unresolved(&names, known, "Outputs")?;
        let used = self.resources.iter().filter_map(|resource| resource.condition.as_deref());
        let used = used.chain(self.outputs.iter().filter_map(|output| output.condition.as_deref()));
        let mut missing: Vec<&str> = used.filter(|name| !self.conditions.contains_key(*name)).collect();
        missing.dedup();
        if let Some(name) = missing.first() {
            return Err(format_error(
                &format!("Unresolved condition dependency {name} in the Resources block of the template"),
                "",
            ));
        }
        Ok(())
    }
}

fn unresolved(names: &BTreeSet<String>, known: impl Fn(&str) -> bool, place: &str) -> Result<(), AwsError> {
    let missing: Vec<&str> = names.iter().map(String::as_str).filter(|name| !known(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what =
        format!("Unresolved resource dependencies [{}] in the {place} block of the template", missing.join(", "));
    Err(format_error(&what, ""))
}

/// Names in `Ref`, `Fn::GetAtt` and `Fn::Sub`.
pub(crate) fn references(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("Ref", Value::String(name)) if map.len() == 1 => {
                        names.insert(name.clone());
                    }
                    ("Fn::GetAtt", target) => {
                        names.extend(get_att(target).map(|(resource, _)| resource));
                    }
                    ("Fn::Sub", template) => {
                        let own = template.get(1).and_then(Value::as_object);
                        let text =
                            template.as_str().or_else(|| template.get(0).and_then(Value::as_str)).unwrap_or_default();
                        let holes =
                            sub_holes(text).into_iter().filter(|hole| !own.is_some_and(|own| own.contains_key(hole)));
                        names.extend(holes.map(|hole| hole.split('.').next().unwrap_or_default().to_owned()));
                        own.into_iter().flat_map(Map::values).for_each(|item| references(item, names));
                    }
                    _ => references(inner, names),
                }
            }
        }
        _ => {}
    }
}

/// Resource and attribute of a `Fn::GetAtt`.
pub(crate) fn get_att(target: &Value) -> Option<(String, Value)> {
    if let Some((resource, attribute)) = target.as_str().and_then(|text| text.split_once('.')) {
        return Some((resource.to_owned(), Value::String(attribute.to_owned())));
    }
    let items = target.as_array()?;
    Some((items.first()?.as_str()?.to_owned(), items.get(1)?.clone()))
}

/// The names of `${…}` in a `Fn::Sub`; `${!x}` is text.
pub(crate) fn sub_holes(text: &str) -> Vec<String> {
    let mut holes = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else { break };
        let hole = &rest[start + 2..start + end];
        if !hole.starts_with('!') {
            holes.push(hole.trim().to_owned());
        }
        rest = &rest[start + end + 1..];
    }
    holes
}

fn read_resources(block: &Map<String, Value>) -> Result<Vec<ResourceSpec>, AwsError> {
    if block.is_empty() {
        return Err(format_error("At least one Resources member must be defined.", ""));
    }
    if block.len() > MAX_RESOURCES {
        let what = "is greater than maximum allowed";
        return Err(format_error(&format!("Number of resources, {}, {what}, {MAX_RESOURCES}", block.len()), ""));
    }
    let kind_of = |spec: &Value| spec.get("Type").map(plain);
    let unknown: Vec<String> = block.values().filter_map(kind_of).filter(|name| kinds::find(name).is_none()).collect();
    if !unknown.is_empty() {
        let offered: Vec<&str> = kinds::KINDS.iter().map(|kind| kind.name).collect();
        return Err(format_error(
            &format!(
                "Unrecognized resource types: [{}]. The local cloud offers {}",
                unknown.join(", "),
                offered.join(", ")
            ),
            "",
        ));
    }
    block.iter().map(|(name, spec)| read_resource(name, spec)).collect()
}

fn read_resource(logical: &str, spec: &Value) -> Result<ResourceSpec, AwsError> {
    if logical.is_empty() || !logical.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format_error(&format!("Resource name {logical} is non alphanumeric."), ""));
    }
    let fields = spec.as_object().ok_or_else(|| format_error("Any Resources member must be an object.", ""))?;
    let unknown: Vec<&str> = fields.keys().map(String::as_str).filter(|key| !RESOURCE_KEYS.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(invalid(format!("Invalid template resource property '{}'", unknown.join("', '"))));
    }
    let kind = fields.get("Type").map(plain).and_then(|name| kinds::find(&name));
    let kind = kind.ok_or_else(|| {
        format_error("[/Resources/", &format!("{logical}] Every Resources object must contain a Type member."))
    })?;
    let depends_on = match fields.get("DependsOn") {
        None => Vec::new(),
        Some(Value::Array(names)) => names.iter().map(plain).collect(),
        Some(name) => vec![plain(name)],
    };
    let properties = fields.get("Properties").filter(|value| !value.is_null()).cloned();
    Ok(ResourceSpec {
        logical: logical.to_owned(),
        kind,
        properties: properties.unwrap_or_else(|| Value::Object(Map::new())),
        condition: fields.get("Condition").map(plain),
        retain: fields.get("DeletionPolicy").map(plain).is_some_and(|policy| policy == "Retain"),
        depends_on,
    })
}

fn read_outputs(block: &Map<String, Value>) -> Result<Vec<OutputSpec>, AwsError> {
    if block.len() > MAX_OUTPUTS {
        let what = "is greater than maximum allowed";
        return Err(format_error(&format!("Number of outputs, {}, {what}, {MAX_OUTPUTS}", block.len()), ""));
    }
    let read = |(name, spec): (&String, &Value)| {
        let value = spec.get("Value").cloned();
        Ok(OutputSpec {
            name: name.clone(),
            value: value.ok_or_else(|| {
                format_error(&format!("Every Outputs member must contain a Value object: {name}"), "")
            })?,
            description: spec.get("Description").map(plain),
            condition: spec.get("Condition").map(plain),
            export: spec.get("Export").and_then(|export| export.get("Name")).cloned(),
        })
    };
    block.iter().map(read).collect()
}

fn block(root: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, AwsError> {
    match root.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(format_error(&format!("{name} must be a map"), "")),
    }
}

/// Messages about the form begin so, but for those that CloudFormation begins otherwise.
fn format_error(what: &str, rest: &str) -> AwsError {
    match rest {
        "Invalid" => invalid(what.to_owned()),
        rest => invalid(format!("Template format error: {what}{rest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Template::parse(text).err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn what_is_refused_and_how() {
        let model = "Type: AWS::SageMaker::Model";
        let cases = [
            ("Resources: {}".to_owned(), "At least one Resources member must be defined"),
            ("Resourcez: {}".to_owned(), "Invalid template property or properties [Resourcez]"),
            ("AWSTemplateFormatVersion: 2011-01-01\nResources: {}".to_owned(), "is not a supported value"),
            (
                "Resources: {F: {Type: AWS::Lambda::Function}}".to_owned(),
                "Unrecognized resource types: [AWS::Lambda::Function]",
            ),
            ("Resources: {F: {}}".to_owned(), "must contain a Type member"),
            (format!("Resources: {{A-b: {{{model}}}}}"), "Resource name A-b is non alphanumeric"),
            (
                format!("Resources: {{A: {{{model}, Properties: {{X: !Ref Nope}}}}}}"),
                "Unresolved resource dependencies [Nope] in the Resources",
            ),
            (format!("Resources: {{A: {{{model}, DependsOn: B}}}}"), "Unresolved resource dependencies [B]"),
            (format!("Resources: {{A: {{{model}, Condition: C}}}}"), "Unresolved condition dependency C"),
            (
                format!(
                    "Resources: {{A: {{{model}, DependsOn: B}}, B: {{{model}, Properties: {{X: !Sub '${{A}}'}}}}}}"
                ),
                "Circular dependency between resources: [A, B]",
            ),
            (
                format!("Resources: {{A: {{{model}}}}}\nOutputs: {{O: {{Value: !GetAtt B.X}}}}"),
                "[B] in the Outputs block",
            ),
            (
                format!("Resources: {{A: {{{model}, Propertys: {{}}}}}}"),
                "Invalid template resource property 'Propertys'",
            ),
        ];
        for (text, expected) in cases {
            assert!(message(&text).contains(expected), "{text}: {}", message(&text));
        }
    }

    #[test]
    fn resources_come_after_what_they_need() {
        let text = "
Resources:
  Endpoint: {Type: AWS::SageMaker::Endpoint, Properties: {EndpointConfigName: !GetAtt Config.EndpointConfigName}}
  Config: {Type: AWS::SageMaker::EndpointConfig, DependsOn: Group, Properties: {V: [{ModelName: !Sub '${Model.ModelName}'}]}}
  Model: {Type: AWS::SageMaker::Model}
  Group: {Type: AWS::SageMaker::ModelPackageGroup}
";
        let template = Template::parse(text).unwrap();
        let order: Vec<_> = template.order().unwrap().iter().map(|resource| resource.logical.clone()).collect();
        assert_eq!(order, ["Model", "Group", "Config", "Endpoint"]);
    }
}
