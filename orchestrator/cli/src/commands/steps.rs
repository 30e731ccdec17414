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
}

/// Lists all, or documents one.
pub fn run(args: &Steps, ctx: &Context) -> Outcome {
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
