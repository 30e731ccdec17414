//! Parameters of pipelines and of inputs.

use haliotis_model::{ParameterKind, ParameterSpec, Value};

use crate::tree::{At, Data, Node};

use super::Reading;
use super::fields::{Fields, entries, texts, wrong};

const KEYS: [&str; 4] = ["type", "default", "choices", "description"];
const KINDS: [(&str, ParameterKind); 5] = [
    ("string", ParameterKind::String),
    ("integer", ParameterKind::Integer),
    ("number", ParameterKind::Number),
    ("boolean", ParameterKind::Boolean),
    ("choice", ParameterKind::Choice),
];

/// `NAME: { type, default, choices, description }`.
pub(super) fn read(node: &Node, reading: &mut Reading<'_>) -> Vec<ParameterSpec> {
    let mut list = Vec::new();
    for (key, value) in entries(node, "parameters", &mut reading.problems) {
        let name = key.text().unwrap_or_default().to_owned();
        super::step::check_id(key, "a parameter", &mut reading.problems);
        list.extend(one(name, key.at, value, reading));
    }
    list
}

fn one(name: String, at: At, node: &Node, reading: &mut Reading<'_>) -> Option<ParameterSpec> {
    let problems = &mut reading.problems;
    let fields = Fields::of(node, "a parameter", &KEYS, problems)?;
    let kind = match fields.get("type") {
        None => guess(&fields),
        Some(kind) => {
            let word = kind.text().unwrap_or_default();
            match KINDS.iter().find(|(known, _)| *known == word) {
                Some((_, kind)) => *kind,
                None => {
                    problems.unknown("yaml-type", kind.at, "parameter type", word, KINDS.iter().map(|(word, _)| *word));
                    return None;
                }
            }
        }
    };
    let choices = fields.get("choices").map_or_else(Vec::new, |node| texts(node, "choices", problems));
    if kind == ParameterKind::Choice && choices.is_empty() {
        let help = "add choices: [one, another]".to_owned();
        problems.error("yaml-parameter", at, format!("the choice {name:?} has no choices"), help);
    }
    let description = fields.text("description", problems).unwrap_or_default();
    let default = fields
        .node
        .get("default")
        .filter(|node| !node.is_null() || kind == ParameterKind::String && node.at.length > 1);
    let mut parameter = ParameterSpec { name, kind, default: None, choices, description };
    if let Some(node) = default {
        if matches!(node.data, Data::List(_) | Data::Map(_)) {
            wrong(node, "a default", "text, a number or a boolean", problems);
            return Some(parameter);
        }
        let value = if matches!(kind, ParameterKind::String | ParameterKind::Choice) {
            Value::String(node.text().unwrap_or_default().to_owned())
        } else {
            node.scalar()
        };
        if node.text().is_some_and(|text| text.contains("${{")) {
            problems.error("yaml-parameter", node.at, "a default cannot be an expression", None);
            return Some(parameter);
        }
        match coerce(&parameter, &value) {
            Ok(value) => parameter.default = Some(value),
            Err(why) => problems.error("yaml-parameter", node.at, format!("the default does not fit: {why}"), None),
        }
    }
    Some(parameter)
}

/// Without a type: that of the default, else text.
fn guess(fields: &Fields<'_>) -> ParameterKind {
    if fields.get("choices").is_some() {
        return ParameterKind::Choice;
    }
    match fields.get("default").map(|node| node.scalar()) {
        Some(Value::Bool(_)) => ParameterKind::Boolean,
        Some(Value::Number(number)) if number.is_i64() => ParameterKind::Integer,
        Some(Value::Number(_)) => ParameterKind::Number,
        _ => ParameterKind::String,
    }
}

/// A value as the parameter's type, from the text of a form as well.
///
/// # Errors
/// A sentence that names the parameter and what it wants.
pub(crate) fn coerce(parameter: &ParameterSpec, value: &Value) -> Result<Value, String> {
    let wrong = |wanted: &str| {
        let shown = if value.is_string() { value.to_string() } else { crate::expr::show(value) };
        Err(format!("the parameter {:?} wants {wanted}, not {shown}", parameter.name))
    };
    let scalar = match value {
        Value::String(text) => text.trim().to_owned(),
        other => crate::expr::show(other),
    };
    match parameter.kind {
        ParameterKind::String => match value {
            Value::Array(_) | Value::Object(_) => wrong("text"),
            Value::String(text) => Ok(Value::String(text.clone())),
            other => Ok(Value::String(crate::expr::show(other))),
        },
        ParameterKind::Integer => scalar.parse::<i64>().map(Value::from).or_else(|_| wrong("a whole number")),
        ParameterKind::Number => match scalar.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Ok(Value::Number(number)),
            None => wrong("a number"),
        },
        ParameterKind::Boolean => match scalar.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => wrong("true or false"),
        },
        ParameterKind::Choice if parameter.choices.contains(&scalar) => Ok(Value::String(scalar)),
        ParameterKind::Choice => wrong(&format!("one of {}", parameter.choices.join(", "))),
    }
}
