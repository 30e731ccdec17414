//! `sagemaker.test-endpoint`: asks a deployed model about held-out rows and compares its answers with the truth.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use super::score::{self, Row};
use crate::follow::{self, Pace};
use crate::registry::{self, EndpointInfo};
use crate::storage::{self, S3Uri};
use crate::{clients, uploads};

/// Rows that are asked for unless the step says otherwise.
const DEFAULT_ROWS: i64 = 50;
/// Most rows; each is a request.
const MAX_ROWS: i64 = 10_000;
/// Requests at a time: enough to hide the way there and back, few enough not to be throttled.
const AT_ONCE: usize = 4;
/// Pairs shown in the output `sample`.
const MAX_SAMPLE: usize = 10;
/// Largest data set that is read, in bytes.
const MAX_DATA: usize = 64 * 1024 * 1024;
/// How long an endpoint may take to come into service.
const DEFAULT_WAIT: Duration = Duration::from_secs(30 * 60);
/// In the scratch folder: somebody asked the step to stop. It is looked for between requests.
const CANCELLED: &str = "cancelled";

pub(crate) struct TestEndpoint;

#[async_trait]
impl StepRunner for TestEndpoint {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "sagemaker.test-endpoint",
            doc: "Invokes an endpoint with held-out rows and fails when the answers are too far off.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: schema_arguments(),
            outputs: vec![
                OutputSchema { name: "mse", doc: "Mean squared error over the rows." },
                OutputSchema { name: "max-error", doc: "Largest absolute error." },
                OutputSchema { name: "rows", doc: "How many rows were asked." },
                OutputSchema { name: "sample", doc: "List of {expected, predicted}, the first ten." },
                OutputSchema { name: "endpoint-arn", doc: "ARN of the endpoint." },
                OutputSchema { name: "model-package-arn", doc: "The registered model behind it, or null." },
            ],
            open_outputs: false,
            cloud: true,
            example: "endpoint: abalone-staging\ndata: ${{ steps.preprocess.outputs['output-test'] + '/test.csv' }}\n\
                      rows: 50\nmax-mse: 8.0",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        follow::introduce(ctx, &*clients(&ctx.cloud).await?).await?;
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let kept = ctx.scratch.join("result.json");
        if let Some(output) = std::fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(output);
        }
        let output = test(ctx).await?;
        std::fs::write(&kept, serde_json::to_vec(&output).unwrap_or_default())?;
        Ok(output)
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(std::fs::write(ctx.scratch.join(CANCELLED), "")?)
    }
}

fn schema_arguments() -> Vec<ArgumentSchema> {
    use ArgumentKind::{Boolean, Duration, Integer, List, Number, String};
    vec![
        ArgumentSchema::required("endpoint", String, "Name of the endpoint; it is waited for until it is in service."),
        ArgumentSchema::required(
            "data",
            String,
            "`s3://` URI or workspace path of a CSV; its first column is the truth.",
        ),
        ArgumentSchema::optional("rows", Integer, "At most so many rows, from the top; at most 10,000.")
            .or(DEFAULT_ROWS),
        ArgumentSchema::optional("content-type", String, "Of the requests.").or("text/csv"),
        ArgumentSchema::optional("max-mse", Number, "The step fails when the mean squared error is larger."),
        ArgumentSchema::optional("skip-header", Boolean, "The first line is a header.").or(false),
        ArgumentSchema::optional("drop-columns", List, "Numbers of columns that are not sent; the label is 0."),
        ArgumentSchema::optional("wait", Duration, "How long the endpoint may take to come into service.").or("30m"),
    ]
}

async fn test(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let name = ctx.required("endpoint")?;
    let rows = held_out(ctx).await?;
    let endpoint = match in_service(ctx, &name).await? {
        Ok(endpoint) => endpoint,
        Err(output) => return Ok(output),
    };
    ctx.log.line(&format!("endpoint {name} is in service; asking it about {} rows", rows.len()));
    let content_type = ctx.text("content-type").unwrap_or_else(|| "text/csv".to_owned());
    let mut asks = Vec::with_capacity(rows.len());
    for row in &rows {
        asks.push(ask(ctx, &name, &content_type, row));
    }
    let mut answers = std::pin::pin!(futures_util::stream::iter(asks).buffered(AT_ONCE));
    let mut pairs = Vec::with_capacity(rows.len());
    while let Some(answer) = answers.next().await {
        if ctx.scratch.join(CANCELLED).exists() {
            return Ok(StepOutput::aborted("stopped on request"));
        }
        match answer {
            Ok(predicted) => pairs.push((rows[pairs.len()].expected, predicted)),
            Err(problem) => return Ok(StepOutput::failure(format!("row {}: {problem}", pairs.len() + 1))),
        }
    }
    Ok(verdict(ctx, &endpoint, &pairs))
}

