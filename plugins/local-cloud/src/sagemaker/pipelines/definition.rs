//! A pipeline definition of the version 2020-12-01, read and checked: what AWS would refuse is refused when the
//! pipeline is created, and everything that is wrong is told at once.
//!
//! The public JSON Schema of the format is out of date (the SDK's own definitions fail it), so the rules here are a
//! superset: the schema's, and what the SDK writes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::error::AwsError;
use crate::sagemaker::pipelines::cache::CachePolicy;
use crate::sagemaker::pipelines::expression::{self, Reference};
use crate::sagemaker::pipelines::parameter::Parameter;
use crate::sagemaker::pipelines::retry::{self, RetryPolicy};
use crate::sagemaker::pipelines::{condition, graph};
use crate::sagemaker::shape;

pub(crate) use crate::sagemaker::models::items as list;

/// Bytes of a definition; the service's limit.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// The one version there is.
const VERSION: &str = "2020-12-01";
/// Steps of a pipeline, those of branches included; far above the service's own quota, and few enough to walk deeply.
const MAX_STEPS: usize = 1000;
/// Characters of a step's or parameter's name.
const MAX_NAME: usize = 64;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    Processing,
    Training,
    Transform,
    Tuning,
    Model,
    RegisterModel,
    Condition,
    Fail,
    Lambda,
    Callback,
}

impl StepKind {
    const ALL: [(&'static str, StepKind); 10] = [
        ("Processing", StepKind::Processing),
        ("Training", StepKind::Training),
        ("Transform", StepKind::Transform),
        ("Tuning", StepKind::Tuning),
        ("Model", StepKind::Model),
        ("RegisterModel", StepKind::RegisterModel),
        ("Condition", StepKind::Condition),
        ("Fail", StepKind::Fail),
        ("Lambda", StepKind::Lambda),
        ("Callback", StepKind::Callback),
    ];

    fn parse(word: &str) -> Result<Self, String> {
        // The public schema's word for what the SDK calls Model.
        let word = if word == "CreateModel" { "Model" } else { word };
        if let Some((_, kind)) = Self::ALL.iter().find(|(known, _)| *known == word) {
            return Ok(*kind);
        }
        let known: Vec<_> = Self::ALL.iter().map(|(known, _)| *known).collect();
        Err(format!("the local cloud does not run steps of Type '{word}'; it runs {}", known.join(", ")))
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// The operation that the step's arguments are for, and the member that names what it makes.
    pub(crate) fn operation(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Processing => Some(("CreateProcessingJob", "ProcessingJobName")),
            Self::Training => Some(("CreateTrainingJob", "TrainingJobName")),
            Self::Transform => Some(("CreateTransformJob", "TransformJobName")),
            Self::Tuning => Some(("CreateHyperParameterTuningJob", "HyperParameterTuningJobName")),
            Self::Model => Some(("CreateModel", "ModelName")),
            Self::RegisterModel => Some(("CreateModelPackage", "")),
            Self::Condition | Self::Fail | Self::Lambda | Self::Callback => None,
        }
    }

    /// Whether the operation takes a role; a step's role is the pipeline's unless it names one.
    pub(crate) fn role_member(self) -> Option<&'static str> {
        match self {
            Self::Processing | Self::Training => Some("RoleArn"),
            Self::Model => Some("ExecutionRoleArn"),
            _ => None,
        }
    }
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    pub(crate) arguments: Value,
    /// The whole step: function, queue, property files, description.
    pub(crate) raw: Value,
    /// Steps that must have succeeded before it starts.
    pub(crate) needs: BTreeSet<String>,
    /// The condition step it is a branch of, and the outcome it is for.
    pub(crate) branch: Option<(String, bool)>,
    pub(crate) cache: Option<CachePolicy>,
    pub(crate) retry: Vec<RetryPolicy>,
}

impl Step {
    /// The text of a member of the step, as `DisplayName`.
    pub(crate) fn text(&self, member: &str) -> Option<String> {
        self.raw[member].as_str().map(str::to_owned)
    }

    /// Where a property file lies: the name of the output, and the path below it.
    pub(crate) fn property_file(&self, name: &str) -> Option<(&str, &str)> {
        let file = list(&self.raw["PropertyFiles"]).iter().find(|file| file["PropertyFileName"] == name)?;
        Some((file["OutputName"].as_str()?, file["FilePath"].as_str()?))
    }

    /// The conditions of a Condition step.
    pub(crate) fn conditions(&self) -> &[Value] {
        list(&self.arguments["Conditions"])
    }
}

/// A whole definition.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) parameters: Vec<Parameter>,
    /// By name; a condition's branches are steps beside it.
    pub(crate) steps: BTreeMap<String, Step>,
    /// Names in the order of the text: who comes first starts first.
    pub(crate) order: Vec<String>,
}

