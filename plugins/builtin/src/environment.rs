//! `environment` and `server-environment`: values of variables by name, as a process of the build would have them.
//!
//! A script that reads `env.PATH` asks here. What may be a secret is never told: names that sound like one, and
//! credentials, which are bound elsewhere.

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

/// Parts of names that sound like a secret.
const SECRET: [&str; 6] = ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "PRIVATE", "API_KEY"];

/// Where it looks.
pub(crate) struct Environment(pub(crate) Placement);

#[async_trait]
impl StepRunner for Environment {
    fn schema(&self) -> StepSchema {
        let on_agent = self.0 == Placement::Agent;
        StepSchema {
            name: if on_agent { "environment" } else { "server-environment" },
            doc: if on_agent {
                "Values of variables by name, as processes of the build have them on the agent."
            } else {
                "Values of variables by name, as processes of the build have them, without an agent."
            },
            placement: self.0,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![ArgumentSchema::required("names", ArgumentKind::Strings, "Names of variables.")],
            outputs: vec![OutputSchema { name: "values", doc: "Values by name; absent where there is none." }],
            open_outputs: false,
            cloud: false,
            example: "names: [PATH, WORKSPACE]",
        }
    }

    fn wants_scratch(&self) -> bool {
        false
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let mut values = Object::new();
        for name in ctx.texts("names") {
            let sounds_secret = SECRET.iter().any(|part| name.to_uppercase().contains(part));
            if let Some(value) = ctx.vars.get(&name).filter(|_| !sounds_secret) {
                values.insert(name, value.as_str().into());
            }
        }
        Ok(StepOutput::success(Object::from_iter([("values".to_owned(), values.into())])))
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
    async fn values_by_name_and_no_secret() {
        let mut case = Case::new("environment", json!({"names": ["A", "B", "AWS_SECRET_ACCESS_KEY"]}));
        case.ctx.vars.insert("A".to_owned(), "1".to_owned());
        case.ctx.vars.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "shh".to_owned());
        assert_eq!(case.run().await.outputs["values"], json!({"A": "1"}));
    }
}
