//! `haliotis selftest chaos`: hurts servers of this binary on purpose, on this machine, and compares what they promised.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use haliotis_fault::{Options, Size, chaos};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `selftest`.
#[derive(Args)]
pub struct Selftest {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Kills, full disks, damaged files, storms of webhooks: the promises of docs/reliability.md, tried
    Chaos(Chaos),
}

#[derive(Args)]
struct Chaos {
    /// The full form: hours instead of minutes
    #[arg(long, conflicts_with = "short")]
    full: bool,
    /// The short form, which is the default
    #[arg(long)]
    short: bool,
    /// Of the full form: let no fault repeat itself longer than this; the report says how far each came
    #[arg(long, value_name = "N", requires = "full")]
    minutes: Option<u32>,
    /// Repeats the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write report.md and report.json here
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// These faults alone, as F1; may be given several times
    #[arg(long = "only", value_name = "FAULT")]
    only: Vec<String>,
    /// An empty PostgreSQL database for what needs one: postgres://user@host:5432/database
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
}

/// Exit code 1 when a promise was broken. Touches nothing but folders of its own below the temporary folder.
pub async fn run(args: Selftest, ctx: &Context) -> Outcome {
    let What::Chaos(args) = args.what;
    crate::app::install_tls();
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()) ^ haliotis_engine::now().0.unsigned_abs());
    let options = Options {
        binary: std::env::current_exe()?,
        size: if args.full { Size::Full } else { Size::Short },
        seed,
        only: args.only,
        most: args.minutes.map(|minutes| std::time::Duration::from_secs(60) * minutes),
        postgres: args.postgres,
    };
    ctx.say(format!("seed {seed}; --seed {seed} repeats it"));
    let dir = args.report.clone();
    let so_far = |report: &haliotis_fault::Report| {
        // The last writing tells whether it could be written.
        let _ = dir.as_deref().map(|dir| write(dir, report));
    };
    let report = chaos(options, &|line| ctx.say(line), &so_far).await;
    if report.outcomes.is_empty() {
        return Err(Failure::usage("no fault has that name; leave --only out to see them all"));
    }
    if let Some(dir) = &args.report {
        write(dir, &report)?;
    }
    if ctx.json {
        ctx.print_json(&report);
    }
    if report.held() {
        ctx.good("every promise that was tried was kept");
        return Ok(());
    }
    Err(Failure::failed(format!("a promise was broken; haliotis selftest chaos --seed {seed} repeats the choices")))
}

fn write(dir: &Path, report: &haliotis_fault::Report) -> Outcome {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("report.md"), report.markdown())?;
    std::fs::write(dir.join("report.json"), serde_json::to_vec_pretty(report).unwrap_or_default())?;
    Ok(())
}