impl Definition {
    /// Reads and checks. `role` is the pipeline's.
    ///
    /// # Errors
    /// `ValidationException` with everything that is wrong.
    pub(crate) fn parse(text: &str, role: &str) -> Result<Self, AwsError> {
        let refused = |what: &str| AwsError::validation(format!("Unable to parse pipeline definition. {what}"));
        if text.len() > MAX_BYTES {
            return Err(refused(&format!("It has {} bytes; {MAX_BYTES} are allowed.", text.len())));
        }
        let json: Value = serde_json::from_str(text).map_err(|error| refused(&format!("Not JSON: {error}.")))?;
        if !json.is_object() {
            return Err(refused("Expecting start of Json Object."));
        }
        let mut reader = Reader { role, problems: Vec::new(), steps: BTreeMap::new(), order: Vec::new() };
        let parameters = reader.top(&json);
        reader.links(&parameters);
        match reader.problems.is_empty() {
            true => Ok(Self { parameters, steps: reader.steps, order: reader.order }),
            false => Err(refused(&format!("Model Validation failed: {}", reader.problems.join("; ")))),
        }
    }
}

struct Reader<'a> {
    role: &'a str,
    problems: Vec<String>,
    steps: BTreeMap<String, Step>,
    order: Vec<String>,
}

