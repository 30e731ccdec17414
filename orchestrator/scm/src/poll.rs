//! Where a branch is, asked of its host: what polling does each minute.

use crate::{Credential, RepoUrl, ScmError, git};

/// The commit that a branch is at; `None` when the repository answers and has no such branch (also when it is empty).
///
/// # Errors
/// Bad address or branch name, host gone, credential refused, repository gone, time limit
/// ([`git::LS_REMOTE_TIMEOUT`]). [`ScmError::is_passing`] tells which are worth another try.
pub async fn ls_remote(url: &str, branch: &str, credential: Option<&Credential>) -> Result<Option<String>, ScmError> {
    let (address, branch, credential) = (RepoUrl::parse(url)?, branch.to_owned(), credential.cloned());
    blocking(move || git::ls_remote(&address, &branch, credential.as_ref())).await
}

/// All references of a repository with their commits; see [`git::references`].
///
/// # Errors
/// As [`ls_remote`].
pub async fn references(url: &str, credential: Option<&Credential>) -> Result<Vec<(String, String)>, ScmError> {
    let (address, credential) = (RepoUrl::parse(url)?, credential.cloned());
    blocking(move || git::references(&address, credential.as_ref())).await
}

/// The commit that a branch, a tag or a full hash names, see [`git::revision`].
///
/// # Errors
/// As [`ls_remote`].
pub async fn revision(url: &str, name: &str, credential: Option<&Credential>) -> Result<Option<String>, ScmError> {
    let (address, name, credential) = (RepoUrl::parse(url)?, name.to_owned(), credential.cloned());
    blocking(move || git::revision(&address, &name, credential.as_ref())).await
}

/// Runs blocking work beside the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ScmError> + Send + 'static,
) -> Result<T, ScmError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // Only when the runtime goes down, or the work panicked; both end this caller too.
        Err(error) => Err(ScmError::Io { path: "git".into(), source: std::io::Error::other(error) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[tokio::test]
    async fn polling_sees_a_push() {
        let repo = Fixture::new();
        let url = repo.url().to_string();
        assert_eq!(ls_remote(&url, "main", None).await.unwrap(), None);
        let first = repo.commit("a.txt", "one", "first");
        assert_eq!(ls_remote(&url, "main", None).await.unwrap().unwrap(), first);
        let second = repo.commit("a.txt", "two", "second");
        assert_eq!(ls_remote(&url, "main", None).await.unwrap().unwrap(), second);
    }

    #[tokio::test]
    async fn a_bad_address_is_refused_before_git() {
        assert!(matches!(ls_remote("ext::sh -c id", "main", None).await, Err(ScmError::BadUrl { .. })));
    }
}
