//! F7: two servers. On a file the second refuses and names the holder. On PostgreSQL one is paused, loses its builds to
//! the other, wakes, and changes nothing.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::Trial;
use crate::house::{House, is_over};
use crate::work::ledger;

/// The contract for a second server on one folder, and room for a loaded machine.
const REFUSED: Duration = Duration::from_secs(5);
/// The contract: another goes on within this.
const FAIL_OVER: Duration = Duration::from_secs(15);

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    on_a_file(trial).await?;
    match trial.options.postgres.clone() {
        Some(url) => {
            let (mut pauses, mut slowest) = (trial.rounds(1, 200, 1), Duration::ZERO);
            while pauses.another().is_some() {
                slowest = slowest.max(paused(trial, &url).await?);
            }
            pauses.note("pauses", &mut trial.outcome);
            trial.outcome.measure("taken over after at most", format!("{slowest:?}"));
            Ok(())
        }
        None => {
            trial.outcome.skip("two servers on PostgreSQL: no --postgres was given");
            Ok(())
        }
    }
}

async fn on_a_file(trial: &mut Trial) -> Result<(), String> {
    let house = House::new(&trial.options.binary, "f7")?;
    let server = house.serve(&[]).await?;
    let begin = Instant::now();
    let second = house.run(&["serve", "--dev", "--listen", "127.0.0.1:0"]).await?;
    let took = begin.elapsed();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    trial.outcome.measure("second server refused after", format!("{took:?}"));
    trial.outcome.expect(!second.status.success() && said.contains(&server.pid().to_string()), || {
        format!("the second server is not refused by the holder's pid: {said}")
    });
    trial.outcome.expect(took <= REFUSED, || format!("the refusal took {took:?}"));
    server.stop().await.map(drop)
}

/// One of two is paused while its step runs; the other goes on; the first wakes. How long the other took.
async fn paused(trial: &mut Trial, url: &str) -> Result<Duration, String> {
    let [mut one, mut two] = [House::new(&trial.options.binary, "f7a")?, House::new(&trial.options.binary, "f7b")?];
    one.var("HALIOTIS_DATABASE", url);
    two.var("HALIOTIS_DATABASE", url);
    let (first, second) = (one.serve(&[]).await?, two.serve(&[]).await?);
    let file = one.dir.join("ledger");
    // A name of its own: the database may have been used before.
    let name = format!("two-{}", &hex::encode(Sha256::digest(one.dir.display().to_string()))[..12]);
    let text = format!(
        "name: {name}\nsteps:\n  a: {{ run: 'echo a >> {0}; sleep 40' }}\n  b: {{ run: 'echo b >> {0}' }}\n  c: {{ needs: [b], uses: sleep, with: {{ duration: 20s }} }}\n",
        file.display()
    );
    one.pipeline(&first, &name, "yaml", &text).await?;
    let build = first.build(&name, &name).await?;
    first
        .wait(build, Duration::from_secs(30), |view| node(view, "/a") == "running" && node(view, "/b") == "success")
        .await?;
    first.signal(Signal::STOP)?;
    let begin = Instant::now();
    let taken = second.wait(build, FAIL_OVER, |view| node(view, "/a") == "interrupted").await;
    let took = begin.elapsed();
    first.signal(Signal::CONT)?;
    taken?;
    let text = second.get(&format!("/api/v1/builds/{build}/journal")).await?.to_string();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = second.get(&format!("/api/v1/builds/{build}/journal")).await?.to_string();
    trial.outcome.expect(text == after, || "the woken server wrote into a build that is another's".to_owned());
    second.send("POST", &format!("/api/v1/builds/{build}/abort"), &serde_json::json!({"reason": "enough"})).await?;
    second.send("POST", &format!("/api/v1/builds/{build}/abort"), &serde_json::json!({"reason": "enough"})).await.ok();
    second.wait(build, Duration::from_secs(30), is_over).await?;
    let twice: Vec<_> = ledger(&file).into_iter().filter(|(_, times)| *times > 1).collect();
    trial.outcome.expect(twice.is_empty(), || format!("steps ran on both servers: {twice:?}"));
    first.stop().await?;
    second.stop().await?;
    Ok(took)
}

fn node<'a>(view: &'a serde_json::Value, id: &str) -> &'a str {
    let found = view["nodes"].as_array().into_iter().flatten().find(|node| node["id"] == id);
    found.and_then(|node| node["state"].as_str()).unwrap_or_default()
}
