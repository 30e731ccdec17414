//! Webhooks: verified and on disk before they are acknowledged, carried out after.
//!
//! ```text
//! request -> whose headers -> secrets of that host? -> signature -> row in `deliveries` -> 200
//!                              none: the row says "polled", and polling looks now; nothing of the body is believed
//! row without an outcome -> parse -> builds (one for each pipeline, branch and commit) -> outcome
//! ```
//!
//! - **The same delivery twice**: the row is there; 200 `duplicate`, and nothing starts.
//! - **Two deliveries of one push**, or a delivery and polling: a build's `once` key is pipeline, branch and commit, so
//!   there is one build whoever comes first.
//! - **A kill after the acknowledgement**: the row has no outcome yet, and the next start carries it out.
//! - **A kill before it**: the host was not answered and sends again, or polling finds the commit.
//! - **A secret set while deliveries wait**: those were verified when they came, or they do not wait.
//! - **A repository that cannot be read**: the row waits and is tried again, others are not held up; after
//!   [`GIVE_UP_MS`] polling is left to find the commit.
//!
//! Secrets are credentials with ids `hook:HOST` and `hook:HOST:REPOSITORY` (`haliotis hook`), so they are sealed like all.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::HeaderMap;
use haliotis_engine::trigger::TriggerEvent;
use haliotis_engine::{Delivery, now};
use haliotis_scm::webhook::{self, Change, Host, Push, ScmEvent};
use haliotis_server::{HookAnswer, Hooks};
use tokio::task::JoinSet;

use crate::app::App;

/// Ids of credentials that are secrets of webhooks begin so.
pub const PREFIX: &str = "hook:";
/// A payload is kept whole up to here; of a larger one nothing is carried out, and polling finds the commit.
const KEPT_BYTES: usize = 1 << 20;
/// A nudge comes with every delivery; this catches what a nudge missed, and what is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Deliveries of one round.
const ROWS: u32 = 200;
/// Deliveries carried out at once; each may read a repository.
const AT_ONCE: usize = 8;
/// After so long polling has found the commit, or nothing will: 1 hour.
const GIVE_UP_MS: u64 = 3_600_000;

/// Hears git hosts for an app.
pub struct GitHooks(pub Arc<App>);

/// What is known of a request before its body is looked at.
struct Sender {
    host: Option<Host>,
    /// As in ids of secrets and in rows.
    name: String,
    event: String,
    id: String,
}

impl GitHooks {
    fn sender(path: &str, headers: &HeaderMap, body: &[u8]) -> Sender {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match Host::of(&header) {
            Some(host) => Sender {
                host: Some(host),
                name: host.name().to_owned(),
                event: host.event(&header),
                id: webhook::delivery_id(host, &header, body),
            },
            None => {
                use sha2::{Digest, Sha256};
                // Nothing of it is believed, so two within a second are one look.
                let second = (now().0 / 1000).to_be_bytes();
                let digest = hex::encode(Sha256::digest([body, &second].concat()));
                Sender { host: None, name: path.to_owned(), event: "?".to_owned(), id: format!("{path}:{digest}") }
            }
        }
    }

    /// The secrets that a delivery of this host may be signed with, with the repository each is for.
    async fn secrets(&self, name: &str) -> Result<Vec<(Option<String>, String)>, String> {
        let store = &self.0.store;
        let of_host = format!("{PREFIX}{name}");
        let mut secrets = Vec::new();
        for listed in store.credentials().await.map_err(|error| error.to_string())? {
            let Some(rest) = listed.id.strip_prefix(&of_host) else { continue };
            let repo = match rest.strip_prefix(':') {
                Some(repo) => Some(repo.to_owned()),
                None if rest.is_empty() => None,
                None => continue,
            };
            let stored = store.credential(&listed.id).await.map_err(|error| error.to_string())?;
            let text = stored.and_then(|stored| stored.fields.get("text").cloned());
            secrets.extend(text.map(|text| (repo, text)));
        }
        Ok(secrets)
    }

    /// `Ok(true)`: signed with a secret of ours; `Ok(false)`: there is no secret for this host. `Err`: the answer.
    async fn verified(&self, sender: &Sender, headers: &HeaderMap, body: &[u8]) -> Result<bool, HookAnswer> {
        let secrets = self.secrets(&sender.name).await;
        let secrets = secrets.map_err(|error| answer(503, format!("not recorded, send it again: {error}")))?;
        if secrets.is_empty() {
            return Ok(false);
        }
        let Some(host) = sender.host else {
            return Err(answer(
                401,
                format!("deliveries of {} are signed here; this has no known header", sender.name),
            ));
        };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut refused = None;
        let mut right = Vec::new();
        for (repo, secret) in secrets {
            match webhook::verify(host, &header, body, &secret) {
                Ok(()) => right.push(repo),
                Err(error) => refused = Some(error),
            }
        }
        let free = right.iter().any(Option::is_none);
        let own = || {
            let told = webhook::parse(host, &sender.event, body).unwrap_or_default();
            told.iter().all(|event| match event {
                ScmEvent::Push(Push { repos, .. })
                | ScmEvent::Change(Change { repos, .. })
                | ScmEvent::Refs { repos, .. } => right.iter().flatten().any(|repo| is_of(repos, repo)),
                ScmEvent::Ping | ScmEvent::Ignored { .. } => true,
            })
        };
        match refused {
            _ if free || (!right.is_empty() && own()) => Ok(true),
            _ if !right.is_empty() => Err(answer(401, "this secret is another repository's".to_owned())),
            Some(error) => Err(answer(401, error.to_string())),
            None => Err(answer(401, "the signature is not right".to_owned())),
        }
    }
}

