//! The parameters of a template: what each may be, and what a caller's values come to. Messages as CloudFormation's.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::invalid;
use crate::AwsError;

/// CloudFormation's limit.
const MAX_PARAMETERS: usize = 200;
/// What is shown of a `NoEcho` value.
pub(crate) const HIDDEN: &str = "****";
/// The types that are accepted: plain ones; lists are texts joined by commas.
const TYPES: [&str; 4] = ["String", "Number", "CommaDelimitedList", "List<Number>"];

/// A parameter as the template declares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParameterSpec {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) default: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) no_echo: bool,
    pub(crate) allowed_values: Vec<String>,
    allowed_pattern: Option<String>,
    constraint_description: Option<String>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_value: Option<f64>,
    max_value: Option<f64>,
}

/// A value a caller gave, or asked to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Value(String),
    UsePrevious,
}

/// Reads the `Parameters` block.
pub(crate) fn read(block: Option<&Value>) -> Result<Vec<ParameterSpec>, AwsError> {
    let Some(block) = block.filter(|block| !block.is_null()) else { return Ok(Vec::new()) };
    let map = block.as_object().ok_or_else(|| format_error("Parameters must be a map"))?;
    if map.len() > MAX_PARAMETERS {
        return Err(format_error(&format!(
            "Number of parameters, {}, is greater than maximum allowed, {MAX_PARAMETERS}",
            map.len()
        )));
    }
    map.iter().map(|(name, spec)| ParameterSpec::read(name, spec)).collect()
}

impl ParameterSpec {
    fn read(name: &str, spec: &Value) -> Result<Self, AwsError> {
        let fields = spec
            .as_object()
            .ok_or_else(|| format_error(&format!("Every Parameters object must contain a Type member: {name}")))?;
        let kind = text(fields, "Type")
            .ok_or_else(|| format_error(&format!("Every Parameters object must contain a Type member: {name}")))?;
        if !TYPES.contains(&kind.as_str()) {
            let known = TYPES.join(", ");
            return Err(format_error(&format!("Unrecognized parameter type: {kind} (the local cloud knows {known})")));
        }
        let allowed = fields.get("AllowedValues").and_then(Value::as_array);
        let parsed = Self {
            name: name.to_owned(),
            kind,
            default: fields.get("Default").map(plain),
            description: text(fields, "Description"),
            no_echo: text(fields, "NoEcho").is_some_and(|word| word.eq_ignore_ascii_case("true")),
            allowed_values: allowed.map(|values| values.iter().map(plain).collect()).unwrap_or_default(),
            allowed_pattern: text(fields, "AllowedPattern"),
            constraint_description: text(fields, "ConstraintDescription"),
            min_length: number(fields, "MinLength", name)?,
            max_length: number(fields, "MaxLength", name)?,
            min_value: number(fields, "MinValue", name)?,
            max_value: number(fields, "MaxValue", name)?,
        };
        // A default that breaks its own constraints is found when the template is, not when it is used.
        if let Some(default) = &parsed.default {
            parsed.check(default)?;
        }
        Ok(parsed)
    }

    /// The value satisfies every constraint.
    fn check(&self, value: &str) -> Result<(), AwsError> {
        let items: Vec<&str> = if self.is_list() { split_list(value) } else { vec![value] };
        items.iter().try_for_each(|item| self.check_item(item))
    }

    fn check_item(&self, value: &str) -> Result<(), AwsError> {
        let refuse = |how: String| {
            let name = &self.name;
            Err(invalid(match &self.constraint_description {
                Some(words) => format!("Parameter {name} failed to satisfy constraint: {words}"),
                None => format!("Parameter '{name}' must {how}"),
            }))
        };
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| allowed == value) {
            return refuse("be one of AllowedValues".to_owned());
        }
        if let Some(pattern) = &self.allowed_pattern
            && !whole_match(&self.name, pattern)?.is_match(value)
        {
            return refuse(format!("match pattern {pattern}"));
        }
        let length = value.chars().count() as u64;
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return refuse(format!("contain at least {least} characters"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            return refuse(format!("contain at most {most} characters"));
        }
        if !self.kind.contains("Number") {
            return Ok(());
        }
        let Some(number) = value.trim().parse::<f64>().ok().filter(|number| number.is_finite()) else {
            return Err(invalid(format!("Parameter '{}' must be a number", self.name)));
        };
        if let Some(least) = self.min_value.filter(|least| number < *least) {
            return refuse(format!("be a number not less than {least}"));
        }
        if let Some(most) = self.max_value.filter(|most| number > *most) {
            return refuse(format!("be a number not greater than {most}"));
        }
        Ok(())
    }

    pub(crate) fn is_list(&self) -> bool {
        self.kind != "String" && self.kind != "Number"
    }

    /// What `Ref` gives.
    pub(crate) fn as_value(&self, value: &str) -> Value {
        if self.is_list() {
            split_list(value).into_iter().map(|item| Value::String(item.to_owned())).collect()
        } else {
            Value::String(value.to_owned())
        }
    }
}

