//! `echo`: a line in the log.

use async_trait::async_trait;
use haliotis_model::{ArgumentKind, ArgumentSchema, Delivery, Object, Placement, StepOutput, StepSchema, Value};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

pub(crate) struct Echo;

#[async_trait]
impl StepRunner for Echo {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "echo",
            doc: "Writes a message into the log.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![ArgumentSchema::required(
                "message",
                ArgumentKind::Any,
                "The text; anything else is written as JSON.",
            )],
            outputs: Vec::new(),
            open_outputs: false,
            cloud: false,
            example: "message: \"MSE ${{ steps.evaluate.outputs.report.regression_metrics.mse.value }}\"",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        // A second attach, after a restart, finds the line there.
        if ctx.log.is_empty() {
            ctx.log.line(&ctx.required("message")?);
        }
        Ok(StepOutput::success(Object::new()))
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::bench::Case;

    #[tokio::test]
    async fn the_message_is_logged_once() {
        let case = Case::new("echo", json!({"message": {"mse": 4.5}}));
        case.run().await;
        case.run().await;
        assert_eq!(case.log(), "{\"mse\":4.5}\n");
    }
}
