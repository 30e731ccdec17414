//! A supervisor on a disk that really is full: what is to be started waits for room, what prints waits for room, ends are
//! told and recorded, and nothing is started twice or lost. A wish to stop is heard all the same.
//!
//! The test starts this same binary again in a mount namespace of its own, with a small disk in memory.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says when it could not run")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use haliotis_agent::Supervisor;
use haliotis_model::Secret;
use haliotis_plugin_api::{ProcessError, ProcessSpec, Processes};

const DISK: &str = "HALIOTIS_SMALL_DISK";
const MOUNT: &str = r#"mount -t tmpfs -o size=1m,nr_inodes=100 small "$HALIOTIS_SMALL_DISK" || exit 77
exec "$1" --exact on_the_small_disk --nocapture"#;
/// What the script answers when it may not mount.
const NO_MOUNT: i32 = 77;
/// Long enough for a supervisor on a loaded machine.
const MOST: Duration = Duration::from_secs(30);
/// Long enough to see that something does not happen; were it to happen late, the test would pass and show nothing.
const STILL: Duration = Duration::from_millis(700);

#[test]
fn a_full_disk_holds_steps_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"])
        .arg(std::env::current_exe().unwrap())
        .env(DISK, folder.path())
        .output();
    let Ok(output) = output else { return eprintln!("not run: there is no `unshare` program here") };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(NO_MOUNT) || said.contains("unshare failed") {
        return eprintln!("not run: this host gives no mount namespaces: {said}");
    }
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

/// The example `supervise`, which cargo builds beside this test.
fn program() -> String {
    let deps = std::env::current_exe().unwrap();
    deps.parent().unwrap().parent().unwrap().join("examples/supervise").to_str().unwrap().to_owned()
}

/// The small disk, its supervisor, and a place beside it for what steps do.
struct Host {
    disk: PathBuf,
    beside: tempfile::TempDir,
    supervisor: Supervisor,
}

impl Host {
    async fn new(disk: &Path) -> Host {
        let supervisor = Supervisor::connect(&disk.join("agent"), &[program()]);
        supervisor.ready().await.unwrap();
        Host { disk: disk.to_owned(), beside: tempfile::tempdir().unwrap(), supervisor }
    }

    fn spec(&self, log: &str, script: &str, mask: &[&str]) -> ProcessSpec {
        ProcessSpec {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            vars: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            cwd: self.beside.path().to_owned(),
            log: self.disk.join("logs/1").join(log),
            stdout: None,
            mask: mask.iter().map(|secret| Secret::new(*secret)).collect(),
        }
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.disk.join("logs/1").join(name)).unwrap_or_default()
    }

    fn ledger(&self) -> String {
        std::fs::read_to_string(self.beside.path().join("ledger")).unwrap_or_default()
    }

    /// No byte and no file more.
    fn fill(&self) {
        std::fs::create_dir(self.disk.join("ballast")).unwrap();
        let mut file = std::fs::File::create(self.disk.join("ballast/bytes")).unwrap();
        for size in [4_096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        for number in 0.. {
            if std::fs::File::create(self.disk.join(format!("ballast/{number}"))).is_err() {
                break;
            }
        }
    }

    fn free(&self) {
        std::fs::remove_dir_all(self.disk.join("ballast")).unwrap();
    }

    async fn end(&self, key: &str) -> i32 {
        tokio::time::timeout(MOST, self.supervisor.wait(key)).await.unwrap().unwrap().code
    }
}

#[tokio::test]
async fn on_the_small_disk() {
    let Ok(disk) = std::env::var(DISK) else { return };
    let host = Host::new(Path::new(&disk)).await;
    // One that prints more than the disk will have room for, with a secret; it begins before the disk is full.
    let script = "echo first word; while [ ! -e go ]; do sleep 0.05; done; i=0; \
        while [ $i -lt 20000 ]; do echo \"line $i hunter2\"; i=$((i+1)); done; echo said >> ledger";
    host.supervisor.begin("1-talks", host.spec("talks.log", script, &["hunter2"])).await.unwrap();
    while host.log("talks.log").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.fill();
    std::fs::write(host.beside.path().join("go"), "").unwrap();
    // Others are to be started now: one that is waited for, one whose start is, one that follows, one that is stopped.
    let held = host.spec("held.log", "echo held >> ledger; echo held", &[]);
    host.supervisor.begin("1-held", held).await.unwrap();
    let after = host.spec("after.log", "echo after >> ledger", &[]);
    host.supervisor.begin_after("1-after", after, "1-held").await.unwrap();
    host.supervisor.begin("1-stopped", host.spec("no.log", "echo stopped >> ledger", &[])).await.unwrap();
    let spawned = host.supervisor.spawn("1-spawned", host.spec("s.log", "echo spawned >> ledger", &[]));
    tokio::pin!(spawned);
    assert!(tokio::time::timeout(STILL, &mut spawned).await.is_err(), "it was started on a full disk");
    assert_eq!(host.ledger(), "", "nothing is started and the one that talks waits in a write");
    host.supervisor.kill("1-stopped", 1_000).await.unwrap();
    assert_eq!(host.end("1-stopped").await, 143, "a wish to stop needs no room");

    host.free();
    tokio::time::timeout(MOST, spawned).await.unwrap().unwrap();
    for key in ["1-talks", "1-held", "1-after", "1-spawned"] {
        assert_eq!(host.end(key).await, 0, "{key}");
    }
    let mut done: Vec<_> = host.ledger().lines().map(str::to_owned).collect();
    done.sort();
    assert_eq!(done, ["after", "held", "said", "spawned"]);
    assert_eq!(host.log("held.log"), "held\n");
    let expected: String = (0..20_000).map(|line| format!("line {line} ****\n")).collect();
    assert!(host.log("talks.log") == format!("first word\n{expected}"), "{} bytes", host.log("talks.log").len());

    // All of it is on disk by now: another client of another life hears the same.
    let records = std::fs::read_to_string(host.disk.join("agent/records")).unwrap();
    for line in ["exit 1-talks 0", "exit 1-held 0", "exit 1-spawned 0", "exit 1-stopped 143 15"] {
        assert!(records.lines().any(|found| found == line), "no `{line}` in\n{records}");
    }

    // One that prints on the full disk and is stopped ends, whatever of its log is lost.
    let script = "echo begins; while [ ! -e again ]; do sleep 0.05; done; while true; do echo on and on; done";
    host.supervisor.begin("1-endless", host.spec("endless.log", script, &["hunter2"])).await.unwrap();
    while host.log("endless.log").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.fill();
    std::fs::write(host.beside.path().join("again"), "").unwrap();
    tokio::time::sleep(STILL).await;
    host.supervisor.kill("1-endless", 200).await.unwrap();
    assert_ne!(host.end("1-endless").await, 0);
    assert!(matches!(host.supervisor.wait("1-nobody").await, Err(ProcessError::Unknown(_))));
    host.free();
}
