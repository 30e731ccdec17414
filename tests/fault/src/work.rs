//! Builds whose effects and logs are known beforehand, and what they came to.
//!
//! *Effects ledger*: every step appends one line to a file outside the server (`O_APPEND`); a request that must not be
//! repeated goes to a listener that counts. *Log oracle*: numbered lines made of the seed, so the hash of a whole log is
//! known. *Success floor*: almost all builds end well, so a run in which everything failed cleanly is no success.
//! *Liveness*: none is left open.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::house::{House, Server};
use crate::report::Outcome;

/// Lines of the chatty step.
const LINES: usize = 2_000;
/// After the last fault everything ends within this (the contract's liveness).
const SETTLE: Duration = Duration::from_secs(60);
/// At least so many of a hundred builds end in success.
const FLOOR: usize = 95;

/// A started build.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) kind: Kind,
    pub(crate) id: i64,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Five short steps, one after two others.
    Dag,
    /// A Jenkinsfile with parallel stages.
    Groovy,
    /// A step that takes its time.
    Sleep,
    /// Much output, known beforehand.
    Chatty,
    /// Asks a person.
    Approval,
    /// A request that must never leave twice.
    Once,
}

impl Kind {
    /// By their share in the mixed load, of twenty.
    pub(crate) const MIX: [(Kind, u64); 6] =
        [(Kind::Dag, 8), (Kind::Groovy, 4), (Kind::Sleep, 3), (Kind::Chatty, 2), (Kind::Approval, 1), (Kind::Once, 2)];

    pub(crate) fn pick(mut draw: u64) -> Kind {
        for (kind, share) in Self::MIX {
            if draw < share {
                return kind;
            }
            draw -= share;
        }
        Kind::Dag
    }

    pub(crate) fn pipeline(self) -> &'static str {
        match self {
            Kind::Dag => "dag",
            Kind::Groovy => "groovy",
            Kind::Sleep => "sleep",
            Kind::Chatty => "chatty",
            Kind::Approval => "approval",
            Kind::Once => "once",
        }
    }

    /// The steps that write to the ledger.
    fn effects(self) -> &'static [&'static str] {
        match self {
            Kind::Dag => &["a", "b", "c", "d", "e"],
            Kind::Groovy => &["one", "two", "end"],
            Kind::Sleep => &["begin", "end"],
            Kind::Chatty => &["all"],
            Kind::Approval => &["before", "after"],
            Kind::Once => &[],
        }
    }
}

/// The load of a house.
pub(crate) struct Load {
    pub(crate) ledger: std::path::PathBuf,
    requests: Arc<Mutex<BTreeMap<String, usize>>>,
    url: String,
}

