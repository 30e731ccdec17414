//! `haliotis plan FILE`: what would run, without running it.

use std::path::PathBuf;

use clap::Args;

use crate::app::{parameters, registry, source};
use crate::commands::lint;
use crate::context::Context;
use crate::failure::Outcome;

/// Arguments of `plan`.
#[derive(Args)]
pub struct Plan {
    /// The pipeline file
    file: PathBuf,
    /// A parameter, as NAME=VALUE
    #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
}

/// Prints the plan.
pub fn run(args: &Plan, ctx: &Context) -> Outcome {
    let source = source::read(&args.file)?;
    let definition =
        lint::inspect(&source).map_err(|diagnostics| lint::refuse(ctx, &args.file, &source, &diagnostics))?;
    lint::show(ctx, &definition.warnings, &lint::texts(&source));
    let given = parameters::parse(&args.parameters)?;
    let resolved = parameters::resolve(&definition.parameters, &given)?;
    let plan = haliotis_yaml::plan(&source, &resolved, &registry::schemas())
        .map_err(|diagnostics| lint::refuse(ctx, &args.file, &source, &diagnostics))?;
    if ctx.json {
        ctx.print_json(&plan);
    } else {
        ctx.print(plan.text());
    }
    Ok(())
}
