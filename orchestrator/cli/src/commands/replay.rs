//! `haliotis replay BUILD`: prints the journal, makes the program again, and feeds it every prefix.

use clap::Args;
use haliotis_engine::journal;
use haliotis_flow::Program;

use crate::app::reading::Reading;
use crate::app::registry;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `replay`.
#[derive(Args)]
pub struct Replay {
    /// The build: its id, PIPELINE#NUMBER, or PIPELINE for its newest
    build: String,
    /// Check only; do not print the journal
    #[arg(short, long)]
    quiet: bool,
}

/// Fails when the program of today answers otherwise than the journal says.
pub async fn run(args: Replay, ctx: &Context) -> Outcome {
    let reading = Reading::open(ctx).await?;
    let id = reading.find(&args.build).await?;
    let (build, turns) = reading.store.load(id).await?;
    if ctx.json {
        ctx.print_json(&serde_json::json!({"build": build, "turns": turns}));
    } else if !args.quiet {
        ctx.print(journal::print(&build, &turns).trim_end());
    }
    let loaded =
        registry::language(&build.source.language).load(id, &build, &registry::schemas()).map_err(|problems| {
            Failure::failed(format!(
                "the source no longer loads: {}",
                problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>().join("; ")
            ))
        })?;
    let mut program: Box<dyn Program> = loaded.program;
    let mut told = 0;
    for (index, turn) in turns.iter().enumerate().filter(|(_, turn)| !turn.events.is_empty()) {
        let commands = program.resume(turn.at, &turn.events);
        told += turn.events.len();
        if commands != turn.commands {
            let show = |commands: &[haliotis_flow::Command]| {
                commands.iter().map(|c| serde_json::to_string(c).unwrap_or_default()).collect::<Vec<_>>().join("\n    ")
            };
            return Err(Failure::failed(format!(
                "turn {} does not replay\n  journal:\n    {}\n  now:\n    {}",
                index + 1,
                show(&turn.commands),
                show(&commands)
            )));
        }
    }
    ctx.good(format!("{} turns, {told} events: the replay gives the same commands", turns.len()));
    Ok(())
}
