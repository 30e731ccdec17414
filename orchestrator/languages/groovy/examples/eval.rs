//! Runs plain Groovy scripts: `eval FILE`, or `eval --cases FILE` for a file of the corpus (`// case: NAME` before each).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]
#![expect(clippy::disallowed_methods, reason = "it is a program, and reads the file it is given")]

use std::process::ExitCode;
use std::rc::Rc;

use haliotis_groovy::plain::{Ended, evaluate};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = args.last() else {
        eprintln!("usage: eval [--cases] FILE");
        return ExitCode::from(2);
    };
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("cannot read {path}");
        return ExitCode::from(2);
    };
    if args.first().is_some_and(|arg| arg == "--cases") {
        for case in text.split("// case: ").skip(1) {
            let (name, body) = case.split_once('\n').unwrap_or((case, ""));
            println!("=== {name}");
            show(body);
        }
        return ExitCode::SUCCESS;
    }
    if show(&text) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(text: &str) -> bool {
    let print: Rc<dyn Fn(&str)> = Rc::new(|text: &str| print!("{text}"));
    let run = evaluate(text, "Script1.groovy", "Script1", print);
    match run {
        Ended::Value(value) => {
            println!("--> {value}");
            true
        }
        Ended::Threw { class, message, trace } => {
            eprintln!("{trace}");
            println!("!!! {class}: {}", message.unwrap_or_else(|| "null".to_owned()));
            false
        }
        Ended::Invalid(problems) => {
            for problem in problems {
                println!("compile: {problem}");
            }
            false
        }
        Ended::Fatal(text) => {
            println!("fatal: {text}");
            false
        }
    }
}
