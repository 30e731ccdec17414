//! Expressions of a pipeline definition: `Get`, `Std:Join`, `Std:JsonGet`. Read when the definition is created, to know
//! what a step needs, and resolved when the step starts.

use serde_json::{Map, Value};

/// Levels of nesting that are followed; deeper ones are refused when the definition is created.
pub(crate) const MAX_DEPTH: usize = 32;

/// The variables of an execution.
pub(crate) const VARIABLES: [&str; 8] = [
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
];

/// What a `Get` names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    Parameter(String),
    Execution(String),
    /// A step, and the path within what is known of it.
    Step(String, String),
}

impl Reference {
    /// Reads `Parameters.P`, `Execution.V`, `Steps.S.path`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let malformed = || format!("'{text}' is no Parameters.NAME, Execution.NAME or Steps.NAME.PROPERTY");
        let (kind, rest) = text.split_once('.').ok_or_else(malformed)?;
        match kind {
            "Parameters" => Ok(Self::Parameter(rest.to_owned())),
            "Execution" if VARIABLES.contains(&rest) => Ok(Self::Execution(rest.to_owned())),
            "Execution" => Err(format!("'{text}': there are the variables {}", VARIABLES.join(", "))),
            "Steps" => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (step, path) = rest.split_at(end);
                Ok(Self::Step(step.to_owned(), path.trim_start_matches('.').to_owned()))
            }
            _ => Err(malformed()),
        }
    }
}

/// Where values come from while a step starts.
pub(crate) trait Scope {
    /// A parameter's value.
    fn parameter(&self, name: &str) -> Result<Value, String>;
    /// A variable of the execution.
    fn variable(&self, name: &str) -> Result<Value, String>;
    /// What a finished step left: its Describe answer, its outputs.
    fn properties(&self, step: &str) -> Result<Value, String>;
    /// The content of a property file of a finished step.
    fn property_file(&self, step: &str, name: &str) -> Result<Value, String>;
    /// The JSON of an object, for the form of `Std:JsonGet` that names one.
    fn object(&self, uri: &str) -> Result<Value, String>;
}

/// Whether a value is one of our expressions rather than plain JSON.
pub(crate) fn is_expression(value: &Value) -> bool {
    let Some(object) = value.as_object().filter(|object| object.len() == 1) else { return false };
    object.keys().all(|key| matches!(key.as_str(), "Get" | "Std:Join" | "Std:JsonGet"))
}

/// All that a value refers to, and what is wrong with the way it does.
pub(crate) fn references(value: &Value, found: &mut Vec<Reference>, problems: &mut Vec<String>) {
    walk(value, 0, found, problems);
}

fn walk(value: &Value, depth: usize, found: &mut Vec<Reference>, problems: &mut Vec<String>) {
    if depth > MAX_DEPTH {
        problems.push(format!("expressions are nested more than {MAX_DEPTH} levels deep"));
        return;
    }
    match value {
        Value::Object(object) if is_expression(value) => {
            for (kind, inner) in object {
                match kind.as_str() {
                    "Get" => match inner.as_str().map(Reference::parse) {
                        Some(Ok(reference)) => found.push(reference),
                        Some(Err(problem)) => problems.push(problem),
                        None => problems.push("the value of Get must be text".to_owned()),
                    },
                    "Std:Join" => join_references(inner, depth, found, problems),
                    _ => json_get_references(inner, depth, found, problems),
                }
            }
        }
        Value::Object(object) => object.values().for_each(|inner| walk(inner, depth + 1, found, problems)),
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, depth + 1, found, problems)),
        _ => {}
    }
}

fn join_references(join: &Value, depth: usize, found: &mut Vec<Reference>, problems: &mut Vec<String>) {
    if !join["On"].is_string() || !join["Values"].is_array() {
        problems.push("Std:Join needs On (text) and Values (a list)".to_owned());
    }
    walk(&join["Values"], depth + 1, found, problems);
}

