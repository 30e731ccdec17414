//! `haliotis lint FILE...`: all problems of pipeline files, located.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use haliotis_flow::{Definition, Diagnostic, Severity};
use haliotis_model::Source;
use serde::Serialize;

use crate::app::{registry, source};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `lint`.
#[derive(Args)]
pub struct Lint {
    /// Pipeline files: Jenkinsfiles, YAML pipelines, Job DSL scripts
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// One file's verdict, as `--json` prints it.
#[derive(Serialize)]
struct Verdict {
    file: String,
    valid: bool,
    problems: Vec<Problem>,
}

/// One problem.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    severity: Severity,
    message: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    hint: Option<String>,
}

impl From<&Diagnostic> for Problem {
    fn from(found: &Diagnostic) -> Self {
        Problem {
            severity: found.severity,
            message: found.message.clone(),
            line: found.line,
            column: found.column,
            end_line: found.line,
            end_column: found.column + found.length,
            hint: found.help.clone(),
        }
    }
}

impl From<haliotis_jenkinsfile::Problem> for Problem {
    fn from(found: haliotis_jenkinsfile::Problem) -> Self {
        Problem {
            severity: found.severity,
            message: found.message,
            line: found.line as usize,
            column: found.column as usize,
            end_line: found.end_line as usize,
            end_column: found.end_column as usize,
            hint: found.hint,
        }
    }
}

impl From<haliotis_jobdsl::Problem> for Problem {
    fn from(found: haliotis_jobdsl::Problem) -> Self {
        Problem {
            severity: Severity::Error,
            message: found.message,
            line: found.line as usize,
            column: found.column as usize,
            end_line: found.end_line as usize,
            end_column: found.end_column as usize,
            hint: found.hint,
        }
    }
}

/// A problem of a Job DSL script as all problems are shown.
fn seed_script(problem: &haliotis_jobdsl::Problem, file: &str) -> Diagnostic {
    let one_line = problem.line == problem.end_line;
    Diagnostic {
        code: "jobdsl".to_owned(),
        severity: Severity::Error,
        message: problem.message.clone(),
        file: file.to_owned(),
        line: problem.line as usize,
        column: problem.column as usize,
        length: if one_line { problem.end_column.saturating_sub(problem.column).max(1) as usize } else { 1 },
        help: problem.hint.clone(),
    }
}

/// Checks every file; exit code 1 when one is not valid, 4 when one is not there.
pub fn run(args: &Lint, ctx: &Context) -> Outcome {
    let mut verdicts = Vec::new();
    let (mut shown, mut sources) = (Vec::new(), BTreeMap::new());
    for file in &args.files {
        let source = source::read(file)?;
        sources.extend(texts(&source));
        let jenkins = source.language == haliotis_jenkinsfile::NAME && source.files.is_empty();
        if jenkins && haliotis_jobdsl::is_job_dsl(&source.text) {
            let problems = haliotis_jobdsl::lint(&source.text, &source.path);
            shown.extend(problems.iter().map(|problem| seed_script(problem, &source.path)));
            let problems: Vec<Problem> = problems.into_iter().map(Problem::from).collect();
            verdicts.push(Verdict { file: file.display().to_string(), valid: problems.is_empty(), problems });
            continue;
        }
        let found = match inspect(&source) {
            Ok(definition) => definition.warnings,
            Err(diagnostics) => diagnostics,
        };
        // The engine's form has no end of its own; Jenkinsfiles say where theirs is.
        let problems: Vec<Problem> = if jenkins {
            haliotis_jenkinsfile::validate_for(&source.text, &registry::schemas())
                .into_iter()
                .map(Problem::from)
                .collect()
        } else {
            found.iter().map(Problem::from).collect()
        };
        let valid = problems.iter().all(|problem| problem.severity != Severity::Error);
        verdicts.push(Verdict { file: file.display().to_string(), valid, problems });
        shown.extend(found);
    }
    let wrong = verdicts.iter().filter(|verdict| !verdict.valid).count();
    if ctx.json {
        ctx.print_json(&verdicts);
        return if wrong > 0 { Err(Failure::failed("")) } else { Ok(()) };
    }
    show(ctx, &shown, &sources);
    let errors = shown.iter().filter(|found| found.severity == Severity::Error).count();
    if wrong > 0 {
        return Err(Failure::failed(format!("{errors} error(s) in {wrong} of {} file(s)", args.files.len())));
    }
    ctx.good(format!("{} file(s), no errors, {} warning(s)", args.files.len(), shown.len()));
    Ok(())
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
