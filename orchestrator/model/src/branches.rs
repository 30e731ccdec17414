//! Multibranch projects: a folder whose pipelines follow the branches, tags and pull requests of one repository.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// How a pull request is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeWay {
    /// As it would be after the merge; the commit is the one that the host makes.
    Merge,
    /// As its author has it.
    Head,
}

/// A multibranch project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchProject {
    /// Full name of the folder.
    pub name: String,
    /// Git URL.
    pub repo: String,
    /// Credential id for the repository.
    #[serde(default)]
    pub credential: Option<String>,
    /// Path of the definition in the repository; a branch without it has no pipeline.
    pub path: String,
    /// Patterns of names that count, with `*`; empty: all.
    #[serde(default)]
    pub includes: Vec<String>,
    /// Patterns of names that do not.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// Branches are followed.
    pub branches: bool,
    /// Tags are shown; their builds are asked for by people.
    pub tags: bool,
    /// How pull requests from the repository's own branches are built; empty: not at all.
    #[serde(default)]
    pub own_changes: Vec<ChangeWay>,
    /// The same for those from forks.
    #[serde(default)]
    pub fork_changes: Vec<ChangeWay>,
    /// Forks are trusted: their own definition runs, and gets secrets.
    #[serde(default)]
    pub trust_forks: bool,
    /// A pipeline whose branch is gone is kept for so many days; 0: it goes at once.
    #[serde(default)]
    pub keep_days: u32,
    /// Milliseconds between looks at the repository; webhooks make them sooner.
    pub every_ms: u64,
    /// Nothing is looked at.
    #[serde(default)]
    pub disabled: bool,
}

/// An open pull request, as its host told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeInfo {
    /// Its number.
    pub id: u64,
    /// The branch it comes from.
    pub branch: String,
    /// The branch it shall go into.
    pub target: String,
    /// It comes from another repository.
    pub fork: bool,
    /// Who opened it.
    pub author: String,
    /// Its title.
    pub title: String,
    /// Its page.
    pub url: String,
}

/// What a pipeline of a multibranch project stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The project's full name.
    pub project: String,
    /// The reference it builds, as `refs/heads/main`.
    pub reference: String,
    /// It is this tag.
    #[serde(default)]
    pub tag: Option<String>,
    /// It is this pull request.
    #[serde(default)]
    pub change: Option<ChangeInfo>,
    /// The commit seen last.
    pub commit: String,
    /// Where its definition is read, when that is not the commit itself: the target's head, for what is not trusted.
    #[serde(default)]
    pub definition: Option<String>,
    /// It gets secrets.
    pub trusted: bool,
    /// Since when it is gone from the repository.
    #[serde(default)]
    pub gone_at: Option<Millis>,
}

/// Documents: a multibranch project by its full name.
pub const PROJECTS: &str = "branch-project";
/// Documents: what a pipeline of one stands for, by the pipeline's full name.
pub const HEADS: &str = "branch-head";
/// Documents: an open pull request, by project and number.
pub const CHANGES: &str = "branch-change";

/// Documents: git hosts that are told how builds stand, by host, as in `github.com` or `git.example:8443`.
pub const GIT_HOSTS: &str = "git-host";

/// Whose API a git host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitHostKind {
    /// GitHub, GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea, Forgejo.
    Gitea,
    /// bitbucket.org.
    Bitbucket,
    /// Bitbucket Data Center.
    BitbucketDc,
}

/// A git host that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHost {
    /// Whose API it speaks.
    pub kind: GitHostKind,
    /// Its base address.
    pub api: String,
    /// Credential id of the token.
    pub credential: String,
}

impl BranchProject {
    /// Whether a branch's, tag's or pull request's name counts.
    pub fn takes(&self, name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| wild(pattern.as_bytes(), name.as_bytes()));
        (self.includes.is_empty() || any(&self.includes)) && !any(&self.excludes)
    }

    /// The full name of the pipeline of a head: a `/` in a branch's name is no folder.
    pub fn pipeline(&self, head: &str) -> String {
        format!("{}/{}", self.name, head.replace('%', "%25").replace('/', "%2F"))
    }
}

/// `*` stands for anything. Work is bounded by the product of the lengths.
pub(crate) fn wild(pattern: &[u8], name: &[u8]) -> bool {
    let mut states = vec![false; name.len() + 1];
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    for byte in pattern {
        let mut next = vec![false; states.len()];
        let mut open = false;
        for (at, state) in states.iter().enumerate() {
            open |= *state;
            let to = if *byte == b'*' { next.get_mut(at).filter(|_| open) } else { next.get_mut(at + 1) };
            match to {
                Some(to) if *byte == b'*' || (*state && name.get(at) == Some(byte)) => *to = true,
                _ => {}
            }
        }
        states = next;
    }
    states.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::wild;

    #[test]
    fn patterns_of_names() {
        for (pattern, name, fits) in [
            ("*", "a/b", true),
            ("main", "main", true),
            ("main", "maint", false),
            ("release-*", "release-1", true),
            ("release-*", "prerelease-1", false),
            ("*-x-*", "a-x-b", true),
            ("PR-*", "PR-7", true),
            ("", "a", false),
        ] {
            assert_eq!(wild(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }
}
