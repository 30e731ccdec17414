//! `haliotis jobdsl apply FILE`: what a seed script generates, compared with what the server has, and put there
//! ([`seeding`]).

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use haliotis_jobdsl::{Failure as Problem, Generated, Seed};
use serde::Serialize;

use crate::app::seeding::{self, Action, Row};
use crate::app::source;
use crate::client::Client;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `jobdsl`.
#[derive(Args)]
pub struct JobDsl {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a Job DSL script, show what it changes, and register what it generates
    Apply(Apply),
}

#[derive(Args)]
struct Apply {
    /// The script
    file: PathBuf,
    /// Show the difference and change nothing
    #[arg(long)]
    dry_run: bool,
    /// A variable of the seed build, as NAME=VALUE: its parameters, GIT_URL, GIT_BRANCH
    #[arg(long = "env", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// Id of the credential of the seed job's checkout
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// Folder that readFileFromWorkspace reads from [default: the repository of the script]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

/// All of it, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    file: String,
    applied: bool,
    items: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    queued: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    output: &'a str,
}

/// Runs the script here, and talks to the running server.
pub async fn run(args: JobDsl, ctx: &Context) -> Outcome {
    let Verb::Apply(args) = args.verb;
    let generated = generate(&args, ctx)?;
    let client = if args.dry_run { Client::find(ctx) } else { Some(Client::connect(ctx)?) };
    let rows = seeding::items(client.as_ref(), &generated, !args.dry_run, false).await?;
    if let (false, Some(client)) = (args.dry_run, &client) {
        seeding::start_queued(client, &generated).await?;
    }
    let answer = Answer {
        file: args.file.display().to_string(),
        applied: !args.dry_run,
        items: rows,
        queued: &generated.queued,
        output: &generated.output,
    };
    report(&answer, ctx)
}

fn generate(args: &Apply, ctx: &Context) -> Result<Generated, Failure> {
    let path = &args.file;
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format!("there is no file {}", path.display())),
        _ => Failure::world(format!("cannot read {}: {error}", path.display())),
    })?;
    let seed = seed(args)?;
    haliotis_jobdsl::run(&text, &path.display().to_string(), seed).map_err(|problems| {
        if let Some(output) =
            problems.first().map(|problem| problem.output.trim_end()).filter(|output| !output.is_empty())
        {
            ctx.say(output);
        }
        let shown: Vec<String> = problems.iter().map(|problem| place(path, problem)).collect();
        Failure::failed(format!("{}\nnothing was changed", shown.join("\n")))
    })
}

fn place(path: &Path, problem: &Problem) -> String {
    let mut text = path.display().to_string();
    if let (Some(line), Some(column)) = (problem.line, problem.column) {
        text.push_str(&format!(":{line}:{column}"));
    }
    let hint = problem.hint.as_ref().map(|hint| format!("\n  help: {hint}")).unwrap_or_default();
    format!("{text}: {}{hint}", problem.message)
}

/// What the seed build would know.
fn seed(args: &Apply) -> Result<Seed, Failure> {
    let mut variables = vec![("JOB_NAME".to_owned(), "seed".to_owned()), ("BUILD_NUMBER".to_owned(), "1".to_owned())];
    for given in &args.variables {
        let (name, value) = given
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Failure::usage(format!("--env {given:?} is not NAME=VALUE")))?;
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.to_owned()));
    }
    let root = args.workspace.clone().unwrap_or_else(|| source::root_of(&args.file));
    seeding::Workspace { variables, credential: args.credential.clone(), root }.seed()
}

fn report(answer: &Answer<'_>, ctx: &Context) -> Outcome {
    let refused = answer.items.iter().filter(|row| row.action == Action::Refused).count();
    if ctx.json {
        ctx.print_json(answer);
        return if refused > 0 { Err(Failure::failed("")) } else { Ok(()) };
    }
    if !answer.output.is_empty() {
        ctx.say(answer.output.trim_end());
    }
    for row in &answer.items {
        let word = match (row.action, answer.applied) {
            (Action::Create, true) => "created",
            (Action::Create, false) => "would be created",
            (Action::Change, true) => "changed",
            (Action::Change, false) => "would be changed",
            (Action::None, _) => "is as it should be",
            (Action::Refused, _) => "was refused",
        };
        ctx.print(format!("{} {word}", row.item.name));
        let shown = if row.action == Action::Create { "" } else { &row.diff };
        for line in shown.lines() {
            ctx.print(format!("    {line}"));
        }
        for note in &row.item.notes {
            ctx.say(format!("  note: {note}"));
        }
        if let Some(reason) = &row.reason {
            ctx.say(format!("  {reason}"));
        }
    }
    for name in answer.queued {
        ctx.print(format!("{name} {}", if answer.applied { "is on its way" } else { "would be started" }));
    }
    if refused > 0 {
        return Err(Failure::failed(format!("{refused} of {} items were refused", answer.items.len())));
    }
    Ok(())
}
