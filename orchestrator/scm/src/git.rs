//! The one place that starts the `git` program. It does what touches the network; git2 reads what it brought.
//!
//! What every call has: no prompt (nobody is there to answer), a time limit after which the whole process group is
//! killed, a cap on what is read of its output, an allow-list of protocols, `--` before every address, messages in
//! English. A credential is given to git by environment through a helper that answers for the address's own origin
//! alone, so neither arguments nor logs nor another host ever see it; the user's own helpers are not asked and nothing
//! is stored. A key for ssh lies in a private temporary file while the call lasts.
//!
//! All calls block. `poll` and `mirror` wrap them for async callers; a dropped future leaves its call to end by itself
//! within the time limit.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use haliotis_model::Secret;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::classify::classify;
use crate::{Credential, RepoUrl, ScmError, Transport};

/// A look at one branch: one request. A host that needs longer is as good as gone for this round.
pub const LS_REMOTE_TIMEOUT: Duration = Duration::from_secs(30);
/// A first fetch may bring a large repository.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// A push of one small commit.
pub const PUSH_TIMEOUT: Duration = Duration::from_secs(120);
/// Of each output stream; a branch's line has about 70 bytes, a message a few hundred.
const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// Protocols that git itself may use, also after a redirect or an `insteadOf` of the user's configuration.
const PROTOCOLS: &str = "file:git:http:https:ssh";
/// What the credential helper is: a shell function that knows nothing but two variables.
const HELPER: &str = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$HALIOTIS_GIT_USERNAME" "$HALIOTIS_GIT_PASSWORD"; }; f"#;

/// The commit that a branch is at; `None` when the repository has no such branch.
///
/// # Errors
/// Those of [`ScmError`] about the host, the credential and the repository.
pub fn ls_remote(url: &RepoUrl, branch: &str, credential: Option<&Credential>) -> Result<Option<String>, ScmError> {
    let reference = branch_ref(branch)?;
    if let Some(commit) = look_locally(url, &reference) {
        return Ok(commit);
    }
    let out =
        Git::new("ls-remote", url, credential, LS_REMOTE_TIMEOUT).run(&["--refs", "--", url.as_str(), &reference])?;
    // The pattern also matches `refs/heads/x/refs/heads/main`.
    Ok(out.lines().find_map(|line| match line.split_once('\t') {
        Some((commit, name)) if name == reference => Some(commit.to_owned()),
        _ => None,
    }))
}

