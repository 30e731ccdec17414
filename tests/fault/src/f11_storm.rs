//! F11: a storm of signed webhooks, a third of them duplicates, some wrongly signed; the server dies in the middle.
//! Whatever was answered 2xx is built exactly once; nothing unsigned is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::AsyncWriteExt;

use crate::Trial;
use crate::house::{House, Server, percentile};

const SECRET: &str = "a-secret-of-both-sides";
/// The contract for an answer.
const ACK_P99: Duration = Duration::from_secs(1);
/// Every push is a build within this after the storm.
const BUILT: Duration = Duration::from_secs(60);
/// Deliveries on their way at once.
const AT_ONCE: usize = 16;
/// Distinct pushes for each hundred deliveries.
const PUSHES_OF_100: usize = 5;

/// One delivery.
#[derive(Clone)]
struct Delivery {
    id: String,
    body: Vec<u8>,
    signature: String,
    commit: String,
    good: bool,
}

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let count = trial.times(1_000, 10_000);
    let house = House::new(&trial.options.binary, "f11")?;
    let repo = house.dir.join("repo").display().to_string();
    let commits = repository(&house, &repo, (count * PUSHES_OF_100 / 100).max(10)).await?;
    let mut server = house.serve(&[]).await?;
    let body = serde_json::json!({"language": "yaml", "path": "haliotis.yaml", "repo": repo, "branch": "main"});
    server.send("PUT", "/api/v1/pipelines/p", &body).await?;
    keep_secret(&house).await?;
    let storm = plan(trial, &repo, &commits, count);
    let before = server.memory();
    let (mut times, mut answers) = (Vec::new(), BTreeMap::new());
    let half = storm.len() / 2;
    for (part, deliveries) in [&storm[..half], &storm[half..]].into_iter().enumerate() {
        blow(&server, deliveries, &mut times, &mut answers).await;
        if part == 0 {
            server.kill().await;
            server = house.serve(&[]).await?;
        }
    }
    let after = server.memory();
    let (p99, slowest) = (percentile(&mut times, 99), percentile(&mut times, 100));
    let wanted: BTreeSet<_> = storm
        .iter()
        .filter(|one| answers.get(&one.id).is_some_and(|status| (200..300).contains(status)))
        .map(|one| one.commit.clone())
        .collect();
    let unsigned =
        storm.iter().filter(|one| !one.good && answers.get(&one.id).is_some_and(|status| (200..300).contains(status)));
    let unsigned = unsigned.count();
    trial.outcome.expect(unsigned == 0, || format!("{unsigned} deliveries with a wrong signature were taken"));
    let refused =
        storm.iter().filter(|one| one.good && answers.get(&one.id).is_none_or(|status| !(200..300).contains(status)));
    trial.outcome.measure("deliveries", storm.len());
    trial.outcome.measure("ack p99", format!("{p99:?}"));
    trial.outcome.measure("ack max", format!("{slowest:?}"));
    trial.outcome.measure("good ones without an answer (the kill)", refused.count());
    trial.outcome.measure("memory", format!("{before} to {after} MiB"));
    trial.outcome.expect(p99 <= ACK_P99, || format!("ack p99 {p99:?}"));
    trial.outcome.expect(after <= before + 200, || format!("memory grew from {before} to {after} MiB"));
    let built = settled(&server, wanted.len()).await?;
    trial.outcome.measure("distinct pushes", wanted.len());
    trial.outcome.measure("builds", built.len());
    let missing = wanted.iter().filter(|commit| !built.contains_key(*commit)).count();
    let twice = built.values().filter(|times| **times > 1).count();
    trial.outcome.expect(missing == 0, || format!("{missing} acknowledged pushes were never built"));
    trial.outcome.expect(twice == 0, || format!("{twice} pushes were built more than once"));
    server.stop().await.map(drop)
}

/// A repository of so many commits, made in one go; their hashes.
async fn repository(house: &House, repo: &str, commits: usize) -> Result<Vec<String>, String> {
    let definition = "name: p\non: { webhook: {} }\nsteps:\n  one: { uses: sleep, with: { duration: 1ms } }\n";
    let mut stream = String::new();
    for number in 0..commits {
        let mark = number + 1;
        stream.push_str(&format!(
            "commit refs/heads/main\nmark :{mark}\ncommitter a <a@example.org> {number} +0000\ndata 4\npush\n"
        ));
        if number == 0 {
            stream.push_str(&format!("M 644 inline haliotis.yaml\ndata {}\n{definition}\n", definition.len()));
        }
    }
    let marks = house.dir.join("marks");
    let init = tokio::process::Command::new("git").args(["init", "-q", "-b", "main", repo]).status().await;
    init.map_err(|error| format!("git: {error}"))?;
    let mut import = tokio::process::Command::new("git")
        .args(["fast-import", "--quiet", &format!("--export-marks={}", marks.display())])
        .current_dir(repo)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("git: {error}"))?;
    let mut input = import.stdin.take().ok_or("no input")?;
    input.write_all(stream.as_bytes()).await.map_err(|error| error.to_string())?;
    drop(input);
    import.wait().await.map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string(&marks).map_err(|error| error.to_string())?;
    let mut hashes: Vec<(usize, String)> = text
        .lines()
        .filter_map(|line| line.trim_start_matches(':').split_once(' '))
        .filter_map(|(mark, hash)| Some((mark.parse().ok()?, hash.to_owned())))
        .collect();
    hashes.sort();
    Ok(hashes.into_iter().map(|(_, hash)| hash).collect())
}

