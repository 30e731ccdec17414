//! From a host's body to events. What the hosts' payloads look like is `payloads`; here is what they mean.

use serde::de::DeserializeOwned;

use super::changes;
use super::payloads::{
    BitbucketCenter, BitbucketCloud, CenterChange, CenterLinks, CloudChange, GitHub, GitHubRef, GitLab, Link,
};
use super::{HookError, Host, Push, ScmEvent};

/// What one delivery says; Bitbucket may tell of several branches at once. Never empty.
///
/// # Errors
/// `BadBody` when the body is not what the host documents.
pub fn parse(host: Host, event: &str, body: &[u8]) -> Result<Vec<ScmEvent>, HookError> {
    let body = unwrap_form(body);
    let events = match (host, event) {
        (Host::GitHub | Host::Gitea, "ping") | (Host::BitbucketDataCenter, "diagnostics:ping") => vec![ScmEvent::Ping],
        (Host::GitHub | Host::Gitea, "push") => vec![github(event, read(event, &body)?)?],
        (Host::GitHub | Host::Gitea, "create" | "delete") => vec![reference(event, read(event, &body)?)],
        (Host::GitHub | Host::Gitea, "pull_request" | "pull_request_sync") => {
            vec![changes::github(read(event, &body)?)]
        }
        (Host::GitLab, "Push Hook" | "Tag Push Hook") => vec![gitlab(event, read(event, &body)?)?],
        (Host::GitLab, "Merge Request Hook") => vec![changes::gitlab(read(event, &body)?)],
        (Host::BitbucketCloud, name) if name.starts_with("pullrequest:") => changes::cloud(name, read(event, &body)?),
        (Host::BitbucketDataCenter, name) if name.starts_with("pr:") => changes::center(name, read(event, &body)?),
        (Host::BitbucketCloud, "repo:push") => cloud(event, read(event, &body)?)?,
        (Host::BitbucketDataCenter, "repo:refs_changed") => center(event, read(event, &body)?)?,
        _ => vec![ignored(format!("the event {event}"))],
    };
    Ok(if events.is_empty() { vec![ignored("no branch changed".into())] } else { events })
}

/// GitHub and Bitbucket can send `payload=JSON` as a form.
fn unwrap_form(body: &[u8]) -> Vec<u8> {
    if !body.starts_with(b"payload=") {
        return body.to_vec();
    }
    let payload = url::form_urlencoded::parse(body).find(|(key, _)| key == "payload");
    payload.map(|(_, value)| value.into_owned().into_bytes()).unwrap_or_default()
}

fn read<T: DeserializeOwned>(event: &str, body: &[u8]) -> Result<T, HookError> {
    serde_json::from_slice(body).map_err(|error| HookError::BadBody { event: event.into(), reason: error.to_string() })
}

fn ignored(reason: String) -> ScmEvent {
    ScmEvent::Ignored { reason }
}

/// The branch a push went to.
fn branch_of(reference: &str) -> Option<String> {
    reference.strip_prefix("refs/heads/").map(str::to_owned)
}

/// A push to something else than a branch, or the end of one.
fn looked(repos: Vec<String>, what: String) -> ScmEvent {
    if repos.is_empty() { ignored(what) } else { ScmEvent::Refs { repos, what } }
}

fn reference(event: &str, body: GitHubRef) -> ScmEvent {
    let gone = if event == "delete" { " was deleted" } else { "" };
    looked(body.repository.addresses(), format!("the {} {}{gone}", body.kind, body.name))
}

/// `None` for the hash of zeros that stands for "was not there".
fn present(commit: &str) -> Option<String> {
    (!commit.is_empty() && commit.bytes().any(|digit| digit != b'0')).then(|| commit.to_owned())
}

/// A full hash: it is handed to git later.
fn checked(event: &str, push: Push) -> Result<ScmEvent, HookError> {
    let bad = |reason: &str| Err(HookError::BadBody { event: event.into(), reason: reason.into() });
    if push.commit.len() != 40 || !push.commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return bad("the new commit is no full hash");
    }
    if push.repos.is_empty() {
        return bad("the repository has no address");
    }
    Ok(ScmEvent::Push(push))
}

