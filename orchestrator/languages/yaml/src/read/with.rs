//! `with:` against the schema of the step kind.

use haliotis_model::{ArgumentKind, StepSchema, Value};

use crate::doc::Named;
use crate::expr::Template;
use crate::problems::Problems;
use crate::tree::{At, Node};

use super::Reading;
use super::fields::entries;
use super::schedule::duration_ms;
use super::step::keeps_text;

/// The arguments as written. The place of each is that of its value.
pub(super) fn read(node: &Node, reading: &mut Reading<'_>, kind: impl Fn(&str) -> Option<ArgumentKind>) -> Vec<Named> {
    let mut arguments = Vec::new();
    for (key, value) in entries(node, "with", &mut reading.problems) {
        let name = key.text().unwrap_or_default();
        let kind = kind(name);
        let template = if keeps_text(kind) {
            reading.compiler.text_template(value, &mut reading.problems)
        } else {
            reading.compiler.template(value, &mut reading.problems)
        };
        arguments.push(Named { name: name.to_owned(), at: key.at, value: template, kind });
    }
    arguments
}

/// Unknown, missing and ill-typed arguments. What an expression gives is known when it runs.
pub(super) fn check(arguments: &[Named], schema: &StepSchema, at: At, problems: &mut Problems) {
    for argument in arguments {
        let Some(known) = schema.argument(&argument.name) else {
            let names = schema.arguments.iter().map(|argument| argument.name);
            let what = format!("argument of {}:", schema.name);
            problems.unknown("yaml-unknown-argument", argument.at, &what, &argument.name, names);
            continue;
        };
        if let Err(wanted) = fits(&argument.value, known.kind) {
            let message = format!("{} must be {wanted}", known.name);
            problems.error("yaml-argument", argument.at, message, Some(known.doc.to_owned()));
        } else if let (false, Some(Value::String(text))) = (known.one_of.is_empty(), argument.value.literal())
            && !known.one_of.contains(&text.as_str())
        {
            problems.unknown("yaml-argument", argument.at, known.name, text, known.one_of.iter().copied());
        }
    }
    for known in schema.arguments.iter().filter(|known| known.required) {
        if !arguments.iter().any(|argument| argument.name == known.name) {
            let message = format!("{} needs the argument {:?}", schema.name, known.name);
            problems.error(
                "yaml-missing-argument",
                at,
                message,
                Some(format!("with: {{ {}: ... }}: {}", known.name, known.doc)),
            );
        }
    }
}

/// Whether a template can be of a kind; `Err` says what is wanted.
fn fits(template: &Template, kind: ArgumentKind) -> Result<(), &'static str> {
    match template {
        Template::Whole(_) => Ok(()),
        Template::Literal(value) => value_fits(value, kind),
        Template::Text(_) => match kind {
            ArgumentKind::Strings | ArgumentKind::List => Err("a list"),
            ArgumentKind::Map => Err("a map"),
            // Text around an expression may still read as a number when it is evaluated.
            _ => Ok(()),
        },
        Template::List(_) => match kind {
            ArgumentKind::Strings | ArgumentKind::List | ArgumentKind::Any => Ok(()),
            _ => Err(wanted(kind)),
        },
        Template::Map(_) => match kind {
            ArgumentKind::Map | ArgumentKind::Any => Ok(()),
            _ => Err(wanted(kind)),
        },
    }
}

/// Whether a value is of a kind; `Err` says what is wanted.
pub(crate) fn value_fits(value: &Value, kind: ArgumentKind) -> Result<(), &'static str> {
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let fits = match kind {
        ArgumentKind::Any => true,
        ArgumentKind::String | ArgumentKind::Path => scalar(value),
        ArgumentKind::Integer => value.as_i64().is_some(),
        ArgumentKind::Number => value.is_number(),
        ArgumentKind::Boolean => value.is_boolean(),
        ArgumentKind::Duration => match value {
            Value::String(text) => duration_ms(text).is_some(),
            other => other.as_f64().is_some_and(|seconds| seconds >= 0.0),
        },
        ArgumentKind::Strings => value.as_array().is_some_and(|items| items.iter().all(scalar)),
        ArgumentKind::List => value.is_array(),
        ArgumentKind::Map => value.is_object(),
    };
    if fits { Ok(()) } else { Err(wanted(kind)) }
}

/// A value that an expression gave, as the argument wants it: `"5"` of a script's output is a whole number where one is
/// wanted.
pub(crate) fn fit(value: Value, kind: ArgumentKind) -> Result<Value, &'static str> {
    let parsed = match (&value, kind) {
        (Value::String(text), ArgumentKind::Integer) => text.trim().parse::<i64>().ok().map(Value::from),
        (Value::String(text), ArgumentKind::Number) => {
            text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
        }
        (Value::String(text), ArgumentKind::Boolean) => text.trim().parse::<bool>().ok().map(Value::Bool),
        (Value::Number(number), ArgumentKind::Integer) => number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
            .map(|float| Value::from(float as i64)),
        (Value::Number(_) | Value::Bool(_), ArgumentKind::String | ArgumentKind::Path) => {
            Some(Value::String(crate::expr::show(&value)))
        }
        _ => None,
    };
    let value = parsed.unwrap_or(value);
    value_fits(&value, kind).map(|()| value)
}

fn wanted(kind: ArgumentKind) -> &'static str {
    match kind {
        ArgumentKind::String => "text",
        ArgumentKind::Integer => "a whole number",
        ArgumentKind::Number => "a number",
        ArgumentKind::Boolean => "true or false",
        ArgumentKind::Duration => "a duration (90s, 15m, 2h)",
        ArgumentKind::Path => "a path",
        ArgumentKind::Strings => "a list of texts",
        ArgumentKind::List => "a list",
        ArgumentKind::Map => "a map",
        ArgumentKind::Any => "anything",
    }
}
