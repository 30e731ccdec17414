//! Plans.

mod support;

use haliotis_model::Object;
use haliotis_yaml::{check_parameters, plan};
use support::drive::Script;

#[test]
fn plans() {
    let mut failed = Vec::new();
    for (name, text) in support::fixtures("plans") {
        let script = Script::parse(&text);
        let mut source = script.build(&name, &text).source;
        source.files = script.files;
        let plan = plan(&source, &script.parameters, &support::kinds()).unwrap();
        let text = format!("{}---\n{}", plan.text(), plan.yaml().unwrap());
        if let Err(why) = support::golden("plans", &name, &text) {
            failed.push(why);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn parameters_are_checked() {
    let text = "parameters: { N: { type: integer }, S: { default: x } }\nsteps: { a: { uses: noop } }";
    let source = support::source("f.yaml", text);
    let with = |json: &str| plan(&source, &serde_json::from_str::<Object>(json).unwrap(), &support::kinds());
    let messages = |json: &str| with(json).unwrap_err().into_iter().map(|problem| problem.message).collect::<Vec<_>>();
    assert_eq!(messages("{}"), ["the parameter \"N\" has no default and was not given"]);
    assert_eq!(
        messages(r#"{"N": "many", "M": 1}"#),
        ["unknown parameter \"M\"", "the parameter \"N\" wants a whole number, not \"many\""]
    );
    assert_eq!(with(r#"{"N": "3"}"#).unwrap().parameters, serde_json::from_str(r#"{"N":3,"S":"x"}"#).unwrap());
    assert_eq!(check_parameters("f.yaml", &[], &Object::new()), Ok(Object::new()));
}
