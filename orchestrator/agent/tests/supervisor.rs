//! The supervisor with real processes: it outlives its clients, leaves nothing behind, and loses no end and no byte.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use haliotis_agent::Supervisor;
use haliotis_model::Secret;
use haliotis_plugin_api::{Exit, ProcessError, ProcessSpec, Processes};

/// The example `supervise`, which cargo builds beside this test.
fn program() -> String {
    let deps = std::env::current_exe().unwrap();
    deps.parent().unwrap().parent().unwrap().join("examples/supervise").to_str().unwrap().to_owned()
}

/// A folder with its supervisor; both end with the value.
struct Host {
    dir: tempfile::TempDir,
    supervisor: Supervisor,
}

impl Host {
    async fn new() -> Host {
        let dir = tempfile::tempdir().unwrap();
        let supervisor = Supervisor::connect(dir.path(), &[program()]);
        supervisor.ready().await.unwrap();
        Host { dir, supervisor }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn spec(&self, script: &str) -> ProcessSpec {
        ProcessSpec {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            vars: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            cwd: self.dir.path().to_owned(),
            log: self.path("log"),
            stdout: None,
            mask: Vec::new(),
        }
    }

    async fn start(&self, key: &str, script: &str) {
        self.supervisor.spawn(key, self.spec(script)).await.unwrap();
    }

    async fn run(&self, key: &str, script: &str) -> Exit {
        self.start(key, script).await;
        self.supervisor.wait(key).await.unwrap()
    }

    /// An empty log has no file.
    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The pid of the supervisor: the one process that holds the lock.
    fn pid(&self) -> i32 {
        let lock = std::fs::canonicalize(self.path("supervisor-3.lock")).unwrap();
        let holds = |pid: i32| {
            std::fs::read_dir(format!("/proc/{pid}/fd"))
                .is_ok_and(|fds| fds.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == lock)))
        };
        pids().into_iter().find(|&pid| holds(pid)).unwrap()
    }
}

fn pids() -> Vec<i32> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// Processes whose command line holds the text, zombies not counted (their command line is empty).
fn running(text: &str) -> usize {
    let line = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids().into_iter().filter(|&pid| String::from_utf8_lossy(&line(pid)).replace('\0', " ").contains(text)).count()
}

fn zombies_of(parent: i32) -> usize {
    let stat = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is = |stat: &str| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(&format!(" Z {parent} ")));
    pids().into_iter().filter(|&pid| is(&stat(pid))).count()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(8), "not within 8 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn kill(pid: i32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn tells_codes_signals_and_output() {
    let host = Host::new().await;
    assert_eq!(host.run("ok", "echo out; echo err >&2").await, Exit { code: 0, signal: None });
    assert_eq!(host.log(), "out\nerr\n");
    assert_eq!(host.run("seven", "exit 7").await.code, 7);
    assert_eq!(host.run("term", "kill -9 $$").await, Exit { code: 137, signal: Some(9) });
    // Clean signals: a shell that gets SIGPIPE ends quietly, and stdin is empty.
    assert_eq!(host.run("pipe", "yes | head -n 1 >&2; cat").await.code, 0);
    assert!(host.log().ends_with("y\n"));
}

#[tokio::test]
async fn gives_the_environment_and_nothing_else() {
    let host = Host::new().await;
    let mut spec = host.spec("env | sort");
    spec.vars.insert("A".to_owned(), "b c=d".to_owned());
    spec.stdout = Some(host.path("new/folder/out"));
    host.supervisor.spawn("env", spec).await.unwrap();
    host.supervisor.wait("env").await.unwrap();
    let env = std::fs::read_to_string(host.path("new/folder/out")).unwrap();
    let names: Vec<&str> = env.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["A", "HALIOTIS_STEP_KEY", "PATH", "PWD"], "{env}");
    assert!(env.contains("A=b c=d\n"));
    assert_eq!(host.log(), "", "standard output went to its own file alone");
}

#[tokio::test]
async fn a_wait_long_after_the_end_and_one_for_nothing() {
    let host = Host::new().await;
    host.run("a", "exit 3").await;
    for _ in 0..2 {
        assert_eq!(host.supervisor.wait("a").await.unwrap().code, 3);
    }
    assert!(std::fs::read_to_string(host.path("records")).unwrap().ends_with("\nexit a 3\n"));
    assert!(matches!(host.supervisor.wait("b").await, Err(ProcessError::Unknown(key)) if key == "b"));
    assert!(matches!(host.supervisor.kill("b", 0).await, Err(ProcessError::Unknown(_))));
    host.supervisor.kill("a", 0).await.unwrap();
    host.supervisor.forget("a").await.unwrap();
    assert!(matches!(host.supervisor.wait("a").await, Err(ProcessError::Unknown(_))));
}

