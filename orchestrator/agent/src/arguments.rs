//! A call's arguments against its step kind's schema. Lint has done it for what is written in a file; here are the
//! values that expressions gave.

use haliotis_model::{ArgumentKind, ArgumentSchema, Object, StepSchema, Value};
use haliotis_plugin_api::parse_duration_ms;

/// The arguments with defaults filled in, or every problem in one text.
pub(crate) fn checked(schema: &StepSchema, with: &Object) -> Result<Object, String> {
    let unknown = with.keys().filter(|name| schema.argument(name).is_none()).map(|name| {
        let known: Vec<&str> = schema.arguments.iter().map(|argument| argument.name).collect();
        let known = if known.is_empty() { "it takes none".to_owned() } else { format!("it has {}", known.join(", ")) };
        format!("there is no argument `{name}`; {known}")
    });
    let wrong = schema.arguments.iter().filter_map(|argument| problem(argument, with.get(argument.name)));
    let problems: Vec<String> = unknown.chain(wrong).collect();
    if !problems.is_empty() {
        return Err(format!("step {}: {}", schema.name, problems.join("; ")));
    }
    let mut filled = with.clone();
    for argument in &schema.arguments {
        if let (Some(default), None | Some(Value::Null)) = (&argument.default, with.get(argument.name)) {
            filled.insert(argument.name.to_owned(), default.clone());
        }
    }
    Ok(filled)
}

fn problem(argument: &ArgumentSchema, value: Option<&Value>) -> Option<String> {
    let name = argument.name;
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return argument.required.then(|| format!("argument `{name}` is missing ({})", argument.doc));
    };
    if let Some(wanted) = misfit(argument.kind, value) {
        return Some(format!("argument `{name}` should be {wanted}, and is {}", shown(value)));
    }
    let allowed = argument.one_of;
    let chosen = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    (!allowed.is_empty() && !allowed.contains(&chosen.as_str()))
        .then(|| format!("argument `{name}` should be one of {}, and is {}", allowed.join(", "), shown(value)))
}

/// What is wanted, if the value is not that. Text that reads as a number or as true or false is one.
fn misfit(kind: ArgumentKind, value: &Value) -> Option<&'static str> {
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let text = || value.as_str().unwrap_or("").trim();
    let (fits, wanted) = match kind {
        ArgumentKind::Any => (true, "anything"),
        ArgumentKind::String => (scalar(value), "text"),
        ArgumentKind::Path => (scalar(value), "a path"),
        ArgumentKind::Integer => {
            let whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
            (whole || text().parse::<i64>().is_ok(), "a whole number")
        }
        ArgumentKind::Number => (value.is_number() || text().parse::<f64>().is_ok(), "a number"),
        ArgumentKind::Boolean => (value.is_boolean() || matches!(text(), "true" | "false"), "true or false"),
        ArgumentKind::Duration => {
            let seconds = value.as_f64().is_some_and(|seconds| seconds >= 0.0);
            (seconds || (value.is_string() && parse_duration_ms(text()).is_some()), "a duration (90s, 15m, 2h)")
        }
        ArgumentKind::Strings => {
            let list = value.as_array().is_some_and(|items| items.iter().all(scalar));
            (list || value.is_string(), "a list of texts")
        }
        ArgumentKind::List => (value.is_array(), "a list"),
        ArgumentKind::Map => (value.is_object(), "a map"),
    };
    (!fits).then_some(wanted)
}

/// A value in a message: whole where it is short.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return format!("`{text}`");
    }
    format!("`{}…`", text.chars().take(LONGEST).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use haliotis_model::{Delivery, Placement};
    use serde_json::json;

    fn schema() -> StepSchema {
        use ArgumentKind::{Boolean, Duration, Integer, Map, String, Strings};
        StepSchema {
            name: "demo",
            doc: "",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("script", String, "What to run."),
                ArgumentSchema::optional("shell", String, "").or("sh").one_of(&["sh", "bash"]),
                ArgumentSchema::optional("count", Integer, "").or(1),
                ArgumentSchema::optional("fast", Boolean, ""),
                ArgumentSchema::optional("every", Duration, ""),
                ArgumentSchema::optional("files", Strings, ""),
                ArgumentSchema::optional("tags", Map, ""),
            ],
            outputs: Vec::new(),
            open_outputs: false,
            cloud: false,
            example: "",
        }
    }

    fn check(with: Value) -> Result<Value, String> {
        checked(&schema(), with.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn defaults_are_filled_in() {
        let filled = check(json!({"script": "true", "count": null, "fast": "true", "every": "5m"})).unwrap();
        assert_eq!(filled, json!({"script": "true", "count": 1, "fast": "true", "every": "5m", "shell": "sh"}));
        assert!(check(json!({"script": 5, "count": "7", "every": 1.5, "files": "a", "tags": {}})).is_ok());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let error =
            check(json!({"shell": "zsh", "count": 1.5, "every": "soon", "tags": [], "scrip": "x"})).unwrap_err();
        for part in [
            "step demo: there is no argument `scrip`; it has script, shell",
            "argument `script` is missing (What to run.)",
            "argument `shell` should be one of sh, bash, and is `\"zsh\"`",
            "argument `count` should be a whole number, and is `1.5`",
            "argument `every` should be a duration (90s, 15m, 2h), and is `\"soon\"`",
            "argument `tags` should be a map, and is `[]`",
        ] {
            assert!(error.contains(part), "{part}\n{error}");
        }
    }
}
