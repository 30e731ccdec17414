//! `haliotis abort BUILD`.

use clap::Args;
use serde_json::json;

use crate::app::reading::Reading;
use crate::client::Client;
use crate::context::Context;
use crate::failure::Outcome;

/// Arguments of `abort`.
#[derive(Args)]
pub struct Abort {
    /// The build: its id, PIPELINE#NUMBER, or PIPELINE for its newest
    build: String,
    /// Why
    #[arg(short, long, default_value = "")]
    reason: String,
}

/// Asks the build to stop. A second time stops what would always run as well.
pub async fn run(args: Abort, ctx: &Context) -> Outcome {
    let client = Client::connect(ctx)?;
    let id = Reading::open(ctx).await?.find(&args.build).await?;
    let answer =
        client.post(&format!("/api/v1/builds/{id}/abort"), json!({"by": ctx.user, "reason": args.reason})).await?;
    if ctx.json {
        ctx.print_json(&answer);
    } else {
        ctx.good(format!("build {} was asked to stop", args.build));
    }
    Ok(())
}
