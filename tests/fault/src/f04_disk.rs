//! F4: the disk of the data folder is full, builds at work, and then there is room again: nobody restarts anything.
//!
//! The server runs in a mount namespace of its own with a small disk in memory; its files are reached through
//! `/proc/PID/root`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Trial;
use crate::f01_kill::sound;
use crate::house::House;

/// The data folder's disk.
const DISK_MB: u64 = 24;
/// The contract: all goes on within this once there is room.
const RECOVERED: Duration = Duration::from_secs(30);

/// Writes of ours of every kind: folders, marks, a process with its record and its log, an artifact.
const PIPELINE: &str = "name: p
steps:
  a: { uses: sleep, with: { duration: 300ms } }
  b: { needs: [a], run: 'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done' }
  c: { needs: [a], uses: echo, with: { message: said } }
  d: { needs: [a], uses: write-file, with: { path: kept.txt, text: kept } }
  f: { needs: [d], uses: archive, with: { files: [kept.txt] } }
  e: { needs: [b, c], uses: sleep, with: { duration: 300ms } }
";

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let mut house = House::new(&trial.options.binary, "f4")?;
    std::fs::create_dir_all(house.data()).map_err(|error| error.to_string())?;
    house.small_disk(DISK_MB);
    if !house.run(&["--version"]).await?.status.success() {
        trial.outcome.skip("this host gives no mount namespaces");
        return Ok(());
    }
    let server = house.serve(&[]).await?;
    let inside = PathBuf::from(format!("/proc/{}/root", server.pid()))
        .join(house.data().strip_prefix("/").unwrap_or(&house.dir));
    house.pipeline(&server, "p", "yaml", PIPELINE).await?;
    let mut acknowledged = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut refusals = 0;
    let mut cycles = trial.rounds(3, 50, 1);
    while let Some(cycle) = cycles.another() {
        for number in 0..3 {
            acknowledged.push(server.build("p", &format!("{cycle}-{number}")).await?);
        }
        fill(&inside)?;
        for number in 0..10 {
            match server.build("p", &format!("full-{cycle}-{number}")).await {
                Ok(id) => acknowledged.push(id),
                Err(why) => {
                    refusals += 1;
                    trial.outcome.expect(why.contains("full") || why.contains("space"), || {
                        format!("a refusal does not say that the disk is full: {why}")
                    });
                }
            }
        }
        for page in ["/healthz", "/api/v1/builds", "/api/v1/pipelines"] {
            if let Err(why) = server.get(page).await {
                trial.outcome.find(format!("{page} cannot be read while the disk is full: {why}"));
            }
        }
        tokio::time::sleep(Duration::from_millis(trial.random.between(200, 1_500))).await;
        std::fs::remove_file(inside.join("ballast")).map_err(|error| error.to_string())?;
        let room = Instant::now();
        let key = format!("after-{cycle}");
        loop {
            match server.build("p", &key).await {
                Ok(id) => break acknowledged.push(id),
                Err(why) if room.elapsed() > RECOVERED => {
                    return Err(format!("no build {RECOVERED:?} after there was room: {why}"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        for build in &acknowledged {
            let left = RECOVERED.saturating_sub(room.elapsed()).max(Duration::from_secs(1));
            let view = server.wait(*build, left, crate::house::is_over).await?;
            trial
                .outcome
                .expect(view["result"] == "success", || format!("build {build} ended with {}", view["result"]));
        }
        slowest = slowest.max(room.elapsed());
    }
    cycles.note("cycles", &mut trial.outcome);
    trial.outcome.measure("starts refused", refusals);
    trial.outcome.measure("builds, all in success", acknowledged.len());
    trial.outcome.measure("all ended after room at most", format!("{slowest:?}"));
    trial.outcome.expect(refusals > 0, || "the disk was never full enough to refuse anything".to_owned());
    trial
        .outcome
        .skip("a step that writes its own files to the full disk: the system tells it, as it would without us");
    // The check would see another disk from outside.
    let copy = house.dir.join("copy");
    std::fs::create_dir_all(copy.join("data")).map_err(|error| error.to_string())?;
    for name in ["haliotis.db", "haliotis.db-wal"] {
        let _ = std::fs::copy(inside.join(name), copy.join("data").join(name));
    }
    server.stop().await?;
    let seen = House::over(&house, &copy);
    sound(&seen, trial).await
}

/// Writes until nothing more fits.
fn fill(inside: &Path) -> Result<(), String> {
    use std::io::Write;
    let mut file =
        std::fs::File::create(inside.join("ballast")).map_err(|error| format!("{}: {error}", inside.display()))?;
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    Ok(())
}