fn subject(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

fn github(event: &str, body: GitHub) -> Result<ScmEvent, HookError> {
    let Some(branch) = branch_of(&body.reference) else {
        return Ok(looked(body.repository.addresses(), body.reference));
    };
    let Some(commit) = present(&body.after) else {
        return Ok(looked(body.repository.addresses(), format!("the branch {branch} was deleted")));
    };
    // Gitea leaves `head_commit` out of old versions and lists the commits.
    let head = body.head_commit.or_else(|| body.commits.into_iter().find(|one| one.id == commit));
    let (author, message) = head.map(|one| (one.author.name, one.message)).unwrap_or_default();
    let repos = body.repository.addresses();
    checked(event, Push { repos, branch, commit, before: present(&body.before), author, subject: subject(&message) })
}

fn gitlab(event: &str, body: GitLab) -> Result<ScmEvent, HookError> {
    let repos = body.project.addresses();
    let Some(branch) = branch_of(&body.reference) else { return Ok(looked(repos, body.reference)) };
    let Some(commit) = present(&body.after) else {
        return Ok(looked(repos, format!("the branch {branch} was deleted")));
    };
    let head = body.commits.into_iter().find(|one| one.id == commit);
    let (author, message) = head.map(|one| (one.author.name, one.message)).unwrap_or_default();
    let author = if author.is_empty() { body.user_name } else { author };
    checked(event, Push { repos, branch, commit, before: present(&body.before), author, subject: subject(&message) })
}

fn cloud(event: &str, body: BitbucketCloud) -> Result<Vec<ScmEvent>, HookError> {
    let repos = body.repository.addresses();
    let change = |change: CloudChange| match change.new {
        None => Ok(looked(repos.clone(), "a branch or tag was deleted".into())),
        Some(new) if new.kind != "branch" => Ok(looked(repos.clone(), format!("the {} {}", new.kind, new.name))),
        Some(new) => {
            let author = new.target.author.raw;
            let author = author.split('<').next().unwrap_or_default().trim().to_owned();
            let repos = repos.clone();
            let before = change.old.map(|old| old.target.hash).filter(|hash| !hash.is_empty());
            let subject = subject(&new.target.message);
            checked(event, Push { repos, branch: new.name, commit: new.target.hash, before, author, subject })
        }
    };
    body.push.changes.into_iter().map(change).collect()
}

/// Older versions give no clone links, only the page `https://HOST/projects/TEAM/repos/NAME/browse`.
pub(super) fn addresses(links: CenterLinks) -> Vec<String> {
    let page = |link: Link| {
        let (base, rest) = link.href.split_once("/projects/")?;
        let mut parts = rest.split('/');
        let (team, name) = (parts.next()?, parts.nth(1)?);
        Some(format!("{base}/scm/{team}/{name}.git"))
    };
    let clones = links.clone.into_iter().map(|link| link.href);
    clones.chain(links.pages.into_iter().filter_map(page)).filter(|url| !url.is_empty()).collect()
}

fn center(event: &str, body: BitbucketCenter) -> Result<Vec<ScmEvent>, HookError> {
    let repos = addresses(body.repository.links);
    let tip = body.to_commit.unwrap_or_default();
    let change = |change: CenterChange| {
        let Some(branch) = branch_of(&change.reference.id) else {
            return Ok(looked(repos.clone(), change.reference.id));
        };
        let Some(commit) = present(&change.to_hash) else {
            return Ok(looked(repos.clone(), format!("the branch {branch} was deleted")));
        };
        let told = tip.id == commit;
        let author = if told { tip.author.name.clone() } else { body.actor.name.clone() };
        let subject = if told { subject(&tip.message) } else { String::new() };
        checked(
            event,
            Push { repos: repos.clone(), branch, commit, before: present(&change.from_hash), author, subject },
        )
    };
    body.changes.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NEW: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";
    const OLD: &str = "9049f1265b7d61be4a8904a9a27120d2064dab3b";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn one(host: Host, event: &str, body: &serde_json::Value) -> ScmEvent {
        let mut events = parse(host, event, body.to_string().as_bytes()).unwrap();
        assert_eq!(events.len(), 1);
        events.remove(0)
    }

    fn push(host: Host, event: &str, body: &serde_json::Value) -> Push {
        match one(host, event, body) {
            ScmEvent::Push(push) => push,
            other => panic!("{other:?}"),
        }
    }

    fn reason(event: ScmEvent) -> String {
        match event {
            ScmEvent::Ignored { reason } | ScmEvent::Refs { what: reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    fn github_body(reference: &str, after: &str) -> serde_json::Value {
        json!({
            "ref": reference, "before": OLD, "after": after, "deleted": after == ZERO,
            "repository": {"full_name": "team/abalone", "clone_url": "https://git.example/team/abalone.git",
                "ssh_url": "git@git.example:team/abalone.git", "html_url": "https://git.example/team/abalone"},
            "head_commit": {"id": NEW, "message": "Deeper trees\n\nbecause", "author": {"name": "Ada", "email": "a@x"}},
            "commits": []
        })
    }

    #[test]
    fn github_and_gitea() {
        for host in [Host::GitHub, Host::Gitea] {
            let found = push(host, "push", &github_body("refs/heads/feature/x", NEW));
            assert_eq!((found.branch.as_str(), found.commit.as_str()), ("feature/x", NEW));
            assert_eq!((found.author.as_str(), found.subject.as_str()), ("Ada", "Deeper trees"));
            assert_eq!(found.before.as_deref(), Some(OLD));
            assert!(found.repos.iter().any(|url| crate::same_repo(url, "ssh://git@git.example/team/abalone.git")));
            assert_eq!(reason(one(host, "push", &github_body("refs/tags/v1", NEW))), "refs/tags/v1");
            let deleted = one(host, "push", &github_body("refs/heads/main", ZERO));
            assert_eq!(reason(deleted), "the branch main was deleted");
            assert_eq!(one(host, "ping", &json!({"zen": "x"})), ScmEvent::Ping);
            assert_eq!(reason(one(host, "issues", &json!({}))), "the event issues");
        }
    }

    #[test]
    fn a_form_is_unwrapped() {
        let json = github_body("refs/heads/main", NEW).to_string();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("payload", &json).finish();
        assert!(matches!(parse(Host::GitHub, "push", body.as_bytes()).unwrap()[0], ScmEvent::Push(_)));
    }

    #[test]
    fn gitlab_tells_its_commits_in_a_list() {
        let body = json!({
            "object_kind": "push", "ref": "refs/heads/main", "before": ZERO, "after": NEW, "user_name": "Ada L.",
            "project": {"git_http_url": "https://git.example/team/abalone.git",
                "git_ssh_url": "git@git.example:team/abalone.git", "web_url": "https://git.example/team/abalone"},
            "commits": [{"id": OLD, "message": "older", "author": {"name": "Bob"}},
                {"id": NEW, "message": "newest\n", "author": {"name": "Ada"}}]
        });
        let found = push(Host::GitLab, "Push Hook", &body);
        assert_eq!((found.author.as_str(), found.subject.as_str(), found.before), ("Ada", "newest", None));
        let tag =
            json!({"ref": "refs/tags/v1", "after": NEW, "project": {"web_url": "https://git.example/team/abalone"}});
        assert_eq!(reason(one(Host::GitLab, "Tag Push Hook", &tag)), "refs/tags/v1");
    }

    #[test]
    fn bitbucket_cloud_tells_of_several_branches() {
        let body = json!({
            "repository": {"full_name": "team/abalone", "links": {"html": {"href": "https://bitbucket.org/team/abalone"}}},
            "push": {"changes": [
                {"old": {"target": {"hash": OLD}}, "new": {"type": "branch", "name": "main", "target":
                    {"hash": NEW, "message": "Deeper\n", "author": {"raw": "Ada <ada@example.org>"}}}},
                {"old": {"target": {"hash": OLD}}, "new": null},
                {"old": null, "new": {"type": "tag", "name": "v1", "target": {"hash": NEW}}}
            ]}
        });
        let events = parse(Host::BitbucketCloud, "repo:push", body.to_string().as_bytes()).unwrap();
        let ScmEvent::Push(first) = &events[0] else { panic!("{events:?}") };
        assert_eq!((first.author.as_str(), first.subject.as_str()), ("Ada", "Deeper"));
        assert!(first.repos.iter().any(|url| crate::same_repo(url, "git@bitbucket.org:team/abalone.git")));
        assert_eq!(reason(events[1].clone()), "a branch or tag was deleted");
        assert_eq!(reason(events[2].clone()), "the tag v1");
    }

    #[test]
    fn bitbucket_data_center() {
        let body = json!({
            "eventKey": "repo:refs_changed", "actor": {"name": "ada"},
            "repository": {"slug": "abalone", "links": {"self": [{"href": "https://git.example/projects/TEAM/repos/abalone/browse"}], "clone": [
                {"href": "https://git.example/scm/team/abalone.git", "name": "http"},
                {"href": "ssh://git@git.example:7999/team/abalone.git", "name": "ssh"}]}},
            "changes": [{"ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"},
                "fromHash": OLD, "toHash": NEW, "type": "UPDATE"}],
            "toCommit": {"id": NEW, "message": "Deeper", "author": {"name": "Ada"}}
        });
        let found = push(Host::BitbucketDataCenter, "repo:refs_changed", &body);
        assert_eq!((found.author.as_str(), found.subject.as_str()), ("Ada", "Deeper"));
        assert!(found.repos.iter().all(|url| crate::same_repo(url, "https://git.example/scm/team/abalone")));
        assert_eq!(one(Host::BitbucketDataCenter, "diagnostics:ping", &json!({"test": true})), ScmEvent::Ping);
    }

    #[test]
    fn bodies_that_say_nothing_usable_are_refused() {
        let bad: &[&[u8]] = &[b"", b"{", b"[]", b"payload=%7B", b"{\"ref\": 3}", b"\xff\xfe"];
        for body in bad {
            assert!(matches!(parse(Host::GitHub, "push", body), Err(HookError::BadBody { .. })), "{body:?}");
        }
        let mut short = github_body("refs/heads/main", "abc");
        assert!(parse(Host::GitHub, "push", short.to_string().as_bytes()).is_err());
        short = json!({"ref": "refs/heads/main", "before": OLD, "after": NEW, "repository": {}});
        assert!(parse(Host::GitHub, "push", short.to_string().as_bytes()).is_err());
    }
}
