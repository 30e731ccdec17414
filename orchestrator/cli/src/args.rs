//! The command line: one enum of verbs, each with its arguments in `commands/<verb>.rs`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::failure::EXIT_CODES;

/// A Jenkins-compatible pipeline orchestrator for machine learning.
#[derive(Parser)]
#[command(name = "haliotis", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Arguments that every verb takes.
#[derive(Args, Clone)]
pub struct Global {
    /// Where data is kept [default: $XDG_DATA_HOME/haliotis]
    #[arg(long, global = true, env = "HALIOTIS_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep builds in PostgreSQL instead of the data folder: postgres://user@host:5432/database
    #[arg(long, global = true, env = "HALIOTIS_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Address of a running server [default: the one that holds the data folder]
    #[arg(long, global = true, env = "HALIOTIS_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// Who acts, for approvals and the audit trail [default: the system's user]
    #[arg(long, global = true, env = "HALIOTIS_USER", value_name = "NAME")]
    pub user: Option<String>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// No colours, no moving lines (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub plain: bool,
    /// More messages of the program itself (-v info, -vv debug); HALIOTIS_LOG takes a filter
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The verbs, in the order a new user needs them.
#[derive(Subcommand)]
pub enum Verb {
    /// The whole abalone story on this machine: seed, train, approve, deploy, change, train again
    Demo(commands::demo::Demo),
    /// Run a pipeline file in this terminal, without a server
    Run(commands::run::Run),
    /// Check pipeline files: all problems, with their places
    Lint(commands::lint::Lint),
    /// Jenkinsfile to Jenkins' JSON model or to YAML, and JSON to a Jenkinsfile
    Convert(commands::convert::Convert),
    /// Run plain Groovy scripts
    Groovy(commands::groovy::Groovy),
    /// What a pipeline file would do: steps, order, agents, approvals, cloud
    Plan(commands::plan::Plan),
    /// Start the server
    Serve(commands::serve::Serve),
    /// Register, list, start and remove pipelines
    Pipeline(commands::pipeline::Pipeline),
    /// Run a Job DSL script and register what it generates
    #[command(name = "jobdsl")]
    JobDsl(commands::jobdsl::JobDsl),
    /// People, groups and what they may do
    User(commands::user::User),
    /// Secrets of webhooks
    Hook(commands::hook::Hook),
    /// A provider of OpenID Connect that people log in by
    Login(commands::login::Login),
    /// Make, list and revoke API tokens
    Token(commands::token::Token),
    /// Verify and export the audit trail
    Audit(commands::audit::Audit),
    /// Store, list and remove credentials
    Credential(commands::credential::Credential),
    /// Deploy targets and which builds may deploy there
    Environment(commands::environment::Environment),
    /// List builds, or show one
    Builds(commands::builds::Builds),
    /// Print a build's logs
    Logs(commands::logs::Logs),
    /// Follow a build of a server as a tree
    Watch(commands::watch_build::WatchBuild),
    /// What a server does now: slots, builds, questions
    Top(commands::top::Top),
    /// Answer a waiting approval
    Approve(commands::approve::Approve),
    /// Stop a build
    Abort(commands::abort::Abort),
    /// Run a build again: the whole, or from a step or stage
    Rerun(commands::rerun::Rerun),
    /// List models, approve or reject a version
    Model(commands::model::Model),
    /// Fill a Git repository from a template
    Seed(commands::seed::Seed),
    /// List the step kinds, or document one
    Steps(commands::steps::Steps),
    /// Print the JSON Schema of pipeline files, for editors
    Schema(commands::schema::Schema),
    /// Print a build's journal and replay it
    Replay(commands::replay::Replay),
    /// Copy everything a server has to a folder, while it runs
    Backup(commands::backup::Backup),
    /// Verify a backup and make a data folder of it
    Restore(commands::restore::Restore),
    /// Would this version go on with this data folder?
    Upgrade(commands::upgrade::Upgrade),
    /// Remove builds, logs and artifacts by their rules of retention
    Prune(commands::prune::Prune),
    /// Hurt servers on purpose and compare what they promised
    Selftest(commands::selftest::Selftest),
    /// Check this machine and a data folder
    Doctor(commands::doctor::Doctor),
    /// Print the completion script of a shell
    Completions(commands::completions::Completions),
}
