//! Parameters and tags of a stack, from a map or from a file in any of the shapes in use.
//!
//! `[{"ParameterKey": k, "ParameterValue": v}]` (AWS CLI), `{"Parameters": {k: v}}` (CodePipeline), `{k: v}`; for tags
//! `[{"Key": k, "Value": v}]`, `{"Tags": {k: v}}`, `{k: v}`.

use haliotis_model::{Object, Value};
use haliotis_plugin_api::{StepContext, StepError};

use crate::{arguments, uploads};

/// The words of one kind of setting.
pub(super) struct Words {
    argument: &'static str,
    file_argument: &'static str,
    wrapper: &'static str,
    key: &'static str,
    value: &'static str,
}

pub(super) const PARAMETERS: Words = Words {
    argument: "parameters",
    file_argument: "parameters-file",
    wrapper: "Parameters",
    key: "ParameterKey",
    value: "ParameterValue",
};
pub(super) const TAGS: Words =
    Words { argument: "tags", file_argument: "tags-file", wrapper: "Tags", key: "Key", value: "Value" };

/// Settings from the file, then those of the map, which win; in the order first named.
pub(super) fn read(ctx: &StepContext, words: &Words) -> Result<Vec<(String, String)>, StepError> {
    let mut all = Object::new();
    if let Some(file) = ctx.text(words.file_argument) {
        let wrong =
            |why: String| StepError::Usage(format!("cloudformation.deploy: {}: {file}: {why}", words.file_argument));
        let bytes = std::fs::read(uploads::workspace_path(ctx, &file)?).map_err(|error| wrong(error.to_string()))?;
        let json = serde_json::from_slice(&bytes).map_err(|error| wrong(format!("not JSON: {error}")))?;
        all.extend(from_json(json, words).map_err(wrong)?);
    }
    all.extend(ctx.map(words.argument));
    Ok(all.into_iter().map(|(name, value)| (name, text(&value))).collect())
}

fn from_json(json: Value, words: &Words) -> Result<Object, String> {
    match json {
        Value::Array(items) => items.into_iter().map(|item| pair(&item, words)).collect(),
        Value::Object(mut map) => match map.remove(words.wrapper) {
            Some(inner @ (Value::Object(_) | Value::Array(_))) => from_json(inner, words),
            Some(plain) => {
                map.insert(words.wrapper.to_owned(), plain);
                Ok(map)
            }
            None => Ok(map),
        },
        _ => Err(format!("it must be a map, or a list of {{{}, {}}}", words.key, words.value)),
    }
}

fn pair(item: &Value, words: &Words) -> Result<(String, Value), String> {
    let found = item.get(words.key).and_then(Value::as_str).zip(item.get(words.value));
    let wrong = || format!("each item must be {{{}, {}}}, not {item}", words.key, words.value);
    found.map(|(key, value)| (key.to_owned(), value.clone())).ok_or_else(wrong)
}

/// A list parameter of CloudFormation is written with commas.
fn text(value: &Value) -> String {
    match value.as_array() {
        Some(items) => items.iter().map(arguments::plain).collect::<Vec<_>>().join(","),
        None => arguments::plain(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(json: Value, words: &Words, expect: &[(&str, &str)]) {
        let map = from_json(json, words).unwrap();
        let found: Vec<(&str, String)> = map.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let expect: Vec<(&str, String)> = expect.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn every_shape_is_read() {
        check(json!([{"ParameterKey": "A", "ParameterValue": "1"}]), &PARAMETERS, &[("A", "1")]);
        check(json!({"Parameters": {"A": 1, "B": ["x", "y"]}}), &PARAMETERS, &[("A", "1"), ("B", "x,y")]);
        check(json!({"A": true}), &PARAMETERS, &[("A", "true")]);
        check(json!([{"Key": "a", "Value": "b"}]), &TAGS, &[("a", "b")]);
        check(json!({"Tags": "only a tag"}), &TAGS, &[("Tags", "only a tag")]);
    }

    #[test]
    fn other_shapes_are_refused() {
        assert!(from_json(json!("x"), &PARAMETERS).is_err());
        assert!(from_json(json!([{"Key": "a", "Value": "b"}]), &PARAMETERS).unwrap_err().contains("ParameterKey"));
    }
}
