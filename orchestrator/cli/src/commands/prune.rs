//! `haliotis prune`: what the rules of retention would remove, or remove it now.

use clap::Args;
use haliotis_engine::retention::{EVERY_PIPELINE, Goes, RETENTION_DOCUMENT};
use haliotis_model::{Kept, Retention};

use crate::app::reading::Reading;
use crate::app::retention::{self, Plan, Production};
use crate::app::{CloudKind, cloud};
use crate::client::Address;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `prune`.
#[derive(Args)]
pub struct Prune {
    /// Show what would go and why; remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Set a rule instead: `PIPELINE` or `*` for all that have none, with --builds, --days and so on (none: keep all)
    #[arg(long, value_name = "PIPELINE")]
    set: Option<String>,
    /// Keep so many of the newest builds
    #[arg(long, requires = "set")]
    builds: Option<u32>,
    /// Keep builds that ended less than so many days ago
    #[arg(long, requires = "set")]
    days: Option<u32>,
    /// Keep the logs of so many builds
    #[arg(long, requires = "set")]
    log_builds: Option<u32>,
    /// Keep the artifacts of so many builds
    #[arg(long, requires = "set")]
    artifact_builds: Option<u32>,
    /// Where models are served, if not in the local cloud
    #[arg(long, value_enum, default_value = "local")]
    cloud: CloudKind,
    /// The region
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
}

/// Works beside a running server, whose own look comes every hour.
pub async fn run(args: Prune, ctx: &Context) -> Outcome {
    let reading = Reading::open(ctx).await?;
    if let Some(pipeline) = &args.set {
        return set(pipeline, &args, &reading, ctx).await;
    }
    let dir = ctx.data_dir();
    let cloud = match args.cloud {
        CloudKind::Aws => Some(cloud::aws(&args.region)),
        CloudKind::Local => Address::read(&dir).and_then(|_| cloud::beside(&dir, &args.region)),
    };
    let production = match &cloud {
        Some(cloud) => Production::At(cloud),
        None if cloud::has_state(&dir) => {
            ctx.say("builds of pipelines that handle models stay: the server is not running, so nobody can say what is served");
            Production::Unknown("the server that serves them does not run".to_owned())
        }
        None => Production::Nowhere,
    };
    let plans = retention::plan(reading.store.as_ref(), &production).await?;
    if args.dry_run || ctx.json {
        show(&plans, ctx);
    }
    if args.dry_run {
        return Ok(());
    }
    // Files may be in use by nobody but a server, and builds that go have ended; a lock is not needed.
    let removed = retention::carry_out(reading.store.as_ref(), &dir, &plans).await;
    ctx.good(format!("{} removed", removed.count));
    match removed.failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::world(format!("some could not be removed: {}", failed.join("; ")))),
    }
}

fn show(plans: &[Plan], ctx: &Context) {
    if ctx.json {
        let lines = plans.iter().flat_map(|plan| {
            plan.surplus.iter().map(move |goes| {
                serde_json::json!({"pipeline": plan.pipeline, "number": goes.number, "what": what(goes.what), "why": goes.why})
            })
        });
        return ctx.print_json(&lines.collect::<Vec<_>>());
    }
    for plan in plans {
        for goes in &plan.surplus {
            ctx.print(format!("{}#{}  {}  {}", plan.pipeline, goes.number, what(goes.what), goes.why));
        }
    }
    let count: usize = plans.iter().map(|plan| plan.surplus.len()).sum();
    ctx.say(format!("{count} would go; nothing was removed"));
}

fn what(goes: Goes) -> &'static str {
    match goes {
        Goes::Build => "build",
        Goes::Logs => "logs",
        Goes::Artifacts => "artifacts",
    }
}

async fn set(pipeline: &str, args: &Prune, reading: &Reading, ctx: &Context) -> Outcome {
    if pipeline != EVERY_PIPELINE && reading.store.pipeline(pipeline).await?.is_none() {
        return Err(Failure::not_found(format!(
            "there is no pipeline `{pipeline}`; `haliotis pipeline list` shows them"
        )));
    }
    let rule = Retention {
        builds: args.builds,
        days: args.days,
        logs: Kept { builds: args.log_builds, days: None },
        artifacts: Kept { builds: args.artifact_builds, days: None },
        days_from_creation: false,
    };
    if rule.keeps_all() {
        reading.store.remove_document(RETENTION_DOCUMENT, pipeline).await?;
        ctx.good(format!("{pipeline}: everything is kept"));
        return Ok(());
    }
    let text = serde_json::to_string(&rule).map_err(|error| Failure::usage(error.to_string()))?;
    reading.store.put_document(RETENTION_DOCUMENT, pipeline, &text).await?;
    ctx.good(format!("{pipeline}: {text}; a definition with a rule of its own goes before this one"));
    Ok(())
}
