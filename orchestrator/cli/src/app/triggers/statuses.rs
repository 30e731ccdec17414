//! Commit statuses: the git host is told how a build of its commit stands.
//!
//! | when | how |
//! |---|---|
//! | a build was made | once, and not again if the host does not answer: the end will be told |
//! | a build ended | through the outbox: on disk with the end, tried again until it is told or given up |
//!
//! Which hosts are told is configuration (`PUT /api/v1/git-hosts/HOST`), kept as documents. A host that is slow or down
//! delays nobody: each is told on a task of its own. The token goes to the configured address and follows no redirect.

use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use haliotis_engine::{OutboxRow, now};
use haliotis_model::branches::{GIT_HOSTS, GitHost, GitHostKind};
use haliotis_model::{BuildId, BuildResult, BuildSummary};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::app::credentials::{Withheld, by_server, given};

/// One request; a status is a line of JSON.
const TIMEOUT: Duration = Duration::from_secs(20);
/// While a task tells a host, the row is not due: longer than the request may take.
const LEASE_MS: u64 = 60_000;
/// After so many tries the host is not told any more.
const TRIES: u32 = 30;
/// GitHub takes 140 characters; the others more.
const DESCRIPTION_MAX: usize = 140;

/// How a build stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stand {
    Begun,
    Ended(BuildResult),
}

/// Why a host was not told.
enum Untold {
    /// It may pass.
    Later(String),
    /// It will not.
    Never(String),
}

/// Tells of builds that were made, for ever.
pub(super) async fn run(app: Arc<App>) {
    loop {
        app.nudges.told.notified().await;
        let begun = std::mem::take(&mut *app.nudges.begun.lock().unwrap_or_else(PoisonError::into_inner));
        begun.into_iter().for_each(|build| begun_one(&app, build));
    }
}

/// A build was made: tells its host, once.
fn begun_one(app: &Arc<App>, build: BuildId) {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        if let Some((host, told)) = wanted(&app, build, Stand::Begun).await
            && let Err(Untold::Later(error) | Untold::Never(error)) = tell(&app, &host, told).await
        {
            tracing::info!(%build, error, "a git host was not told that a build began");
        }
    });
}

/// A build ended: tells its host on a task of its own. `false`: nobody wants to be told, and the row is done.
pub(super) async fn ended(app: &Arc<App>, row: &OutboxRow) -> bool {
    let result = row.item.body["result"].as_str().and_then(BuildResult::parse);
    let Some(result) = result else { return false };
    let Some((host, told)) = wanted(app, row.build, Stand::Ended(result)).await else { return false };
    // The lease: whoever dies now leaves a row that is due again.
    let leased = app.store_catalog().outbox_failed(row.id, "the git host is being told", now().plus(LEASE_MS)).await;
    if let Err(error) = leased {
        tracing::warn!(%error, "the outbox cannot be written; the row is done again");
        return true;
    }
    let (app, row) = (Arc::clone(app), row.clone());
    tokio::spawn(async move {
        let catalog = app.store_catalog();
        let noted = match tell(&app, &host, told).await {
            Ok(()) => catalog.outbox_done(row.id).await,
            Err(Untold::Later(error)) if row.attempts < TRIES => {
                let pause = (2_000_u64 << row.attempts.min(9)).min(600_000);
                tracing::warn!(row = row.id, error, "a git host was not told how a build ended; it is tried again");
                catalog.outbox_failed(row.id, &error, now().plus(pause)).await
            }
            Err(Untold::Later(error) | Untold::Never(error)) => {
                tracing::error!(row = row.id, error, "a git host is not told how a build ended");
                catalog.outbox_done(row.id).await
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "the outbox cannot be written; the row is done again");
        }
    });
    true
}

/// What is told, of which repository.
struct Told {
    /// The pipeline, whose credential it must be.
    pipeline: String,
    /// Path of the repository at its host, as `team/app`.
    path: String,
    commit: String,
    stand: Stand,
    /// The status' own name at the host.
    context: String,
    url: String,
    description: String,
}

async fn wanted(app: &App, build: BuildId, stand: Stand) -> Option<(GitHost, Told)> {
    let catalog = app.store_catalog();
    let summary: BuildSummary = catalog.build(build).await.ok()??;
    let commit = summary.commit.clone()?;
    let repo = catalog.pipeline(&summary.pipeline).await.ok()??.repo?;
    let (host, path) = host_and_path(&repo)?;
    let text = catalog.document(GIT_HOSTS, &host).await.ok()??;
    let host = serde_json::from_str(&text).ok()?;
    let description = match stand {
        Stand::Begun => format!("#{} is under way", summary.number),
        Stand::Ended(result) => {
            let why = summary.message.as_deref().and_then(|text| text.lines().next()).unwrap_or("");
            let text = if why.is_empty() {
                format!("#{}: {result}", summary.number)
            } else {
                format!("#{}: {why}", summary.number)
            };
            text.chars().take(DESCRIPTION_MAX).collect()
        }
    };
    let told = Told {
        pipeline: summary.pipeline.clone(),
        path,
        commit,
        stand,
        context: format!("haliotis/{}", summary.pipeline),
        url: format!("{}/builds/{build}", app.options.base_url.trim_end_matches('/')),
        description,
    };
    Some((host, told))
}

