//! The one binary. The supervisor's verb is answered before anything else is set up, so that it stays small.

#![expect(unreachable_pub, reason = "a binary has no outside; `pub` marks what a module offers the others")]

mod app;
mod args;
mod client;
mod commands;
mod context;
mod failure;
mod show;

fn main() -> std::process::ExitCode {
    if let Some(code) = commands::supervise::early(std::env::args_os()) {
        return std::process::ExitCode::from(code);
    }
    commands::main()
}
