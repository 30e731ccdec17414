//! `haliotis completions SHELL`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Outcome;

/// Arguments of `completions`.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Completions) -> Outcome {
    clap_complete::generate(args.shell, &mut Cli::command(), "haliotis", &mut std::io::stdout());
    Ok(())
}
