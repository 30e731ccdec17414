//! What a target gets of an event: all of it, a part, a constant, or a text made from it.

use serde_json::Value;

/// The text for the target: `Input`, `InputPath`, `InputTransformer`, or the event.
pub(super) fn of(target: &Value, event: &Value) -> String {
    if let Some(text) = target["Input"].as_str() {
        return text.to_owned();
    }
    if let Some(path) = target["InputPath"].as_str() {
        return at(event, path).unwrap_or(Value::Null).to_string();
    }
    match target["InputTransformer"]["InputTemplate"].as_str() {
        Some(template) => transformed(template, &target["InputTransformer"]["InputPathsMap"], event),
        None => event.to_string(),
    }
}

/// The value at `$.detail.name`, `$.resources[0]`.
pub(super) fn at(event: &Value, path: &str) -> Option<Value> {
    let path = path.strip_prefix('$')?;
    let pointer: String = path
        .replace('[', ".")
        .replace(']', "")
        .split('.')
        .filter(|part| !part.is_empty())
        .map(|part| format!("/{part}"))
        .collect();
    event.pointer(&pointer).cloned()
}

/// `<name>` stands for a value: as JSON, or as bare text where the template has it within quotes.
fn transformed(template: &str, paths: &Value, event: &Value) -> String {
    let (mut out, mut rest, mut quoted) = (String::new(), template, false);
    while let Some(open) = rest.find('<') {
        let (before, after) = rest.split_at(open);
        quoted ^= before.matches('"').count() % 2 == 1;
        out.push_str(before);
        let known = after[1..].split_once('>').and_then(|(name, tail)| Some((paths.get(name)?.as_str()?, tail)));
        let Some((path, tail)) = known else {
            out.push('<');
            rest = &after[1..];
            continue;
        };
        let value = at(event, path).unwrap_or(Value::Null);
        match value.as_str() {
            Some(text) if quoted => out.push_str(text),
            _ => out.push_str(&value.to_string()),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_choose() {
        let event = json!({"detail": {"arn": "a/1", "n": 3}, "resources": ["r"]});
        assert_eq!(of(&json!({"Input": "fixed"}), &event), "fixed");
        assert_eq!(of(&json!({"InputPath": "$.detail"}), &event), r#"{"arn":"a/1","n":3}"#);
        assert_eq!(of(&json!({}), &event), event.to_string());
        let transformer = json!({"InputTransformer": {"InputPathsMap": {"arn": "$.detail.arn", "n": "$.detail.n", "r": "$.resources[0]"},
            "InputTemplate": r#"{"arn": <arn>, "text": "of <arn> and <n>", "n": <n>, "r": <r>, "x": "<y>"}"#}});
        assert_eq!(of(&transformer, &event), r#"{"arn": "a/1", "text": "of a/1 and 3", "n": 3, "r": "r", "x": "<y>"}"#);
    }
}