#[tokio::test]
async fn one_process_for_one_key() {
    let host = Host::new().await;
    let spawns = (0..5).map(|_| host.supervisor.spawn("k", host.spec("echo once; sleep 0.2")));
    for result in futures_join(spawns).await {
        result.unwrap();
    }
    host.supervisor.wait("k").await.unwrap();
    host.start("k", "echo twice").await;
    host.supervisor.wait("k").await.unwrap();
    assert_eq!(host.log(), "once\n");
}

/// All at once, in order.
async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut out: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, out) in all.iter_mut().zip(&mut out).filter(|(_, out)| out.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *out = Some(value);
            }
        }
        if out.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    out.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn what_cannot_start_is_named() {
    let host = Host::new().await;
    let start = async |change: fn(&mut ProcessSpec)| {
        let mut spec = host.spec("true");
        change(&mut spec);
        host.supervisor.spawn("bad", spec).await.unwrap_err().to_string()
    };
    let missing = start(|spec| spec.argv = vec!["no-such-program".to_owned()]).await;
    assert_eq!(missing, "cannot start no-such-program: there is no such program in PATH (/usr/bin:/bin)");
    let missing = start(|spec| spec.argv = vec!["./gone.sh".to_owned()]).await;
    assert_eq!(missing, "cannot start ./gone.sh: there is no such file");
    let folder = start(|spec| spec.cwd = PathBuf::from("/no/such/folder")).await;
    assert_eq!(folder, "cannot start sh: the working directory /no/such/folder does not exist");
    assert!(start(|spec| spec.argv.clear()).await.contains("argv is empty"));
    assert!(start(|spec| spec.log = PathBuf::from("/proc/none/log")).await.contains("cannot write /proc/none/log"));
    let plain = start(|spec| spec.argv = vec!["/etc/passwd".to_owned()]).await;
    assert!(plain.contains("not executable") || plain.contains("no such file"), "{plain}");
    // The key is still free.
    assert_eq!(host.run("bad", "exit 4").await.code, 4);
    assert!(host.supervisor.spawn("../bad", host.spec("true")).await.is_err());
}

#[tokio::test]
async fn outlives_its_client() {
    let dir = tempfile::tempdir().unwrap();
    let script = "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.1; done; exit 9";
    let log = dir.path().join("log");
    let mut client = Command::new(program())
        .args(["spawn", dir.path().to_str().unwrap(), "k", log.to_str().unwrap(), script])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the client has started it", || dir.path().join("client-started").exists()).await;
    client.kill().unwrap();
    client.wait().unwrap();
    let supervisor = Supervisor::connect(dir.path(), &[program()]);
    assert_eq!(supervisor.wait("k").await.unwrap().code, 9);
    assert_eq!(std::fs::read_to_string(log).unwrap(), "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n");
}

#[tokio::test]
async fn after_the_death_of_the_supervisor_ends_are_known_and_codes_lost() {
    let host = Host::new().await;
    host.run("before", "exit 5").await;
    host.start("long", "sleep 0.7; echo still here").await;
    host.start("gone", "exec sleep 4321.25").await;
    let waiting = tokio::spawn({
        let supervisor = host.supervisor.clone();
        async move { supervisor.wait("long").await }
    });
    let pid = host.pid();
    kill(pid);
    eventually("the supervisor is dead", || !alive(pid)).await;
    assert_eq!(host.supervisor.wait("before").await.unwrap().code, 5);
    assert_ne!(host.pid(), pid);
    // The wait of before the death goes on by itself, and only the code is lost.
    assert!(matches!(waiting.await.unwrap(), Err(ProcessError::Lost(key)) if key == "long"));
    assert_eq!(host.log(), "still here\n");
    // What was adopted can be killed, and is not started again.
    host.start("gone", "echo twice").await;
    host.supervisor.kill("gone", 1000).await.unwrap();
    assert!(matches!(host.supervisor.wait("gone").await, Err(ProcessError::Lost(_))));
    assert_eq!(running("sleep 4321.25"), 0);
    assert!(matches!(host.supervisor.wait("long").await, Err(ProcessError::Lost(_))));
}

