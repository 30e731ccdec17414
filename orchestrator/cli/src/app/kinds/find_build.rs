//! `find-build`: a build of a pipeline by a selector, as `copyArtifacts` of a Jenkinsfile asks for one.

use async_trait::async_trait;
use haliotis_engine::BuildFilter;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildResult, BuildSummary, Cause, Delivery, OutputSchema, Placement, StepOutput,
    StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use super::{Link, build, world};

/// Builds looked at, newest first: one that lies further back is asked for by its number.
const LOOKED_AT: u32 = 500;

pub(super) struct FindBuild(pub(super) Link);

#[async_trait]
impl StepRunner for FindBuild {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Integer, String};
        StepSchema {
            name: "find-build",
            doc: "Finds a build of a pipeline: the newest that ended as wanted, or one by its number.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("pipeline", String, "Its name; relative ones as of `build`."),
                ArgumentSchema::optional("number", Integer, "This one."),
                ArgumentSchema::optional("select", String, "`upstream`: the build that started this one.")
                    .or("stable")
                    .one_of(&["stable", "successful", "completed", "upstream"]),
            ],
            outputs: vec![
                OutputSchema { name: "build", doc: "Its id." },
                OutputSchema { name: "number", doc: "Its number." },
                OutputSchema { name: "result", doc: "How it ended." },
            ],
            open_outputs: true,
            cloud: false,
            example: "pipeline: team/train\nselect: completed",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let app = self.0.app().await?;
        let pipeline = build::find(&app, &ctx.build.pipeline, &ctx.required("pipeline")?).await?;
        let select = ctx.text("select").unwrap_or_default();
        let number =
            ctx.integer("number").or_else(|| (select == "upstream").then(|| upstream(ctx, &pipeline)).flatten());
        let found = match number {
            Some(number) => {
                let number = u32::try_from(number).unwrap_or(0);
                match app.store_catalog().find_build(&pipeline, number).await.map_err(world)? {
                    Some(id) => app.store_catalog().build(id).await.map_err(world)?,
                    None => None,
                }
            }
            None if select == "upstream" => None,
            None => {
                let filter =
                    BuildFilter { pipeline: Some(pipeline.clone()), limit: LOOKED_AT, ..BuildFilter::default() };
                let builds = app.store_catalog().builds(&filter).await.map_err(world)?;
                builds.into_iter().find(|build| is_wanted(build, &select))
            }
        };
        match found {
            Some(found) => Ok(StepOutput::success(build::outputs(&app, &found))),
            None => {
                let wanted =
                    number.map_or_else(|| format!("no {select} build"), |number| format!("no build #{number}"));
                Ok(StepOutput::failure(format!("Unable to find a build for artifact copy from: {pipeline} ({wanted})")))
            }
        }
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn is_wanted(build: &BuildSummary, select: &str) -> bool {
    match select {
        "stable" => build.result == Some(BuildResult::Success),
        "successful" => build.result.is_some_and(|result| result <= BuildResult::Unstable),
        _ => build.result.is_some(),
    }
}

fn upstream(ctx: &StepContext, wanted: &str) -> Option<i64> {
    ctx.build.causes.iter().find_map(|cause| match cause {
        Cause::Upstream { pipeline, number } if pipeline == wanted => Some(i64::from(*number)),
        _ => None,
    })
}
