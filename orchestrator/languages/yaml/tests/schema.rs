//! The editor schema agrees with the reader: what runs is valid, and what has unknown keys is not.

mod support;

use haliotis_model::Value;
use haliotis_yaml::json_schema;

fn parse(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

#[test]
fn programs_are_valid() {
    let schema = json_schema(&support::kinds());
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text) in support::fixtures("programs") {
        let Some(value) = parse(&text) else { continue };
        let problems: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
    }
}

#[test]
fn errors_of_form_are_invalid() {
    let validator = jsonschema::validator_for(&json_schema(&support::kinds())).unwrap();
    for name in ["arguments", "unknown-keys", "wrong-types", "when", "no-steps", "steps-as-list"] {
        let (_, text) = support::fixtures("errors").into_iter().find(|(fixture, _)| fixture == name).unwrap();
        let value = parse(&text).unwrap_or_else(|| panic!("{name} is YAML"));
        assert!(!validator.is_valid(&value), "{name}");
    }
}

#[test]
fn every_step_kind_is_documented() {
    let schema = json_schema(&support::kinds()).to_string();
    for kind in support::kinds() {
        assert!(schema.contains(kind.name) && schema.contains(kind.doc), "{}", kind.name);
    }
}