#[tokio::test]
async fn kills_grandchildren_that_hide() {
    let host = Host::new().await;
    // A new session; a new session and no environment; both with the parent gone, all holding the output open.
    let script = "setsid sh -c 'sleep 4321.5 & sleep 4321.5' & setsid env -i /bin/sleep 4321.5 & \
                  (setsid -f env -i sh -c 'trap \"\" TERM; /bin/sleep 4321.5; /bin/sleep 4321.5') ; sleep 0.2; echo end";
    let began = Instant::now();
    assert_eq!(host.run("k", script).await.code, 0);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(running("sleep 4321.5"), 0);
    assert_eq!(host.log().lines().last(), Some("end"));
    assert_eq!(zombies_of(host.pid()), 0);
}

#[tokio::test]
async fn a_stray_lives_until_every_step_it_may_belong_to_has_ended() {
    let host = Host::new().await;
    host.start("other", "sleep 0.8").await;
    // Orphaned, of its own session, without a marker and with no log open: nothing tells whose it is.
    host.run("k", "setsid -f env -i /bin/sleep 4321.625 >/dev/null 2>&1; sleep 0.1").await;
    assert_eq!(running("sleep 4321.625"), 1);
    host.supervisor.wait("other").await.unwrap();
    assert_eq!(running("sleep 4321.625"), 0);
}

#[tokio::test]
async fn a_stray_is_told_by_the_log_it_holds() {
    let host = Host::new().await;
    host.start("other", "sleep 4321.375").await;
    for (key, mask) in [("plain", vec![]), ("masked", vec![Secret::new("hunter2")])] {
        let spec = host.spec("setsid -f env -i /bin/sleep 4321.375; sleep 0.1");
        host.supervisor.spawn(key, ProcessSpec { log: host.path(key), mask, ..spec }).await.unwrap();
        host.supervisor.wait(key).await.unwrap();
        assert_eq!(running("/bin/sleep 4321.375"), 0, "{key}");
    }
    host.supervisor.kill("other", 0).await.unwrap();
    assert!(host.supervisor.wait("other").await.unwrap().signal.is_some());
}

#[tokio::test]
async fn steps_do_not_hurt_each_other() {
    let host = Host::new().await;
    host.start("daemon", "sleep 4321.75 & sleep 4321.75").await;
    assert_eq!(host.run("quick", "true").await.code, 0);
    host.start("victim", "sleep 4321.875").await;
    host.supervisor.kill("victim", 0).await.unwrap();
    assert!(host.supervisor.wait("victim").await.unwrap().signal.is_some());
    assert_eq!(running("sleep 4321.75") - running("sh -c sleep 4321.75"), 2);
    host.supervisor.kill("daemon", 5000).await.unwrap();
    assert_eq!(host.supervisor.wait("daemon").await.unwrap(), Exit { code: 143, signal: Some(15) });
    assert_eq!(running("sleep 4321.75"), 0);
}

#[tokio::test]
async fn the_same_key_of_another_folder_is_another_step() {
    let (one, other) = (Host::new().await, Host::new().await);
    one.start("same", "sleep 0.6; exit 3").await;
    // Its leftover makes the other look for what else is its own.
    other.start("same", "setsid sleep 4321.125 & sleep 0.1; exit 4").await;
    assert_eq!(other.supervisor.wait("same").await.unwrap().code, 4);
    other.start("again", "sleep 4321.125").await;
    other.supervisor.kill("again", 0).await.unwrap();
    assert_eq!(one.supervisor.wait("same").await.unwrap().code, 3);
    assert_eq!(running("sleep 4321.125"), 0);
}

