//! What git hosts send: who sent it, whether the signature is right, and what it says. Pure: no IO, no clock.
//!
//! The order of use: [`Host::of`] by the headers, [`verify`] over the raw body, [`delivery_id`] (the same delivery may
//! come twice), [`parse`]. Nothing of a body is looked at before its signature is right.

mod changes;
mod parse;
mod payloads;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use self::parse::parse;

/// Looks a header up by its lower-case name.
pub type Header<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// A larger body is refused unread. GitHub sends at most 25 MB; a push event has a few kB per commit.
pub const MAX_BODY_BYTES: usize = 25 << 20;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// github.com or GitHub Enterprise.
    GitHub,
    /// bitbucket.org.
    BitbucketCloud,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
    /// gitlab.com or one's own GitLab.
    GitLab,
    /// Gitea, Forgejo, Gogs.
    Gitea,
}

/// A branch has new commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// All addresses that the payload gives the repository; compare with [`crate::same_repo`].
    pub repos: Vec<String>,
    /// Branch name.
    pub branch: String,
    /// Full hash of its new head.
    pub commit: String,
    /// Of its old head; `None`: the branch is new, or the host does not say.
    pub before: Option<String>,
    /// Author of the head commit, for people; empty when not told.
    pub author: String,
    /// First line of its message, for people; empty when not told.
    pub subject: String,
}

/// What became of a pull request (GitLab: merge request).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// All addresses of the repository that it shall go into.
    pub repos: Vec<String>,
    /// Its number there.
    pub id: u64,
    /// It was merged, declined or closed.
    pub closed: bool,
    /// Full hash of its head; `None` where the host gives only a part of it.
    pub commit: Option<String>,
    /// The branch it comes from.
    pub branch: String,
    /// The branch it shall go into.
    pub target: String,
    /// It comes from another repository.
    pub fork: bool,
    /// Login name of who opened it.
    pub author: String,
    /// Its title.
    pub title: String,
    /// Its page.
    pub url: String,
}

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScmEvent {
    /// A push to a branch.
    Push(Push),
    /// A pull request was opened, changed or closed.
    Change(Change),
    /// A tag or branch came or went: the repository is worth a look.
    Refs {
        /// All addresses of the repository.
        repos: Vec<String>,
        /// As `the tag v1`, `the branch main was deleted`.
        what: String,
    },
    /// The host tries the address.
    Ping,
    /// Nothing that could start a build.
    Ignored {
        /// Why, as `a tag`, `the branch main was deleted`.
        reason: String,
    },
}

/// Why a delivery is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// No known host's headers.
    #[error(
        "the request has no header of a known git host (X-GitHub-Event, X-Gitlab-Event, X-Event-Key, X-Gitea-Event)"
    )]
    UnknownHost,
    /// The signature header is missing. Answer 401.
    #[error("the request is not signed: header {0} is missing; set the webhook's secret at the host")]
    Unsigned(&'static str),
    /// It is there and wrong. Answer 401.
    #[error("the signature in header {0} is wrong: is the webhook's secret the same on both sides?")]
    WrongSignature(&'static str),
    /// The body does not say what the host documents. Answer 400.
    #[error("the body of the {event} event cannot be read: {reason}")]
    BadBody {
        /// The host's name for the event.
        event: String,
        /// What is missing or wrong.
        reason: String,
    },
}

impl Host {
    /// The sender, by its headers. Gitea also sends GitHub's, so it is looked for first.
    pub fn of(header: &Header<'_>) -> Option<Host> {
        let has = |name| header(name).is_some();
        if has("x-gitea-event") || has("x-forgejo-event") || has("x-gogs-event") {
            Some(Host::Gitea)
        } else if has("x-github-event") {
            Some(Host::GitHub)
        } else if has("x-gitlab-event") {
            Some(Host::GitLab)
        } else if let Some(key) = header("x-event-key") {
            let center = has("x-request-id") && !has("x-hook-uuid")
                || key == "repo:refs_changed"
                || key == "diagnostics:ping"
                || key.starts_with("pr:");
            Some(if center { Host::BitbucketDataCenter } else { Host::BitbucketCloud })
        } else {
            None
        }
    }

    /// As in delivery ids and causes.
    pub fn name(self) -> &'static str {
        match self {
            Host::GitHub => "github",
            Host::BitbucketCloud => "bitbucket",
            Host::BitbucketDataCenter => "bitbucket-dc",
            Host::GitLab => "gitlab",
            Host::Gitea => "gitea",
        }
    }

    /// The host's name for what happened, as `push` or `repo:refs_changed`.
    pub fn event(self, header: &Header<'_>) -> String {
        let names: &[&str] = match self {
            Host::GitHub => &["x-github-event"],
            Host::BitbucketCloud | Host::BitbucketDataCenter => &["x-event-key"],
            Host::GitLab => &["x-gitlab-event"],
            Host::Gitea => &["x-gitea-event", "x-forgejo-event", "x-gogs-event"],
        };
        first(header, names).unwrap_or_default().to_owned()
    }
}

fn first<'a>(header: &Header<'a>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| header(name)).filter(|value| !value.is_empty())
}