impl Reader<'_> {
    fn top(&mut self, json: &Value) -> Vec<Parameter> {
        const MEMBERS: [&str; 5] = ["Version", "Metadata", "Parameters", "PipelineExperimentConfig", "Steps"];
        for member in json.as_object().into_iter().flat_map(|top| top.keys()) {
            if !MEMBERS.contains(&member.as_str()) {
                self.problems.push(format!("Unknown member '{member}'; there are {}", MEMBERS.join(", ")));
            }
        }
        if json["Version"] != VERSION {
            self.problems.push(format!("Version must be '{VERSION}', not {}", json["Version"]));
        }
        let parameters = Parameter::parse_all(&json["Parameters"], &mut self.problems);
        match json["Steps"].as_array() {
            Some(steps) if !steps.is_empty() => self.steps(steps, None),
            _ => self.problems.push("Steps must be a list with at least one step".to_owned()),
        }
        parameters
    }

    fn steps(&mut self, steps: &[Value], branch: Option<&(String, bool)>) {
        for step in steps {
            self.step(step, branch);
        }
    }

    fn step(&mut self, raw: &Value, branch: Option<&(String, bool)>) {
        if self.steps.len() == MAX_STEPS {
            return self.problems.push(format!("there are more than {MAX_STEPS} steps"));
        }
        let name = raw["Name"].as_str().unwrap_or_default().to_owned();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fine) {
            self.problems.push(format!("Step name '{name}' must match [A-Za-z0-9\\-_]{{1,{MAX_NAME}}}"));
            return;
        }
        if self.steps.contains_key(&name) {
            self.problems.push(format!("Step names must be unique; '{name}' is used more than once"));
            return;
        }
        let kind = match StepKind::parse(raw["Type"].as_str().unwrap_or_default()) {
            Ok(kind) => kind,
            Err(problem) => return self.problems.push(format!("Step '{name}': {problem}")),
        };
        let arguments = raw["Arguments"].clone();
        let mut step = Step {
            name: name.clone(),
            kind,
            arguments,
            raw: raw.clone(),
            needs: BTreeSet::new(),
            branch: branch.cloned(),
            cache: None,
            retry: Vec::new(),
        };
        let before = self.problems.len();
        self.policies(&mut step);
        self.arguments(&step);
        self.needs(&mut step);
        for problem in self.problems.iter_mut().skip(before) {
            *problem = format!("Step '{name}': {problem}");
        }
        let (if_steps, else_steps) = (step.arguments["IfSteps"].clone(), step.arguments["ElseSteps"].clone());
        self.order.push(name.clone());
        self.steps.insert(name.clone(), step);
        if kind == StepKind::Condition {
            self.steps(list(&if_steps), Some(&(name.clone(), true)));
            self.steps(list(&else_steps), Some(&(name, false)));
        }
    }

    fn policies(&mut self, step: &mut Step) {
        match CachePolicy::parse(&step.raw["CacheConfig"]) {
            Ok(cache) => step.cache = cache,
            Err(problem) => self.problems.push(problem),
        }
        if !step.raw["RetryPolicies"].is_null() && matches!(step.kind, StepKind::Fail | StepKind::Condition) {
            self.problems.push(format!("a {} step cannot be retried", step.kind.word()));
        }
        step.retry = retry::parse_all(&step.raw["RetryPolicies"], &mut self.problems);
    }

    /// What each kind of step must say.
    fn arguments(&mut self, step: &Step) {
        let raw = &step.raw;
        let mut needs = |value: &Value, what: &str| {
            if !value.is_string() && !expression::is_expression(value) {
                self.problems.push(format!("{what} is missing"));
            }
        };
        match step.kind {
            StepKind::Lambda => needs(&raw["FunctionArn"], "FunctionArn"),
            StepKind::Callback => needs(&raw["SqsQueueUrl"], "SqsQueueUrl"),
            StepKind::Fail => needs(&step.arguments["ErrorMessage"], "Arguments.ErrorMessage"),
            StepKind::Condition => self.condition(step),
            _ => self.operation(step),
        }
        for output in list(&raw["OutputParameters"]) {
            if output["OutputName"].as_str().is_none_or(str::is_empty) {
                self.problems.push("an item of OutputParameters has no OutputName".to_owned());
            }
        }
        self.property_files(step);
    }

    fn condition(&mut self, step: &Step) {
        if step.conditions().is_empty() {
            self.problems.push("Arguments.Conditions must be a list with at least one condition".to_owned());
        }
        step.conditions().iter().for_each(|one| condition::check(one, 0, &mut self.problems));
        if step.branch.is_some() {
            self.problems.push("a Condition step within a branch of another is not supported".to_owned());
        }
    }

    /// The arguments of a job are those of its operation, with expressions in places of values.
    fn operation(&mut self, step: &Step) {
        let Some((operation, name)) = step.kind.operation() else { return };
        if !step.arguments.is_object() {
            self.problems.push("Arguments must be an object".to_owned());
            return;
        }
        let mut arguments = step.arguments.clone();
        if !name.is_empty() && arguments[name].is_null() {
            arguments[name] = json!("named-by-the-pipeline");
        }
        if let Some(role) = step.kind.role_member().filter(|role| arguments[*role].is_null()) {
            arguments[role] = json!(self.role);
        }
        self.problems.extend(shape::problems_of_template(operation, &arguments));
    }

    fn property_files(&mut self, step: &Step) {
        for file in list(&step.raw["PropertyFiles"]) {
            for member in ["PropertyFileName", "OutputName", "FilePath"] {
                if !file[member].is_string() {
                    self.problems.push(format!("an item of PropertyFiles has no {member}"));
                }
            }
            let outputs = list(&step.arguments["ProcessingOutputConfig"]["Outputs"]);
            if step.kind == StepKind::Processing && !outputs.iter().any(|one| one["OutputName"] == file["OutputName"]) {
                self.problems.push(format!(
                    "the property file {} is of the output {}, which the job does not have",
                    file["PropertyFileName"], file["OutputName"]
                ));
            }
        }
    }

    fn needs(&mut self, step: &mut Step) {
        for name in list(&step.raw["DependsOn"]) {
            match name.as_str() {
                // The SDK may write `Steps.X`.
                Some(name) => drop(step.needs.insert(name.strip_prefix("Steps.").unwrap_or(name).to_owned())),
                None => self.problems.push("DependsOn must be a list of step names".to_owned()),
            }
        }
        let mut found = Vec::new();
        for value in looked_at(step) {
            expression::references(&value, &mut found, &mut self.problems);
        }
        step.needs.extend(found.into_iter().filter_map(|reference| match reference {
            Reference::Step(step, _) => Some(step),
            Reference::Parameter(_) | Reference::Execution(_) => None,
        }));
    }

    /// What can be said only when all steps are known.
    fn links(&mut self, parameters: &[Parameter]) {
        for step in self.steps.values() {
            let (mut found, mut malformed) = (Vec::new(), Vec::new());
            for value in looked_at(step) {
                expression::references(&value, &mut found, &mut malformed);
            }
            for reference in found {
                let problem = match &reference {
                    Reference::Parameter(name) if !parameters.iter().any(|one| one.name == *name) => {
                        Some(format!("there is no parameter '{name}'"))
                    }
                    Reference::Step(name, path) => self.property_file_problem(name, path),
                    Reference::Parameter(_) | Reference::Execution(_) => None,
                };
                self.problems.extend(problem.map(|problem| format!("Step '{}': {problem}", step.name)));
            }
            for name in &step.needs {
                let problem = match self.steps.get(name) {
                    None => format!("there is no step '{name}' to depend on"),
                    Some(other) if other.kind == StepKind::Fail => {
                        format!("nothing can depend on the Fail step '{name}'")
                    }
                    Some(_) => continue,
                };
                self.problems.push(format!("Step '{}': {problem}", step.name));
            }
        }
        if let Some(cycle) = graph::cycle(&self.steps) {
            self.problems.push(format!("the steps depend on each other in a circle: {}", cycle.join(" -> ")));
        }
    }

    fn property_file_problem(&self, step: &str, path: &str) -> Option<String> {
        let name = path.strip_prefix("PropertyFiles.")?;
        let known = self.steps.get(step)?.property_file(name).is_some();
        (!known).then(|| format!("the step '{step}' has no property file '{name}'"))
    }
}

