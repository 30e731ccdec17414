//! `haliotis jobdsl apply FILE`: what a seed script generates, compared with what the server has, and put there.
//!
//! The server is asked by Jenkins' own API (`config.xml`, `createItem`), so that an item applied here is the same as one
//! that any client of Jenkins made.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use haliotis_jobdsl::{Failure as Problem, Generated, Item, ItemKind, Seed, SeedJob};
use serde::Serialize;

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

/// What applying does to an item.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Create,
    Change,
    None,
    Refused,
}

/// One item's part of the answer.
#[derive(Serialize)]
struct Row<'a> {
    action: Action,
    #[serde(flatten)]
    item: &'a Item,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
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
    let mut rows = Vec::with_capacity(generated.items.len());
    // Folders first, since what is in them cannot be made before them.
    let mut ordered: Vec<&Item> = generated.items.iter().collect();
    ordered.sort_by_key(|item| (item.kind != ItemKind::Folder, item.kind.is_view()));
    for item in ordered {
        rows.push(one(client.as_ref(), item, !args.dry_run).await?);
    }
    if let (false, Some(client)) = (args.dry_run, &client) {
        for name in &generated.queued {
            client.send_text("POST", &format!("{}build", job_path(name)), None).await?;
        }
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
    let of = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let job = SeedJob {
        name: of("JOB_NAME").unwrap_or_default(),
        url: of("GIT_URL"),
        branch: of("GIT_BRANCH"),
        credential: args.credential.clone().or_else(|| of("GIT_CREDENTIALS_ID")),
        root_url: of("JENKINS_URL"),
    };
    let root = args.workspace.clone().unwrap_or_else(|| source::root_of(&args.file));
    let root =
        root.canonicalize().map_err(|error| Failure::world(format!("cannot read {}: {error}", root.display())))?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Seed {
        variables,
        job,
        files: Rc::new(move |path| read_inside(&root, path)),
        now_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        random: u64::from(since.subsec_nanos()),
    })
}

/// A file of the workspace; never one outside it, whatever links and dots say.
fn read_inside(root: &Path, path: &str) -> Result<String, String> {
    let full = root.join(path).canonicalize().map_err(|error| error.to_string())?;
    if !full.starts_with(root) {
        return Err("it is outside the workspace".to_owned());
    }
    std::fs::read_to_string(full).map_err(|error| error.to_string())
}

/// `/job/team/job/x/`
fn job_path(name: &str) -> String {
    let parts = name.split('/').filter(|part| !part.is_empty()).map(|part| format!("job/{}/", encoded(part)));
    format!("/{}", parts.collect::<String>())
}

/// A name as a part of a path or query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Where an item's config.xml is, and where it is made.
fn addresses(item: &Item) -> (String, String) {
    let (folder, name) = item.name.rsplit_once('/').unwrap_or(("", &item.name));
    let folder = job_path(folder);
    let (made, kept) = if item.kind.is_view() {
        ("createView", format!("{folder}view/{}/config.xml", encoded(name)))
    } else {
        ("createItem", format!("{}config.xml", job_path(&item.name)))
    };
    (kept, format!("{folder}{made}?name={}", encoded(name)))
}

async fn one<'a>(client: Option<&Client>, item: &'a Item, apply: bool) -> Result<Row<'a>, Failure> {
    let (kept, made) = addresses(item);
    let before = match client {
        Some(client) => client.find_text(&kept).await?,
        None => None,
    };
    let diff = haliotis_jobdsl::diff(before.as_deref().unwrap_or(""), &item.config);
    let action = match (&before, diff.is_empty()) {
        (None, _) => Action::Create,
        (Some(_), true) => Action::None,
        (Some(_), false) => Action::Change,
    };
    let mut row = Row { action, item, diff, reason: None };
    if let (true, Some(client)) = (apply, client) {
        let path = match action {
            Action::Create => made,
            Action::Change => kept,
            Action::None | Action::Refused => return Ok(row),
        };
        if let Err(failure) = client.send_text("POST", &path, Some(&item.config)).await {
            row.action = Action::Refused;
            row.reason = Some(failure.to_string());
        }
    }
    Ok(row)
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
