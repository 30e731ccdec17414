//! `job-dsl`: runs Job DSL scripts of the workspace and puts what they generate on this server. It is what the build step
//! "Process Job DSLs" of a freestyle job becomes, and the pipeline step `jobDsl`.
//!
//! Races: the server may die in the middle; started again, the step finds what is there already and goes on. Two seed
//! builds that make the same job at once: the second is refused by the server ("already exists") and fails by that.
//!
//! The server is asked with the token of the data folder's owner: a seed job may make jobs anywhere, as Job DSL may in a
//! Jenkins without the plugin that runs builds as a user.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use haliotis_jobdsl::{Failure as Problem, Generated};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use crate::app::seeding::{self, Action, Row, Workspace};
use crate::app::steps::unreferenced::{Fate, Seeded};
use crate::client::Client;

/// Who the server's records name for what a seed build makes; Jenkins' own word.
const BY: &str = "SYSTEM";
/// Variables of the environment that are the cloud's, and no business of a script that only describes jobs.
const HIDDEN: [&str; 3] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"];

/// A server that takes its steps up again is not yet answering; it is waited for so long.
const SERVER_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The step kind, over the server of a data folder.
#[derive(Default)]
pub struct JobDsl {
    /// `None`: this process is no server.
    dir: Option<PathBuf>,
}

impl JobDsl {
    /// For the server of this data folder; `None`: there is none.
    pub fn of(dir: Option<&Path>) -> Self {
        Self { dir: dir.map(Path::to_owned) }
    }

    async fn client(&self) -> Result<Client, StepError> {
        let none =
            || StepError::Usage("job-dsl: jobs live on a server, and this run has none (haliotis serve)".to_owned());
        let dir = self.dir.as_deref().ok_or_else(none)?;
        let until = Instant::now() + SERVER_WITHIN;
        loop {
            if let Some(client) = Client::of_folder(dir, BY) {
                return Ok(client);
            }
            if Instant::now() > until {
                return Err(none());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[async_trait]
impl StepRunner for JobDsl {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, String, Strings};
        StepSchema {
            name: "job-dsl",
            doc: "Runs Job DSL scripts and makes or changes the jobs, folders and views that they describe.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::optional("targets", Strings, "Globs of the scripts in the workspace."),
                ArgumentSchema::optional("script", String, "A script, instead of files."),
                ArgumentSchema::optional(
                    "git-url",
                    String,
                    "Git URL of the seed job's checkout: GIT_URL of the script.",
                ),
                ArgumentSchema::optional("git-branch", String, "Its branch: GIT_BRANCH."),
                ArgumentSchema::optional("git-credential", String, "Id of its credential."),
                ArgumentSchema::optional("ignore-existing", Boolean, "Leaves jobs that exist as they are.").or(false),
                ArgumentSchema::optional("ignore-missing-files", Boolean, "No script found is no error.").or(false),
                ArgumentSchema::optional(
                    "removed-jobs",
                    String,
                    "What becomes of jobs that this seed job made before and that the scripts do not describe any more.",
                )
                .or("ignore")
                .one_of(&["ignore", "disable", "delete"]),
                ArgumentSchema::optional("removed-views", String, "Likewise for views.")
                    .or("ignore")
                    .one_of(&["ignore", "delete"]),
            ],
            outputs: vec![OutputSchema {
                name: "items",
                doc: "List of {name, kind, action}; action is create, change or none.",
            }],
            open_outputs: false,
            cloud: false,
            example: "targets: [jenkins/seed_job.groovy]\ngit-url: https://git.example/team/model-build.git",
        }
    }

    fn wants_scratch(&self) -> bool {
        false
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let client = self.client().await?;
        let scripts = scripts(ctx)?;
        if scripts.is_empty() && !ctx.flag("ignore-missing-files") {
            let targets = ctx.texts("targets").join(", ");
            return Ok(StepOutput::failure(format!("job-dsl: no file of the workspace matches `{targets}`")));
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("."));
        let seeded = Seeded::read(dir, &ctx.build.pipeline)?;
        let mut made: Vec<Value> = Vec::new();
        let mut described = Vec::new();
        let mut refused = 0;
        for (name, text) in scripts {
            ctx.log.line(&format!("Processing DSL script {name}"));
            let generated = match generate(ctx, &name, &text).await? {
                Ok(generated) => generated,
                Err(problems) => return Ok(failed(ctx, &name, &problems)),
            };
            for line in generated.output.lines() {
                ctx.log.line(line);
            }
            let said = |failure: crate::failure::Failure| StepError::World(failure.to_string());
            let rows =
                seeding::items(Some(&client), &generated, true, ctx.flag("ignore-existing")).await.map_err(said)?;
            refused += tell(ctx, &rows);
            made.extend(
                rows.iter().map(|row| json!({"name": row.item.name, "kind": row.item.kind, "action": row.action})),
            );
            if refused == 0 {
                seeding::start_queued(&client, &generated).await.map_err(said)?;
            }
            described.extend(generated.items);
        }
        if refused == 0 {
            let fate = |name: &str| Fate::of(ctx.text(name).as_deref());
            for line in seeded.settle(&client, &described, fate("removed-jobs"), fate("removed-views")).await? {
                ctx.log.line(&line);
            }
        }
        let outputs = Object::from_iter([("items".to_owned(), Value::Array(made))]);
        Ok(match refused {
            0 => StepOutput::success(outputs),
            count => StepOutput::failure(format!("job-dsl: the server refused {count} items; the log says why"))
                .with_outputs(outputs),
        })
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        // It takes a moment, and half of the jobs would be worse than all.
        Ok(())
    }
}

/// Names and texts of the scripts, sorted by name.
fn scripts(ctx: &StepContext) -> Result<Vec<(String, String)>, StepError> {
    if let Some(text) = ctx.text("script") {
        return Ok(vec![("script".to_owned(), text)]);
    }
    let targets: Vec<String> = ctx.texts("targets").iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    let mut found = haliotis_plugin_builtin::pick(&ctx.workspace, &targets)?;
    found.sort();
    let read = |(name, path): (String, PathBuf)| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(StepError::World(format!("cannot read {name}: {error}"))),
    };
    found.into_iter().map(read).collect()
}

