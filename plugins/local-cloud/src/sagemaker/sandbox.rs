//! `/opt/ml` of a job's own, without Docker: a mount namespace (and, where needed, a user namespace) per process.
//!
//! The program is started as `unshare … sh enter.sh FOLDER PROGRAM …`; `enter.sh` mounts the job's folder at `/opt/ml`
//! and becomes the program, so the process under the supervisor's key is the program itself. What the host allows is
//! tried once, the first time it is needed.

use std::path::Path;

use haliotis_plugin_api::{ProcessSpec, Processes};
use tokio::sync::OnceCell;

use crate::durable::write_atomic;

/// The ways into a namespace, the plainest first. The first needs root, the second that users may make namespaces.
const WAYS: &[&[&str]] = &[&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// What the host allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Flags of `unshare` that work, or nothing.
    pub namespaces: Option<Vec<String>>,
    /// For people: how it works, or what is missing and how to allow it.
    pub explanation: String,
}

/// The way into a job's own `/opt/ml`.
#[derive(Default)]
pub(crate) struct Sandbox {
    probed: OnceCell<Capabilities>,
}

impl Sandbox {
    /// Tries the ways once and remembers.
    pub(crate) async fn capabilities(
        &self,
        processes: &dyn Processes,
        runtimes: &Path,
        scratch: &Path,
    ) -> Capabilities {
        self.probed.get_or_init(|| probe(processes, runtimes, scratch)).await.clone()
    }
}

/// The argument vector that runs `program` with `ml` at `/opt/ml`.
pub(crate) fn enter(flags: &[String], runtimes: &Path, ml: &Path, program: &[String]) -> Vec<String> {
    let mut argv = vec!["unshare".to_owned()];
    argv.extend(flags.iter().cloned());
    argv.extend(["--".to_owned(), "/bin/sh".to_owned(), text(&runtimes.join("enter.sh")), text(ml)]);
    argv.extend(program.iter().cloned());
    argv
}

/// Where system programs are; job processes get it behind the Python environment's own.
pub(crate) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

async fn probe(processes: &dyn Processes, runtimes: &Path, scratch: &Path) -> Capabilities {
    let mut said = Vec::new();
    for flags in WAYS {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        match try_way(processes, runtimes, scratch, &flags).await {
            Ok(()) => {
                let explanation = format!("jobs get their own /opt/ml through `unshare {}`", flags.join(" "));
                return Capabilities { namespaces: Some(flags), explanation };
            }
            Err(reason) => said.push(format!("`unshare {}`: {reason}", flags.join(" "))),
        }
    }
    let explanation = format!(
        "this host lets us make no mount namespace, so jobs cannot have their own /opt/ml ({}). Install util-linux \
         (unshare, mount), and allow user namespaces: sysctl -w user.max_user_namespaces=15000 and, where they exist, \
         kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0; in a container, start \
         it with --security-opt seccomp=unconfined or with the capability SYS_ADMIN",
        said.join("; ")
    );
    Capabilities { namespaces: None, explanation }
}

/// Runs one small program in the namespace that must see a file of its own `/opt/ml`.
async fn try_way(processes: &dyn Processes, runtimes: &Path, scratch: &Path, flags: &[String]) -> Result<(), String> {
    let key = format!("probe-{}", uuid::Uuid::new_v4().simple());
    let ml = scratch.join(&key);
    let log = scratch.join(format!("{key}.log"));
    std::fs::create_dir_all(&ml).and_then(|()| write_atomic(&ml.join("seen"), b"")).map_err(|e| e.to_string())?;
    let program = ["/bin/sh", "-c", "test -f /opt/ml/seen"].map(str::to_owned);
    let spec = ProcessSpec {
        argv: enter(flags, runtimes, &ml, &program),
        vars: [("PATH".to_owned(), SYSTEM_PATH.to_owned())].into(),
        cwd: scratch.to_owned(),
        log: log.clone(),
        stdout: None,
        mask: Vec::new(),
    };
    let outcome = match processes.spawn(&key, spec).await {
        Ok(()) => processes.wait(&key).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    // Leftovers of a probe harm nobody; the scratch folder is emptied at the next open.
    let _ = processes.forget(&key).await;
    let _ = std::fs::remove_dir_all(&ml);
    let _ = std::fs::remove_file(&log);
    match outcome? {
        exit if exit.code == 0 => Ok(()),
        exit => Err(format!("exit code {}: {}", exit.code, said.trim().replace('\n', ", "))),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
