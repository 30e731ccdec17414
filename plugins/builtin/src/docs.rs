//! The page `docs/steps.md`, made from the schemas so that it cannot say anything else than lint does.

use std::fmt::Write;

use haliotis_model::{ArgumentKind, ArgumentSchema, Delivery, Placement, StepSchema};

/// Says at the top of the page where it comes from.
const HEAD: &str = "\
# Steps

<!-- Made from the step schemas by haliotis_plugin_builtin::markdown. Do not edit: change the schema, then run
     `UPDATE_DOCS=1 cargo test -p haliotis-plugin-aws --test docs`. -->

What may stand after `uses:` in a pipeline, with the arguments under `with:` and the outputs that later steps read as
`${{ steps.ID.outputs.NAME }}`. `run: SCRIPT` is short for `uses: sh`. A question to a person is not a step kind but the
key `input`.

Delivery says what a crash may do to a step: *at least once* — it is started again, which does no harm; *at most once* —
it is never started again, an unknown outcome is shown and a person decides; *once by key* — starting it again finds the
first.
";

/// The page over these step kinds, in the order of their names.
pub fn markdown(schemas: &[StepSchema]) -> String {
    let mut sorted: Vec<&StepSchema> = schemas.iter().collect();
    sorted.sort_by_key(|schema| schema.name);
    let mut page = HEAD.to_owned();
    page.push('\n');
    for schema in &sorted {
        line(&mut page, format_args!("- [`{}`](#{}): {}", schema.name, schema.name.replace('.', ""), schema.doc));
    }
    for schema in sorted {
        section(&mut page, schema);
    }
    page
}

fn section(page: &mut String, schema: &StepSchema) {
    let placement = match schema.placement {
        Placement::Agent => "on an agent, with the workspace",
        Placement::Server => "in the server, without a slot",
    };
    let delivery = match schema.delivery {
        Delivery::AtLeastOnce => "at least once",
        Delivery::AtMostOnce => "at most once",
        Delivery::Token => "once by key",
    };
    let cloud = if schema.cloud { " Talks to the cloud." } else { "" };
    line(page, format_args!("\n## {}\n\n{}\n", schema.name, schema.doc));
    line(page, format_args!("Runs {placement}; delivery: {delivery}.{cloud}"));
    if !schema.arguments.is_empty() {
        line(page, format_args!("\n| argument | type | meaning |\n|---|---|---|"));
        for argument in &schema.arguments {
            line(page, format_args!("| {} |", row(argument)));
        }
    }
    if !schema.outputs.is_empty() || schema.open_outputs {
        line(page, format_args!("\n| output | meaning |\n|---|---|"));
        for output in &schema.outputs {
            line(page, format_args!("| `{}` | {} |", output.name, cell(output.doc)));
        }
        if schema.open_outputs {
            line(page, format_args!("| others | Names of the step's own. |"));
        }
    }
    line(page, format_args!("\n```yaml\nuses: {}\nwith:", schema.name));
    for text in schema.example.lines() {
        line(page, format_args!("  {text}"));
    }
    line(page, format_args!("```"));
}

fn row(argument: &ArgumentSchema) -> String {
    let kind = match argument.kind {
        ArgumentKind::String => "text",
        ArgumentKind::Integer => "whole number",
        ArgumentKind::Number => "number",
        ArgumentKind::Boolean => "true or false",
        ArgumentKind::Duration => "duration",
        ArgumentKind::Path => "path",
        ArgumentKind::Strings => "list of texts",
        ArgumentKind::List => "list",
        ArgumentKind::Map => "map",
        ArgumentKind::Any => "anything",
    };
    let mut meaning = cell(argument.doc);
    if !argument.one_of.is_empty() {
        let _ = write!(meaning, " One of `{}`.", argument.one_of.join("`, `"));
    }
    if let Some(default) = &argument.default {
        let _ = write!(meaning, " Default `{}`.", default.as_str().map_or_else(|| default.to_string(), str::to_owned));
    }
    let needed = if argument.required { " **(required)**" } else { "" };
    format!("`{}`{needed} | {kind} | {meaning}", argument.name)
}

/// A pipe would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(text);
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::markdown;
    use crate::STEPS;

    #[test]
    fn every_step_and_argument_is_on_the_page() {
        let schemas: Vec<_> = STEPS.iter().map(|step| step.schema()).collect();
        let page = markdown(&schemas);
        for schema in schemas {
            assert!(page.contains(&format!("\n## {}\n", schema.name)), "{}", schema.name);
            for argument in schema.arguments {
                assert!(page.contains(&format!("| `{}`", argument.name)), "{}.{}", schema.name, argument.name);
            }
        }
    }
}
