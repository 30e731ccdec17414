//! `aws.call`: the steps of Jenkins' pipeline-aws that are one question or one act: S3 objects, stacks, identities,
//! functions. The step's Jenkins name and arguments come as they were written; the answer is its value.
//!
//! Each act is harmless when it is done twice, but `invokeLambda` and `snsPublish`, which leave a mark before they call:
//! after a crash between the mark and the answer the outcome is unknown, and it is not done again.

mod arguments;
mod cfn;
mod s3;
mod services;

use std::path::PathBuf;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildResult, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use arguments::Given;

use crate::{clients, follow};

/// The steps, by Jenkins' names.
const STEPS: &[&str] = &[
    "awsIdentity",
    "cfnCreateChangeSet",
    "cfnDelete",
    "cfnDescribe",
    "cfnExecuteChangeSet",
    "cfnExports",
    "cfnOutputs",
    "cfnValidate",
    "ecrLogin",
    "invokeLambda",
    "s3Copy",
    "s3Delete",
    "s3DoesObjectExist",
    "s3Download",
    "s3FindFiles",
    "s3PresignURL",
    "s3Upload",
    "snsPublish",
];

pub(crate) struct Call;

/// What a step works with.
struct Work<'a> {
    ctx: &'a StepContext,
    clients: &'a crate::Clients,
    given: Given,
}

#[async_trait]
impl StepRunner for Call {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "aws.call",
            doc: "Runs a step of Jenkins' pipeline-aws by its name: S3 objects, stacks, identities, functions.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments: vec![
                ArgumentSchema::required("step", ArgumentKind::String, "Its name, as s3Upload.").one_of(STEPS),
                ArgumentSchema::optional("arguments", ArgumentKind::Map, "Its arguments by Jenkins' names."),
            ],
            outputs: vec![OutputSchema { name: "value", doc: "What the step answers; absent for none." }],
            open_outputs: true,
            cloud: true,
            example: "step: s3Upload\narguments: { bucket: models, file: model.tar.gz, path: abalone/ }",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        if let Some(output) = std::fs::read(result(ctx)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(output);
        }
        let clients = clients(&ctx.cloud).await?;
        follow::introduce(ctx, &clients).await?;
        let work = Work { ctx, clients: &clients, given: Given::of(ctx) };
        let step = ctx.required("step")?;
        let output = match step.as_str() {
            name if name.starts_with("s3") => work.s3(name).await?,
            name if name.starts_with("cfn") => work.cfn(name).await?,
            name => work.service(name).await?,
        };
        std::fs::write(result(ctx), serde_json::to_vec(&output).unwrap_or_default())?;
        Ok(output)
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        // Acts are short; what waits (cfnDelete) looks for the mark.
        std::fs::write(ctx.scratch.join("cancelled"), "")?;
        Ok(())
    }
}

fn result(ctx: &StepContext) -> PathBuf {
    ctx.scratch.join("result.json")
}

/// A success with a value.
fn answer(value: impl Into<Value>) -> StepOutput {
    StepOutput::success(Object::from_iter([("value".to_owned(), value.into())]))
}

/// A success without one.
fn done() -> StepOutput {
    StepOutput::success(Object::new())
}

/// A failure.
fn failure(message: impl Into<String>) -> StepOutput {
    StepOutput { result: BuildResult::Failure, ..StepOutput::failure(message) }
}
