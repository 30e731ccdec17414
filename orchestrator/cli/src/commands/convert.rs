//! `haliotis convert FILE --to json|yaml|jenkinsfile`: Jenkins' own model of a Jenkinsfile, and back.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// A form that a pipeline is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Jenkins' JSON model.
    Json,
    /// A Haliotis pipeline.
    Yaml,
    /// A Declarative Jenkinsfile.
    Jenkinsfile,
}

/// Arguments of `convert`.
#[derive(Args)]
pub struct Convert {
    /// The file to read
    file: PathBuf,
    /// What it is
    #[arg(long, value_enum, default_value = "jenkinsfile")]
    from: Form,
    /// What it shall become
    #[arg(long, value_enum)]
    to: Form,
}

/// Prints the converted text; what was not translated stands in it as comments and on standard error.
pub fn run(args: &Convert, ctx: &Context) -> Outcome {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Failure::world(format!("cannot read {}: {error}", args.file.display())))?;
    match (args.from, args.to) {
        (Form::Jenkinsfile, Form::Json) => {
            let json = haliotis_jenkinsfile::to_json(&text).map_err(|problems| refuse(args, &problems))?;
            ctx.print_json(&json);
        }
        (Form::Jenkinsfile, Form::Yaml) => {
            let (yaml, left) = haliotis_jenkinsfile::to_yaml(&text).map_err(|problems| refuse(args, &problems))?;
            ctx.print(yaml.trim_end());
            for note in left {
                ctx.say(format!("not translated: {note}"));
            }
        }
        (Form::Json, Form::Jenkinsfile) => {
            let json = serde_json::from_str(&text)
                .map_err(|error| Failure::usage(format!("{} is not JSON: {error}", args.file.display())))?;
            let made = haliotis_jenkinsfile::to_jenkinsfile(&json).map_err(Failure::usage)?;
            ctx.print(made.trim_end());
        }
        (from, to) => {
            return Err(Failure::usage(format!(
                "{} cannot become {}; a Jenkinsfile becomes JSON or YAML, JSON becomes a Jenkinsfile",
                word(from),
                word(to)
            )));
        }
    }
    Ok(())
}

fn word(form: Form) -> &'static str {
    match form {
        Form::Json => "JSON",
        Form::Yaml => "YAML",
        Form::Jenkinsfile => "a Jenkinsfile",
    }
}

fn refuse(args: &Convert, problems: &[haliotis_jenkinsfile::Problem]) -> Failure {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}:{}:{}: {}", args.file.display(), problem.line, problem.column, problem.message))
        .collect();
    Failure::usage(lines.join("\n"))
}
