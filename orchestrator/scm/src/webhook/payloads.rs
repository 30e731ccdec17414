//! The parts of the hosts' payloads that are read. Everything else is skipped; what may be absent has a default.

use serde::{Deserialize, Deserializer};

/// Hosts write `null` where they have nothing to say.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[derive(Deserialize)]
pub(super) struct GitHub {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    #[serde(default)]
    pub(super) before: String,
    pub(super) after: String,
    pub(super) repository: Repository,
    #[serde(default)]
    pub(super) head_commit: Option<CommitNote>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) commits: Vec<CommitNote>,
}

/// `create`, `delete`.
#[derive(Deserialize)]
pub(super) struct GitHubRef {
    #[serde(rename = "ref")]
    pub(super) name: String,
    #[serde(rename = "ref_type", default)]
    pub(super) kind: String,
    pub(super) repository: Repository,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    pub(super) full_name: String,
    clone_url: String,
    ssh_url: String,
    html_url: String,
}

impl Repository {
    pub(super) fn addresses(self) -> Vec<String> {
        [self.clone_url, self.ssh_url, self.html_url].into_iter().filter(|url| !url.is_empty()).collect()
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CommitNote {
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) message: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) author: Person,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Person {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
    /// Bitbucket Cloud: `Name <address>`.
    #[serde(deserialize_with = "or_default")]
    pub(super) raw: String,
}

#[derive(Deserialize)]
pub(super) struct GitLab {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    #[serde(default)]
    pub(super) before: String,
    pub(super) after: String,
    #[serde(default)]
    pub(super) user_name: String,
    pub(super) project: GitLabProject,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) commits: Vec<CommitNote>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GitLabProject {
    #[serde(deserialize_with = "or_default")]
    pub(super) git_http_url: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) git_ssh_url: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) web_url: String,
}

impl GitLabProject {
    pub(super) fn addresses(&self) -> Vec<String> {
        let all = [&self.git_http_url, &self.git_ssh_url, &self.web_url];
        all.into_iter().filter(|url| !url.is_empty()).cloned().collect()
    }
}

impl CloudRepository {
    pub(super) fn addresses(&self) -> Vec<String> {
        let name = &self.full_name;
        let all = [
            self.links.html.href.clone(),
            format!("https://bitbucket.org/{name}.git"),
            format!("git@bitbucket.org:{name}.git"),
        ];
        all.into_iter().filter(|url| !url.is_empty()).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct BitbucketCloud {
    pub(super) repository: CloudRepository,
    pub(super) push: CloudPush,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CloudRepository {
    pub(super) full_name: String,
    #[serde(default)]
    pub(super) links: CloudLinks,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CloudLinks {
    pub(super) html: Link,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    pub(super) href: String,
}

#[derive(Deserialize)]
pub(super) struct CloudPush {
    pub(super) changes: Vec<CloudChange>,
}

#[derive(Deserialize)]
pub(super) struct CloudChange {
    #[serde(default)]
    pub(super) old: Option<CloudRef>,
    #[serde(default)]
    pub(super) new: Option<CloudRef>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CloudRef {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) target: CloudTarget,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CloudTarget {
    pub(super) hash: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) message: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) author: Person,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BitbucketCenter {
    #[serde(default)]
    pub(super) actor: Person,
    pub(super) repository: CenterRepository,
    pub(super) changes: Vec<CenterChange>,
    #[serde(default)]
    pub(super) to_commit: Option<CommitNote>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CenterRepository {
    pub(super) links: CenterLinks,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CenterLinks {
    pub(super) clone: Vec<Link>,
    #[serde(rename = "self")]
    pub(super) pages: Vec<Link>,
}

impl CenterLinks {
    pub(super) fn first_page(&self) -> String {
        self.pages.first().map(|link| link.href.clone()).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CenterChange {
    #[serde(rename = "ref")]
    pub(super) reference: CenterRef,
    #[serde(default)]
    pub(super) from_hash: String,
    pub(super) to_hash: String,
}

#[derive(Deserialize)]
pub(super) struct CenterRef {
    pub(super) id: String,
}
