//! `haliotis doctor`: is this machine ready, and is a data folder sound? Each line says what to do where it is not.

use std::path::Path;

use clap::Args;
use console::style;
use serde::Serialize;

use crate::app::python;
use crate::app::reading::Reading;
use crate::app::registry;
use crate::client::Address;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use haliotis_store::{DataDir, LogStore};

/// Arguments of `doctor`.
#[derive(Args)]
pub struct Doctor {}

/// One finding.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Good,
    Warning,
    Bad,
}

/// Checks everything; exit code 1 when something is bad.
pub async fn run(_: Doctor, ctx: &Context) -> Outcome {
    let dir = ctx.data_dir();
    let mut checks = vec![
        program("git", &["--version"], "install git: apt install git"),
        python_check(),
        namespaces(),
        folder(&dir),
        disk(&dir),
        environment(&dir),
    ];
    checks.push(plugins(&dir));
    checks.push(server(&dir));
    checks.push(database(&dir, ctx.database.as_deref()).await);
    checks.push(logs(&dir).await);
    if ctx.json {
        ctx.print_json(&checks);
    } else {
        for check in &checks {
            let sign = match check.verdict {
                Verdict::Good => style("✓ good   ").green(),
                Verdict::Warning => style("! warning").yellow(),
                Verdict::Bad => style("✗ bad    ").red(),
            };
            ctx.print(format!("{sign}  {:<12} {}", check.name, check.detail));
        }
    }
    if checks.iter().any(|check| check.verdict == Verdict::Bad) {
        return Err(Failure::failed("this machine is not ready; see the lines marked bad"));
    }
    Ok(())
}

fn check(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check { name, verdict, detail: detail.into() }
}

fn output(program: &str, args: &[&str]) -> Option<(bool, String)> {
    let output = std::process::Command::new(program).args(args).stdin(std::process::Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).trim().to_owned()))
}

fn program(name: &'static str, args: &[&str], remedy: &str) -> Check {
    match output(name, args) {
        Some((true, text)) => check(name, Verdict::Good, text.lines().next().unwrap_or_default()),
        Some((false, text)) => check(name, Verdict::Bad, format!("{name} fails: {text}")),
        None => check(name, Verdict::Bad, format!("not found; {remedy}")),
    }
}

fn python_check() -> Check {
    match output(
        "python3",
        &["-c", "import sys, venv, ensurepip; print('Python', sys.version.split()[0], 'with venv')"],
    ) {
        Some((true, text)) => check("python", Verdict::Good, text),
        Some((false, _)) => {
            check("python", Verdict::Bad, "python3 has no venv module; install it: apt install python3-venv")
        }
        None => check("python", Verdict::Bad, "not found; install it: apt install python3 python3-venv"),
    }
}

fn namespaces() -> Check {
    let root = rustix::process::geteuid().is_root();
    let args: &[&str] = if root { &["--mount", "true"] } else { &["--user", "--map-root-user", "--mount", "true"] };
    match output("unshare", args) {
        Some((true, _)) => check("namespaces", Verdict::Good, "jobs get /opt/ml in a mount namespace of their own"),
        Some((false, text)) => check(
            "namespaces",
            Verdict::Bad,
            format!(
                "the host refuses them ({text}); local cloud jobs cannot run. As root: sysctl -w \
                 kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
            ),
        ),
        None => check("namespaces", Verdict::Bad, "unshare not found; install it: apt install util-linux"),
    }
}

fn folder(dir: &Path) -> Check {
    let probe = dir.join(".doctor");
    let tried = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b"x"))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => check("data folder", Verdict::Good, dir.display().to_string()),
        Err(error) => {
            check("data folder", Verdict::Bad, format!("{}: {error}; choose another with --data-dir", dir.display()))
        }
    }
}

/// Below this the next training job may fill the disk.
const LITTLE_DISK: u64 = 2 << 30;

fn disk(dir: &Path) -> Check {
    match rustix::fs::statvfs(dir) {
        Ok(stat) => {
            let free = stat.f_bavail * stat.f_frsize;
            let text = format!("{:.1} GiB free", free as f64 / f64::from(1 << 30));
            if free < LITTLE_DISK {
                check("disk", Verdict::Warning, format!("{text}; builds need room for logs, models and artifacts"))
            } else {
                check("disk", Verdict::Good, text)
            }
        }
        Err(error) => check("disk", Verdict::Warning, format!("cannot be told: {error}")),
    }
}

fn environment(dir: &Path) -> Check {
    let interpreter = python::local(dir).interpreter;
    if interpreter.exists() {
        check("runtimes", Verdict::Good, format!("{}", interpreter.display()))
    } else {
        check(
            "runtimes",
            Verdict::Warning,
            "the Python environment of jobs is not made yet; the first run that needs it makes it",
        )
    }
}

/// Programs that are steps: how many there are, or what is wrong with their manifests.
fn plugins(dir: &Path) -> Check {
    let (found, problems) = registry::read_plugins(dir);
    match (problems.is_empty(), found.len()) {
        (true, 0) => check("plugins", Verdict::Good, "no programs that are steps (haliotis steps --how)"),
        (true, count) => check("plugins", Verdict::Good, format!("{count} step(s) of programs")),
        (false, _) => check("plugins", Verdict::Bad, problems.join("; ")),
    }
}

fn server(dir: &Path) -> Check {
    match Address::read(dir) {
        Some(address) => check("server", Verdict::Good, format!("{} (process {})", address.url, address.pid)),
        None => check("server", Verdict::Good, "none runs with this data folder"),
    }
}

async fn database(dir: &Path, database: Option<&str>) -> Check {
    if database.is_none() && !DataDir::database(dir).exists() {
        return check("database", Verdict::Good, "none yet");
    }
    match Reading::at(dir.to_owned(), database).await {
        Err(failure) => check("database", Verdict::Bad, failure.to_string()),
        Ok(reading) => match reading.store.check().await {
            Ok(problems) if problems.is_empty() => {
                check("database", Verdict::Good, format!("{}, sound", reading.store.place()))
            }
            Ok(problems) => check("database", Verdict::Bad, problems.join("; ")),
            Err(error) => check("database", Verdict::Bad, error.to_string()),
        },
    }
}

/// Bytes of logs that are compared with their hashes; those of the newest builds.
const LOGS_READ: u64 = 1 << 30;

async fn logs(dir: &Path) -> Check {
    match LogStore::new(DataDir::logs(dir)).verify(LOGS_READ).await {
        Ok(found) if found.findings.is_empty() => {
            let of = if found.more { "of the newest builds " } else { "" };
            check("logs", Verdict::Good, format!("{} logs {of}are as they were printed", found.logs))
        }
        Ok(found) => {
            let text = format!("{}; restore them from a backup, and look at the disk", found.findings.join("; "));
            check("logs", Verdict::Bad, text)
        }
        Err(error) => check("logs", Verdict::Bad, format!("cannot be read: {error}")),
    }
}
