//! `build`: starts a build of another pipeline and, unless told otherwise, waits for its end.
//!
//! The new build is made once under the step's key (`once`), so a crash between making it and noting its name makes no
//! second one. It is a build like any other: it goes on when the waiting one's server dies, and after a restart the
//! waiting step looks it up again.

use std::time::Duration;

use async_trait::async_trait;
use haliotis_engine::trigger::BuildRequest;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildId, BuildSummary, Cause, Delivery, Object, OutputSchema, Placement, StepOutput,
    StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use super::{Link, ended, world};
use crate::app::App;
use crate::app::builds::BuildError;

/// How often the other build is looked at where another server has it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) struct Build(pub(super) Link);

#[async_trait]
impl StepRunner for Build {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Map, String};
        StepSchema {
            name: "build",
            doc: "Starts a build of another pipeline and waits for its end.",
            placement: Placement::Server,
            delivery: Delivery::Token,
            arguments: vec![
                ArgumentSchema::required(
                    "pipeline",
                    String,
                    "Its name; one without `/` in front is looked for beside this pipeline first.",
                ),
                ArgumentSchema::optional("parameters", Map, "Values of its parameters; others are left out."),
                ArgumentSchema::optional("wait", Boolean, "Waits for its end.").or(true),
            ],
            outputs: vec![
                OutputSchema { name: "pipeline", doc: "Its full name." },
                OutputSchema { name: "number", doc: "The new build's number." },
                OutputSchema { name: "build", doc: "Its id." },
                OutputSchema { name: "url", doc: "Its page; empty without a server." },
                OutputSchema { name: "result", doc: "How it ended; absent without `wait`." },
            ],
            open_outputs: true,
            cloud: false,
            example: "pipeline: team/deploy\nparameters: { VERSION: \"1.2\" }",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        let app = self.0.app().await?;
        if app.options.alone {
            return Err(StepError::Usage(
                "other pipelines can only be started by a server; this run has none (haliotis serve)".to_owned(),
            ));
        }
        let asked = ctx.required("pipeline")?;
        let pipeline = find(&app, &ctx.build.pipeline, &asked).await?;
        let request = BuildRequest {
            pipeline: pipeline.clone(),
            cause: Cause::Upstream { pipeline: ctx.build.pipeline.clone(), number: ctx.build.number },
            event: Object::new(),
            parameters: ctx.map("parameters"),
            commit: None,
            once: format!("step:{}", ctx.key),
        };
        let created = app.start_build(&request).await.map_err(|error| match error {
            BuildError::Disabled(_) => StepError::Usage(format!("{pipeline} is not buildable: it is disabled")),
            other => world(other),
        })?;
        ctx.log.line(&format!("Starting building: {pipeline} #{}", created.number));
        Ok(Started { handle: Some(json!({ "build": created.id.0, "number": created.number, "pipeline": pipeline })) })
    }

    async fn attach(&self, ctx: &StepContext, handle: &Value) -> Result<StepOutput, StepError> {
        let app = self.0.app().await?;
        let id = made(handle)?;
        let summary = if ctx.arg("wait").and_then(Value::as_bool) == Some(false) {
            look(&app, id).await?
        } else {
            loop {
                tokio::select! {
                    view = app.engine.wait(id) => drop(view.map_err(world)?),
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
                let summary = look(&app, id).await?;
                if ended(summary.status) {
                    break summary;
                }
            }
        };
        Ok(StepOutput::success(outputs(&app, &summary)))
    }

    async fn cancel(&self, ctx: &StepContext, handle: &Value) -> Result<(), StepError> {
        let app = self.0.app().await?;
        let by = format!("{} #{}", ctx.build.pipeline, ctx.build.number);
        // One that has ended meanwhile needs no stop.
        let _ = app.engine.abort(made(handle)?, &by, "Calling Pipeline was cancelled").await;
        Ok(())
    }
}

fn made(handle: &Value) -> Result<BuildId, StepError> {
    let id = handle.get("build").and_then(Value::as_i64).map(BuildId);
    id.ok_or_else(|| StepError::Unknown("it is not known whether the other build was made".to_owned()))
}

async fn look(app: &App, id: BuildId) -> Result<BuildSummary, StepError> {
    let found = app.store_catalog().build(id).await.map_err(world)?;
    found.ok_or_else(|| StepError::World(format!("the build with the id {id} is gone: it was deleted")))
}

/// What is told of a build.
pub(super) fn outputs(app: &App, build: &BuildSummary) -> Object {
    let base = &app.options.base_url;
    let url = if base.is_empty() { String::new() } else { format!("{base}/builds/{}", build.id) };
    let mut told = json!({
        "pipeline": build.pipeline, "number": build.number, "build": build.id.0, "url": url,
        "created": build.created_at.0, "ended": build.ended_at.map(|at| at.0), "parameters": build.parameters,
    });
    if let (Some(result), Some(object)) = (build.result, told.as_object_mut()) {
        object.insert("result".to_owned(), result.to_string().into());
    }
    told.as_object().cloned().unwrap_or_default()
}

/// A pipeline by the name a step gives: beside the calling one first, as Jenkins looks.
pub(super) async fn find(app: &App, from: &str, asked: &str) -> Result<String, StepError> {
    let mut tried = Vec::new();
    for name in candidates(from, asked) {
        if app.store_catalog().pipeline(&name).await.map_err(world)?.is_some() {
            return Ok(name);
        }
        tried.push(name);
    }
    Err(StepError::Usage(format!("No item named {asked} found (looked for {})", tried.join(", "))))
}

/// Full names that a relative one may mean, the likeliest first.
fn candidates(from: &str, asked: &str) -> Vec<String> {
    let folder: Vec<&str> = from.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect());
    let resolve = |base: &[&str]| {
        let mut parts = base.to_vec();
        for part in asked.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        parts.join("/")
    };
    let absolute = resolve(&[]);
    if asked.starts_with('/') {
        return vec![absolute];
    }
    let mut names = vec![resolve(&folder), absolute];
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn names_beside_above_and_from_the_root() {
        assert_eq!(candidates("team/app", "deploy"), ["team/deploy", "deploy"]);
        assert_eq!(candidates("team/app", "../other/x"), ["other/x"]);
        assert_eq!(candidates("team/app", "/deploy"), ["deploy"]);
        assert_eq!(candidates("app", "deploy"), ["deploy"]);
    }
}
