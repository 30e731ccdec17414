//! F13: steps leave grandchildren behind that left their session, ignore SIGTERM and hold the output open. None is left
//! after the grace, and no step waits for them.

use std::time::{Duration, Instant};

use crate::Trial;
use crate::house::{House, is_over};

/// From SIGTERM to SIGKILL, as the agent has it, and what the contract allows beyond.
const GONE: Duration = Duration::from_secs(15);
/// A step whose own process has ended ends within this.
const ENDED: Duration = Duration::from_secs(15);
/// Steps of one build.
const STEPS: usize = 10;
/// Builds of one round, side by side: most of a round is waiting for the grace.
const AT_ONCE: usize = 3;

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let house = House::new(&trial.options.binary, "f13")?;
    let server = house.serve(&["--slots", "30"]).await?;
    // The mark stands in the command line, so that strangers' processes are never counted.
    let mark = format!("9{:07}", trial.random.below(10_000_000));
    let orphan = format!("(setsid sh -c \"trap : TERM HUP; while :; do sleep {mark}; done\" &)");
    let kinds = [
        ("succeeds", format!("{orphan}; exit 0"), ""),
        ("fails", format!("{orphan}; exit 3"), ""),
        ("times-out", format!("{orphan}; sleep {mark}"), ", timeout: 1s"),
        ("aborted", format!("{orphan}; sleep {mark}"), ""),
    ];
    let mut slowest = Duration::ZERO;
    let all = kinds.len() * STEPS * AT_ONCE;
    let (short, full, mut tried) = (100 / all + 1, 1_000 / all + 1, 0);
    for (name, script, more) in &kinds {
        let mut text = format!("name: {name}\nsteps:\n");
        for step in 0..STEPS {
            text.push_str(&format!("  s{step}: {{ run: '{script}'{more} }}\n"));
        }
        house.pipeline(&server, name, "yaml", &text).await?;
        let mut rounds = trial.rounds(short, full, u32::try_from(kinds.len()).unwrap_or(1));
        while let Some(round) = rounds.another() {
            tried += STEPS * AT_ONCE;
            let mut builds = Vec::new();
            for number in 0..AT_ONCE {
                builds.push(server.build(name, &format!("{name}-{round}-{number}")).await?);
            }
            let begin = Instant::now();
            if *name == "aborted" {
                tokio::time::sleep(Duration::from_millis(trial.random.between(100, 800))).await;
                for build in &builds {
                    let path = format!("/api/v1/builds/{build}/abort");
                    server.send("POST", &path, &serde_json::json!({"reason": "chaos"})).await?;
                }
            }
            for build in builds {
                // Room for rounds of slots that wait for each other, each with its grace.
                server.wait(build, (ENDED + GONE) * 2, is_over).await?;
            }
            if ["succeeds", "fails"].contains(name) {
                slowest = slowest.max(begin.elapsed());
            }
        }
    }
    let begin = Instant::now();
    let left = loop {
        let left = marked(&mark);
        if left == 0 || begin.elapsed() > GONE {
            break left;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    trial.outcome.expect(left == 0, || format!("{left} processes are left {GONE:?} after their steps"));
    trial.outcome.measure("steps", tried);
    let planned = trial.times(short, full) * all;
    if tried < planned {
        trial.outcome.skip(format!("steps: {} of {planned}, the time was over", planned - tried));
    }
    trial.outcome.measure("processes left", left);
    trial.outcome.measure("all gone after", format!("{:?}", begin.elapsed()));
    trial.outcome.measure("slowest round of thirty that ended by themselves", format!("{slowest:?}"));
    trial.outcome.expect(zombies(server.pid()) == 0, || format!("{} zombies under the server", zombies(server.pid())));
    trial.outcome.skip("containers; a fork bomb during the kill");
    server.stop().await.map(drop)
}

fn processes() -> impl Iterator<Item = (u32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).into_owned()))
    })
}

fn marked(mark: &str) -> usize {
    processes().filter(|(_, line)| line.contains(mark)).count()
}

/// Children of a process that ended and were not waited for.
fn zombies(parent: u32) -> usize {
    processes()
        .filter(|(pid, _)| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields.first() == Some(&"Z") && fields.get(1).and_then(|field| field.parse().ok()) == Some(parent)
        })
        .count()
}
