//! `haliotis builds [BUILD]`: a list, or one build whole.

use clap::Args;
use haliotis_engine::{BuildFilter, now};
use haliotis_model::BuildSummary;

use crate::app::reading::Reading;
use crate::client::Client;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Arguments of `builds`.
#[derive(Args)]
pub struct Builds {
    /// One build: its id, or PIPELINE#NUMBER
    build: Option<String>,
    /// Of this pipeline alone
    #[arg(long)]
    pipeline: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// Lists, or shows one.
pub async fn run(args: Builds, ctx: &Context) -> Outcome {
    match &args.build {
        Some(build) => one(build, ctx).await,
        None => list(&args, ctx).await,
    }
}

async fn list(args: &Builds, ctx: &Context) -> Outcome {
    let builds: Vec<BuildSummary> = match Client::find(ctx) {
        Some(client) => {
            let mut query = vec![("limit", args.limit.to_string())];
            query.extend(args.pipeline.clone().map(|pipeline| ("pipeline", pipeline)));
            let answer = client.get("/api/v1/builds", &query).await?;
            let rows = answer.get("builds").unwrap_or(&answer).clone();
            serde_json::from_value(rows).map_err(|error| Failure::world(format!("unexpected answer: {error}")))?
        }
        None => {
            let filter = BuildFilter { pipeline: args.pipeline.clone(), limit: args.limit, ..BuildFilter::default() };
            Reading::open(ctx).await?.store.builds(&filter).await?
        }
    };
    if ctx.json {
        ctx.print_json(&builds);
    } else if builds.is_empty() {
        ctx.say("no builds yet; `haliotis demo` makes some, `haliotis pipeline add` registers a repository");
    } else {
        ctx.print(show::builds(&builds, now()));
    }
    Ok(())
}

async fn one(name: &str, ctx: &Context) -> Outcome {
    let reading = Reading::open(ctx).await?;
    let id = reading.find(name).await?;
    let view = reading.view(id).await?;
    if ctx.json {
        ctx.print_json(&view);
    } else {
        ctx.print(show::build(&view, now()));
    }
    Ok(())
}