async fn keep_secret(house: &House) -> Result<(), String> {
    let mut command = house.command(&["hook", "secret", "github"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
    let mut input = child.stdin.take().ok_or("no input")?;
    input.write_all(SECRET.as_bytes()).await.map_err(|error| error.to_string())?;
    drop(input);
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("the secret was not kept: {other:?}")),
    }
}

/// 5 % wrongly signed, 30 % again, some out of order.
fn plan(trial: &mut Trial, repo: &str, commits: &[String], count: usize) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(count);
    for number in 0..count {
        let draw = trial.random.below(100);
        if draw < 30 && !deliveries.is_empty() {
            let again = usize::try_from(trial.random.below(deliveries.len() as u64)).unwrap_or(0);
            let again = deliveries[again].clone();
            deliveries.push(again);
            continue;
        }
        let commit = &commits[usize::try_from(trial.random.below(commits.len() as u64)).unwrap_or(0)];
        let body = serde_json::json!({"ref": "refs/heads/main", "before": "0".repeat(40), "after": commit,
            "repository": {"clone_url": repo}, "padding": "x".repeat(2_000)});
        let body = body.to_string().into_bytes();
        let good = draw < 95;
        let key = if good { SECRET } else { "somebody-else" };
        deliveries.push(Delivery {
            id: format!("d{number}"),
            signature: sign(key, &body),
            body,
            commit: commit.clone(),
            good,
        });
    }
    deliveries
}

fn sign(key: &str, body: &[u8]) -> String {
    match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body);
            format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
        }
        Err(_) => String::new(),
    }
}

/// A delivery's id, how long its answer took, and the status if there was an answer.
type Landed = (String, Duration, Option<u16>);

async fn blow(
    server: &Server,
    deliveries: &[Delivery],
    times: &mut Vec<Duration>,
    answers: &mut BTreeMap<String, u16>,
) {
    let http = reqwest::Client::new();
    let mut flying = tokio::task::JoinSet::new();
    let mut land = |landed: Option<Result<Landed, tokio::task::JoinError>>| {
        if let Some(Ok((id, took, Some(status)))) = landed {
            times.push(took);
            answers.insert(id, status);
        }
    };
    for delivery in deliveries {
        if flying.len() >= AT_ONCE {
            land(flying.join_next().await);
        }
        let request = http
            .post(format!("{}/github-webhook/", server.url))
            .header("X-GitHub-Event", "push")
            .header("X-GitHub-Delivery", &delivery.id)
            .header("X-Hub-Signature-256", &delivery.signature)
            .header("Content-Type", "application/json")
            .body(delivery.body.clone());
        let id = delivery.id.clone();
        flying.spawn(async move {
            let begin = Instant::now();
            let status = request.send().await.ok().map(|answer| answer.status().as_u16());
            (id, begin.elapsed(), status)
        });
    }
    while let Some(landed) = flying.join_next().await {
        land(Some(landed));
    }
}

/// Commits and how many builds each has, once that stands still.
async fn settled(server: &Server, wanted: usize) -> Result<BTreeMap<String, usize>, String> {
    let begin = Instant::now();
    loop {
        let mut built = BTreeMap::new();
        let mut path = "/api/v1/builds?limit=500".to_owned();
        loop {
            let page = server.get(&path).await?;
            let Some(last) = page.as_array().and_then(|page| page.last()) else { break };
            path = format!("/api/v1/builds?limit=500&before={}", last["id"]);
            for build in page.as_array().into_iter().flatten() {
                if let Some(commit) = build["commit"].as_str() {
                    *built.entry(commit.to_owned()).or_insert(0) += 1;
                }
            }
        }
        let waiting = server.get("/api/v1/deliveries?limit=500").await?;
        let waiting = waiting.as_array().into_iter().flatten().filter(|one| one["outcome"] == "").count();
        if (built.len() >= wanted && waiting == 0) || begin.elapsed() > BUILT {
            return Ok(built);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