/// `git.example:8443` and `team/app` of any form of address.
pub(super) fn host_and_path(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://").map_or((None, url), |(scheme, rest)| (Some(scheme), rest));
    let rest = rest.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(rest, |(_, rest)| rest);
    let (host, path) = match (scheme, rest.split_once(':')) {
        // `git@host:team/app`
        (None, Some((host, path))) if !host.contains('/') => (host.to_owned(), path),
        (None, _) => return None,
        (Some(scheme), _) => {
            let (host, path) = rest.split_once('/')?;
            // The port of ssh is not the one of the pages.
            let host = if scheme == "ssh" { host.split(':').next().unwrap_or(host) } else { host };
            (host.to_owned(), path)
        }
    };
    let path = path.trim_matches('/').trim_end_matches(".git");
    (!host.is_empty() && !path.is_empty()).then(|| (host.to_lowercase(), path.to_owned()))
}

pub(super) fn client() -> Option<&'static reqwest::Client> {
    static CLIENT: OnceLock<Option<reqwest::Client>> = OnceLock::new();
    let make = || reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build().ok();
    CLIENT.get_or_init(make).as_ref()
}

async fn tell(app: &App, host: &GitHost, told: Told) -> Result<(), Untold> {
    let client = client().ok_or_else(|| Untold::Later("no HTTP client could be made".to_owned()))?;
    let request = authorised(app, host, &told.pipeline, request(client, host, &told)).await?;
    let answer = request.header("user-agent", "haliotis").send().await;
    let answer = answer.map_err(|error| Untold::Later(format!("{} does not answer: {error}", host.api)))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text: String = answer.text().await.unwrap_or_default().chars().take(300).collect();
    let message = format!("{} answered {status}: {text}", host.api);
    let passing =
        status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    Err(if passing { Untold::Later(message) } else { Untold::Never(message) })
}

fn request(client: &reqwest::Client, host: &GitHost, told: &Told) -> RequestBuilder {
    let api = host.api.trim_end_matches('/');
    let Told { path, commit, stand, context, url, description, .. } = told;
    match host.kind {
        GitHostKind::Github | GitHostKind::Gitea => {
            let body = json!({"state": word(*stand, host.kind), "target_url": url, "description": description, "context": context});
            client.post(format!("{api}/repos/{path}/statuses/{commit}")).json(&body)
        }
        GitHostKind::Gitlab => {
            let project = path.replace('%', "%25").replace('/', "%2F");
            let body = json!({"state": word(*stand, host.kind), "name": context, "target_url": url, "description": description});
            client.post(format!("{api}/projects/{project}/statuses/{commit}")).json(&body)
        }
        GitHostKind::Bitbucket | GitHostKind::BitbucketDc => {
            let body = json!({"key": context, "name": context, "state": word(*stand, host.kind), "url": url, "description": description});
            let place = match host.kind {
                GitHostKind::Bitbucket => format!("{api}/repositories/{path}/commit/{commit}/statuses/build"),
                _ => format!("{api}/rest/build-status/1.0/commits/{commit}"),
            };
            client.post(place).json(&body)
        }
    }
}

/// The host's word.
fn word(stand: Stand, kind: GitHostKind) -> &'static str {
    use BuildResult::{Aborted, Success};
    use GitHostKind::{Bitbucket, BitbucketDc, Gitea, Github, Gitlab};
    match (kind, stand) {
        (Github | Gitea, Stand::Begun) => "pending",
        (Github | Gitea, Stand::Ended(Success)) => "success",
        (Github | Gitea, Stand::Ended(Aborted)) => "error",
        (Github | Gitea, Stand::Ended(_)) => "failure",
        (Gitlab, Stand::Begun) => "running",
        (Gitlab, Stand::Ended(Success)) => "success",
        (Gitlab, Stand::Ended(Aborted)) => "canceled",
        (Gitlab, Stand::Ended(_)) => "failed",
        (Bitbucket | BitbucketDc, Stand::Begun) => "INPROGRESS",
        (Bitbucket | BitbucketDc, Stand::Ended(Success)) => "SUCCESSFUL",
        (Bitbucket, Stand::Ended(Aborted)) => "STOPPED",
        (Bitbucket | BitbucketDc, Stand::Ended(_)) => "FAILED",
    }
}

async fn authorised(
    app: &App,
    host: &GitHost,
    pipeline: &str,
    request: RequestBuilder,
) -> Result<RequestBuilder, Untold> {
    let wish = by_server(pipeline, None, &host.api);
    let stored = given(app.store_catalog(), &host.credential, &wish).await.map_err(|error| match error {
        Withheld::Store(error) => Untold::Later(error.to_string()),
        other => Untold::Never(other.to_string()),
    })?;
    let field =
        |names: &[&str]| names.iter().find_map(|name| stored.fields.get(*name)).filter(|value| !value.is_empty());
    let password = field(&["text", "token", "secret", "password", "value"]);
    let password = password.ok_or_else(|| Untold::Never(format!("credential `{}` holds no token", host.credential)))?;
    Ok(match (host.kind, field(&["username"])) {
        (GitHostKind::Gitlab, _) => request.header("private-token", password),
        (GitHostKind::Gitea, _) => request.header("authorization", format!("token {password}")),
        (GitHostKind::Bitbucket, Some(user)) => request.basic_auth(user, Some(password)),
        _ => request.bearer_auth(password),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_path() {
        for (url, host, path) in [
            ("https://github.com/team/app.git", "github.com", "team/app"),
            ("git@Git.example:team/app.git", "git.example", "team/app"),
            ("ssh://git@git.example:7999/team/app", "git.example", "team/app"),
            ("http://127.0.0.1:8443/group/sub/app.git", "127.0.0.1:8443", "group/sub/app"),
        ] {
            assert_eq!(host_and_path(url), Some((host.to_owned(), path.to_owned())), "{url}");
        }
        for url in ["/srv/app.git", "file:///srv/app.git", "https://github.com"] {
            assert_eq!(host_and_path(url), None, "{url}");
        }
    }
}
