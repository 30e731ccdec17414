//! `milestone`: of builds of one pipeline, an older one may not pass a point that a newer one has passed.
//!
//! The table is a document of the store, one a pipeline. A build that comes late is told who was first; older builds that
//! stand between the milestone before and this one are stopped.

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildId, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use super::milestones::{Milestones, Verdict};
use super::{Link, ended, world};
use crate::app::App;

const KIND: &str = "milestones";
/// Who stops a superseded build: its result is then NOT_BUILT.
const BY: &str = haliotis_jenkinsfile::SUPERSEDED_BY;
/// Swaps tried; each failure means that another one succeeded.
const MOST_SWAPS: usize = 1000;

pub(super) struct Milestone(pub(super) Link);

#[async_trait]
impl StepRunner for Milestone {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "milestone",
            doc: "Lets builds of a pipeline pass in the order of their numbers; late ones are told, overtaken ones stopped.",
            placement: Placement::Server,
            delivery: Delivery::Token,
            arguments: vec![ArgumentSchema::required("ordinal", ArgumentKind::Integer, "Rising within the pipeline.")],
            outputs: vec![OutputSchema {
                name: "superseded-by",
                doc: "Number of the newer build that was here first; absent when there is none.",
            }],
            open_outputs: true,
            cloud: false,
            example: "ordinal: 1",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let app = self.0.app().await?;
        let ordinal = ctx.integer("ordinal").unwrap_or(0);
        let (pipeline, number) = (&ctx.build.pipeline, ctx.build.number);
        match pass(&app, pipeline, number, ctx.key.build.0, ordinal).await? {
            Verdict::Superseded(by) => {
                Ok(StepOutput::success(Object::from_iter([("superseded-by".to_owned(), by.into())])))
            }
            Verdict::Passed(older) => {
                for id in older {
                    let build = app.store_catalog().build(BuildId(id)).await.map_err(world)?;
                    let Some(build) = build.filter(|build| !ended(build.status)) else { continue };
                    ctx.log.line(&format!("Superseding older build #{}", build.number));
                    // One that ends meanwhile needs no stop.
                    let _ = app.engine.abort(build.id, BY, &format!("Superseded by #{number}")).await;
                }
                Ok(StepOutput::success(Object::new()))
            }
        }
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

async fn pass(app: &App, pipeline: &str, number: u32, id: i64, ordinal: i64) -> Result<Verdict, StepError> {
    for _ in 0..MOST_SWAPS {
        let text = app.store_catalog().document(KIND, pipeline).await.map_err(world)?;
        let mut table: Milestones = match &text {
            None => Milestones::default(),
            Some(text) => serde_json::from_str(text).map_err(world)?,
        };
        let verdict = table.pass(number, id, ordinal);
        let body = serde_json::to_string(&table).map_err(world)?;
        if text.as_ref() == Some(&body)
            || app.store_catalog().swap_document(KIND, pipeline, text.as_deref(), &body).await.map_err(world)?
        {
            return Ok(verdict);
        }
    }
    Err(StepError::World("the milestones change all the time; try again".to_owned()))
}