fn is_of(repos: &[String], repo: &str) -> bool {
    repos.iter().any(|url| haliotis_scm::same_repo(url, repo))
}

fn answer(status: u16, message: String) -> HookAnswer {
    HookAnswer { status, message }
}

#[async_trait]
impl Hooks for GitHooks {
    async fn receive(&self, path: &str, headers: &HeaderMap, body: Bytes) -> HookAnswer {
        let sender = Self::sender(path, headers, &body);
        let trusted = match self.verified(&sender, headers, &body).await {
            Ok(trusted) => trusted,
            Err(refused) => {
                tracing::warn!(
                    host = sender.name,
                    event = sender.event,
                    message = refused.message,
                    "a webhook is refused"
                );
                return refused;
            }
        };
        let whole = body.len() <= KEPT_BYTES;
        let kept = body.get(..KEPT_BYTES).unwrap_or(&body);
        let outcome = match (trusted, whole) {
            (true, true) => "",
            (true, false) => "polled: the payload is too large to be kept",
            (false, _) => "polled: no secret is set for this host",
        };
        let delivery = Delivery {
            id: sender.id,
            at: now(),
            host: sender.name,
            event: sender.event,
            payload: String::from_utf8_lossy(kept).into_owned(),
            outcome: outcome.to_owned(),
        };
        match self.0.store_catalog().record_delivery(&delivery).await {
            Ok(true) if outcome.is_empty() => {
                self.0.nudges.hooks.notify_one();
                answer(200, "recorded".to_owned())
            }
            Ok(true) => {
                self.0.nudges.poll.notify_one();
                answer(200, "recorded; the repositories are looked at now".to_owned())
            }
            Ok(false) => answer(200, "duplicate; nothing to do".to_owned()),
            Err(error) => answer(503, format!("not recorded, send it again: {error}")),
        }
    }
}

/// Carries deliveries out for ever.
pub(super) async fn run(app: Arc<App>) {
    loop {
        match app.store_catalog().deliveries(true, ROWS).await {
            Ok(rows) if rows.is_empty() => super::rest(&app.nudges.hooks, LOOK_EVERY).await,
            Ok(rows) => {
                let count = rows.len();
                if carry_out(&app, rows).await < count {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "deliveries of git hosts cannot be read; it is tried again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Carries these out, a few at once; answers how many are done.
async fn carry_out(app: &Arc<App>, rows: Vec<Delivery>) -> usize {
    let mut at_work = JoinSet::new();
    let mut done = 0;
    for row in rows {
        if at_work.len() >= AT_ONCE {
            done += usize::from(matches!(at_work.join_next().await, Some(Ok(true))));
        }
        let app = Arc::clone(app);
        at_work.spawn(async move { one(&app, &row).await });
    }
    while let Some(ended) = at_work.join_next().await {
        done += usize::from(matches!(ended, Ok(true)));
    }
    done
}

async fn one(app: &App, row: &Delivery) -> bool {
    let outcome = match act(app, row).await {
        Ok(outcome) => outcome,
        Err(error) if now().since(row.at) < GIVE_UP_MS => {
            tracing::warn!(delivery = row.id, %error, "a delivery could not be carried out; it is tried again");
            return false;
        }
        Err(error) => format!("given up, polling finds the commit: {error}"),
    };
    match app.store_catalog().delivery_outcome(&row.id, &outcome).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(delivery = row.id, %error, "what came of a delivery could not be noted; it is done again");
            false
        }
    }
}

async fn act(app: &App, row: &Delivery) -> Result<String, crate::app::builds::BuildError> {
    let hosts = [Host::GitHub, Host::BitbucketCloud, Host::BitbucketDataCenter, Host::GitLab, Host::Gitea];
    let Some(host) = hosts.into_iter().find(|host| host.name() == row.host) else {
        return Ok(format!("ignored: {} is no known host", row.host));
    };
    let events = match webhook::parse(host, &row.event, row.payload.as_bytes()) {
        Ok(events) => events,
        Err(error) => return Ok(format!("ignored: {error}")),
    };
    let mut told = Vec::new();
    for event in events {
        told.push(match event {
            ScmEvent::Push(push) => {
                app.branches_changed(&push.repos).await?;
                let text = format!("{} is at {}", push.branch, push.commit.get(..10).unwrap_or_default());
                app.fire(&TriggerEvent::Push {
                    repos: push.repos,
                    branch: push.branch,
                    commit: push.commit,
                    via: host.name().to_owned(),
                    author: push.author,
                    subject: push.subject,
                })
                .await?;
                text
            }
            ScmEvent::Change(change) => app.change_told(&change).await?,
            ScmEvent::Refs { repos, what } => match app.branches_changed(&repos).await? {
                true => format!("looked at the repository: {what}"),
                false => format!("ignored: {what}"),
            },
            ScmEvent::Ping => "ping".to_owned(),
            ScmEvent::Ignored { reason } => format!("ignored: {reason}"),
        });
    }
    Ok(told.join("; "))
}
