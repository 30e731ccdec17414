//! Programs that talk to a Jenkins talk to us, unmodified: each runs its table of operations against the real server.
//!
//! `tests/run` installs them, pinned, into the cache; their folder is `HALIOTIS_CLIENTS`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use haliotis_tests::{House, root};

/// Where `tests/run` put the clients.
fn clients() -> PathBuf {
    std::env::var_os("HALIOTIS_CLIENTS").map_or_else(
        || {
            let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
            home.join(".cache/haliotis/clients")
        },
        PathBuf::from,
    )
}

/// Runs a client's table against a server of its own.
#[track_caller]
fn table(script: &str) {
    table_with(script, &[]);
}

#[track_caller]
fn table_with(script: &str, more: &[PathBuf]) {
    let installed = clients();
    assert!(installed.exists(), "{} is not there; run tests/run once", installed.display());
    let house = House::new();
    let (server, url) = house.serve();
    let scripts = root().join("tests/clients");
    let mut command = if script.ends_with(".mjs") {
        let mut node = Command::new("node");
        node.arg(scripts.join(script)).arg(&url).arg(installed.join("npm/node_modules"));
        node
    } else {
        let mut python = Command::new(installed.join("venv/bin/python"));
        python.arg("-W").arg("ignore").arg(scripts.join(script)).arg(&url).args(more);
        python
    };
    command.current_dir(house.dir.path()).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    let answer = command.output().expect("the client runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
    server.stop();
    assert!(answer.status.success(), "{script}:\n{stdout}\n{stderr}");
    assert!(stdout.contains("rows passed"), "{script} ended early:\n{stdout}\n{stderr}");
}

#[test]
fn python_jenkins() {
    table("python_jenkins.py");
}

#[test]
fn jenkinsapi() {
    table("jenkins_api.py");
}

#[test]
fn api4jenkins() {
    table("api4_jenkins.py");
}

#[test]
fn npm_jenkins() {
    table("npm_jenkins.mjs");
}

#[test]
fn jenkins_job_builder() {
    table("job_builder.py");
}

/// The secret of the webhooks in these tests.
const SECRET: &str = "a secret of these tests";

/// Runs a script of ours with `requests` against a server whose GitHub webhooks are signed.
#[track_caller]
fn signed(script: &str, more: &[PathBuf]) {
    let installed = clients();
    let house = House::new();
    let mut secret = house.command(&["hook", "secret", "github"]);
    let mut secret = secret.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    std::io::Write::write_all(&mut secret.stdin.take().expect("a pipe"), SECRET.as_bytes()).expect("it reads");
    assert!(secret.wait().expect("it ends").success());
    let (server, url) = house.serve();
    let mut python = Command::new(installed.join("venv/bin/python"));
    python.arg(root().join("tests/clients").join(script)).arg(&url).args(more).arg(SECRET);
    let answer = python.current_dir(house.dir.path()).env("PYTHONDONTWRITEBYTECODE", "1").output().expect("it runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
    server.stop();
    assert!(answer.status.success(), "{script}:\n{stdout}\n{stderr}");
    assert!(stdout.contains("rows passed"), "{script} ended early:\n{stdout}\n{stderr}");
}

#[test]
fn multibranch_projects() {
    signed("branches.py", &[]);
}

#[test]
fn githubs_own_examples_of_webhooks() {
    let examples = clients().join("npm/node_modules/@octokit/webhooks-examples");
    assert!(examples.exists(), "{} is not there; run tests/run once", examples.display());
    signed("deliveries.py", &[examples]);
}

#[test]
fn the_shim_for_jenkins() {
    let house = House::new();
    let (server, url) = house.serve();
    let mut python = Command::new(clients().join("venv/bin/python"));
    python.arg(root().join("tests/clients/shim.py")).arg(&url).arg(root().join("plugins/jenkins-shim"));
    let answer = python.current_dir(house.dir.path()).env("PYTHONDONTWRITEBYTECODE", "1").output().expect("it runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
    server.stop();
    assert!(answer.status.success() && stdout.contains("rows passed"), "{stdout}\n{stderr}");
}

#[test]
fn the_shim_on_ourselves() {
    table_with("shim_here.py", &[root().join("plugins/jenkins-shim")]);
}

#[test]
fn git_hosts_are_told_how_builds_stand() {
    table("statuses.py");
}

#[test]
fn a_server_is_quiet_restarts_and_ends_when_asked() {
    table("restart.py");
}

#[test]
fn credentials_keep_within_their_bounds() {
    table_with("bounds.py", &[haliotis_tests::binary()]);
}

#[test]
fn polling_is_patient_and_no_host_delays_another() {
    table("polling.py");
}

#[test]
fn people_log_in_by_a_provider_of_openid_connect() {
    let mut house = House::new();
    let password = house.write("password", "a long enough passphrase");
    house.vars.push(("HALIOTIS_ADMIN_PASSWORD_FILE".to_owned(), password.display().to_string()));
    let mut server = house.start(&["serve", "--listen", "127.0.0.1:0"]);
    let line = server.wait_for("answers at", std::time::Duration::from_secs(60));
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    let mut node = Command::new("node");
    node.arg(root().join("tests/clients/oidc.mjs")).arg(&url).arg(clients().join("npm/node_modules"));
    node.arg(haliotis_tests::binary()).current_dir(house.dir.path()).env("HOME", house.dir.path());
    node.env("HALIOTIS_DATA_DIR", house.data()).env("HALIOTIS_USER", "mia").env("NO_COLOR", "1");
    let answer = node.stdin(Stdio::null()).output().expect("node runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
    server.stop();
    assert!(answer.status.success() && stdout.contains("rows passed"), "{stdout}\n{stderr}");
}

#[test]
fn our_own_api_has_no_server_error() {
    table("our_api.py");
}