/// The value of every declared parameter: given, kept from before, or the default.
///
/// # Errors
/// `ValidationError`: unknown names, missing values, a constraint that does not hold.
pub(crate) fn resolve(
    specs: &[ParameterSpec],
    given: &BTreeMap<String, Given>,
    previous: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let unknown: Vec<&str> =
        given.keys().filter(|name| !specs.iter().any(|spec| spec.name == **name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(invalid(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for spec in specs {
        let value = match given.get(&spec.name) {
            Some(Given::Value(value)) => Some(value.clone()),
            Some(Given::UsePrevious) if previous.is_none() => {
                let what = "Invalid input for parameter key";
                return Err(invalid(format!(
                    "{what} {}. Cannot specify usePreviousValue as true for a parameter key not in the previous template",
                    spec.name
                )));
            }
            Some(Given::UsePrevious) => previous.and_then(|known| known.get(&spec.name)).cloned(),
            None => spec.default.clone(),
        };
        match value {
            Some(value) => {
                spec.check(&value)?;
                values.insert(spec.name.clone(), value);
            }
            None => missing.push(spec.name.as_str()),
        }
    }
    if missing.is_empty() {
        return Ok(values);
    }
    Err(invalid(format!("Parameters: [{}] must have values", missing.join(", "))))
}

fn split_list(value: &str) -> Vec<&str> {
    if value.is_empty() { Vec::new() } else { value.split(',').map(str::trim).collect() }
}

fn whole_match(name: &str, pattern: &str) -> Result<Regex, AwsError> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
        format_error(&format!("Parameter {name} AllowedPattern is not a valid regular expression here: {pattern}"))
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).filter(|value| !value.is_null()).map(plain)
}

fn number<T: std::str::FromStr>(
    fields: &Map<String, Value>,
    name: &str,
    parameter: &str,
) -> Result<Option<T>, AwsError> {
    let Some(words) = text(fields, name) else { return Ok(None) };
    words
        .parse()
        .map(Some)
        .map_err(|_| format_error(&format!("Parameter {parameter} {name} must be a number: {words}")))
}

/// Text of a scalar; JSON of the rest.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn format_error(why: &str) -> AwsError {
    invalid(format!("Template format error: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(spec: Value, value: &str) -> String {
        let specs = match read(Some(&json!({ "P": spec }))) {
            Ok(specs) => specs,
            Err(error) => return error.message,
        };
        let given = BTreeMap::from([("P".to_owned(), Given::Value(value.to_owned()))]);
        match resolve(&specs, &given, None) {
            Ok(values) => values["P"].clone(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn every_constraint_in_its_words() {
        let cases = [
            (json!({"Type": "String", "AllowedValues": ["a", "b"]}), "c", "Parameter 'P' must be one of AllowedValues"),
            (json!({"Type": "String", "AllowedPattern": "[a-z]+"}), "a1", "Parameter 'P' must match pattern [a-z]+"),
            (
                json!({"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "letters only"}),
                "1",
                "Parameter P failed to satisfy constraint: letters only",
            ),
            (json!({"Type": "String", "MinLength": 2}), "a", "Parameter 'P' must contain at least 2 characters"),
            (json!({"Type": "String", "MaxLength": "2"}), "abc", "Parameter 'P' must contain at most 2 characters"),
            (json!({"Type": "Number"}), "two", "Parameter 'P' must be a number"),
            (json!({"Type": "Number", "MinValue": 1}), "0", "Parameter 'P' must be a number not less than 1"),
            (json!({"Type": "Number", "MaxValue": 100}), "101", "Parameter 'P' must be a number not greater than 100"),
            (json!({"Type": "Number", "MinValue": 1}), "1.5", "1.5"),
            (json!({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}), "a, b", "a, b"),
            (json!({"Type": "List<Number>"}), "1,x", "Parameter 'P' must be a number"),
            (
                json!({"Type": "String", "Default": "z", "AllowedValues": ["a"]}),
                "a",
                "Parameter 'P' must be one of AllowedValues",
            ),
        ];
        for (spec, value, expected) in cases {
            assert_eq!(outcome(spec.clone(), value), expected, "{spec} {value}");
        }
        assert!(outcome(json!({"Type": "Strin"}), "").contains("Unrecognized parameter type: Strin"));
    }

    #[test]
    fn missing_unknown_default_and_previous() {
        let specs = read(Some(&json!({"A": {"Type": "String"}, "B": {"Type": "Number", "Default": 3}}))).unwrap();
        let one = |given: &[(&str, Given)], previous: Option<&BTreeMap<String, String>>| {
            let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            resolve(&specs, &given, previous).map_err(|error| error.message)
        };
        assert_eq!(one(&[], None).unwrap_err(), "Parameters: [A] must have values");
        let given = [("A", Given::Value("1".into())), ("X", Given::Value("1".into()))];
        assert_eq!(one(&given, None).unwrap_err(), "Parameters: [X] do not exist in the template");
        let before = BTreeMap::from([("A".to_owned(), "old".to_owned()), ("B".to_owned(), "7".to_owned())]);
        let kept = one(&[("A", Given::UsePrevious)], Some(&before)).unwrap();
        assert_eq!((kept["A"].as_str(), kept["B"].as_str()), ("old", "3"));
        assert!(one(&[("A", Given::UsePrevious)], None).is_err());
    }
}