/// A repository on this machine can be read without starting two programs. Whatever is unusual about it (not there,
/// another owner's, of a format that libgit2 does not know) is left to git: `None`.
fn look_locally(url: &RepoUrl, reference: &str) -> Option<Option<String>> {
    let path = url.as_str().strip_prefix("file://").unwrap_or(url.as_str());
    if url.transport() != Transport::Local || path.contains('%') {
        return None;
    }
    let repo = git2::Repository::open(path).ok()?;
    match repo.find_reference(reference) {
        Ok(found) => Some(Some(found.resolve().ok()?.target()?.to_string())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Some(None),
        Err(_) => None,
    }
}

/// All branches with their commits, by name.
///
/// # Errors
/// As [`ls_remote`].
pub fn branches(url: &RepoUrl, credential: Option<&Credential>) -> Result<Vec<(String, String)>, ScmError> {
    let out =
        Git::new("ls-remote", url, credential, LS_REMOTE_TIMEOUT).run(&["--refs", "--heads", "--", url.as_str()])?;
    let pairs = out.lines().filter_map(|line| line.split_once('\t'));
    Ok(pairs
        .filter_map(|(commit, name)| Some((name.strip_prefix("refs/heads/")?.to_owned(), commit.to_owned())))
        .collect())
}

/// All references with their commits, by name: branches, tags (an annotated one with the commit it stands for), and what
/// hosts keep of pull requests below `refs/pull`, `refs/merge-requests` and `refs/pull-requests`.
///
/// # Errors
/// As [`ls_remote`].
pub fn references(url: &RepoUrl, credential: Option<&Credential>) -> Result<Vec<(String, String)>, ScmError> {
    let out = Git::new("ls-remote", url, credential, LS_REMOTE_TIMEOUT).run(&["--", url.as_str()])?;
    let mut all: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for (commit, name) in out.lines().filter_map(|line| line.split_once('\t')).filter(|(_, name)| *name != "HEAD") {
        // `^{}` follows the tag it peels.
        all.insert(name.strip_suffix("^{}").unwrap_or(name).to_owned(), commit.to_owned());
    }
    Ok(all.into_iter().collect())
}

/// The commit that a branch, a tag (what an annotated one points to) or a full hash names, in this order; `None` when the
/// repository has none of them. A full hash is not looked for: the fetch will tell.
///
/// # Errors
/// As [`ls_remote`].
pub fn revision(url: &RepoUrl, name: &str, credential: Option<&Credential>) -> Result<Option<String>, ScmError> {
    if name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(name.to_owned()));
    }
    let plain = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name);
    let branch = branch_ref(plain)?;
    let tag = format!("refs/tags/{plain}");
    let peeled = format!("{tag}^{{}}");
    let wanted: &[&str] = if name.starts_with("refs/tags/") { &[&peeled, &tag] } else { &[&branch, &peeled, &tag] };
    let mut args = vec!["--", url.as_str()];
    args.extend_from_slice(wanted);
    let out = Git::new("ls-remote", url, credential, LS_REMOTE_TIMEOUT).run(&args)?;
    let found = |reference: &str| {
        out.lines()
            .find_map(|line| line.split_once('\t').filter(|(_, name)| *name == reference))
            .map(|(commit, _)| commit)
    };
    Ok(wanted.iter().find_map(|reference| found(reference)).map(str::to_owned))
}

/// Fetches into the bare repository `into` what `refspecs` name; tags are left out.
///
/// # Errors
/// As [`ls_remote`].
pub fn fetch(into: &Path, url: &RepoUrl, refspecs: &[&str], credential: Option<&Credential>) -> Result<(), ScmError> {
    let mut args = vec!["--force", "--prune", "--no-tags", "--quiet", "--no-write-fetch-head", "--", url.as_str()];
    args.extend_from_slice(refspecs);
    Git::new("fetch", url, credential, FETCH_TIMEOUT).at(into).run(&args).map(drop)
}

/// Pushes `commit` of the bare repository `from` to a branch that is at `expected` (`None`: that does not exist).
///
/// # Errors
/// `PushRefused` when the branch is elsewhere by now or the host forbids it; else as [`ls_remote`].
pub fn push(
    from: &Path,
    url: &RepoUrl,
    commit: &str,
    branch: &str,
    expected: Option<&str>,
    credential: Option<&Credential>,
) -> Result<(), ScmError> {
    let reference = branch_ref(branch)?;
    let lease = format!("--force-with-lease={reference}:{}", expected.unwrap_or_default());
    let refspec = format!("{commit}:{reference}");
    let git = Git::new("push", url, credential, PUSH_TIMEOUT).at(from);
    git.run(&["--porcelain", "--no-verify", &lease, "--", url.as_str(), &refspec]).map(drop).map_err(
        |error| match error {
            ScmError::Git { url, detail, .. } => ScmError::PushRefused { url, branch: branch.into(), detail },
            other => other,
        },
    )
}

/// `refs/heads/BRANCH`, if git takes it as a name.
pub(crate) fn branch_ref(branch: &str) -> Result<String, ScmError> {
    let reference = format!("refs/heads/{branch}");
    if branch.starts_with('-') || !git2::Reference::is_valid_name(&reference) {
        let reason = "git does not allow it as the name of a branch".into();
        return Err(ScmError::BadName { what: "branch", value: branch.into(), reason });
    }
    Ok(reference)
}

/// One call of git.
struct Git<'a> {
    verb: &'a str,
    url: &'a RepoUrl,
    credential: Option<&'a Credential>,
    timeout: Duration,
    folder: Option<&'a Path>,
}

