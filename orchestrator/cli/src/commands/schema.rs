//! `haliotis schema`.

use clap::Args;

use crate::context::Context;
use crate::failure::Outcome;

/// Arguments of `schema`.
#[derive(Args)]
pub struct Schema {}

/// Prints the JSON Schema.
pub fn run(_: &Schema, ctx: &Context) -> Outcome {
    ctx.print_json(&haliotis_yaml::json_schema(&crate::app::registry::schemas()));
    Ok(())
}
