//! Looks that cost a git host nothing when nothing changed: GitHub's API answers `If-None-Match` with 304, which does not
//! count against the rate limit of a caller who is logged in
//! (docs.github.com, "Best practices for using the REST API", "Use conditional requests").
//!
//! Asked in this way are repositories of hosts that are configured as GitHub (`PUT /api/v1/git-hosts/HOST`), with the
//! repository's own credential, which must be for the host of the API as well. Whatever answers otherwise than expected
//! (a renamed repository's redirect, a token without the right) is left to git: `AskGit`. No redirect is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haliotis_model::branches::{GIT_HOSTS, GitHost, GitHostKind};
use haliotis_scm::{Credential, ScmError};
use reqwest::{Response, StatusCode, header};

use super::statuses::{client, host_and_path};
use crate::app::App;

/// A request for each branch; a repository with more watched ones is asked once by git.
const BRANCHES_MOST: usize = 4;
/// Answers that are remembered; a polled branch is one.
const SEEN_MOST: usize = 20_000;
/// A full hash, as `application/vnd.github.sha` gives it.
const HASH_CHARS: usize = 40;

/// What hosts answered last, by address: their tag and the commit.
#[derive(Default)]
pub(super) struct Seen(Mutex<BTreeMap<String, (String, String)>>);

/// What came of a look.
pub(super) enum Look {
    /// Branches with their commits.
    Commits(Vec<(String, String)>),
    /// The host wants to be left alone.
    Busy(ScmError),
    /// It cannot be asked in this way.
    AskGit,
}

/// One look at the branches of a repository.
pub(super) async fn look(
    app: &App,
    seen: &Seen,
    repo: &str,
    branches: &BTreeSet<String>,
    credential: Option<&Credential>,
) -> Look {
    let Some((host, path)) = host_and_path(repo) else { return Look::AskGit };
    let Some((_, token)) = credential.and_then(Credential::https) else { return Look::AskGit };
    if branches.len() > BRANCHES_MOST {
        return Look::AskGit;
    }
    let Some(api) = api(app, &host).await else { return Look::AskGit };
    let mut commits = Vec::new();
    for branch in branches {
        let address = format!("{api}/repos/{path}/commits/heads/{}", encoded(branch));
        match one(seen, &address, token.expose()).await {
            Answer::Commit(commit) => commits.push((branch.clone(), commit)),
            Answer::Busy(after) => {
                let detail = format!("{api} answered that it is asked too often");
                return Look::Busy(ScmError::Busy { url: repo.to_owned(), detail, after });
            }
            Answer::Else => return Look::AskGit,
        }
    }
    Look::Commits(commits)
}

/// The base of the API, for a host that is GitHub and is the address' own or a part of it (`api.github.com`).
async fn api(app: &App, host: &str) -> Option<String> {
    let text = app.store_catalog().document(GIT_HOSTS, host).await.ok()??;
    let known: GitHost = serde_json::from_str(&text).ok()?;
    let haliotis_model::bounds::Destination::Host(name, _) = haliotis_scm::destination(&known.api) else { return None };
    let own = host.split(':').next().unwrap_or(host);
    let same = name == own || name.strip_suffix(own).is_some_and(|sub| sub.ends_with('.'));
    (known.kind == GitHostKind::Github && same).then(|| known.api.trim_end_matches('/').to_owned())
}

enum Answer {
    Commit(String),
    Busy(Option<Duration>),
    Else,
}

async fn one(seen: &Seen, address: &str, token: &str) -> Answer {
    let Some(client) = client() else { return Answer::Else };
    let known = seen.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
    let mut request = client
        .get(address)
        .header(header::USER_AGENT, "haliotis")
        .header(header::ACCEPT, "application/vnd.github.sha")
        .bearer_auth(token);
    if let Some((tag, _)) = &known {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let Ok(answer) = request.send().await else { return Answer::Else };
    match (answer.status(), known) {
        (StatusCode::NOT_MODIFIED, Some((_, commit))) => Answer::Commit(commit),
        (StatusCode::OK, _) => fresh(seen, address, answer).await,
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE, _) => busy(&answer),
        _ => Answer::Else,
    }
}