#[tokio::test]
async fn kill_gives_grace_and_then_none() {
    let host = Host::new().await;
    // It hears SIGTERM, and its orderly end has the time it needs.
    host.start("polite", "trap 'sleep 0.3; echo bye; exit 6' TERM; echo up; while :; do sleep 0.05; done").await;
    eventually("it is up", || host.path("log").exists() && host.log().contains("up")).await;
    host.supervisor.kill("polite", 10_000).await.unwrap();
    host.supervisor.kill("polite", 10_000).await.unwrap();
    assert_eq!(host.supervisor.wait("polite").await.unwrap().code, 6);
    assert!(host.log().ends_with("bye\n"));
    // It ignores SIGTERM, and so do its children.
    host.start("stubborn", "trap '' TERM; echo deaf; sleep 4322 & while :; do sleep 0.05; done").await;
    eventually("it is deaf", || host.log().contains("deaf")).await;
    let began = Instant::now();
    host.supervisor.kill("stubborn", 300).await.unwrap();
    assert_eq!(host.supervisor.wait("stubborn").await.unwrap(), Exit { code: 137, signal: Some(9) });
    let took = began.elapsed();
    assert!(took > Duration::from_millis(280) && took < Duration::from_secs(2), "{took:?}");
    assert_eq!(running("sleep 4322"), 0);
    // A stopped process cannot hear; it is woken for it.
    host.start("stopped", "kill -STOP $$; sleep 4322").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    host.supervisor.kill("stopped", 10_000).await.unwrap();
    assert_eq!(host.supervisor.wait("stopped").await.unwrap().signal, Some(15));
}

#[tokio::test]
async fn masks_secrets_across_writes_and_keeps_every_other_byte() {
    let host = Host::new().await;
    let mut spec = host.spec("printf 'a hun'; sleep 0.1; printf 'ter2 b\\nhunt'; sleep 0.1; head -c 300000 /dev/zero | tr '\\0' x; printf 'hunter2'");
    spec.mask = vec![Secret::new("hunter2"), Secret::new("x")];
    host.supervisor.spawn("m", spec).await.unwrap();
    host.supervisor.wait("m").await.unwrap();
    let expected = format!("a **** b\nhunt{}****", "x".repeat(300_000));
    assert!(host.log() == expected, "{} bytes", host.log().len());
    // Neither arguments nor disk know the secret.
    let kept = Command::new("grep").args(["-rl", "hunter2", host.dir.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "");
}

#[tokio::test]
async fn a_masked_step_ends_although_its_pipe_is_held_open() {
    let host = Host::new().await;
    let mut spec = host.spec("(trap '' TERM; sleep 4323; sleep 4323) & echo hunter2");
    spec.mask = vec![Secret::new("hunter2")];
    let began = Instant::now();
    host.supervisor.spawn("m", spec).await.unwrap();
    host.supervisor.wait("m").await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(host.log(), "****\n");
    assert_eq!(running("sleep 4323"), 0);
}

#[tokio::test]
async fn many_quick_ones() {
    let host = Host::new().await;
    let all = (0..200).map(|n| {
        let (supervisor, spec, key) =
            (host.supervisor.clone(), host.spec(&format!("exit {}", n % 50)), format!("q{n}"));
        async move {
            supervisor.spawn(&key, spec).await.unwrap();
            (n % 50, supervisor.wait(&key).await.unwrap().code)
        }
    });
    for (wanted, code) in futures_join(all).await {
        assert_eq!(wanted, code);
    }
    assert_eq!(zombies_of(host.pid()), 0);
    let ends =
        || std::fs::read_to_string(host.path("records")).unwrap().lines().filter(|l| l.starts_with("exit")).count();
    assert_eq!(ends(), 200);
    host.start("q-runs", "exec sleep 4321.0625").await;
    host.supervisor.forget_all("q").await.unwrap();
    assert!(matches!(host.supervisor.wait("q7").await, Err(ProcessError::Unknown(_))));
    host.supervisor.kill("q-runs", 0).await.unwrap();
    assert!(host.supervisor.wait("q-runs").await.unwrap().signal.is_some(), "what runs is not forgotten");
}

#[tokio::test]
async fn ends_when_its_folder_is_gone_and_takes_its_steps_along() {
    let host = Host::new().await;
    host.start("k", "sleep 4324").await;
    let pid = host.pid();
    let path = host.dir.path().to_owned();
    host.dir.close().unwrap();
    eventually("the supervisor has ended", || !alive(pid)).await;
    eventually("its step too", || running("sleep 4324") == 0).await;
    assert!(!path.exists());
}

fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[tokio::test]
async fn ends_when_idle_and_comes_back_when_asked() {
    let host = Host::new().await;
    host.run("k", "exit 8").await;
    let pid = host.pid();
    let Host { dir, supervisor } = host;
    drop(supervisor);
    eventually("idle for its limit", || !alive(pid)).await;
    assert!(!dir.path().join("supervisor-3.sock").exists());
    let supervisor = Supervisor::connect(dir.path(), &[program()]);
    assert_eq!(supervisor.wait("k").await.unwrap().code, 8);
}

#[tokio::test]
async fn many_clients_start_one_supervisor_in_a_long_folder() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("a-folder-with-a-long-name".repeat(6)).join("x".repeat(60));
    std::fs::create_dir_all(&long).unwrap();
    let exe = [program()];
    let clients: Vec<_> = (0..8).map(|_| Supervisor::connect(&long, &exe)).collect();
    assert!(futures_join(clients.iter().map(Supervisor::ready)).await.iter().all(Result::is_ok));
    eventually("the losers are gone", || running(&format!("--dir {}", long.display())) == 1).await;
}

