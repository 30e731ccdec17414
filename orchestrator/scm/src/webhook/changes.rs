//! Pull requests, in the five hosts' words.
//!
//! What a payload may leave out has a default that is the safe one: a pull request whose source repository is not told
//! (it was deleted, or is not ours to see) comes from a fork.

use serde::{Deserialize, Deserializer};

use super::parse::addresses;
use super::payloads::{CenterLinks, CloudRepository, GitLabProject, Link, Repository};
use super::{Change, ScmEvent};

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A full hash, or nothing: it is handed to git later.
fn full(commit: &str) -> Option<String> {
    (commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| commit.to_owned())
}

fn told(change: Change) -> ScmEvent {
    if change.repos.is_empty() || change.id == 0 || change.target.is_empty() {
        return ScmEvent::Ignored { reason: "a pull request without a repository, number or target".to_owned() };
    }
    ScmEvent::Change(change)
}

#[derive(Deserialize)]
pub(super) struct GitHubChange {
    action: String,
    pull_request: GitHubPull,
    repository: Repository,
}

#[derive(Deserialize)]
struct GitHubPull {
    number: u64,
    #[serde(default)]
    state: String,
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    #[serde(default, deserialize_with = "or_default")]
    html_url: String,
    #[serde(default, deserialize_with = "or_default")]
    user: Login,
    head: GitHubSide,
    base: GitHubSide,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    login: String,
}

#[derive(Deserialize)]
struct GitHubSide {
    #[serde(rename = "ref")]
    name: String,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    repo: Option<Repository>,
}

/// GitHub and Gitea, which says `synchronized` where GitHub says `synchronize`.
pub(super) fn github(body: GitHubChange) -> ScmEvent {
    let pull = body.pull_request;
    let own = match (&pull.head.repo, &pull.base.repo) {
        (Some(head), Some(base)) => !head.full_name.is_empty() && head.full_name == base.full_name,
        _ => false,
    };
    told(Change {
        repos: body.repository.addresses(),
        id: pull.number,
        closed: body.action == "closed" || pull.state == "closed",
        commit: full(&pull.head.sha),
        branch: pull.head.name,
        target: pull.base.name,
        fork: !own,
        author: pull.user.login,
        title: pull.title,
        url: pull.html_url,
    })
}

