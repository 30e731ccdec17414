//! `codebuild.start`: runs a CodeBuild project's build.
//!
//! CodeBuild forgets an idempotency token after five minutes, so the step key also goes into the build's environment, and
//! the project's newest builds are looked through before one is started:
//!   started, handle committed        -> the handle names it
//!   started, crash before the commit -> its environment names the key
//!   two starts at once               -> the token makes them one

use async_trait::async_trait;
use aws_sdk_codebuild::types::{Build, EnvironmentVariable, EnvironmentVariableType, StatusType};
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use crate::error::{Told, is_absent};
use crate::follow::{self, Pace};
use crate::{Clients, arguments, clients, names};

/// The build's variable that carries the step key.
const KEY: &str = "HALIOTIS_KEY";
/// Looks in a row without an answer.
const MAX_SILENCE: u32 = 40;
/// Longest a build may run, in minutes: AWS' limit.
const MAX_TIMEOUT_MIN: u64 = 36 * 60;

pub(crate) struct Start;

#[async_trait]
impl StepRunner for Start {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "codebuild.start",
            doc: "Runs a build of a CodeBuild project and follows it to its end.",
            placement: Placement::Server,
            delivery: Delivery::Token,
            arguments: schema_arguments(),
            outputs: vec![
                OutputSchema { name: "build-id", doc: "Id of the build." },
                OutputSchema { name: "status", doc: "Status at the end." },
                OutputSchema { name: "logs-url", doc: "Where its log is shown." },
            ],
            open_outputs: false,
            cloud: true,
            example: "project: abalone-images\nsource-version: ${{ build.commit }}\nenv: { STAGE: staging }",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        let clients = clients(&ctx.cloud).await?;
        follow::introduce(ctx, &clients).await?;
        let id = match find(ctx, &clients).await? {
            Some(id) => id,
            None => start_build(ctx, &clients).await?,
        };
        Ok(Started { handle: Some(json!({ "id": id })) })
    }

    async fn attach(&self, ctx: &StepContext, handle: &Value) -> Result<StepOutput, StepError> {
        let clients = clients(&ctx.cloud).await?;
        follow_build(ctx, &clients, &id_of(ctx, &clients, handle).await?).await
    }

    async fn cancel(&self, ctx: &StepContext, handle: &Value) -> Result<(), StepError> {
        let clients = clients(&ctx.cloud).await?;
        let id = id_of(ctx, &clients, handle).await?;
        if look(&clients, &id).await?.is_some_and(|build| build.build_complete) {
            return Ok(());
        }
        clients.codebuild.stop_build().id(&id).send().await.told(&clients.cloud, &format!("stopping {id}")).map(drop)
    }
}

fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Duration, Map, String};
    vec![
        ArgumentSchema::required("project", String, "Name of the project."),
        ArgumentSchema::optional("source-version", String, "Commit, branch or tag; default: the project's."),
        ArgumentSchema::optional("env", Map, "Variables of the build, over the project's."),
        ArgumentSchema::optional("buildspec", String, "Text of a buildspec, or its path in the source."),
        ArgumentSchema::optional("timeout", Duration, "Of the build, in whole minutes; at most 36h."),
    ]
}

/// The build that carries this step's key, among the project's newest hundred.
async fn find(ctx: &StepContext, clients: &Clients) -> Result<Option<String>, StepError> {
    let project = ctx.required("project")?;
    let listed = match clients.codebuild.list_builds_for_project().project_name(&project).send().await {
        Err(error) if is_absent(&error) => {
            return Err(StepError::Usage(format!("codebuild.start: there is no project `{project}`")));
        }
        other => other.told(&clients.cloud, &format!("listing the builds of {project}"))?,
    };
    let ids = listed.ids.unwrap_or_default();
    if ids.is_empty() {
        return Ok(None);
    }
    let sent = clients.codebuild.batch_get_builds().set_ids(Some(ids)).send().await;
    let builds = sent.told(&clients.cloud, &format!("reading the builds of {project}"))?.builds.unwrap_or_default();
    let token = names::token(ctx);
    let ours = |build: &Build| {
        let variables = build.environment.as_ref().map(|env| env.environment_variables()).unwrap_or_default();
        variables.iter().any(|variable| variable.name == KEY && variable.value == token)
    };
    Ok(builds.into_iter().find(ours).and_then(|build| build.id))
}

