//! F10: a git host that hangs, fails, redirects and comes back, beside one that works. The healthy one is polled on time,
//! and what was pushed to the sick one meanwhile is built once it is well.
//!
//! The sick host serves a bare repository as plain files, which is all that git's "dumb" protocol needs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::Trial;
use crate::house::{House, Server};

const WELL: u8 = 0;
const HANGS: u8 = 1;
const FAILS: u8 = 2;
const REDIRECTS: u8 = 3;
/// How often both are polled.
const EVERY: &str = "1s";
/// A push to the healthy host is built within this, whatever the sick one does: two intervals, and the build itself on a
/// loaded machine.
const ON_TIME: Duration = Duration::from_secs(12);
/// Back-off of the sick one's polls is at most this many times its interval after a short sickness.
const WELL_AGAIN: Duration = Duration::from_secs(40);

struct Host {
    mode: AtomicU8,
    folder: PathBuf,
    elsewhere: std::sync::Mutex<String>,
    asked: AtomicUsize,
}

pub(crate) async fn run(trial: &mut Trial) -> Result<(), String> {
    let house = House::new(&trial.options.binary, "f10")?;
    let (sick, healthy) = (house.dir.join("sick"), house.dir.join("healthy"));
    for repo in [&sick, &healthy] {
        std::fs::create_dir_all(repo).map_err(|error| error.to_string())?;
        git(repo, &["init", "-q", "-b", "main"]).await?;
        commit(repo, 0).await?;
    }
    let host = Arc::new(Host {
        mode: AtomicU8::new(WELL),
        folder: sick.join(".git"),
        elsewhere: std::sync::Mutex::default(),
        asked: AtomicUsize::new(0),
    });
    let trap = Arc::new(Host {
        mode: AtomicU8::new(FAILS),
        folder: PathBuf::new(),
        elsewhere: std::sync::Mutex::default(),
        asked: AtomicUsize::new(0),
    });
    let (url, other) = (serve(Arc::clone(&host)).await?, serve(Arc::clone(&trap)).await?);
    if let Ok(mut elsewhere) = host.elsewhere.lock() {
        *elsewhere = other;
    }
    let server = house.serve(&[]).await?;
    let body = serde_json::json!({"language": "yaml", "path": "haliotis.yaml", "repo": url, "branch": "main"});
    if let Err(why) = server.send("PUT", "/api/v1/pipelines/sick", &body).await {
        trial.outcome.skip(format!("a repository over git's dumb protocol cannot be registered: {why}"));
        return server.stop().await.map(drop);
    }
    let body = serde_json::json!({"language": "yaml", "path": "haliotis.yaml", "repo": healthy, "branch": "main"});
    server.send("PUT", "/api/v1/pipelines/healthy", &body).await?;
    // A branch is built as it stands when it is first seen (as Jenkins does), and only from then on is a push a push: a
    // commit made before the first look would be seen in place of that one, or after it, as it happens.
    let (mut wanted, mut slowest, mut pushes) = (Commits::new(), Duration::ZERO, 0);
    for (name, repo) in [("sick", &sick), ("healthy", &healthy)] {
        wanted.insert((name.to_owned(), head(repo).await?), 1);
        built(&server, &wanted, WELL_AGAIN).await?;
    }
    let mut sicknesses = trial.rounds(3, 30, 1);
    while let Some(number) = sicknesses.another() {
        let mode = [HANGS, FAILS, REDIRECTS][number % 3];
        host.mode.store(mode, Ordering::Relaxed);
        pushes += 1;
        commit(&sick, pushes).await?;
        tokio::time::sleep(Duration::from_millis(trial.random.between(1_000, 3_000))).await;
        commit(&healthy, pushes).await?;
        let begin = Instant::now();
        wanted.insert(("healthy".to_owned(), head(&healthy).await?), 1);
        built(&server, &wanted, ON_TIME).await?;
        slowest = slowest.max(begin.elapsed());
        host.mode.store(WELL, Ordering::Relaxed);
        wanted.insert(("sick".to_owned(), head(&sick).await?), 1);
        built(&server, &wanted, WELL_AGAIN).await.map_err(|why| format!("after mode {mode}: {why}"))?;
    }
    // A second build of a commit would come with a later look: three more, by what the hosts are asked.
    let asked = host.asked.load(Ordering::Relaxed);
    let begin = Instant::now();
    while host.asked.load(Ordering::Relaxed) < asked + 3 && begin.elapsed() < WELL_AGAIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let found = commits(&server).await?;
    trial.outcome.expect(found == wanted, || format!("builds {found:?}, wanted {wanted:?}: each commit once"));
    trial.outcome.measure("commits, each built once", wanted.len());
    sicknesses.note("sicknesses", &mut trial.outcome);
    trial.outcome.measure("healthy push to build at most", format!("{slowest:?}"));
    trial.outcome.measure("requests at the host that was redirected to", trap.asked.load(Ordering::Relaxed));
    trial.outcome.skip("a host for credentials, 10 GB, 20,000 refs, 429");
    server.stop().await.map(drop)
}

