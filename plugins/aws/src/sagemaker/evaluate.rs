//! `sagemaker.evaluate`: a processing job whose report later conditions read.

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildResult, Delivery, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use super::job_step;
use super::processing::{self, ProcessingJob};
use crate::clients;
use crate::storage::{self, S3Uri};

/// Largest report, in bytes; it becomes an output, which lives in the journal.
const MAX_REPORT: usize = 1024 * 1024;

pub(crate) struct Evaluate;

#[async_trait]
impl StepRunner for Evaluate {
    fn schema(&self) -> StepSchema {
        let mut arguments = processing::schema_arguments();
        arguments.push(ArgumentSchema::required(
            "report",
            ArgumentKind::Map,
            "Which file of which output is the JSON report: {output: evaluation, file: evaluation.json}.",
        ));
        let mut outputs = processing::schema_outputs();
        outputs.push(OutputSchema { name: "report", doc: "The parsed report." });
        outputs.push(OutputSchema { name: "report-uri", doc: "S3 URI of the report." });
        StepSchema {
            name: "sagemaker.evaluate",
            doc: "Runs a script as a processing job and reads the JSON report that it writes.",
            placement: Placement::Agent,
            delivery: Delivery::Token,
            arguments,
            outputs,
            open_outputs: true,
            cloud: true,
            example: "image: sagemaker-xgboost:1.7-1\ncode: pipelines/abalone/evaluate.py\n\
                      inputs: { model: \"${{ steps.train.outputs['model-data'] }}\" }\n\
                      outputs: { evaluation: /opt/ml/processing/evaluation }\n\
                      report: { output: evaluation, file: evaluation.json }",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        let (output, _) = report_place(ctx)?;
        if !ctx.map("outputs").contains_key(&output) {
            return Err(StepError::Usage(format!(
                "sagemaker.evaluate: `report.output: {output}` is none of `outputs`"
            )));
        }
        processing::start(ctx).await
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let output = job_step::attach(ctx, &ProcessingJob).await?;
        if output.result == BuildResult::Success { with_report(ctx, output).await } else { Ok(output) }
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        job_step::cancel(ctx, &ProcessingJob).await
    }
}

async fn with_report(ctx: &StepContext, mut done: StepOutput) -> Result<StepOutput, StepError> {
    let (output, file) = report_place(ctx)?;
    let folder = done.outputs.get(&format!("output-{output}")).and_then(Value::as_str).unwrap_or_default();
    let uri = format!("{}/{file}", folder.trim_end_matches('/'));
    let bytes = match storage::get(&*clients(&ctx.cloud).await?, &S3Uri::parse(&uri)?, MAX_REPORT).await {
        Ok(bytes) => bytes,
        Err(StepError::Usage(problem)) => {
            return Ok(
                StepOutput::failure(format!("the job ended without its report: {problem}")).with_outputs(done.outputs)
            );
        }
        Err(error) => return Err(error),
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(report) => {
            done.outputs.insert("report".to_owned(), report);
            done.outputs.insert("report-uri".to_owned(), uri.into());
            Ok(done)
        }
        Err(error) => Ok(StepOutput::failure(format!(
            "the report {uri} is not JSON: {error} (Python writes NaN as no JSON parser reads it)"
        ))
        .with_outputs(done.outputs)),
    }
}

fn report_place(ctx: &StepContext) -> Result<(String, String), StepError> {
    let report = ctx.map("report");
    let text = |key: &str| {
        report.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            StepError::Usage("sagemaker.evaluate: `report` must be {output: NAME, file: FILE}".to_owned())
        })
    };
    Ok((text("output")?, text("file")?))
}
