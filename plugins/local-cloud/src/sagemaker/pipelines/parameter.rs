//! Parameters of a pipeline: declared in the definition with a type, given as text when an execution starts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::sagemaker::pipelines::definition::list;
use crate::sagemaker::pipelines::expression::to_text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    String,
    Integer,
    Float,
    Boolean,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "String" => Some(Self::String),
            "Integer" => Some(Self::Integer),
            "Float" => Some(Self::Float),
            "Boolean" => Some(Self::Boolean),
            _ => None,
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Float => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::String => Some(json!(text)),
            Self::Integer => text.parse::<i64>().ok().map(Value::from),
            Self::Float => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
            Self::Boolean => text.to_ascii_lowercase().parse::<bool>().ok().map(Value::from),
        }
    }
}

/// One declared parameter.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    kind: Kind,
    default: Option<Value>,
    allowed: Vec<Value>,
}

impl Parameter {
    /// The definition's `Parameters`, and what is wrong with them.
    pub(crate) fn parse_all(value: &Value, problems: &mut Vec<String>) -> Vec<Self> {
        if !value.is_null() && !value.is_array() {
            problems.push("Parameters: Expecting start of Json Array".to_owned());
        }
        let mut found: Vec<Self> = Vec::new();
        for item in list(value) {
            match Self::parse(item) {
                Ok(parameter) if found.iter().any(|other| other.name == parameter.name) => {
                    problems
                        .push(format!("Parameter names must be unique; '{}' is used more than once", parameter.name));
                }
                Ok(parameter) => found.push(parameter),
                Err(problem) => problems.push(problem),
            }
        }
        found
    }

    fn parse(item: &Value) -> Result<Self, String> {
        let name = item["Name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            return Err(format!("Parameter name '{name}' must match [A-Za-z0-9\\-_]+"));
        }
        let word = item["Type"].as_str().unwrap_or_default();
        let kind = Kind::parse(word).ok_or_else(|| {
            format!("Parameter '{name}' has Type '{word}'; there are String, Integer, Float, Boolean")
        })?;
        let default = item.get("DefaultValue").filter(|value| !value.is_null()).cloned();
        let allowed = list(&item["EnumValues"]).to_vec();
        if default.as_ref().is_some_and(|value| !kind.fits(value)) {
            return Err(format!("Parameter '{name}': its DefaultValue is no {word}"));
        }
        if default.as_ref().is_some_and(|value| !allowed.is_empty() && !allowed.contains(value)) {
            return Err(format!("Parameter '{name}': its DefaultValue is none of its EnumValues"));
        }
        Ok(Self { name, kind, default, allowed })
    }

    fn read(&self, text: &str) -> Result<Value, String> {
        if text.is_empty() {
            return Err(format!("Parameter [{}] has an empty value", self.name));
        }
        let value = self
            .kind
            .read(text)
            .ok_or_else(|| format!("Parameter [{}] must be of type {:?}, and '{text}' is not", self.name, self.kind))?;
        if !self.allowed.is_empty() && !self.allowed.contains(&value) {
            let allowed: Vec<_> = self.allowed.iter().map(to_text).collect();
            return Err(format!("Parameter [{}] must be one of [{}], not '{text}'", self.name, allowed.join(", ")));
        }
        Ok(value)
    }
}

/// The value of every parameter, from what was given and the defaults.
///
/// # Errors
/// Everything that is wrong with what was given, as one sentence.
pub(crate) fn values(declared: &[Parameter], given: &Value) -> Result<BTreeMap<String, Value>, String> {
    let (mut values, mut problems, mut unknown) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
    for item in list(given) {
        let name = item["Name"].as_str().unwrap_or_default();
        match declared.iter().find(|parameter| parameter.name == name) {
            None => drop(unknown.insert(name)),
            Some(_) if values.contains_key(name) => {
                problems.push(format!("Parameter [{name}] is given more than once"))
            }
            Some(parameter) => match parameter.read(item["Value"].as_str().unwrap_or_default()) {
                Ok(value) => drop(values.insert(name.to_owned(), value)),
                Err(problem) => problems.push(problem),
            },
        }
    }
    if !unknown.is_empty() {
        let unknown: Vec<_> = unknown.into_iter().collect();
        problems.insert(0, format!("Unknown parameters [{}]: the pipeline does not define them", unknown.join(", ")));
    }
    for parameter in
        declared.iter().filter(|parameter| !list(given).iter().any(|item| item["Name"] == parameter.name.as_str()))
    {
        match &parameter.default {
            Some(value) => drop(values.insert(parameter.name.clone(), value.clone())),
            None => problems.push(format!("Parameter [{}] has no default and no value", parameter.name)),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<Parameter> {
        let declared = json!([
            {"Name": "S", "Type": "String", "EnumValues": ["a", "b"], "DefaultValue": "a"},
            {"Name": "I", "Type": "Integer", "DefaultValue": 1},
            {"Name": "F", "Type": "Float", "DefaultValue": 6.0},
            {"Name": "B", "Type": "Boolean"},
        ]);
        let mut problems = Vec::new();
        let found = Parameter::parse_all(&declared, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        found
    }

    fn given(pairs: &[(&str, &str)]) -> Value {
        pairs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
    }

    #[test]
    fn texts_become_values_of_their_type() {
        let values = values(&declared(), &given(&[("B", "true"), ("I", "7"), ("F", "4")])).unwrap();
        assert_eq!(values["S"], "a");
        assert_eq!((&values["I"], &values["F"], &values["B"]), (&json!(7), &json!(4.0), &json!(true)));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let said = values(&declared(), &given(&[("I", "x"), ("S", "c"), ("Q", "1"), ("F", "")])).unwrap_err();
        for words in [
            "Unknown parameters [Q]",
            "Parameter [I] must be of type Integer, and 'x' is not",
            "Parameter [S] must be one of [a, b], not 'c'",
            "Parameter [F] has an empty value",
            "Parameter [B] has no default and no value",
        ] {
            assert!(said.contains(words), "{words} is not in {said}");
        }
    }

    #[test]
    fn declarations_are_checked() {
        let mut problems = Vec::new();
        let bad = json!([{"Name": "A", "Type": "Text"}, {"Name": "B", "Type": "Integer", "DefaultValue": "1"},
            {"Name": "C", "Type": "String"}, {"Name": "C", "Type": "String"}, {"Name": "d e", "Type": "String"}]);
        Parameter::parse_all(&bad, &mut problems);
        assert_eq!(problems.len(), 4, "{problems:?}");
    }
}