impl<'a> Git<'a> {
    fn new(verb: &'a str, url: &'a RepoUrl, credential: Option<&'a Credential>, timeout: Duration) -> Self {
        Git { verb, url, credential: credential.or(url.embedded()), timeout, folder: None }
    }

    fn at(mut self, folder: &'a Path) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Runs it and gives what it printed.
    fn run(&self, args: &[&str]) -> Result<String, ScmError> {
        let key = self.key_file()?;
        let mut command = self.command(key.as_ref().map(tempfile::NamedTempFile::path))?;
        command.arg(self.verb).args(args);
        tracing::debug!(verb = self.verb, url = self.url.as_str(), "git");
        let child = command.spawn().map_err(ScmError::NoGit)?;
        let ended = wait(child, self.timeout).map_err(|source| ScmError::Io { path: "git".into(), source })?;
        match ended {
            Ended::TimedOut => Err(ScmError::Timeout {
                what: self.verb.into(),
                url: self.url.to_string(),
                seconds: self.timeout.as_secs(),
            }),
            Ended::TooMuch => Err(ScmError::TooLarge {
                what: format!("what git {} of {} prints", self.verb, self.url),
                limit: MAX_OUTPUT_BYTES,
            }),
            Ended::Done { status, stdout, .. } if status.success() => Ok(stdout),
            Ended::Done { status, stdout, stderr } => Err(self.failure(status, &stdout, &stderr)),
        }
    }

    fn failure(&self, status: ExitStatus, stdout: &str, stderr: &str) -> ScmError {
        if let Some(signal) = status.signal() {
            let detail = format!("ended by signal {signal}");
            return ScmError::Git { what: self.verb.into(), url: self.url.to_string(), detail };
        }
        // A refused push is told on standard output, one `!` line per branch.
        match stdout.lines().find(|line| line.starts_with('!')) {
            Some(line) => ScmError::Git {
                what: self.verb.into(),
                url: self.url.to_string(),
                detail: line.trim_start_matches('!').replace('\t', " ").trim().to_owned(),
            },
            None => classify(self.verb, self.url, stderr),
        }
    }

    fn command(&self, key: Option<&Path>) -> Result<Command, ScmError> {
        let mut command = Command::new("git");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "false")
            .env("SSH_ASKPASS", "false")
            .env("GCM_INTERACTIVE", "never")
            .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
            .env("GIT_SSH_COMMAND", ssh_command(key))
            .env("LC_ALL", "C");
        // A server started from a git hook must not work on the hook's repository.
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_TRACE",
            "GIT_TRACE_CURL",
            "GIT_CURL_VERBOSE",
        ] {
            command.env_remove(name);
        }
        // Not where the server happens to stand: a repository there has settings of its own, as other addresses.
        command.current_dir(self.folder.unwrap_or(Path::new("/")));
        // No housekeeping in the background: it would outlive the call and its lock.
        command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.hooksPath=/dev/null"]);
        // A host that sends less than 1 kB/s for 30 s is gone.
        command.args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30"]);
        if self.verb == "ls-remote" && self.url.transport() == Transport::Http {
            // The one way to hear `Retry-After`. Headers alone; git leaves credentials out of its trace.
            command.env("GIT_TRACE_CURL", "2").env("GIT_TRACE_CURL_NO_DATA", "1").env("GIT_TRACE_REDACT", "1");
        }
        self.give_credential(&mut command)?;
        Ok(command)
    }

    /// Name and password by environment, for the address's own origin alone.
    fn give_credential(&self, command: &mut Command) -> Result<(), ScmError> {
        let Some((username, password)) = self.credential.and_then(Credential::https) else { return Ok(()) };
        let Some(origin) = self.url.http_origin() else { return Ok(()) };
        for text in [username, password.expose()] {
            if text.contains(['\n', '\r', '\0']) {
                let reason = "its name or password holds a line end".into();
                return Err(ScmError::BadName { what: "credential", value: "for ".to_owned() + &origin, reason });
            }
        }
        command.args(["-c", "credential.helper="]);
        command.arg("-c").arg(format!("credential.{origin}.helper={HELPER}"));
        command.env("HALIOTIS_GIT_USERNAME", username).env("HALIOTIS_GIT_PASSWORD", password.expose());
        Ok(())
    }

    fn key_file(&self) -> Result<Option<tempfile::NamedTempFile>, ScmError> {
        match self.credential {
            Some(Credential::SshKey { key }) if self.url.transport() == Transport::Ssh => {
                let failed = |source| ScmError::Io { path: "a temporary file for the ssh key".into(), source };
                write_key(key).map(Some).map_err(failed)
            }
            _ => Ok(None),
        }
    }
}

