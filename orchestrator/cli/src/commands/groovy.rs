//! `haliotis groovy eval FILE`: a plain Groovy script, without steps.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::PathBuf;
use std::rc::Rc;

use clap::{Args, Subcommand};
use haliotis_groovy::plain::{Ended, PlainHost, evaluate_on};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, Outcome, code};

/// Arguments of `groovy`.
#[derive(Args)]
pub struct Groovy {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a plain script and print its value
    Eval(Eval),
}

/// Arguments of `groovy eval`.
#[derive(Args)]
struct Eval {
    /// The script
    file: PathBuf,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    /// What the script printed.
    output: String,
    /// Groovy's `toString` of the value; none when the script failed.
    value: Option<String>,
    error: Option<Problem>,
}

/// Why a script failed.
#[derive(Serialize)]
struct Problem {
    /// Java's class name.
    class: String,
    message: Option<String>,
    /// As Groovy prints it, with the stack.
    text: String,
}

/// Runs the script; exit code 1 when it fails, 4 when the file is not there.
pub fn run(args: &Groovy, ctx: &Context) -> Outcome {
    let Verb::Eval(eval) = &args.verb;
    let file = eval.file.display().to_string();
    let text = std::fs::read_to_string(&eval.file).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { code::NOT_FOUND } else { code::WORLD };
        Failure::new(kind, format!("cannot read {file}: {error}"))
    })?;
    let kept = Rc::new(RefCell::new(String::new()));
    let print: Rc<dyn Fn(&str)> = if ctx.json {
        let kept = kept.clone();
        Rc::new(move |text| kept.borrow_mut().push_str(text))
    } else {
        Rc::new(|text| {
            let mut out = std::io::stdout().lock();
            // A reader that went away is nobody's failure.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        })
    };
    let now = jiff::Timestamp::now();
    // Nobody's secrets hang on a plain script's random numbers; the moment is seed enough.
    let seed = now.as_nanosecond().unsigned_abs() as u64 ^ u64::from(std::process::id());
    let name = eval.file.file_name().map_or_else(|| file.clone(), |name| name.to_string_lossy().into_owned());
    let ended =
        evaluate_on(&text, &name, &class_name(&name), Rc::new(PlainHost::at(print, now.as_millisecond(), seed)));
    let output = kept.borrow().clone();
    report(ended, output, &name, ctx)
}

fn report(ended: Ended, output: String, name: &str, ctx: &Context) -> Outcome {
    let problem = match ended {
        Ended::Value(value) => {
            if ctx.json {
                ctx.print_json(&Report { output, value: Some(value), error: None });
            } else {
                ctx.print(value);
            }
            return Ok(());
        }
        Ended::Threw { class, message, trace } => Problem { class, message, text: format!("Caught: {trace}") },
        Ended::Invalid(problems) => {
            let lines: Vec<String> = problems.iter().map(|problem| format!("{name}: {problem}")).collect();
            let count = lines.len();
            let text =
                format!("startup failed:\n{}\n\n{count} error{}", lines.join("\n"), if count == 1 { "" } else { "s" });
            let class = "org.codehaus.groovy.control.MultipleCompilationErrorsException".to_owned();
            Problem { class, message: Some(text.clone()), text }
        }
        Ended::Fatal(text) => Problem { class: "haliotis.Limit".to_owned(), message: Some(text.clone()), text },
    };
    if ctx.json {
        ctx.print_json(&Report { output, value: None, error: Some(problem) });
        return Err(Failure::failed(""));
    }
    Err(Failure::failed(problem.text.trim_end()))
}

/// The name that Groovy gives a file's script class.
fn class_name(file: &str) -> String {
    let stem = file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("Script1");
    stem.chars().map(|char| if char.is_alphanumeric() || char == '_' { char } else { '_' }).collect()
}
