//! The Jenkinsfile language: Declarative and scripted pipelines, read, checked, converted and run.
//!
//! ```text
//! text -> tree (groovy-syntax) -> model (declare) -> check -> problems in Jenkins' words, all at once
//!                                        \-> convert: Jenkins' JSON model, and back
//!                                        \-> run: a program over flow; Groovy parts in haliotis-groovy's machine
//! ```
//! No IO, no clock, no unordered maps: the same source and the same events give the same commands.

#![forbid(unsafe_code)]

mod check;
mod convert;
mod declare;
mod definition;
mod language;
mod problems;
mod run;
mod table;
mod words;

use std::collections::BTreeSet;

use haliotis_groovy_syntax::Script;
use haliotis_model::Value;

pub use convert::to_jenkinsfile;
pub use language::{Jenkinsfile, NAME, VERSION};
pub use problems::Problem;
use problems::Problems;
pub use run::ROLE_PREFIX;
pub use run::SUPERSEDED_BY;

/// Everything that is wrong with a Jenkinsfile, in the order of its text. Empty: it can run.
pub fn validate(text: &str) -> Vec<Problem> {
    validate_for(text, &[])
}

/// The same where these step kinds can be called beside Jenkins' own steps.
pub fn validate_for(text: &str, kinds: &[haliotis_model::StepSchema]) -> Vec<Problem> {
    let names = run::script_kinds(kinds).map(str::to_owned).collect();
    match haliotis_groovy_syntax::parse(text, "WorkflowScript") {
        Ok(script) => validate_script(&script, &names, definition::names_a_library(&script)),
        Err(errors) => errors.into_iter().map(Problem::from).collect(),
    }
}

/// Whether a text holds a Declarative Pipeline; a broken one that looks like it counts.
pub fn is_declarative(text: &str) -> bool {
    match haliotis_groovy_syntax::parse(text, "WorkflowScript") {
        Ok(script) => declare::pipeline_statement(&script).is_some() || declare::pipeline_in_call(&script).is_some(),
        Err(_) => text.lines().any(|line| line.trim_start().starts_with("pipeline")),
    }
}

pub(crate) fn validate_script(script: &Script, library_names: &BTreeSet<String>, open: bool) -> Vec<Problem> {
    let mut problems = Problems::new(&script.lines);
    if let Some(model) = declare::read(script, &mut problems) {
        check::check(&model, &mut problems);
    }
    check::known::check(script, library_names, open, &mut problems);
    problems.into_sorted()
}

/// The JSON model of a Declarative Pipeline, as Jenkins' `toJson` answers.
///
/// # Errors
/// All problems; or one that says that there is no pipeline block.
pub fn to_json(text: &str) -> Result<Value, Vec<Problem>> {
    converted(text, convert::model_json)
}

/// A Haliotis pipeline as YAML, and a sentence for each construct that was not translated.
///
/// # Errors
/// As of [`to_json`].
pub fn to_yaml(text: &str) -> Result<(String, Vec<String>), Vec<Problem>> {
    converted(text, |model, _| convert::model_yaml(model))
}

fn converted<T>(text: &str, convert: impl Fn(&declare::model::Model, &str) -> T) -> Result<T, Vec<Problem>> {
    let script = haliotis_groovy_syntax::parse(text, "WorkflowScript")
        .map_err(|errors| errors.into_iter().map(Problem::from).collect::<Vec<_>>())?;
    let mut problems = Problems::new(&script.lines);
    let Some(model) = declare::read(&script, &mut problems) else {
        let span = haliotis_groovy_syntax::Span::new(0, 0);
        problems.hinted(
            span,
            "Jenkinsfile content '".to_owned() + text.trim() + "' did not contain the 'pipeline' step",
            "only Declarative Pipelines have a JSON model",
        );
        return Err(problems.into_sorted());
    };
    check::check(&model, &mut problems);
    if problems.has_errors() {
        return Err(problems.into_sorted());
    }
    Ok(convert(&model, script.lines.text()))
}