/// A file that ssh takes: private to the user (as temporary files are), a line end at the end.
fn write_key(key: &Secret) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("haliotis-key-").tempfile()?;
    file.write_all(key.expose().trim_end().as_bytes())?;
    file.write_all(b"\n")?;
    Ok(file)
}

fn ssh_command(key: Option<&Path>) -> String {
    let base = "ssh -oBatchMode=yes -oConnectTimeout=20";
    match key {
        Some(path) => format!("{base} -oIdentitiesOnly=yes -i '{}'", path.display()),
        None => base.to_owned(),
    }
}

enum Ended {
    Done { status: ExitStatus, stdout: String, stderr: String },
    TimedOut,
    TooMuch,
}

/// Waits for the end of the process and of its output; at the limit the whole group is killed.
fn wait(mut child: Child, timeout: Duration) -> std::io::Result<Ended> {
    let until = Instant::now() + timeout;
    let (sender, receiver) = mpsc::channel();
    for (place, pipe) in [(0, child.stdout.take().map(boxed)), (1, child.stderr.take().map(boxed))] {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let read = pipe.map_or(Ok(Vec::new()), read_capped);
            // The receiver is gone when the time was up; nobody wants the output then.
            let _ = sender.send((place, read));
        });
    }
    let mut outputs = [String::new(), String::new()];
    for _ in 0..2 {
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((place, Ok(bytes))) if bytes.len() <= MAX_OUTPUT_BYTES => {
                outputs[place] = String::from_utf8_lossy(&bytes).into_owned();
            }
            Ok((_, Ok(_))) => return end(child, Ended::TooMuch),
            Ok((_, Err(error))) => {
                end(child, Ended::TimedOut)?;
                return Err(error);
            }
            Err(_) => return end(child, Ended::TimedOut),
        }
    }
    // Both pipes are closed, so git is at its end.
    let status = child.wait()?;
    let [stdout, stderr] = outputs;
    Ok(Ended::Done { status, stdout, stderr })
}

fn boxed(pipe: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(pipe)
}