/// Runs a script, off the threads that other steps need.
async fn generate(ctx: &StepContext, name: &str, text: &str) -> Result<Result<Generated, Vec<Problem>>, StepError> {
    let workspace =
        Workspace { variables: variables(ctx), credential: ctx.text("git-credential"), root: ctx.workspace.clone() };
    let (name, text) = (name.to_owned(), text.to_owned());
    let run = move || {
        let seed = workspace.seed().map_err(|failure| StepError::World(failure.to_string()))?;
        Ok(haliotis_jobdsl::run(&text, &name, seed))
    };
    tokio::task::spawn_blocking(run).await.map_err(|error| StepError::World(format!("the script was lost: {error}")))?
}

/// What the script's binding holds: the environment of the build, its parameters, its checkout.
fn variables(ctx: &StepContext) -> Vec<(String, String)> {
    let mut all = ctx.vars.clone();
    all.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    for (variable, argument) in [("GIT_URL", "git-url"), ("GIT_BRANCH", "git-branch")] {
        if let Some(text) = ctx.text(argument).filter(|text| !text.is_empty()) {
            all.insert(variable.to_owned(), text);
        }
    }
    all.into_iter().collect()
}

fn failed(ctx: &StepContext, name: &str, problems: &[Problem]) -> StepOutput {
    for line in problems.first().map(|problem| problem.output.as_str()).unwrap_or_default().lines() {
        ctx.log.line(line);
    }
    for problem in problems {
        ctx.log.line(&format!("ERROR: ({name}) {problem}"));
        if let Some(hint) = &problem.hint {
            ctx.log.line(&format!("  help: {hint}"));
        }
    }
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    StepOutput::failure(format!("{name}: {first}"))
}

/// Says what became of the items, in the plug-in's words; answers how many were refused.
fn tell(ctx: &StepContext, rows: &[Row<'_>]) -> usize {
    for (action, title) in
        [(Action::Create, "Added items:"), (Action::Change, "Existing items:"), (Action::None, "Unchanged items:")]
    {
        let mut of = rows.iter().filter(|row| row.action == action).peekable();
        if of.peek().is_some() {
            ctx.log.line(title);
        }
        for row in of {
            let what = if row.item.kind.is_view() { "GeneratedView" } else { "GeneratedJob" };
            ctx.log.line(&format!("    {what}{{name='{}'}}", row.item.name));
        }
    }
    for (row, note) in rows.iter().flat_map(|row| row.item.notes.iter().map(move |note| (row, note))) {
        ctx.log.line(&format!("note: {}: {note}", row.item.name));
    }
    let refused = rows.iter().filter(|row| row.action == Action::Refused);
    let mut count = 0;
    for row in refused {
        count += 1;
        ctx.log.line(&format!("ERROR: {} was refused: {}", row.item.name, row.reason.as_deref().unwrap_or_default()));
    }
    count
}
