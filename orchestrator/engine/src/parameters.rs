//! Parameters as given, checked against their specification, defaults filled in. Used for builds and for answers.

use haliotis_model::{Object, ParameterKind, ParameterSpec, Value};

/// All parameters with a value each, in the order of the specification.
///
/// # Errors
/// Every problem: unknown name, missing value, wrong type, choice not offered. Text is accepted for any type and
/// converted, since forms and command lines only have text.
pub fn resolve(specs: &[ParameterSpec], given: &Object) -> Result<Object, Vec<String>> {
    let mut problems = Vec::new();
    for name in given.keys() {
        if !specs.iter().any(|spec| spec.name == *name) {
            let known: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("known: {}", known.join(", ")) };
            problems.push(format!("`{name}` is not a parameter of this pipeline ({known})"));
        }
    }
    let mut resolved = Object::new();
    for spec in specs {
        let value = given.get(&spec.name).or(spec.default.as_ref());
        match value {
            None => problems.push(format!("`{}` needs a value", spec.name)),
            Some(value) => match convert(spec, value) {
                Ok(value) => drop(resolved.insert(spec.name.clone(), value)),
                Err(problem) => problems.push(format!("`{}` {problem}", spec.name)),
            },
        }
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

fn convert(spec: &ParameterSpec, value: &Value) -> Result<Value, String> {
    let text = value.as_str();
    match spec.kind {
        ParameterKind::String => match value {
            Value::String(_) => Ok(value.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(Value::String(value.to_string())),
            _ => Err(format!("wants text, got {value}")),
        },
        ParameterKind::Integer => value
            .as_i64()
            .or_else(|| text?.trim().parse().ok())
            .map(Value::from)
            .ok_or_else(|| format!("wants a whole number, got {value}")),
        ParameterKind::Number => value
            .as_f64()
            .or_else(|| text?.trim().parse().ok())
            .filter(|number| number.is_finite())
            .map(|number| if value.is_number() { value.clone() } else { Value::from(number) })
            .ok_or_else(|| format!("wants a number, got {value}")),
        ParameterKind::Boolean => value
            .as_bool()
            .or_else(|| text?.trim().parse().ok())
            .map(Value::from)
            .ok_or_else(|| format!("wants true or false, got {value}")),
        ParameterKind::Choice => {
            let chosen = text.map_or_else(|| value.to_string(), str::to_owned);
            if spec.choices.contains(&chosen) {
                Ok(Value::String(chosen))
            } else {
                Err(format!("must be one of {}, got {value}", spec.choices.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(name: &str, kind: ParameterKind, default: Option<Value>) -> ParameterSpec {
        ParameterSpec {
            name: name.into(),
            kind,
            default,
            choices: vec!["a".into(), "b".into()],
            description: String::new(),
        }
    }

    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn defaults_and_conversions() {
        let specs = [
            spec("s", ParameterKind::String, Some(json!("x"))),
            spec("i", ParameterKind::Integer, None),
            spec("n", ParameterKind::Number, Some(json!(6.0))),
            spec("b", ParameterKind::Boolean, None),
            spec("c", ParameterKind::Choice, None),
        ];
        let given = object(json!({"i": "5", "b": "true", "c": "b"}));
        let expected = object(json!({"s": "x", "i": 5, "n": 6.0, "b": true, "c": "b"}));
        assert_eq!(resolve(&specs, &given), Ok(expected));
    }

    #[test]
    fn all_problems_at_once() {
        let specs = [spec("i", ParameterKind::Integer, None), spec("c", ParameterKind::Choice, None)];
        let problems = resolve(&specs, &object(json!({"i": "five", "x": 1}))).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
