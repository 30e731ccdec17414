//! What can go wrong with a repository: what, where, and what to do next.

use std::time::Duration;

/// An error of a git host, a repository or the `git` program. URLs in messages never hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ScmError {
    /// The address is none that we would hand to git.
    #[error("{url:?} is no repository address: {reason}")]
    BadUrl {
        /// As given, without a password.
        url: String,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// A branch, path or credential that cannot be used as it is.
    #[error("{what} {value:?} cannot be used: {reason}")]
    BadName {
        /// `branch`, `path`, `credential`.
        what: &'static str,
        /// As given; never a secret.
        value: String,
        /// Why.
        reason: String,
    },
    /// The host does not answer. Trying again may help.
    #[error("the host of {url} cannot be reached: {detail}; check the address, the network and any proxy")]
    HostGone {
        /// The repository.
        url: String,
        /// Git's words.
        detail: String,
    },
    /// The host answers that it is asked too often, or cannot answer just now. Trying again later helps.
    #[error("the host of {url} asks for patience: {detail}; it is asked again later")]
    Busy {
        /// The repository.
        url: String,
        /// Git's words.
        detail: String,
        /// How long it wants to be left alone (`Retry-After`), as far as it said.
        after: Option<Duration>,
    },
    /// The host answers and does not let us in.
    #[error("{url} refused the credential: {detail}; check the credential that the pipeline names and its rights")]
    AuthRefused {
        /// The repository.
        url: String,
        /// Git's words.
        detail: String,
    },
    /// The host answers and has no such repository, or shows none to us.
    #[error("{url} is not a repository, or not for us: {detail}; was it moved or deleted, does it need a credential?")]
    RepositoryGone {
        /// The repository.
        url: String,
        /// Git's words.
        detail: String,
    },
    /// The repository has no such branch.
    #[error("{url} has no branch {branch}; push one, or name another branch")]
    NoSuchBranch {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
    },
    /// The repository has no such commit any more.
    #[error("{url} has no commit {commit}: was the branch force-pushed? Build the branch's present commit instead")]
    NoSuchCommit {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
    },
    /// The commit has no such file.
    #[error("{url} has no file {path} at commit {commit}; add it, or register the pipeline with another path")]
    NoSuchFile {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
        /// The path.
        path: String,
    },
    /// Somebody else pushed first, or a rule of the host forbids the push.
    #[error("{url} refused the push to {branch}: {detail}; fetch, look at what is there, and try again")]
    PushRefused {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// Git's words.
        detail: String,
    },
    /// It took too long.
    #[error(
        "git {what} of {url} took more than {seconds} s and was stopped; is the host slow, the repository very large?"
    )]
    Timeout {
        /// The git verb.
        what: String,
        /// The repository.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// More than a named limit.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// There is no `git` program.
    #[error("the git program cannot be started: {0}; install git (apt-get install git) or put it on PATH")]
    NoGit(std::io::Error),
    /// Git said something that fits none of the above.
    #[error("git {what} of {url} failed: {detail}")]
    Git {
        /// The git verb.
        what: String,
        /// The repository.
        url: String,
        /// Git's words.
        detail: String,
    },
    /// The local disk.
    #[error("{path}: {source}; check the folder, its rights and the space left")]
    Io {
        /// Where.
        path: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// Reading a local repository failed.
    #[error("{path}: {source}; the folder is only a cache and may be deleted")]
    Mirror {
        /// Where.
        path: String,
        /// libgit2's words.
        source: git2::Error,
    },
}

impl ScmError {
    /// Whether trying again later, with nothing changed, may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, ScmError::HostGone { .. } | ScmError::Timeout { .. } | ScmError::Busy { .. })
    }

    /// How long the host wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ScmError::Busy { after, .. } => *after,
            _ => None,
        }
    }
}
