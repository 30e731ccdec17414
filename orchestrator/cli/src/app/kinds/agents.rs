//! `agents`: the agents that have a label, as `nodesByLabel` of a Jenkinsfile asks for them.

use async_trait::async_trait;
use haliotis_engine::AgentInfo;
use haliotis_model::{ArgumentKind, ArgumentSchema, Delivery, OutputSchema, Placement, StepOutput, StepSchema, Value};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use super::Link;

pub(super) struct Agents(pub(super) Link);

#[async_trait]
impl StepRunner for Agents {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "agents",
            doc: "Names the agents that have a label.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![ArgumentSchema::required("label", ArgumentKind::String, "A label, as `linux`.")],
            outputs: vec![OutputSchema { name: "names", doc: "Their names." }],
            open_outputs: false,
            cloud: false,
            example: "label: linux",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let app = self.0.app().await?;
        let label = ctx.required("label")?;
        let has = |agent: &&AgentInfo| haliotis_engine::label::matches(&label, &agent.name, &agent.labels);
        let names: Vec<&str> = app.engine.agents().iter().filter(has).map(|agent| agent.name.as_str()).collect();
        let outputs = json!({ "names": names });
        Ok(StepOutput::success(outputs.as_object().cloned().unwrap_or_default()))
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}