async fn start_build(ctx: &StepContext, clients: &Clients) -> Result<String, StepError> {
    let project = ctx.required("project")?;
    let mut variables: Vec<(String, String)> =
        ctx.map("env").into_iter().map(|(name, value)| (name, arguments::plain(&value))).collect();
    variables.push((KEY.to_owned(), names::token(ctx)));
    let variables = variables
        .into_iter()
        .map(|(name, value)| {
            EnvironmentVariable::builder().name(name).value(value).r#type(EnvironmentVariableType::Plaintext).build()
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| StepError::Usage(format!("codebuild.start: {error}")))?;
    let minutes = ctx.duration_ms("timeout").map(|ms| ms.div_ceil(60_000));
    if minutes.is_some_and(|minutes| !(5..=MAX_TIMEOUT_MIN).contains(&minutes)) {
        return Err(StepError::Usage("codebuild.start: `timeout` must be between 5m and 36h".to_owned()));
    }
    let sent = clients
        .codebuild
        .start_build()
        .project_name(&project)
        .set_source_version(ctx.text("source-version"))
        .set_buildspec_override(ctx.text("buildspec"))
        .set_timeout_in_minutes_override(minutes.and_then(|minutes| i32::try_from(minutes).ok()))
        .set_environment_variables_override(Some(variables))
        .idempotency_token(names::token(ctx))
        .send()
        .await;
    let started = sent.told(&clients.cloud, &format!("starting a build of {project}"))?;
    let id = started.build_value.and_then(|build| build.id);
    let id = id.ok_or_else(|| StepError::Unknown(format!("CodeBuild gave no id for a build of {project}")))?;
    ctx.log.line(&format!("started build {id}"));
    Ok(id)
}

async fn id_of(ctx: &StepContext, clients: &Clients, handle: &Value) -> Result<String, StepError> {
    match handle.get("id").and_then(Value::as_str) {
        Some(id) => Ok(id.to_owned()),
        None => find(ctx, clients)
            .await?
            .ok_or_else(|| StepError::World("no build of the project carries this step's key".to_owned())),
    }
}

async fn look(clients: &Clients, id: &str) -> Result<Option<Build>, StepError> {
    let sent = clients.codebuild.batch_get_builds().ids(id).send().await;
    let builds = sent.told(&clients.cloud, &format!("reading the build {id}"))?.builds;
    Ok(builds.unwrap_or_default().into_iter().next())
}

async fn follow_build(ctx: &StepContext, clients: &Clients, id: &str) -> Result<StepOutput, StepError> {
    let (mut pace, mut silent, mut phase) = (Pace::new(ctx), 0, String::new());
    loop {
        match look(clients, id).await {
            Ok(Some(build)) => {
                silent = 0;
                let now = build.current_phase.clone().unwrap_or_default();
                if now != phase {
                    say_once(ctx, &format!("{id}: {now}"));
                    phase = now;
                }
                if build.build_complete {
                    return Ok(verdict(ctx, id, &build));
                }
            }
            Ok(None) => return Err(StepError::World(format!("there is no build {id} any more"))),
            Err(error) => {
                silent += 1;
                if silent > MAX_SILENCE {
                    return Err(StepError::Unknown(format!("the build {id} was started, and {error}")));
                }
            }
        }
        pace.wait(silent).await;
    }
}

fn verdict(ctx: &StepContext, id: &str, build: &Build) -> StepOutput {
    let status = build.build_status.clone().unwrap_or(StatusType::Failed);
    let url = build.logs.as_ref().and_then(|logs| logs.deep_link.clone());
    if let Some(url) = &url {
        say_once(ctx, &format!("the build's log: {url}"));
    }
    let outputs = Object::from_iter([
        ("build-id".to_owned(), id.into()),
        ("status".to_owned(), status.as_str().into()),
        ("logs-url".to_owned(), url.into()),
    ]);
    match status {
        StatusType::Succeeded => StepOutput::success(outputs),
        StatusType::Stopped => StepOutput::aborted(format!("the build {id} was stopped")).with_outputs(outputs),
        other => {
            let why = failed_phase(build).map_or_else(String::new, |why| format!(" in {why}"));
            StepOutput::failure(format!("the build {id} ended {}{why}", other.as_str())).with_outputs(outputs)
        }
    }
}

/// `BUILD: message` of the first phase that did not succeed.
fn failed_phase(build: &Build) -> Option<String> {
    let bad = |status: &StatusType| !matches!(status, StatusType::Succeeded | StatusType::InProgress);
    let phase = build.phases().iter().find(|phase| phase.phase_status.as_ref().is_some_and(bad))?;
    let message = phase.contexts().iter().find_map(|context| context.message.clone()).unwrap_or_default();
    Some(format!("{}: {message}", phase.phase_type.as_ref().map_or("a phase", |kind| kind.as_str())))
}

/// A line that a second attach does not repeat.
fn say_once(ctx: &StepContext, text: &str) {
    if !std::fs::read_to_string(ctx.log.path()).is_ok_and(|log| log.contains(text)) {
        ctx.log.line(text);
    }
}