/// Checks the signature, or GitLab's token, over the raw body in constant time. An empty secret verifies nothing.
///
/// # Errors
/// `Unsigned`, `WrongSignature`.
pub fn verify(host: Host, header: &Header<'_>, body: &[u8], secret: &str) -> Result<(), HookError> {
    let (name, prefix) = match host {
        Host::GitHub => ("x-hub-signature-256", "sha256="),
        Host::BitbucketCloud | Host::BitbucketDataCenter => ("x-hub-signature", "sha256="),
        Host::Gitea => ("x-gitea-signature", ""),
        Host::GitLab => ("x-gitlab-token", ""),
    };
    let given = header(name).filter(|value| !value.is_empty()).ok_or(HookError::Unsigned(name))?;
    let right = match host {
        Host::GitLab => same_text(given, secret),
        _ => given.strip_prefix(prefix).is_some_and(|digest| signed(digest, body, secret)),
    };
    if right && !secret.is_empty() { Ok(()) } else { Err(HookError::WrongSignature(name)) }
}

fn signed(digest: &str, body: &[u8], secret: &str) -> bool {
    let (Ok(given), Ok(mut mac)) = (hex::decode(digest), Hmac::<Sha256>::new_from_slice(secret.as_bytes())) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

/// Compares digests, so that neither the content nor the length shows in the time taken.
fn same_text(one: &str, other: &str) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// The delivery's id, `HOST:ID`. A host that gives none gets one made of the event and the body, so that the very same
/// request counts once.
pub fn delivery_id(host: Host, header: &Header<'_>, body: &[u8]) -> String {
    let names: &[&str] = match host {
        Host::GitHub => &["x-github-delivery"],
        Host::BitbucketCloud => &["x-request-uuid"],
        Host::BitbucketDataCenter => &["x-request-id"],
        Host::GitLab => &["x-gitlab-event-uuid", "idempotency-key"],
        Host::Gitea => &["x-gitea-delivery", "x-forgejo-delivery", "x-gogs-delivery"],
    };
    match first(header, names).filter(|id| id.len() <= 200) {
        Some(id) => format!("{}:{id}", host.name()),
        None => {
            let digest = Sha256::new().chain_update(host.event(header)).chain_update([0]).chain_update(body).finalize();
            format!("{}:sha256-{}", host.name(), hex::encode(digest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<&'a str> + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    #[test]
    fn hosts_are_told_by_their_headers() {
        let check = |headers: &[(&str, &str)], host| assert_eq!(Host::of(&lookup(headers)), host, "{headers:?}");
        check(&[("x-github-event", "push")], Some(Host::GitHub));
        check(&[("x-github-event", "push"), ("x-gitea-event", "push")], Some(Host::Gitea));
        check(&[("x-gitlab-event", "Push Hook")], Some(Host::GitLab));
        check(&[("x-event-key", "repo:push"), ("x-hook-uuid", "u")], Some(Host::BitbucketCloud));
        check(&[("x-event-key", "repo:refs_changed"), ("x-request-id", "1")], Some(Host::BitbucketDataCenter));
        check(&[("content-type", "application/json")], None);
    }

    #[test]
    fn a_documented_signature_is_taken() {
        // The example of GitHub's page on validating deliveries.
        let secret = "It's a Secret to Everybody";
        let right = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let github = format!("sha256={right}");
        let body = b"Hello, World!";
        verify(Host::GitHub, &lookup(&[("x-hub-signature-256", &github)]), body, secret).unwrap();
        verify(Host::BitbucketCloud, &lookup(&[("x-hub-signature", &github)]), body, secret).unwrap();
        verify(Host::Gitea, &lookup(&[("x-gitea-signature", right)]), body, secret).unwrap();
        verify(Host::GitLab, &lookup(&[("x-gitlab-token", secret)]), body, secret).unwrap();
    }

    #[test]
    fn anything_else_is_refused() {
        let right = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = "It's a Secret to Everybody";
        let check = |value: &str, body: &[u8], secret: &str| {
            verify(Host::GitHub, &lookup(&[("x-hub-signature-256", value)]), body, secret)
        };
        let wrong = Err(HookError::WrongSignature("x-hub-signature-256"));
        let signed = format!("sha256={right}");
        assert_eq!(check(&signed, b"Hello, World?", secret), wrong);
        assert_eq!(check(&signed, b"Hello, World!", "other"), wrong);
        assert_eq!(check(right, b"Hello, World!", secret), wrong);
        assert_eq!(check("sha256=", b"Hello, World!", secret), wrong);
        assert_eq!(check("sha256=zz", b"Hello, World!", secret), wrong);
        assert_eq!(check(&signed[..40], b"Hello, World!", secret), wrong);
        assert_eq!(check("", b"", secret), Err(HookError::Unsigned("x-hub-signature-256")));
        let empty = lookup(&[("x-gitlab-token", "")]);
        assert_eq!(verify(Host::GitLab, &empty, b"", ""), Err(HookError::Unsigned("x-gitlab-token")));
        let other = lookup(&[("x-gitlab-token", "Secret")]);
        assert_eq!(verify(Host::GitLab, &other, b"", "secret"), Err(HookError::WrongSignature("x-gitlab-token")));
    }

    #[test]
    fn an_empty_secret_lets_nobody_in() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(b"x");
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let header = [("x-hub-signature-256", signature.as_str())];
        assert!(verify(Host::GitHub, &lookup(&header), b"x", "").is_err());
    }

    #[test]
    fn deliveries_have_one_id() {
        let named = [("x-github-event", "push"), ("x-github-delivery", "72d3162e")];
        assert_eq!(delivery_id(Host::GitHub, &lookup(&named), b"{}"), "github:72d3162e");
        let unnamed = [("x-github-event", "push")];
        let id = delivery_id(Host::GitHub, &lookup(&unnamed), b"{}");
        assert_eq!(id, delivery_id(Host::GitHub, &lookup(&unnamed), b"{}"));
        assert_ne!(id, delivery_id(Host::GitHub, &lookup(&unnamed), b"{ }"));
    }
}
