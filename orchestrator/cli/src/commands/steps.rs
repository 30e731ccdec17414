//! `haliotis steps [NAME]`.

use clap::Args;
use console::style;
use haliotis_model::StepSchema;

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `steps`.
#[derive(Args)]
pub struct Steps {
    /// Document this step kind
    name: Option<String>,
    /// Tell how to add a step of one's own
    #[arg(long, conflicts_with = "name")]
    how: bool,
}

/// How to add one; the manifest is that of the protocol's documentation.
const HOW: &str = r#"A step of your own is one of:
  - a function of the Jenkinsfile: def NAME(args) { ... }
  - vars/NAME.groovy of a shared library (jenkins.yaml of the data folder, unclassified.globalLibraries)
  - a program: a folder below PLUGINS with a plugin.json, which Jenkinsfiles and YAML pipelines can use:

{ "protocol": 1,
  "steps": [ { "name": "greet", "doc": "Greets somebody.", "program": ["python3", "greet.py"],
               "arguments": [ { "name": "who", "kind": "string", "required": true, "doc": "Whom." } ] } ] }

The program reads one JSON object from standard input ({"step", "key", "arguments", "workspace", "build", ...}) and writes
JSON lines: {"log": TEXT}, {"outputs": {NAME: VALUE}}, {"result": "success|unstable|failure", "message": TEXT}.
Other lines and standard error go into the log. plugins/examples/model-card of the source is a worked example."#;

/// Lists all, or documents one.
pub fn run(args: &Steps, ctx: &Context) -> Outcome {
    if args.how {
        let folder = ctx.data_dir().join(crate::app::registry::PLUGINS_FOLDER);
        ctx.print(HOW.replace("PLUGINS", &folder.display().to_string()));
        return Ok(());
    }
    let schemas = crate::app::registry::schemas();
    let Some(name) = &args.name else {
        if ctx.json {
            ctx.print_json(&schemas);
            return Ok(());
        }
        let width = schemas.iter().map(|schema| schema.name.len()).max().unwrap_or(0);
        for schema in &schemas {
            ctx.print(format!("{:width$}  {}", style(schema.name).bold(), schema.doc));
        }
        return Ok(());
    };
    let Some(schema) = schemas.iter().find(|schema| schema.name == *name) else {
        let names: Vec<_> = schemas.iter().map(|schema| schema.name).collect();
        return Err(Failure::not_found(format!("there is no step kind `{name}`; known: {}", names.join(", "))));
    };
    if ctx.json {
        ctx.print_json(schema);
    } else {
        ctx.print(document(schema));
    }
    Ok(())
}

fn document(schema: &StepSchema) -> String {
    let mut text = format!("{}\n  {}\n", style(schema.name).bold(), schema.doc);
    let word = |value: &dyn serde_like::Word| value.word();
    text += &format!("  runs in: {}   delivery: {}\n", word(&schema.placement), word(&schema.delivery));
    if !schema.arguments.is_empty() {
        text += "\nwith:\n";
    }
    for argument in &schema.arguments {
        let need = if argument.required { " (required)".to_owned() } else { String::new() };
        let default = argument.default.as_ref().map(|value| format!(" [default: {value}]")).unwrap_or_default();
        text += &format!("  {}: {}{need}{default}\n      {}\n", argument.name, word(&argument.kind), argument.doc);
    }
    if !schema.outputs.is_empty() {
        text += "\noutputs:\n";
    }
    for output in &schema.outputs {
        text += &format!("  {}  {}\n", output.name, output.doc);
    }
    text += &format!("\nexample:\n{}", indent(schema.example));
    text
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The words serde uses, for people.
mod serde_like {
    /// Something that serialises to one word.
    pub trait Word {
        fn word(&self) -> String;
    }

    impl<T: serde::Serialize> Word for T {
        fn word(&self) -> String {
            serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        }
    }
}