async fn ask(ctx: &StepContext, name: &str, content_type: &str, row: &Row) -> Result<f64, String> {
    let answer = registry::invoke(&ctx.cloud, name, content_type, row.features.clone().into_bytes()).await;
    score::prediction(&answer.map_err(|error| error.to_string())?.body)
}

fn verdict(ctx: &StepContext, endpoint: &EndpointInfo, pairs: &[(f64, f64)]) -> StepOutput {
    let Some(errors) = score::errors(pairs) else {
        return StepOutput::failure("the data holds no rows, so nothing was tested");
    };
    for (expected, predicted) in pairs.iter().take(MAX_SAMPLE) {
        ctx.log.line(&format!("expected {expected}, predicted {predicted}"));
    }
    ctx.log.line(&format!("{} rows: MSE {:.4}, largest error {:.4}", pairs.len(), errors.mse, errors.max));
    let sample = pairs.iter().take(MAX_SAMPLE);
    let sample: Vec<Value> = sample.map(|(e, p)| json!({"expected": e, "predicted": p})).collect();
    let outputs = Object::from_iter([
        ("mse".to_owned(), errors.mse.into()),
        ("max-error".to_owned(), errors.max.into()),
        ("rows".to_owned(), pairs.len().into()),
        ("sample".to_owned(), sample.into()),
        ("endpoint-arn".to_owned(), endpoint.arn.clone().into()),
        ("model-package-arn".to_owned(), endpoint.model_package_arn.clone().into()),
    ]);
    // A NaN is not within any bound.
    match ctx.number("max-mse") {
        Some(bound) if errors.mse.is_nan() || errors.mse > bound => StepOutput::failure(format!(
            "the endpoint {} answers too far off: MSE {:.4} over {} rows, allowed {bound}",
            endpoint.name,
            errors.mse,
            pairs.len()
        ))
        .with_outputs(outputs),
        _ => StepOutput::success(outputs),
    }
}

async fn held_out(ctx: &StepContext) -> Result<Vec<Row>, StepError> {
    let data = ctx.required("data")?;
    let bytes = if data.starts_with("s3://") {
        storage::get(&*clients(&ctx.cloud).await?, &S3Uri::parse(&data)?, MAX_DATA).await?
    } else {
        std::fs::read(uploads::workspace_path(ctx, &data)?)?
    };
    let wanted = ctx.integer("rows").unwrap_or(DEFAULT_ROWS).clamp(1, MAX_ROWS);
    let drop: Vec<usize> = ctx.texts("drop-columns").iter().filter_map(|text| text.parse().ok()).collect();
    let max = usize::try_from(wanted).unwrap_or(1);
    score::rows(&String::from_utf8_lossy(&bytes), max, ctx.flag("skip-header"), &drop)
}

/// Waits for the endpoint. `Err` inside: it failed, is not there, or we were asked to stop.
async fn in_service(ctx: &StepContext, name: &str) -> Result<Result<EndpointInfo, StepOutput>, StepError> {
    let wait = ctx.duration_ms("wait").map_or(DEFAULT_WAIT, Duration::from_millis);
    let (begun, mut pace) = (Instant::now(), Pace::new(ctx));
    loop {
        let Some(endpoint) = registry::endpoint(&ctx.cloud, name).await? else {
            return Ok(Err(StepOutput::failure(format!("there is no endpoint {name}; was its stack deployed?"))));
        };
        match endpoint.status.as_str() {
            "InService" => return Ok(Ok(endpoint)),
            "Failed" | "OutOfService" | "UpdateRollbackFailed" | "Deleting" => {
                let why = endpoint.failure_reason.unwrap_or_else(|| "no reason given".to_owned());
                return Ok(Err(StepOutput::failure(format!("the endpoint {name} is {}: {why}", endpoint.status))));
            }
            status if begun.elapsed() > wait => {
                let waited = begun.elapsed().as_secs();
                return Ok(Err(StepOutput::failure(format!("the endpoint {name} is still {status} after {waited} s"))));
            }
            _ => {}
        }
        if ctx.scratch.join(CANCELLED).exists() {
            return Ok(Err(StepOutput::aborted("stopped on request")));
        }
        pace.wait(0).await;
    }
}
