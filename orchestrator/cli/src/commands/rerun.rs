//! `haliotis rerun BUILD [--from STEP]`: runs a build again, whole or from the middle.

use clap::Args;
use serde_json::json;

use crate::app::parameters;
use crate::app::reading::Reading;
use crate::client::Client;
use crate::context::Context;
use crate::failure::Outcome;

/// Arguments of `rerun`.
#[derive(Args)]
pub struct Rerun {
    /// The build: its id, PIPELINE#NUMBER, or PIPELINE for its newest
    build: String,
    /// Where to begin: `failed`, a step, or a stage of a Declarative Jenkinsfile; what ended well before it is taken over
    /// [default: at the beginning]
    #[arg(long, value_name = "STEP", default_value = "", hide_default_value = true)]
    from: String,
    /// A parameter to change, as NAME=VALUE; the others stay as they were
    #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
}

/// Asks the server for the new build and says which one it is.
pub async fn run(args: Rerun, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    let id = Reading::open(ctx).await?.find(&args.build).await?;
    let values = parameters::parse(&args.parameters)?;
    let body = json!({"from": args.from, "parameters": values, "by": ctx.user});
    let answer = client.post(&format!("/api/v1/builds/{id}/rerun"), body).await?;
    if ctx.json {
        ctx.print_json(&answer);
    } else {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let page = client.url(&text("url"));
        ctx.good(format!("{}#{} runs ({page})", text("pipeline"), answer["number"]));
    }
    Ok(())
}
