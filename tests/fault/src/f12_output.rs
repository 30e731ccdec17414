//! F12: output that is huge, binary, one endless line, full of control codes. The log is byte for byte what was printed,
//! the server stays small, and a build beside it goes on.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::Trial;
use crate::house::{House, is_over};

/// The contract for the server's memory.
const MEMORY_MB: u64 = 256;

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let megabytes = trial.times(64, 1_024);
    let house = House::new(&trial.options.binary, "f12")?;
    let server = house.serve(&["--slots", "4"]).await?;
    let copy = |name: &str| house.dir.join(name).display().to_string();
    let steps = [
        ("binary", format!("head -c {megabytes}M /dev/urandom | tee {}", copy("binary"))),
        ("line", format!("head -c {}M /dev/zero | tr \"\\\\0\" x | tee {}", megabytes / 8, copy("line"))),
        (
            "codes",
            format!(
                "i=0; while [ $i -lt 20000 ]; do printf \"\\\\033[3%dm%d\\\\r\" $((i%8)) $i; i=$((i+1)); done | tee {}",
                copy("codes")
            ),
        ),
        ("nul", format!("head -c 1M /dev/zero | tee {}", copy("nul"))),
    ];
    let mut text = "name: big\nsteps:\n".to_owned();
    for (name, script) in &steps {
        text.push_str(&format!("  {name}: {{ run: '{script}' }}\n"));
    }
    house.pipeline(&server, "big", "yaml", &text).await?;
    house
        .pipeline(&server, "small", "yaml", "name: small\nsteps: { a: { uses: sleep, with: { duration: 1ms } } }\n")
        .await?;
    let begin = Instant::now();
    let big = server.build("big", "big").await?;
    let (mut memory, mut slowest, mut number) = (0, Duration::ZERO, 0);
    loop {
        let asked = Instant::now();
        number += 1;
        let small = server.build("small", &format!("small-{number}")).await?;
        server.wait(small, Duration::from_secs(30), is_over).await?;
        slowest = slowest.max(asked.elapsed());
        memory = memory.max(server.memory());
        if is_over(&server.view(big).await?) {
            break;
        }
        if begin.elapsed() > Duration::from_secs(600) {
            return Err("the output was not printed within 600 s".to_owned());
        }
    }
    let view = server.view(big).await?;
    trial.outcome.expect(view["result"] == "success", || format!("it ended with {}", view["result"]));
    trial.outcome.measure("printed", format!("{megabytes} MiB of noise, {} MiB of one line", megabytes / 8));
    trial.outcome.measure("took", format!("{:?}", begin.elapsed()));
    for (name, _) in &steps {
        let printed = std::fs::read(house.dir.join(name)).map_err(|error| format!("{name}: {error}"))?;
        let log = server.log(big, &format!("/{name}")).await?;
        trial.outcome.expect(Sha256::digest(&log) == Sha256::digest(&printed), || {
            format!("the log of {name} has {} bytes and is not the {} that were printed", log.len(), printed.len())
        });
        memory = memory.max(server.memory());
    }
    trial.outcome.measure("server at most", format!("{memory} MiB"));
    trial.outcome.expect(memory <= MEMORY_MB, || format!("the server took {memory} MiB, the bar is {MEMORY_MB}"));
    trial.outcome.measure("a small build beside it at most", format!("{slowest:?}"));
    trial.outcome.skip("how much slower a step prints than into a plain file");
    server.stop().await.map(drop)
}
