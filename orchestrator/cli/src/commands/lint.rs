//! `haliotis lint FILE...`: all problems of pipeline files, located.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use haliotis_flow::{Definition, Diagnostic, Severity};
use haliotis_model::Source;

use crate::app::{registry, source};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `lint`.
#[derive(Args)]
pub struct Lint {
    /// Pipeline files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Checks every file; exit code 2 when one has errors.
pub fn run(args: &Lint, ctx: &Context) -> Outcome {
    let mut all = Vec::new();
    let mut sources = BTreeMap::new();
    for file in &args.files {
        let source = source::read(file)?;
        sources.extend(texts(&source));
        match inspect(&source) {
            Ok(definition) => all.extend(definition.warnings),
            Err(diagnostics) => all.extend(diagnostics),
        }
    }
    let errors = all.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    if ctx.json {
        ctx.print_json(&all);
    } else {
        show(ctx, &all, &sources);
        if errors == 0 {
            ctx.good(format!("{} file(s), no errors, {} warning(s)", args.files.len(), all.len()));
        }
    }
    if errors > 0 { Err(Failure::usage(format!("{errors} error(s)"))) } else { Ok(()) }
}

/// Reads a source as its language does.
pub fn inspect(source: &Source) -> Result<Definition, Vec<Diagnostic>> {
    registry::language(&source.language).inspect(source, &registry::schemas())
}

/// The texts that diagnostics point into.
pub fn texts(source: &Source) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::from([(source.path.clone(), source.text.clone())]);
    texts.extend(source.files.iter().map(|(path, text)| (path.clone(), text.as_str().unwrap_or_default().to_owned())));
    texts
}

/// Prints diagnostics with their carets.
pub fn show(ctx: &Context, diagnostics: &[Diagnostic], sources: &BTreeMap<String, String>) {
    if !diagnostics.is_empty() {
        ctx.say(haliotis_yaml::render(diagnostics, sources, console::colors_enabled_stderr()));
    }
}

/// The failure for a file that has errors, after showing them.
pub fn refuse(ctx: &Context, file: &Path, source: &Source, diagnostics: &[Diagnostic]) -> Failure {
    show(ctx, diagnostics, &texts(source));
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    Failure::usage(format!("{} has {errors} error(s); nothing was started", file.display()))
}