async fn fresh(seen: &Seen, address: &str, answer: Response) -> Answer {
    let tag = text(&answer, "etag").map(str::to_owned);
    let Ok(commit) = answer.text().await else { return Answer::Else };
    let commit = commit.trim().to_owned();
    if commit.len() != HASH_CHARS || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Answer::Else;
    }
    if let Some(tag) = tag {
        let mut all = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SEEN_MOST {
            all.clear();
        }
        all.insert(address.to_owned(), (tag, commit.clone()));
    }
    Answer::Commit(commit)
}

/// `Retry-After`, or the end of GitHub's hour when its count is used up; a 403 with neither is about rights.
fn busy(answer: &Response) -> Answer {
    let number = |name| text(answer, name).and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(seconds) = number("retry-after") {
        return Answer::Busy(Some(Duration::from_secs(seconds)));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        return Answer::Busy(number("x-ratelimit-reset").map(|at| Duration::from_secs(at.saturating_sub(now))));
    }
    if answer.status() == StatusCode::FORBIDDEN { Answer::Else } else { Answer::Busy(None) }
}

fn text<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

/// A branch in a path; its `/` are the path's own.
fn encoded(branch: &str) -> String {
    let mut out = String::with_capacity(branch.len());
    for byte in branch.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::extract::State;
    use axum::http::HeaderMap;
    use axum::response::IntoResponse;
    use axum::{Router, routing::get};

    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    /// Answers as GitHub does; counts what it had to answer in full.
    async fn github() -> (String, Arc<AtomicUsize>) {
        let full = Arc::new(AtomicUsize::new(0));
        let commit = async |State(full): State<Arc<AtomicUsize>>, headers: HeaderMap| {
            if headers.get("authorization").is_none_or(|value| value != "Bearer t0k") {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            if headers.get("if-none-match").is_some_and(|tag| tag == "\"one\"") {
                return StatusCode::NOT_MODIFIED.into_response();
            }
            full.fetch_add(1, Ordering::SeqCst);
            ([("etag", "\"one\"")], COMMIT).into_response()
        };
        let router = Router::new()
            .route("/repos/a/b/commits/heads/main", get(commit))
            .route("/busy", get(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "9")], "")))
            .route(
                "/spent",
                get(async || (StatusCode::FORBIDDEN, [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")], "")),
            )
            .route("/refused", get(async || StatusCode::FORBIDDEN))
            .route(
                "/moved",
                get(async || (StatusCode::MOVED_PERMANENTLY, [("location", "/repos/a/b/commits/heads/main")], "")),
            )
            .with_state(Arc::clone(&full));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (address, full)
    }

    #[tokio::test]
    async fn what_did_not_change_is_not_sent_again() {
        crate::app::install_tls();
        let (at, full) = github().await;
        let seen = Seen::default();
        let address = format!("{at}/repos/a/b/commits/heads/main");
        for _ in 0..3 {
            assert!(matches!(one(&seen, &address, "t0k").await, Answer::Commit(commit) if commit == COMMIT));
        }
        assert_eq!(full.load(Ordering::SeqCst), 1, "the second and third were answered with 304");
    }

    #[tokio::test]
    async fn what_a_host_says_of_its_limits_is_heard() {
        crate::app::install_tls();
        let (at, _) = github().await;
        let seen = Seen::default();
        let ask = async |path: &str| one(&seen, &format!("{at}{path}"), "t0k").await;
        assert!(matches!(ask("/busy").await, Answer::Busy(Some(pause)) if pause == Duration::from_secs(9)));
        assert!(matches!(ask("/spent").await, Answer::Busy(Some(pause)) if pause.is_zero()));
        for path in ["/refused", "/moved", "/nothing"] {
            assert!(matches!(ask(path).await, Answer::Else), "{path} is left to git");
        }
    }

    #[test]
    fn branches_in_addresses() {
        assert_eq!(encoded("feature/a b#1?"), "feature/a%20b%231%3F");
    }
}
