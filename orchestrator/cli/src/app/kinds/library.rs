//! `library`: a shared library that a script names while it runs. What was read goes into the journal with the step's end,
//! so a restart loads the same texts, whatever the branch has by then.

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use super::Link;
use crate::app::libraries::Libraries;

pub(super) struct Library(pub(super) Link);

#[async_trait]
impl StepRunner for Library {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "library",
            doc: "Reads a shared library from Git; what `library` of a Jenkinsfile loads.",
            placement: Placement::Server,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("identifier", ArgumentKind::String, "NAME or NAME@VERSION."),
                ArgumentSchema::optional("retriever", ArgumentKind::Map, "A Git address of its own: {remote: URL}."),
            ],
            outputs: vec![
                OutputSchema { name: "commit", doc: "Full hash." },
                OutputSchema { name: "remote", doc: "Git address." },
                OutputSchema { name: "files", doc: "Path to text." },
            ],
            open_outputs: false,
            cloud: false,
            example: "identifier: acme@main",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let app = self.0.app().await?;
        let retriever = ctx.map("retriever");
        let retriever = (!retriever.is_empty()).then_some(&retriever);
        let libraries = Libraries::new(&app.options.config_dir, &app.cache_dir(), Some(app.store.as_ref()));
        let libraries = libraries.of(&ctx.build.pipeline);
        let fetched = libraries.fetch(&ctx.required("identifier")?, retriever).await.map_err(StepError::Usage)?;
        let files: Object = fetched.files.into_iter().map(|(path, text)| (path, Value::from(text))).collect();
        let outputs = json!({ "commit": fetched.commit, "remote": fetched.remote, "files": files });
        Ok(StepOutput::success(outputs.as_object().cloned().unwrap_or_default()))
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}
