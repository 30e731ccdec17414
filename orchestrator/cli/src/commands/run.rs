//! `haliotis run FILE`: a pipeline in this terminal, without a server. The same engine, journal and steps as a server.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use haliotis_engine::{Recover, now};
use haliotis_model::{BuildResult, Cause, NewBuild, WorkspaceKind};
use haliotis_store::DataDir;

use crate::app::libraries::Libraries;
use crate::app::{App, Options, parameters, python, registry, source};
use crate::commands::lint;
use crate::commands::serve::{EngineArgs, cloud_line};
use crate::commands::text::{self, Answers, Console};
use crate::commands::watch::{Watch, WatchOptions};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Runs at once over one data folder; each takes a folder of its own.
const MOST_AT_ONCE: u32 = 32;

/// Arguments of `run`.
#[derive(Args)]
pub struct Run {
    /// The pipeline file
    file: PathBuf,
    /// A parameter, as NAME=VALUE
    #[arg(short, long = "parameter", visible_alias = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Answer every question with yes
    #[arg(long)]
    yes: bool,
    /// Answer a question of a Jenkinsfile, by its id or message: ID=proceed or ID=abort; may be given several times
    #[arg(long = "answer", value_name = "ID=proceed")]
    answers: Vec<String>,
    /// A label of this machine's agent, beside those of --label; may be given several times
    #[arg(long = "agent-label", value_name = "LABEL")]
    agent_labels: Vec<String>,
    /// Run in this folder [default: the nearest one above the file with a .git, or the file's own]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Print what the steps print
    #[arg(long)]
    logs: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs to the end; exit code 0, 1 or 5 as the build ended.
pub async fn run(args: Run, ctx: &Context) -> Outcome {
    let mut source = source::read(&args.file)?;
    // Libraries are configured for this machine, not for the folder of one run.
    Libraries::new(&ctx.data_dir(), &ctx.data_dir().join("cache").join("git"), None).pin_wanted(&mut source).await;
    let app = App::open(options(&args, ctx)?).await?;
    // On the engine's thread, which then need not read the file again.
    let definition = app.engine.prepare(&source).await;
    let definition = definition.map_err(|diagnostics| lint::refuse(ctx, &args.file, &source, &diagnostics))?;
    lint::show(ctx, &definition.warnings, &lint::texts(&source));
    let given = parameters::parse(&args.parameters)?;
    let is_jenkinsfile = source.language == haliotis_jenkinsfile::NAME;
    let resolved = if is_jenkinsfile {
        for_script(&definition.parameters, given)?
    } else {
        parameters::resolve(&definition.parameters, &given)?
    };
    let workspace = args.workspace.clone().unwrap_or_else(|| source::root_of(&args.file));
    let workspace = std::path::absolute(&workspace)?;
    // What a script calls is known when it calls it.
    if uses_cloud(&definition.outline) || mentions_cloud(&source) {
        ctx.say(format!("cloud: {}", cloud_line(&app)));
        python::ensure(&app, ctx).await?;
    }
    let version = registry::language(&source.language).version();
    let name = if definition.name.is_empty() { stem(&args.file) } else { definition.name.clone() };
    let build = NewBuild {
        pipeline: name,
        number: 0,
        source,
        parameters: resolved,
        causes: vec![Cause::User { by: ctx.user.clone() }],
        event: haliotis_model::Object::new(),
        workspace: WorkspaceKind::InPlace { path: workspace.display().to_string() },
        cloud: app.cloud_name(),
        created_at: now(),
        once: None,
        program_version: version,
        carry: None,
    };
    let created = app.engine.create(build).await.map_err(|error| Failure::world(error.to_string()))?;
    let followed = if is_jenkinsfile {
        let answers = Answers { yes: args.yes, by_id: text::parse(&args.answers)? };
        Console::new(Arc::clone(&app), created.id, answers, ctx.json).follow(ctx).await
    } else {
        let options = WatchOptions { yes: args.yes, logs: args.logs, until_input: false };
        Watch::new(Arc::clone(&app), created.id, options).follow(ctx).await
    };
    app.close().await;
    let view = followed?;
    if ctx.json {
        ctx.print_json(&view);
    }
    verdict(view.result, view.message.as_deref(), &app.options.dir)
}

/// A Jenkinsfile may use parameters that only its job declares: those it does not declare are texts.
fn for_script(
    specs: &[haliotis_model::ParameterSpec],
    given: haliotis_model::Object,
) -> Result<haliotis_model::Object, Failure> {
    let (declared, other): (haliotis_model::Object, haliotis_model::Object) =
        given.into_iter().partition(|(name, _)| specs.iter().any(|spec| spec.name == *name));
    let mut resolved = parameters::resolve(specs, &declared)?;
    resolved.extend(other);
    Ok(resolved)
}

/// The exit code a build's result means.
fn verdict(result: Option<BuildResult>, message: Option<&str>, dir: &std::path::Path) -> Outcome {
    let message = message.unwrap_or("see the log");
    let hint = format!("logs: haliotis logs BUILD --data-dir {}", dir.display());
    match result {
        Some(BuildResult::Success | BuildResult::Unstable) => Ok(()),
        Some(BuildResult::Aborted) => Err(Failure::aborted(format!("{message}\n  {hint}"))),
        _ => Err(Failure::failed(format!("{message}\n  {hint}"))),
    }
}

/// The first free folder among `run`, `run-2`...: several runs at once do not share a journal.
fn options(args: &Run, ctx: &Context) -> Result<Options, Failure> {
    let mut options = args.engine.options(ctx);
    options.recover = Recover::None;
    options.labels.extend(args.agent_labels.clone());
    options.alone = true;
    for number in 1..=MOST_AT_ONCE {
        let name = if number == 1 { "run".to_owned() } else { format!("run-{number}") };
        let dir = ctx.data_dir().join(name);
        std::fs::create_dir_all(&dir)?;
        if DataDir::lock(&dir).is_ok() {
            options.dir = dir;
            return Ok(options);
        }
    }
    Err(Failure::world(format!("{MOST_AT_ONCE} runs are going on in {} already", ctx.data_dir().display())))
}

fn uses_cloud(outline: &haliotis_flow::Outline) -> bool {
    let schemas = registry::schemas();
    outline.nodes.iter().any(|node| schemas.iter().any(|schema| schema.cloud && schema.name == node.uses))
}

/// Whether a Jenkinsfile uses AWS by a step or by its command.
fn mentions_cloud(source: &haliotis_model::Source) -> bool {
    let words = ["withAWS", "cfnUpdate", "s3Upload", "s3Download", "aws ", "sagemaker"];
    source.language == haliotis_jenkinsfile::NAME && words.iter().any(|word| source.text.contains(word))
}

fn stem(file: &std::path::Path) -> String {
    file.file_stem().map_or_else(|| "pipeline".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