/// At most one byte more than the cap, which tells that there was more.
fn read_capped(pipe: Box<dyn Read + Send>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(MAX_OUTPUT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn end(mut child: Child, how: Ended) -> std::io::Result<Ended> {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended just now; then there is no group any more.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    child.wait()?;
    Ok(how)
}

/// What `git --version` says; `None` when there is no git on PATH. For `haliotis doctor`.
pub fn version() -> Option<String> {
    let out = Command::new("git").arg("--version").stdin(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, HttpHost};

    fn url(text: &str) -> RepoUrl {
        RepoUrl::parse(text).unwrap()
    }

    #[test]
    fn a_branch_is_found_and_an_absent_one_is_none() {
        let repo = Fixture::new();
        let commit = repo.commit("a.txt", "one", "first");
        assert_eq!(ls_remote(&repo.url(), "main", None).unwrap().unwrap(), commit);
        assert_eq!(ls_remote(&repo.url(), "other", None).unwrap(), None);
        assert_eq!(branches(&repo.url(), None).unwrap(), [("main".to_owned(), commit)]);
    }

    #[test]
    fn a_branch_whose_name_ends_alike_is_another() {
        let repo = Fixture::new();
        repo.commit_on("x/refs/heads/main", "a.txt", "one", "first");
        assert_eq!(ls_remote(&repo.url(), "main", None).unwrap(), None);
    }

    #[test]
    fn a_repository_that_is_gone_is_named() {
        let error = ls_remote(&url("/nowhere/abalone.git"), "main", None).unwrap_err();
        assert!(matches!(error, ScmError::RepositoryGone { .. }), "{error}");
        assert!(error.to_string().contains("/nowhere/abalone.git"));
        assert!(!error.is_passing());
    }

    #[test]
    fn a_host_that_is_gone_is_named_and_passing() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = ls_remote(&url(&format!("http://127.0.0.1:{port}/a/b.git")), "main", None).unwrap_err();
        assert!(matches!(error, ScmError::HostGone { .. }), "{error}");
        assert!(error.is_passing());
    }

    #[test]
    fn bad_branch_names_never_reach_git() {
        for branch in ["", "-x", "a..b", "a b", "a~1", "main.lock", "*"] {
            assert!(matches!(ls_remote(&url("/x"), branch, None), Err(ScmError::BadName { .. })), "{branch:?}");
        }
    }

    #[test]
    fn a_credential_opens_a_repository_over_http_and_a_wrong_one_is_refused() {
        let repo = Fixture::new();
        let commit = repo.commit("a.txt", "one", "first");
        let host = HttpHost::serve(repo.path(), "ada", "p%ss w'$x");
        let right = Credential::UserPassword { username: "ada".into(), password: Secret::new("p%ss w'$x") };
        assert_eq!(ls_remote(&url(&host.url()), "main", Some(&right)).unwrap().unwrap(), commit);
        let wrong = Credential::UserPassword { username: "ada".into(), password: Secret::new("s3cr3t") };
        for given in [Some(&wrong), None] {
            let error = ls_remote(&url(&host.url()), "main", given).unwrap_err();
            assert!(matches!(error, ScmError::AuthRefused { .. }), "{error}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
    }

    #[test]
    fn a_credential_is_not_given_to_the_host_of_a_redirect() {
        let thief = HttpHost::collect();
        let host = HttpHost::redirect(&thief.url());
        let credential = Credential::UserPassword { username: "ada".into(), password: Secret::new("s3cr3t") };
        assert!(ls_remote(&url(&host.url()), "main", Some(&credential)).is_err());
        assert!(!thief.seen().is_empty(), "the redirect was followed");
        assert!(thief.seen().iter().all(|request| !request.to_lowercase().contains("authorization:")));
    }

    #[test]
    fn a_host_that_never_answers_is_given_up() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = url(&format!("http://{}/a.git", silent.local_addr().unwrap()));
        let started = Instant::now();
        let error = Git::new("ls-remote", &address, None, Duration::from_millis(400))
            .run(&["--", address.as_str()])
            .unwrap_err();
        assert!(matches!(error, ScmError::Timeout { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_push_is_bound_to_what_was_seen() {
        let repo = Fixture::new();
        let first = repo.commit("a.txt", "one", "first");
        let copy = Fixture::new();
        fetch(copy.path(), &repo.url(), &["+refs/heads/*:refs/heads/*"], None).unwrap();
        let second = copy.commit("a.txt", "two", "second");
        let meanwhile = repo.commit("b.txt", "three", "meanwhile");
        let error = push(copy.path(), &repo.url(), &second, "main", Some(&first), None).unwrap_err();
        assert!(matches!(error, ScmError::PushRefused { .. }), "{error}");
        assert_eq!(ls_remote(&repo.url(), "main", None).unwrap().unwrap(), meanwhile);
        let taken = push(copy.path(), &repo.url(), &second, "main", None, None).unwrap_err();
        assert!(matches!(taken, ScmError::PushRefused { .. }), "{taken}");
        push(copy.path(), &repo.url(), &second, "other", None, None).unwrap();
        assert_eq!(ls_remote(&repo.url(), "other", None).unwrap().unwrap(), second);
    }

    #[test]
    fn a_key_file_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let file = write_key(&Secret::new("KEY\n\n")).unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "KEY\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(ssh_command(Some(&path)).contains("-oIdentitiesOnly=yes"));
        drop(file);
        assert!(!path.exists());
    }
}