fn json_get_references(get: &Value, depth: usize, found: &mut Vec<Reference>, problems: &mut Vec<String>) {
    if !get["Path"].is_string() {
        problems.push("Std:JsonGet needs Path (text)".to_owned());
    }
    if get["PropertyFile"].is_null() && get["S3Uri"].is_null() {
        problems.push("Std:JsonGet needs PropertyFile or S3Uri".to_owned());
    }
    match get["PropertyFile"].as_str() {
        Some(text) => match Reference::parse(text) {
            Ok(reference) => found.push(reference),
            Err(problem) => problems.push(problem),
        },
        None => walk(&get["PropertyFile"], depth + 1, found, problems),
    }
    walk(&get["S3Uri"], depth + 1, found, problems);
    if let Some(step) = get["Step"].as_str() {
        found.push(Reference::Step(step.to_owned(), String::new()));
    } else {
        walk(&get["Step"], depth + 1, found, problems);
    }
}

/// The value with every expression replaced by what it stands for.
///
/// # Errors
/// A sentence for the step's failure reason.
pub(crate) fn resolve(value: &Value, scope: &dyn Scope) -> Result<Value, String> {
    match value {
        Value::Object(object) if is_expression(value) => match object.iter().next() {
            Some((kind, inner)) if kind == "Get" => get(inner.as_str().unwrap_or_default(), scope),
            Some((kind, inner)) if kind == "Std:Join" => join(inner, scope),
            Some((_, inner)) => json_get(inner, scope),
            None => Ok(Value::Null),
        },
        Value::Object(object) => {
            let members = object.iter().map(|(name, inner)| Ok((name.clone(), resolve(inner, scope)?)));
            Ok(Value::Object(members.collect::<Result<Map<_, _>, String>>()?))
        }
        Value::Array(items) => {
            items.iter().map(|inner| resolve(inner, scope)).collect::<Result<_, _>>().map(Value::Array)
        }
        plain => Ok(plain.clone()),
    }
}

fn get(text: &str, scope: &dyn Scope) -> Result<Value, String> {
    match Reference::parse(text)? {
        Reference::Parameter(name) => scope.parameter(&name),
        Reference::Execution(name) => scope.variable(&name),
        Reference::Step(step, path) => {
            let properties = scope.properties(&step)?;
            look_up(&properties, &path).ok_or_else(|| format!("the step {step} has no property {path}"))
        }
    }
}

fn join(join: &Value, scope: &dyn Scope) -> Result<Value, String> {
    let values = join["Values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = values.iter().map(|value| resolve(value, scope).map(|value| to_text(&value)));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    Ok(Value::String(texts.join(join["On"].as_str().unwrap_or_default())))
}

fn json_get(get: &Value, scope: &dyn Scope) -> Result<Value, String> {
    let path = get["Path"].as_str().unwrap_or_default();
    let (document, name) = if get["PropertyFile"].is_null() {
        let uri = to_text(&resolve(&get["S3Uri"], scope)?);
        (scope.object(&uri)?, uri)
    } else {
        let text = get["PropertyFile"].as_str().or(get["PropertyFile"]["Get"].as_str()).unwrap_or_default();
        let Reference::Step(step, path) = Reference::parse(text)? else {
            return Err(format!("'{text}' names no property file"));
        };
        let name = path.trim_start_matches("PropertyFiles.").to_owned();
        (scope.property_file(&step, &name)?, name)
    };
    let found = look_up(&document, path.trim_start_matches("$."))
        .ok_or_else(|| format!("{name} has no value at the path {path}"))?;
    match found {
        Value::Object(_) | Value::Array(_) => Err(format!("{name} has no single value at the path {path}")),
        single => Ok(single),
    }
}

/// A value as `Std:Join` writes it.
pub(crate) fn to_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Follows a path of names, `[0]` and `['name']`. A list of named things is looked into by name.
pub(crate) fn look_up(value: &Value, path: &str) -> Option<Value> {
    let mut here = value;
    for part in split(path) {
        here = match (here, part.parse::<usize>()) {
            (Value::Array(items), Ok(index)) => items.get(index)?,
            (Value::Array(items), Err(_)) => items.iter().find(|item| is_named(item, part))?,
            (inner, _) => inner.get(part)?,
        };
    }
    Some(here.clone())
}

/// Names with dots in them are written in brackets and quotes, and stay whole.
fn split(path: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        rest = rest.trim_start_matches('.');
        let (part, after) = match rest.strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((part, after)) => (part.trim_matches(['\'', '"']), after),
                None => (inner, ""),
            },
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        if !part.is_empty() {
            found.push(part);
        }
        rest = after;
    }
    found
}

