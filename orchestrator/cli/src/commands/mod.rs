//! One verb, one file: its arguments and its `run`.

pub mod abort;
pub mod approve;
pub mod audit;
pub mod backup;
pub mod builds;
pub mod completions;
pub mod convert;
pub mod credential;
pub mod demo;
mod demo_jenkins;
pub mod doctor;
pub mod environment;
pub mod groovy;
pub mod hook;
pub mod jobdsl;
pub mod lint;
pub mod login;
pub mod logs;
pub mod model;
pub mod pipeline;
pub mod plan;
pub mod prune;
pub mod replay;
pub mod rerun;
pub mod restore;
pub mod run;
pub mod schema;
pub mod screen;
pub mod seed;
pub mod selftest;
pub mod serve;
pub mod steps;
pub mod supervise;
pub mod text;
pub mod token;
pub mod top;
mod tree;
pub mod upgrade;
pub mod user;
pub mod watch;
pub mod watch_build;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Verb};
use crate::context::Context;
use crate::failure::{Failure, Outcome, code};

/// Parses, sets up tracing and the runtime, runs the verb, answers its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    trace(cli.global.verbose);
    let ctx = Context::new(&cli.global);
    crate::app::registry::load_plugins(&ctx.data_dir());
    let outcome = match cli.verb {
        Verb::Run(args) => alone(args, &ctx),
        verb => crowd(verb, &ctx),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                ctx.say(format!("{} {text}", console::style("error:").red().bold().for_stderr()));
            }
            failure.exit_code()
        }
    }
}

/// On the threads of a server.
fn crowd(verb: Verb, ctx: &Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(no_runtime)?;
    let outcome = runtime.block_on(dispatch(verb, ctx));
    // Steps at work belong to their supervisor; nothing here is worth waiting for.
    runtime.shutdown_background();
    outcome
}

/// One build on one thread: between two short steps there is nothing to do at the same time, and each change of thread
/// costs as much as a tenth of a step.
fn alone(args: run::Run, ctx: &Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
    one_arena();
    let work = || {
        let local = tokio::task::LocalSet::new();
        let outcome = local.block_on(&runtime, run::run(args, ctx));
        // The process ends now, and the system is quicker at tidying up than we are.
        std::mem::forget((local, runtime));
        outcome
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("run".to_owned()).stack_size(haliotis_engine::STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).map_err(no_runtime)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// glibc's allocator gives each thread an arena of its own that grows a page at a time, by a system call; one thread that
/// works needs no second arena.
fn one_arena() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt takes two numbers; no other thread is there yet")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

fn no_runtime(error: std::io::Error) -> Failure {
    Failure::new(code::INTERNAL, format!("cannot start the runtime: {error}"))
}

async fn dispatch(verb: Verb, ctx: &Context) -> Outcome {
    match verb {
        Verb::Demo(args) => demo::run(args, ctx).await,
        Verb::Run(args) => run::run(args, ctx).await,
        Verb::Lint(args) => lint::run(&args, ctx),
        Verb::Convert(args) => convert::run(&args, ctx),
        Verb::Groovy(args) => groovy::run(&args, ctx),
        Verb::Plan(args) => plan::run(&args, ctx),
        Verb::Serve(args) => serve::run(args, ctx).await,
        Verb::Pipeline(args) => pipeline::run(args, ctx).await,
        Verb::JobDsl(args) => jobdsl::run(args, ctx).await,
        Verb::Hook(args) => hook::run(args, ctx).await,
        Verb::User(args) => user::run(args, ctx).await,
        Verb::Login(args) => login::run(args, ctx).await,
        Verb::Token(args) => token::run(args, ctx).await,
        Verb::Audit(args) => audit::run(args, ctx).await,
        Verb::Credential(args) => credential::run(args, ctx).await,
        Verb::Environment(args) => environment::run(args, ctx).await,
        Verb::Builds(args) => builds::run(args, ctx).await,
        Verb::Logs(args) => logs::run(args, ctx).await,
        Verb::Watch(args) => watch_build::run(args, ctx).await,
        Verb::Top(args) => top::run(args, ctx).await,
        Verb::Approve(args) => approve::run(args, ctx).await,
        Verb::Abort(args) => abort::run(args, ctx).await,
        Verb::Rerun(args) => rerun::run(args, ctx).await,
        Verb::Model(args) => model::run(args, ctx).await,
        Verb::Seed(args) => seed::run(args, ctx).await,
        Verb::Steps(args) => steps::run(&args, ctx),
        Verb::Schema(args) => schema::run(&args, ctx),
        Verb::Replay(args) => replay::run(args, ctx).await,
        Verb::Backup(args) => backup::run(args, ctx).await,
        Verb::Restore(args) => restore::run(args, ctx).await,
        Verb::Upgrade(args) => upgrade::run(args, ctx).await,
        Verb::Prune(args) => prune::run(args, ctx).await,
        Verb::Selftest(args) => selftest::run(args, ctx).await,
        Verb::Doctor(args) => doctor::run(args, ctx).await,
        Verb::Completions(args) => completions::run(&args),
    }
}

/// Messages of the program itself go to standard error; warnings by default.
fn trace(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info,sqlx=warn",
        _ => "debug,sqlx=info,hyper=info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("HALIOTIS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}