#[tokio::test]
async fn a_supervisor_that_cannot_start_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error =
        Supervisor::connect(dir.path(), &["/no/such/haliotis".to_owned()]).ready().await.unwrap_err().to_string();
    assert!(error.contains("/no/such/haliotis"), "{error}");
    assert!(Supervisor::connect(Path::new("/proc/none"), &[program()]).ready().await.is_err());
}

#[tokio::test]
async fn a_moving_target_is_hit() {
    let host = Host::new().await;
    // Every few milliseconds a new process in a new session takes over from the one before.
    let script = "import os, time\nend = time.time() + 15\nwhile time.time() < end:\n    time.sleep(0.003)\n    \
                  if os.fork(): os._exit(0)\n    os.setsid()\n";
    std::fs::write(host.path("hop-4326.py"), script).unwrap();
    let began = Instant::now();
    host.run("hop", "python3 hop-4326.py & sleep 0.2").await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(running("hop-4326.py"), 0);
}

/// Begins a process that writes its name and when it began and ended, after another or at once.
async fn begin(host: &Host, key: &str, script: &str, after: Option<&str>) {
    let spec = host.spec(&format!("echo {key} begins; {script}; echo {key} ends"));
    match after {
        Some(after) => host.supervisor.begin_after(key, spec, after).await.unwrap(),
        None => host.supervisor.begin(key, spec).await.unwrap(),
    }
}

#[tokio::test]
async fn a_process_begins_at_the_end_of_the_one_before() {
    let host = Host::new().await;
    begin(&host, "a", "sleep 0.2", None).await;
    begin(&host, "b", "true", Some("a")).await;
    // Asked again, as after a broken connection, it is the same process.
    begin(&host, "b", "true", Some("a")).await;
    assert_eq!(host.supervisor.wait("b").await.unwrap().code, 0);
    assert_eq!(host.log(), "a begins\na ends\nb begins\nb ends\n");
    assert_eq!(host.supervisor.wait("a").await.unwrap().code, 0, "its end is told to whoever asks later, too");
    // Of one that has ended, or was never heard of, nobody waits for the end.
    begin(&host, "c", "true", Some("a")).await;
    begin(&host, "d", "true", Some("nobody")).await;
    assert_eq!(host.supervisor.wait("c").await.unwrap().code, 0);
    assert_eq!(host.supervisor.wait("d").await.unwrap().code, 0);
}

#[tokio::test]
async fn a_process_that_waits_for_another_can_be_stopped_and_is_not_forgotten() {
    let host = Host::new().await;
    begin(&host, "a", "sleep 600", None).await;
    begin(&host, "b", "true", Some("a")).await;
    assert!(matches!(host.supervisor.forget("b").await, Err(ProcessError::Supervisor(_))), "it is still to come");
    host.supervisor.kill("b", 0).await.unwrap();
    assert_eq!(host.supervisor.wait("b").await.unwrap(), Exit { code: 143, signal: Some(15) });
    host.supervisor.kill("a", 0).await.unwrap();
    assert_eq!(host.supervisor.wait("a").await.unwrap().signal, Some(15));
    assert!(!host.log().contains("b begins"));
    // Its end is kept as any other's.
    host.supervisor.spawn("b", host.spec("echo again")).await.unwrap();
    assert_eq!(host.supervisor.wait("b").await.unwrap().code, 143);
    assert!(!host.log().contains("again"));
}