async fn git(repo: &std::path::Path, args: &[&str]) -> Result<(), String> {
    let done = tokio::process::Command::new("git").args(args).current_dir(repo).output().await;
    let done = done.map_err(|error| format!("git: {error}"))?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

async fn commit(repo: &std::path::Path, number: usize) -> Result<(), String> {
    let text = format!(
        "name: p\n# {number}\non: {{ poll: {{ branch: main, every: {EVERY} }} }}\nsteps: {{ a: {{ uses: sleep, with: {{ duration: 1ms }} }} }}\n"
    );
    std::fs::write(repo.join("haliotis.yaml"), text).map_err(|error| error.to_string())?;
    git(repo, &["add", "."]).await?;
    git(repo, &["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", &format!("push {number}")])
        .await?;
    git(repo, &["update-server-info"]).await
}

/// Pipeline and commit, and how many builds there are of it.
type Commits = BTreeMap<(String, String), usize>;

/// The commit that the branch is at.
async fn head(repo: &std::path::Path) -> Result<String, String> {
    let done = tokio::process::Command::new("git").args(["rev-parse", "HEAD"]).current_dir(repo).output().await;
    Ok(String::from_utf8_lossy(&done.map_err(|error| format!("git: {error}"))?.stdout).trim().to_owned())
}

async fn commits(server: &Server) -> Result<Commits, String> {
    let builds = server.get("/api/v1/builds?limit=500").await?;
    let mut found = Commits::new();
    for build in builds.as_array().into_iter().flatten() {
        let text = |name: &str| build[name].as_str().unwrap_or_default().to_owned();
        *found.entry((text("pipeline"), text("commit"))).or_default() += 1;
    }
    Ok(found)
}

/// Waits until there is a build of each of these commits.
async fn built(server: &Server, wanted: &Commits, most: Duration) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        let found = commits(server).await?;
        if wanted.keys().all(|commit| found.contains_key(commit)) {
            return Ok(());
        }
        if begin.elapsed() > most {
            return Err(format!("not every commit was built within {most:?}: {found:?} of {wanted:?}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn serve(host: Arc<Host>) -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let url = format!("http://{}/repo.git", listener.local_addr().map_err(|error| error.to_string())?);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let host = Arc::clone(&host);
            tokio::spawn(async move {
                let mut head = vec![0; 8_192];
                let Ok(read) = stream.read(&mut head).await else { return };
                host.asked.fetch_add(1, Ordering::Relaxed);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let path = head.split_whitespace().nth(1).unwrap_or("/").to_owned();
                let _ = stream.write_all(&answer(&host, &path).await).await;
            });
        }
    });
    Ok(url)
}

async fn answer(host: &Host, path: &str) -> Vec<u8> {
    let plain = |status: &str, more: &str| {
        format!("HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
    };
    match host.mode.load(Ordering::Relaxed) {
        HANGS => {
            // Until it is well again, so that nothing of this outlives the trial.
            while host.mode.load(Ordering::Relaxed) == HANGS {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            plain("500 Internal Server Error", "")
        }
        FAILS => plain("502 Bad Gateway", ""),
        REDIRECTS => {
            let elsewhere = host.elsewhere.lock().map(|url| url.clone()).unwrap_or_default();
            let rest = path.trim_start_matches("/repo.git");
            plain("302 Found", &format!("Location: {elsewhere}{rest}\r\n"))
        }
        _ => {
            let inside = path.trim_start_matches("/repo.git/").split('?').next().unwrap_or_default();
            match std::fs::read(host.folder.join(inside)) {
                Ok(body) if !inside.contains("..") => {
                    let mut answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
                            .into_bytes();
                    answer.extend(body);
                    answer
                }
                _ => plain("404 Not Found", ""),
            }
        }
    }
}
