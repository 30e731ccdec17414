//! `haliotis replay BUILD`: prints the journal, makes the program again, and feeds it every prefix.

use clap::Args;
use haliotis_engine::{Turn, journal};
use haliotis_flow::Program;
use haliotis_model::{BuildId, NewBuild};

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
    let told = replay(id, &build, &turns).map_err(Failure::failed)?;
    ctx.good(format!("{} turns, {told} events: the replay gives the same commands", turns.len()));
    Ok(())
}

/// Feeds a journal to a fresh program; answers how many events it was told.
///
/// # Errors
/// Where it answers otherwise than the journal says, with both sides.
pub fn replay(id: BuildId, build: &NewBuild, turns: &[Turn]) -> Result<usize, String> {
    let language = registry::language(&build.source.language);
    if language.version() != build.program_version {
        return Err(format!(
            "it was started with version {} of the language `{}`, this haliotis has version {}",
            build.program_version,
            language.name(),
            language.version()
        ));
    }
    let loaded = language.load(id, build, &registry::schemas()).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(|problem| problem.message.clone()).collect();
        format!("the source no longer loads: {}", lines.join("; "))
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
            return Err(format!(
                "turn {} does not replay\n  journal:\n    {}\n  now:\n    {}",
                index + 1,
                show(&turn.commands),
                show(&commands)
            ));
        }
    }
    Ok(told)
}