#[derive(Deserialize)]
pub(super) struct GitLabChange {
    #[serde(default, deserialize_with = "or_default")]
    user: GitLabUser,
    project: GitLabProject,
    object_attributes: GitLabMerge,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GitLabUser {
    username: String,
}

#[derive(Deserialize)]
struct GitLabMerge {
    iid: u64,
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    #[serde(default, deserialize_with = "or_default")]
    url: String,
    #[serde(default, deserialize_with = "or_default")]
    state: String,
    source_branch: String,
    target_branch: String,
    #[serde(default)]
    source_project_id: Option<u64>,
    #[serde(default)]
    target_project_id: Option<u64>,
    #[serde(default, deserialize_with = "or_default")]
    last_commit: Commit,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Commit {
    #[serde(alias = "hash")]
    id: String,
}

pub(super) fn gitlab(body: GitLabChange) -> ScmEvent {
    let merge = body.object_attributes;
    told(Change {
        repos: body.project.addresses(),
        id: merge.iid,
        closed: matches!(merge.state.as_str(), "closed" | "merged"),
        commit: full(&merge.last_commit.id),
        branch: merge.source_branch,
        target: merge.target_branch,
        fork: merge.source_project_id.is_none() || merge.source_project_id != merge.target_project_id,
        author: body.user.username,
        title: merge.title,
        url: merge.url,
    })
}

#[derive(Deserialize)]
pub(super) struct CloudPull {
    repository: CloudRepository,
    pullrequest: CloudRequest,
}

#[derive(Deserialize)]
struct CloudRequest {
    id: u64,
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    #[serde(default, deserialize_with = "or_default")]
    author: CloudUser,
    source: CloudSide,
    destination: CloudSide,
    #[serde(default)]
    links: CloudPage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CloudUser {
    #[serde(deserialize_with = "or_default")]
    nickname: String,
    #[serde(deserialize_with = "or_default")]
    display_name: String,
}

#[derive(Deserialize)]
struct CloudSide {
    branch: Named,
    #[serde(default, deserialize_with = "or_default")]
    commit: Commit,
    #[serde(default)]
    repository: Option<CloudRepository>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CloudPage {
    html: Link,
}

pub(super) fn cloud(event: &str, body: CloudPull) -> Vec<ScmEvent> {
    let closed = matches!(event, "pullrequest:fulfilled" | "pullrequest:rejected");
    if !closed && !matches!(event, "pullrequest:created" | "pullrequest:updated") {
        return vec![ScmEvent::Ignored { reason: format!("the event {event}") }];
    }
    let pull = body.pullrequest;
    let own = pull.source.repository.as_ref().is_some_and(|source| source.full_name == body.repository.full_name);
    let author = if pull.author.nickname.is_empty() { pull.author.display_name } else { pull.author.nickname };
    vec![told(Change {
        repos: body.repository.addresses(),
        id: pull.id,
        closed,
        // Twelve digits, here.
        commit: full(&pull.source.commit.id),
        branch: pull.source.branch.name,
        target: pull.destination.branch.name,
        fork: !own,
        author,
        title: pull.title,
        url: pull.links.html.href,
    })]
}

#[derive(Deserialize)]
pub(super) struct CenterPull {
    #[serde(rename = "pullRequest")]
    pull: CenterRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CenterRequest {
    id: u64,
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    from_ref: CenterSide,
    to_ref: CenterSide,
    #[serde(default)]
    author: CenterAuthor,
    #[serde(default)]
    links: CenterLinks,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CenterSide {
    id: String,
    #[serde(default)]
    latest_commit: String,
    repository: CenterRepo,
}

#[derive(Deserialize)]
struct CenterRepo {
    slug: String,
    project: CenterKey,
    #[serde(default)]
    links: CenterLinks,
}

#[derive(Deserialize)]
struct CenterKey {
    key: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CenterAuthor {
    user: CenterUser,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CenterUser {
    name: String,
}

pub(super) fn center(event: &str, body: CenterPull) -> Vec<ScmEvent> {
    let closed = matches!(event, "pr:merged" | "pr:declined" | "pr:deleted");
    if !closed && !matches!(event, "pr:opened" | "pr:from_ref_updated" | "pr:modified") {
        return vec![ScmEvent::Ignored { reason: format!("the event {event}") }];
    }
    let pull = body.pull;
    let (from, to) = (&pull.from_ref, &pull.to_ref);
    let own = from.repository.slug == to.repository.slug && from.repository.project.key == to.repository.project.key;
    let short = |reference: &str| reference.strip_prefix("refs/heads/").unwrap_or(reference).to_owned();
    let page = pull.links.first_page();
    let mut repos = addresses(pull.to_ref.repository.links);
    if repos.is_empty()
        && let Some((base, _)) = page.split_once("/projects/")
    {
        repos.push(format!("{base}/scm/{}/{}.git", pull.to_ref.repository.project.key, pull.to_ref.repository.slug));
    }
    vec![told(Change {
        repos,
        id: pull.id,
        closed,
        commit: full(&pull.from_ref.latest_commit),
        branch: short(&pull.from_ref.id),
        target: short(&pull.to_ref.id),
        fork: !own,
        author: pull.author.user.name,
        title: pull.title,
        url: page,
    })]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Host, parse};
    use super::*;

    const HEAD: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";

    fn one(host: Host, event: &str, body: &serde_json::Value) -> Change {
        match parse(host, event, body.to_string().as_bytes()).unwrap().remove(0) {
            ScmEvent::Change(change) => change,
            other => panic!("{other:?}"),
        }
    }

    fn check(change: &Change, fork: bool, closed: bool) {
        assert_eq!((change.id, change.fork, change.closed), (7, fork, closed), "{change:?}");
        assert_eq!((change.branch.as_str(), change.target.as_str()), ("deeper", "main"));
        assert_eq!((change.author.as_str(), change.title.as_str()), ("ada", "Deeper trees"));
        assert!(change.repos.iter().any(|url| crate::same_repo(url, "https://git.example/team/abalone.git")
            || crate::same_repo(url, "https://bitbucket.org/team/abalone.git")
            || crate::same_repo(url, "https://git.example/scm/team/abalone.git")));
    }

    #[test]
    fn github_and_gitea() {
        let repo = json!({"full_name": "team/abalone", "clone_url": "https://git.example/team/abalone.git"});
        let body = |action: &str, head: serde_json::Value| {
            json!({"action": action, "number": 7, "repository": repo, "pull_request": {"number": 7, "state": "open",
                "title": "Deeper trees", "html_url": "https://git.example/team/abalone/pull/7", "user": {"login": "ada"},
                "head": {"ref": "deeper", "sha": HEAD, "repo": head}, "base": {"ref": "main", "sha": HEAD, "repo": repo}}})
        };
        let own = one(Host::GitHub, "pull_request", &body("opened", repo.clone()));
        check(&own, false, false);
        assert_eq!(own.commit.as_deref(), Some(HEAD));
        let fork = json!({"full_name": "eve/abalone", "clone_url": "https://git.example/eve/abalone.git"});
        check(&one(Host::Gitea, "pull_request_sync", &body("synchronized", fork)), true, false);
        check(&one(Host::GitHub, "pull_request", &body("closed", serde_json::Value::Null)), true, true);
    }

    #[test]
    fn gitlab_merge_requests() {
        let body = |source: u64, state: &str| {
            json!({"object_kind": "merge_request", "user": {"username": "ada"},
                "project": {"git_http_url": "https://git.example/team/abalone.git"},
                "object_attributes": {"iid": 7, "title": "Deeper trees", "state": state, "source_branch": "deeper",
                    "target_branch": "main", "source_project_id": source, "target_project_id": 1,
                    "last_commit": {"id": HEAD}, "url": "https://git.example/team/abalone/-/merge_requests/7"}})
        };
        check(&one(Host::GitLab, "Merge Request Hook", &body(1, "opened")), false, false);
        check(&one(Host::GitLab, "Merge Request Hook", &body(2, "merged")), true, true);
    }

    #[test]
    fn bitbucket_cloud() {
        let body = |source: &str| {
            json!({"repository": {"full_name": "team/abalone"}, "pullrequest": {"id": 7, "title": "Deeper trees",
                "author": {"nickname": "ada"}, "links": {"html": {"href": "https://bitbucket.org/team/abalone/pull-requests/7"}},
                "source": {"branch": {"name": "deeper"}, "commit": {"hash": &HEAD[..12]}, "repository": {"full_name": source}},
                "destination": {"branch": {"name": "main"}, "commit": {"hash": "9049f1265b7d"}, "repository": {"full_name": "team/abalone"}}}})
        };
        let own = one(Host::BitbucketCloud, "pullrequest:created", &body("team/abalone"));
        check(&own, false, false);
        assert_eq!(own.commit, None, "twelve digits name no commit");
        check(&one(Host::BitbucketCloud, "pullrequest:fulfilled", &body("eve/abalone")), true, true);
    }

    #[test]
    fn bitbucket_data_center() {
        let side = |reference: &str, key: &str| json!({"id": reference, "latestCommit": HEAD, "repository": {"slug": "abalone", "project": {"key": key}}});
        let body = |key: &str| {
            json!({"eventKey": "pr:opened", "pullRequest": {"id": 7, "title": "Deeper trees", "author": {"user": {"name": "ada"}},
                "fromRef": side("refs/heads/deeper", key), "toRef": side("refs/heads/main", "team"),
                "links": {"self": [{"href": "https://git.example/projects/team/repos/abalone/pull-requests/7"}]}}})
        };
        check(&one(Host::BitbucketDataCenter, "pr:opened", &body("team")), false, false);
        check(&one(Host::BitbucketDataCenter, "pr:declined", &body("~eve")), true, true);
        let comment =
            parse(Host::BitbucketDataCenter, "pr:comment:added", body("team").to_string().as_bytes()).unwrap();
        assert!(matches!(comment[0], ScmEvent::Ignored { .. }));
    }
}
