//! `noop`: nothing, at once. It touches neither log nor disk, so that it measures the engine alone.

use async_trait::async_trait;
use haliotis_model::{Delivery, Object, Placement, StepOutput, StepSchema, Value};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

pub(crate) struct Noop;

#[async_trait]
impl StepRunner for Noop {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "noop",
            doc: "Does nothing and succeeds; a point where branches join.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: Vec::new(),
            outputs: Vec::new(),
            open_outputs: false,
            cloud: false,
            example: "{}",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, _ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        Ok(StepOutput::success(Object::new()))
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}