#[tokio::test]
async fn what_cannot_begin_is_told_at_the_end() {
    let host = Host::new().await;
    let nothing = || ProcessSpec { argv: vec!["no-such-program".to_owned()], ..host.spec("") };
    host.supervisor.begin("a", nothing()).await.unwrap();
    assert!(matches!(host.supervisor.wait("a").await, Err(ProcessError::Start { .. })));
    begin(&host, "b", "sleep 0.1", None).await;
    host.supervisor.begin_after("c", nothing(), "b").await.unwrap();
    assert!(matches!(host.supervisor.wait("c").await, Err(ProcessError::Start { .. })));
    assert_eq!(host.supervisor.wait("b").await.unwrap().code, 0);
}

#[tokio::test]
async fn whoever_waits_for_another_goes_on_without_clients_and_over_the_death_of_the_supervisor() {
    let host = Host::new().await;
    begin(&host, "a", "sleep 0.3", None).await;
    begin(&host, "b", "true", Some("a")).await;
    // A client that is gone: it is begun all the same, and the next client hears of it.
    let again = Supervisor::connect(host.dir.path(), &[program()]);
    let Host { dir, supervisor } = host;
    again.ready().await.unwrap();
    drop(supervisor);
    let host = Host { dir, supervisor: again };
    eventually("b has ended", || host.log().contains("b ends")).await;
    assert_eq!(host.supervisor.wait("b").await.unwrap().code, 0);

    begin(&host, "c", "sleep 0.3", None).await;
    begin(&host, "d", "true", Some("c")).await;
    eventually("c has begun", || host.log().contains("c begins")).await;
    kill(host.pid());
    assert_eq!(host.supervisor.wait("d").await.unwrap().code, 0, "the next supervisor is asked again");
    assert!(matches!(host.supervisor.wait("c").await, Err(ProcessError::Lost(_))));
    assert_eq!(host.log().matches("d begins").count(), 1);
}

/// How often a record is written for two steps, one after the other, and their forgetting.
const RECORDS: usize = 8;

/// Whether the supervisor died at this point. Whatever happened, no step ran twice, and an end that is told is true.
async fn dies_at(point: &'static str, time: usize) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("died");
    let exe = [
        "env",
        &format!("HALIOTIS_FAILPOINT={point}={time}"),
        &format!("HALIOTIS_FAILPOINT_MARK={}", mark.display()),
        &program(),
    ]
    .map(str::to_owned);
    let supervisor = Supervisor::connect(&dir.path().join("agent"), &exe);
    let times = |key: &str| {
        let ledger = std::fs::read_to_string(dir.path().join("ledger")).unwrap_or_default();
        ledger.lines().filter(|line| *line == key).count()
    };
    for key in ["1-a", "1-b"] {
        let spec = ProcessSpec {
            argv: ["sh", "-c", &format!("echo {key} >> ledger; echo said")].map(str::to_owned).to_vec(),
            vars: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            cwd: dir.path().to_owned(),
            log: dir.path().join("logs").join(key),
            stdout: None,
            mask: Vec::new(),
        };
        supervisor.begin(key, spec).await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(30), supervisor.wait(key)).await.unwrap();
        match end {
            Ok(exit) => assert_eq!((exit.code, times(key)), (0, 1), "{point}={time}: {key}"),
            // Its supervisor died between the record and the end: nobody can tell the code.
            Err(ProcessError::Lost(_)) => assert!(times(key) <= 1, "{point}={time}: {key} ran twice"),
            Err(error) => panic!("{point}={time}: {key}: {error}"),
        }
        let again = supervisor.wait(key).await;
        assert!(matches!(again, Ok(Exit { code: 0, .. }) | Err(ProcessError::Lost(_))), "{point}={time}: {again:?}");
    }
    supervisor.forget_all("1-").await.unwrap();
    assert!(matches!(supervisor.wait("1-a").await, Err(ProcessError::Unknown(_))), "{point}={time}");
    mark.exists()
}

#[tokio::test]
async fn death_at_every_record_runs_nothing_twice() {
    let points = haliotis_failpoints::POINTS.iter().filter(|point| point.starts_with("supervisor."));
    let mut deaths = tokio::task::JoinSet::new();
    for point in points {
        for time in 1..=RECORDS {
            deaths.spawn(async move { (*point, time, dies_at(point, time).await) });
        }
    }
    let died = deaths.join_all().await;
    for point in ["supervisor.record.before", "supervisor.record.after"] {
        let reached = died.iter().filter(|(at, _, died)| *at == point && *died).count();
        // Two steps are three records each, and one more forgets them.
        assert_eq!(reached, 7, "{point}: {died:?}");
    }
}
