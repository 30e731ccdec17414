//! `condition`: a gate. It fails the build, or only says no, when a check does not hold.

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

pub(crate) struct Condition;

#[async_trait]
impl StepRunner for Condition {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "condition",
            doc: "Fails when a check does not hold, so that nothing that needs it runs.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("check", ArgumentKind::Boolean, "The check, usually an expression."),
                ArgumentSchema::optional(
                    "message",
                    ArgumentKind::String,
                    "What is checked, for the log and for the build's message when it does not hold.",
                ),
                ArgumentSchema::optional(
                    "fail",
                    ArgumentKind::Boolean,
                    "`false`: the step succeeds either way and only its output `met` tells.",
                )
                .or(true),
            ],
            outputs: vec![OutputSchema { name: "met", doc: "True or false." }],
            open_outputs: false,
            cloud: false,
            example: "check: ${{ steps.evaluate.outputs.report.regression_metrics.mse.value <= 6.0 }}\n\
                      message: the mean squared error is at most 6.0",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let met = holds(ctx.arg("check"))?;
        let message = ctx.text("message").unwrap_or_else(|| "the check".to_owned());
        if ctx.log.is_empty() {
            ctx.log.line(&format!("{message}: {}", if met { "yes" } else { "no" }));
        }
        let outputs = Object::from_iter([("met".to_owned(), Value::Bool(met))]);
        let fail = ctx.arg("fail").is_none() || ctx.flag("fail");
        Ok(if met || !fail {
            StepOutput::success(outputs)
        } else {
            StepOutput::failure(format!("condition not met: {message}")).with_outputs(outputs)
        })
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

/// Only true and false count; a text that merely is not empty must not open a gate.
fn holds(check: Option<&Value>) -> Result<bool, StepError> {
    match check {
        Some(Value::Bool(met)) => Ok(*met),
        Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
        other => Err(StepError::Usage(format!(
            "condition: `check` must be true or false but is {}; compare with ==, <=, >=, <, > in ${{{{ }}}}",
            other.unwrap_or(&Value::Null)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use haliotis_model::BuildResult;
    use serde_json::{Value, json};

    use crate::bench::Case;

    async fn check(with: Value, result: BuildResult, met: bool) {
        let output = Case::new("condition", with).run().await;
        assert_eq!((output.result, &output.outputs["met"]), (result, &json!(met)));
    }

    #[tokio::test]
    async fn yes_no_and_no_without_failing() {
        check(json!({"check": true}), BuildResult::Success, true).await;
        check(json!({"check": "false"}), BuildResult::Failure, false).await;
        check(json!({"check": false, "fail": false}), BuildResult::Success, false).await;
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for check in [json!("no"), json!(1), json!(null)] {
            let error = Case::new("condition", json!({"check": check})).try_run().await.unwrap_err();
            assert!(error.to_string().contains("must be true or false"), "{error}");
        }
    }
}