/// The values of a step that may hold expressions: not the branches, which are steps themselves.
fn looked_at(step: &Step) -> Vec<Value> {
    let arguments = match step.kind {
        StepKind::Condition => step.arguments["Conditions"].clone(),
        _ => step.arguments.clone(),
    };
    vec![arguments, step.raw["FunctionArn"].clone(), step.raw["SqsQueueUrl"].clone()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/test";

    fn fail(name: &str) -> Value {
        json!({"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": "no"}})
    }

    fn model(name: &str, data: Value) -> Value {
        json!({"Name": name, "Type": "Model", "Arguments": {"PrimaryContainer": {"Image": "i", "ModelDataUrl": data}}})
    }

    fn parse(steps: Value) -> Result<Definition, String> {
        let text = json!({"Version": VERSION, "Parameters": [{"Name": "P", "Type": "String"}], "Steps": steps});
        Definition::parse(&text.to_string(), ROLE).map_err(|error| error.message)
    }

    fn condition(name: &str, left: Value, then: Value, otherwise: Value) -> Value {
        json!({"Name": name, "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": left, "RightValue": 1}], "IfSteps": then, "ElseSteps": otherwise}})
    }

    #[test]
    fn branches_become_steps_and_references_become_needs() {
        let gate = condition(
            "Gate",
            json!({"Get": "Steps.A.ModelName"}),
            json!([model("B", json!("s3://b/k"))]),
            json!([fail("C")]),
        );
        let definition = parse(json!([gate, model("A", json!({"Get": "Parameters.P"}))])).unwrap();
        assert_eq!(definition.order, ["Gate", "B", "C", "A"]);
        assert_eq!(definition.steps["B"].branch, Some(("Gate".to_owned(), true)));
        assert_eq!(definition.steps["C"].branch, Some(("Gate".to_owned(), false)));
        assert!(definition.steps["Gate"].needs.contains("A"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let said = parse(json!([
            fail("A"), fail("A"), fail("b c"),
            {"Name": "E", "Type": "EMR"},
            model("M", json!({"Get": "Parameters.Q"})),
            {"Name": "N", "Type": "Model", "DependsOn": ["Nobody", "A"], "Arguments": {"Containres": []}},
            {"Name": "T", "Type": "Training", "Arguments": {"AlgorithmSpecification": {"TrainingInputMode": "Fast"}}},
        ]))
        .unwrap_err();
        for words in [
            "Unable to parse pipeline definition. Model Validation failed: ",
            "'A' is used more than once",
            "Step name 'b c' must match",
            "Step 'E': the local cloud does not run steps of Type 'EMR'; it runs Processing, Training",
            "Step 'M': there is no parameter 'Q'",
            "Step 'N': there is no step 'Nobody' to depend on",
            "Step 'N': nothing can depend on the Fail step 'A'",
            "Unknown Argument member 'Containres'",
            "Step 'T': Value 'Fast' at 'algorithmSpecification.trainingInputMode'",
            "Step 'T': Value null at 'outputDataConfig'",
        ] {
            assert!(said.contains(words), "{words} is not in {said}");
        }
    }

    #[test]
    fn circles_and_nested_conditions_are_refused() {
        let circle = parse(json!([
            model("A", json!({"Get": "Steps.B.ModelName"})),
            model("B", json!({"Get": "Steps.A.ModelName"}))
        ]));
        assert!(circle.unwrap_err().contains("in a circle: A -> B -> A"));
        let own =
            condition("G", json!({"Get": "Steps.B.ModelName"}), json!([model("B", json!("s3://b/k"))]), json!([]));
        assert!(parse(json!([own])).unwrap_err().contains("in a circle"));
        let nested = condition("G", json!(1), json!([condition("H", json!(1), json!([]), json!([]))]), json!([]));
        assert!(parse(json!([nested])).unwrap_err().contains("Step 'H': a Condition step within a branch"));
    }

    #[test]
    fn the_frame_is_checked() {
        let said = |text: &str| Definition::parse(text, ROLE).unwrap_err().message;
        assert!(said("not json").starts_with("Unable to parse pipeline definition. Not JSON"));
        assert!(said("[]").ends_with("Expecting start of Json Object."));
        let bad = said(r#"{"Version": "2021", "Step": []}"#);
        for words in ["Version must be '2020-12-01'", "Unknown member 'Step'", "at least one step"] {
            assert!(bad.contains(words), "{bad}");
        }
    }
}