/// `OutputName`, `InputName`, `ChannelName`…: whatever the list's items are called by.
fn is_named(item: &Value, name: &str) -> bool {
    let members = item.as_object().into_iter().flatten();
    members.filter(|(member, _)| member.ends_with("Name")).any(|(_, value)| value == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Fixed;

    impl Scope for Fixed {
        fn parameter(&self, name: &str) -> Result<Value, String> {
            match name {
                "Count" => Ok(json!(3)),
                "Bucket" => Ok(json!("bkt")),
                _ => Err(format!("no parameter {name}")),
            }
        }

        fn variable(&self, name: &str) -> Result<Value, String> {
            Ok(json!(format!("<{name}>")))
        }

        fn properties(&self, _: &str) -> Result<Value, String> {
            Ok(json!({
                "ProcessingOutputConfig": {"Outputs": [
                    {"OutputName": "a.b", "S3Output": {"S3Uri": "s3://bkt/ab"}},
                    {"OutputName": "train", "S3Output": {"S3Uri": "s3://bkt/train"}}]},
                "TrainingJobSummaries": [{"TrainingJobName": "best"}],
            }))
        }

        fn property_file(&self, step: &str, name: &str) -> Result<Value, String> {
            assert_eq!((step, name), ("Evaluate", "Report"));
            Ok(json!({"metrics": {"mse": {"value": 4.25}}, "list": [1, 2], "odd.name": true}))
        }

        fn object(&self, uri: &str) -> Result<Value, String> {
            Ok(json!({"uri": uri}))
        }
    }

    fn resolved(value: Value) -> Value {
        resolve(&value, &Fixed).unwrap()
    }

    #[test]
    fn properties_are_found_by_name_and_by_number() {
        let get = |path: &str| resolved(json!({"Get": format!("Steps.S.{path}")}));
        assert_eq!(get("ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"), "s3://bkt/train");
        assert_eq!(get("ProcessingOutputConfig.Outputs[\"a.b\"].S3Output.S3Uri"), "s3://bkt/ab");
        assert_eq!(get("ProcessingOutputConfig.Outputs[1].OutputName"), "train");
        assert_eq!(get("TrainingJobSummaries[0].TrainingJobName"), "best");
        let missing = resolve(&json!({"Get": "Steps.S.Nothing.here"}), &Fixed).unwrap_err();
        assert_eq!(missing, "the step S has no property Nothing.here");
    }

    #[test]
    fn joins_hold_anything_and_numbers_keep_their_type_elsewhere() {
        let uri = json!({"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.Bucket"},
            {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.Count"}, 1.5, true]}},
            {"Get": "Execution.PipelineExecutionId"}]}});
        assert_eq!(resolved(uri), "s3://bkt/3-1.5-true/<PipelineExecutionId>");
        assert_eq!(resolved(json!({"InstanceCount": {"Get": "Parameters.Count"}})), json!({"InstanceCount": 3}));
    }

    #[test]
    fn json_get_reads_one_value() {
        let get = |path: &str| {
            resolve(
                &json!({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"}, "Path": path}}),
                &Fixed,
            )
        };
        assert_eq!(get("metrics.mse.value").unwrap(), 4.25);
        assert_eq!(get("list[1]").unwrap(), 2);
        assert_eq!(get("['odd.name']").unwrap(), true);
        assert_eq!(get("metrics").unwrap_err(), "Report has no single value at the path metrics");
        assert_eq!(get("metrics.rmse").unwrap_err(), "Report has no value at the path metrics.rmse");
        let by_uri = json!({"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", "b", "k"]}}, "Step": {"Get": "Steps.X"}, "Path": "uri"}});
        assert_eq!(resolved(by_uri), "s3://b/k");
    }

    #[test]
    fn references_and_problems_are_all_found() {
        let value = json!({"a": [{"Get": "Steps.One.Arn"}, {"Get": "Parameters.P"}], "b": {"Get": "Execution.Nope"},
            "c": {"Std:Join": {"Values": [{"Get": "x"}]}}, "d": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Two.PropertyFiles.F"}, "Path": "p"}}});
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        references(&value, &mut found, &mut problems);
        let steps = found.iter().filter_map(|one| match one {
            Reference::Step(step, _) => Some(step.as_str()),
            _ => None,
        });
        let steps: Vec<_> = steps.collect();
        assert_eq!(steps, ["One", "Two"]);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