impl Load {
    /// A ledger, and a listener that counts requests by the build they come from.
    pub(crate) async fn new(house: &House) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let url = format!("http://{}", listener.local_addr().map_err(|error| error.to_string())?);
        let requests = Arc::new(Mutex::new(BTreeMap::new()));
        tokio::spawn(count(listener, Arc::clone(&requests)));
        Ok(Self { ledger: house.dir.join("ledger"), requests, url })
    }

    /// Registers the pipelines.
    pub(crate) async fn register(&self, house: &House, server: &Server) -> Result<(), String> {
        let note = |step: &str| format!("echo \"$JOB_NAME $BUILD_NUMBER {step}\" >> {}", self.ledger.display());
        let dag = format!(
            "name: dag\nsteps:\n  a: {{ run: '{}' }}\n  b: {{ needs: [a], run: '{}' }}\n  c: {{ needs: [a], run: '{}' }}\n  \
             d: {{ needs: [b, c], run: '{}' }}\n  e: {{ needs: [d], run: '{}' }}\n",
            note("a"),
            note("b"),
            note("c"),
            note("d"),
            note("e")
        );
        let groovy = format!(
            "pipeline {{\n agent any\n stages {{\n  stage('p') {{ parallel {{\n   stage('one') {{ steps {{ sh '{}' }} }}\n   \
             stage('two') {{ steps {{ sh '{}' }} }}\n  }} }}\n  stage('end') {{ steps {{ sh '{}' }} }}\n }}\n}}\n",
            note("one"),
            note("two"),
            note("end")
        );
        let sleep = format!("name: sleep\nsteps:\n  a: {{ run: '{}; sleep 2; {}' }}\n", note("begin"), note("end"));
        let chatty = format!(
            "name: chatty\nsteps:\n  a: {{ run: '{}; i=0; while [ $i -lt {LINES} ]; do echo \"line $i of $JOB_NAME\"; i=$((i+1)); done' }}\n",
            note("all")
        );
        let approval = format!(
            "name: approval\nsteps:\n  a: {{ run: '{}' }}\n  ask: {{ needs: [a], input: {{ message: 'Go?' }} }}\n  b: {{ needs: [ask], run: '{}' }}\n",
            note("before"),
            note("after")
        );
        let once = format!(
            "name: once\nsteps:\n  a: {{ uses: http, with: {{ url: '{}/once/${{{{ build.number }}}}', method: POST }} }}\n",
            self.url
        );
        for (kind, text) in [
            (Kind::Dag, dag),
            (Kind::Sleep, sleep),
            (Kind::Chatty, chatty),
            (Kind::Approval, approval),
            (Kind::Once, once),
        ] {
            house.pipeline(server, kind.pipeline(), "yaml", &text).await?;
        }
        house.pipeline(server, "groovy", "jenkinsfile", &groovy).await
    }

    /// Answers every open question.
    pub(crate) async fn answer_all(&self, server: &Server) -> Result<(), String> {
        let open = server.get("/api/v1/inputs").await?;
        for question in open.as_array().into_iter().flatten() {
            let input = &question["input"];
            let (Some(build), Some(step)) = (question["build"]["id"].as_i64(), input["id"].as_str()) else { continue };
            let body = serde_json::json!({"step": step, "decision": "approved", "reason": "chaos says so",
                "digest": input["input"]["digest"], "values": answer_values(&input["input"])});
            // Another look finds those that were refused or cut off.
            let _ = server.send("POST", &format!("/api/v1/builds/{build}/answer"), &body).await;
        }
        Ok(())
    }

    /// Waits until all have ended, answering what is asked; then compares. `interrupted`: builds that may have been.
    pub(crate) async fn settle(
        &self,
        server: &Server,
        builds: &[Started],
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let begin = std::time::Instant::now();
        loop {
            let _ = self.answer_all(server).await;
            let open = server.get("/api/v1/builds?limit=500").await?;
            let open = open.as_array().into_iter().flatten().filter(|build| build["status"] != "ended").count();
            if open == 0 {
                break;
            }
            if begin.elapsed() > SETTLE {
                outcome.find(format!("{open} builds are still open {SETTLE:?} after the last fault"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        outcome.measure("settled in ms", begin.elapsed().as_millis());
        self.compare(server, builds, outcome).await
    }

    async fn compare(&self, server: &Server, builds: &[Started], outcome: &mut Outcome) -> Result<(), String> {
        let ledger = ledger(&self.ledger);
        let expected = expected_log();
        let (mut good, mut asked, mut logs) = (0, 0, 0);
        let mut numbers = BTreeMap::new();
        for started in builds {
            let view = match server.view(started.id).await {
                Ok(view) => view,
                Err(why) => {
                    outcome.find(format!("build {} was acknowledged and is lost: {why}", started.id));
                    continue;
                }
            };
            let number = view["build"]["number"].as_i64().unwrap_or(0);
            if let Some(other) = numbers.insert((started.kind, number), started.id)
                && other != started.id
            {
                outcome.find(format!("builds {other} and {} have one number", started.id));
            }
            let interrupted = view.to_string().contains("outcome unknown");
            let success = view["result"] == "success";
            good += usize::from(success);
            asked += usize::from(interrupted);
            for step in started.kind.effects() {
                let line = format!("{} {number} {step}", started.kind.pipeline());
                let times = ledger.get(&line).copied().unwrap_or(0);
                if times > 1 && !interrupted && !self.says_again(server, started.id, &view).await {
                    outcome.find(format!("`{line}` happened {times} times and nothing says so"));
                }
                if success && times == 0 {
                    outcome.find(format!("build {} succeeded, and `{line}` never happened", started.id));
                }
            }
            if started.kind == Kind::Chatty && success {
                let log = server.log(started.id, "/a").await?;
                logs += 1;
                if Sha256::digest(&log)[..] != expected[..] {
                    outcome.find(format!(
                        "the log of build {} is not what it printed ({} bytes)",
                        started.id,
                        log.len()
                    ));
                }
            }
            if started.kind == Kind::Once {
                let times = self
                    .requests
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get(&format!("/once/{number}"))
                    .copied();
                if times.unwrap_or(0) > 1 {
                    outcome.find(format!("the request of build {} left {times:?} times", started.id));
                }
            }
        }
        let percent = if builds.is_empty() { 100 } else { good * 100 / builds.len() };
        outcome.measure("builds", builds.len());
        outcome.measure("in success", format!("{good} ({percent} %)"));
        outcome.measure("a person was asked", asked);
        outcome.measure("whole logs compared", logs);
        outcome.expect(percent >= FLOOR, || {
            format!("only {percent} % of the builds ended in success; the floor is {FLOOR} %")
        });
        Ok(())
    }

    /// The step's log tells that it was begun again.
    async fn says_again(&self, server: &Server, build: i64, view: &Value) -> bool {
        for node in view["nodes"].as_array().into_iter().flatten() {
            let Some(step) = node["id"].as_str() else { continue };
            if node["attempt"].as_i64().unwrap_or(1) > 1 {
                return true;
            }
            let log = server.log(build, step).await.unwrap_or_default();
            if String::from_utf8_lossy(&log).contains("started again") {
                return true;
            }
        }
        false
    }
}

/// A step of unknown outcome is said to have gone well: its effect is on the ledger or it is not.
fn answer_values(question: &Value) -> Value {
    let outcome = question["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "outcome");
    if outcome { serde_json::json!({"outcome": "success"}) } else { serde_json::json!({}) }
}

/// Lines and how often each stands there.
pub(crate) fn ledger(path: &Path) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
        *lines.entry(line.to_owned()).or_insert(0) += 1;
    }
    lines
}

fn expected_log() -> Vec<u8> {
    let mut hash = Sha256::new();
    for line in 0..LINES {
        hash.update(format!("line {line} of chatty\n"));
    }
    hash.finalize().to_vec()
}

/// Answers every request and counts its path.
async fn count(listener: TcpListener, requests: Arc<Mutex<BTreeMap<String, usize>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let requests = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut head = vec![0; 4096];
            let Ok(read) = stream.read(&mut head).await else { return };
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            if let Some(path) = head.split_whitespace().nth(1) {
                *requests.lock().unwrap_or_else(PoisonError::into_inner).entry(path.to_owned()).or_insert(0) += 1;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
        });
    }
}
