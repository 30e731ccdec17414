//! What git's words mean. Git has one exit code (128) for nearly everything, so its English messages decide; the
//! program is run under `LC_ALL=C` for this. What is not recognised stays as git said it.

use std::time::Duration;

use crate::{RepoUrl, ScmError};

/// In each line of git's trace of curl; redacted of credentials by git itself.
const TRACE: &str = " http.c:";

/// Phrases of git, curl and ssh, the most telling first: a host that wants a password for a repository that is not
/// there says both.
const PHRASES: &[(&str, Kind)] = &[
    ("could not resolve host", Kind::Host),
    ("could not resolve proxy", Kind::Host),
    ("name or service not known", Kind::Host),
    ("temporary failure in name resolution", Kind::Host),
    ("failed to connect", Kind::Host),
    ("couldn't connect", Kind::Host),
    ("could not connect", Kind::Host),
    ("connection refused", Kind::Host),
    ("connection timed out", Kind::Host),
    ("connection reset", Kind::Host),
    ("network is unreachable", Kind::Host),
    ("no route to host", Kind::Host),
    ("operation timed out", Kind::Host),
    ("empty reply from server", Kind::Host),
    ("unable to look up", Kind::Host),
    ("returned error: 429", Kind::Busy),
    ("returned error: 503", Kind::Busy),
    ("returned error: 5", Kind::Host),
    ("ssl certificate", Kind::Host),
    ("ssl_connect", Kind::Host),
    ("gnutls_handshake", Kind::Host),
    ("tls connect error", Kind::Host),
    ("host key verification failed", Kind::Auth),
    ("authentication failed", Kind::Auth),
    ("could not read username", Kind::Auth),
    ("could not read password", Kind::Auth),
    ("permission denied (", Kind::Auth),
    ("permission to ", Kind::Auth),
    ("access denied", Kind::Auth),
    ("returned error: 401", Kind::Auth),
    ("returned error: 403", Kind::Auth),
    ("invalid credentials", Kind::Auth),
    ("repository not found", Kind::Gone),
    ("does not appear to be a git repository", Kind::Gone),
    ("does not exist", Kind::Gone),
    ("not a git repository", Kind::Gone),
    ("returned error: 404", Kind::Gone),
    ("returned error: 410", Kind::Gone),
    ("repository not exported", Kind::Gone),
    ("not found", Kind::Gone),
    ("no such file or directory", Kind::Gone),
];

#[derive(Clone, Copy)]
enum Kind {
    Host,
    Busy,
    Auth,
    Gone,
}

/// The error for a git verb that ended with a failure and said `stderr`.
pub(crate) fn classify(verb: &str, url: &RepoUrl, stderr: &str) -> ScmError {
    let (heard, stderr) = without_trace(stderr);
    let detail = telling(&stderr);
    let lower = stderr.to_ascii_lowercase();
    let url = url.to_string();
    match PHRASES.iter().find(|(phrase, _)| lower.contains(phrase)) {
        Some((_, Kind::Busy)) => ScmError::Busy { url, detail, after: heard.and_then(|text| patience(&text)) },
        Some((_, Kind::Host)) => ScmError::HostGone { url, detail },
        Some((_, Kind::Auth)) => ScmError::AuthRefused { url, detail },
        Some((_, Kind::Gone)) => ScmError::RepositoryGone { url, detail },
        None => ScmError::Git { what: verb.into(), url, detail },
    }
}

/// The value of the last `Retry-After` among the headers that git's trace of curl shows, and what git said beside it.
fn without_trace(stderr: &str) -> (Option<String>, String) {
    let mut heard = None;
    let mut said = Vec::new();
    for line in stderr.lines() {
        // `10:00:00.000000 http.c:882              <= Recv header: retry-after: 120`
        let Some((_, traced)) = line.split_once(TRACE) else {
            said.push(line);
            continue;
        };
        let header = traced.split_once("<= Recv header: ").and_then(|(_, header)| header.split_once(':'));
        if let Some((_, value)) = header.filter(|(name, _)| name.eq_ignore_ascii_case("retry-after")) {
            heard = Some(value.trim().to_owned());
        }
    }
    (heard, said.join("\n"))
}

/// `Retry-After` in seconds. The form with a date is rare among git hosts and is no number: the usual back-off is used.
fn patience(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

/// The lines that say what went wrong, without git's general advice; at most 400 characters.
fn telling(stderr: &str) -> String {
    let advice = ["please make sure", "and the repository exists", "could not read from remote", "hint:", "warning:"];
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !advice.iter().any(|words| line.to_ascii_lowercase().contains(words)))
        .collect();
    let text = if lines.is_empty() { stderr.trim().to_owned() } else { lines.join("; ") };
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "git gave no reason".into(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_git_are_told_apart() {
        let url = RepoUrl::parse("https://git.example/a/b.git").unwrap();
        let cases = [
            ("fatal: unable to access 'https://git.example/': Could not resolve host: git.example", "reached"),
            (
                "ssh: connect to host git.example port 22: Connection refused\nfatal: Could not read from remote",
                "reached",
            ),
            ("fatal: could not read Username for 'https://git.example': terminal prompts disabled", "credential"),
            ("git@git.example: Permission denied (publickey).", "credential"),
            (
                "remote: Repository not found.\nfatal: repository 'https://git.example/a/b.git/' not found",
                "moved or deleted",
            ),
            ("fatal: '/srv/x' does not appear to be a git repository", "moved or deleted"),
            ("fatal: the remote end hung up unexpectedly", "git fetch of"),
        ];
        for (stderr, words) in cases {
            let message = classify("fetch", &url, stderr).to_string();
            assert!(message.contains(words), "{stderr:?} gave {message:?}");
        }
    }

    #[test]
    fn a_busy_host_says_how_long_it_wants_to_be_left_alone() {
        let url = RepoUrl::parse("https://git.example/a/b.git").unwrap();
        let said = "10:00:00.000001 http.c:882              <= Recv header: HTTP/1.1 429 Too Many Requests\n\
                    10:00:00.000002 http.c:882              <= Recv header: Retry-After: 120\n\
                    fatal: unable to access 'https://git.example/a/b.git/': The requested URL returned error: 429";
        let error = classify("ls-remote", &url, said);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
        assert!(error.is_passing() && !error.to_string().contains("http.c"), "{error}");
        let silent = classify("ls-remote", &url, "fatal: The requested URL returned error: 503");
        assert!(matches!(silent, ScmError::Busy { after: None, .. }));
    }

    #[test]
    fn advice_is_left_out_and_length_is_bounded() {
        let url = RepoUrl::parse("/srv/x").unwrap();
        let said = "fatal: odd\n\nPlease make sure you have the correct access rights\nand the repository exists.";
        assert_eq!(classify("fetch", &url, said).to_string(), "git fetch of /srv/x failed: fatal: odd");
        assert!(classify("fetch", &url, &"x".repeat(9000)).to_string().len() < 500);
        assert!(classify("fetch", &url, "").to_string().ends_with("git gave no reason"));
    }
}
