//! A commit as files in a workspace.

use std::path::Path;

use git2::Repository;
use git2::build::CheckoutBuilder;

use crate::{CommitInfo, Credential, Mirror, ScmError};

/// Puts a commit into `workspace`: the files and a `.git` with the commit as detached HEAD. Idempotent: files that the
/// commit has are put back as they are there, others that git does not track stay. Blocks.
///
/// The objects are shared with the mirror below `cache_dir` by reference, so a large history is not copied; the cache
/// must stay while the workspace is in use.
///
/// # Errors
/// Those of [`Mirror::ensure`], and of the local disk.
pub fn checkout(
    cache_dir: &Path,
    url: &str,
    commit: &str,
    workspace: &Path,
    credential: Option<&Credential>,
) -> Result<CommitInfo, ScmError> {
    let mirror = Mirror::new(cache_dir, url)?;
    mirror.ensure(commit, credential)?;
    let info = mirror.info(commit)?;
    let failed = |source| ScmError::Mirror { path: workspace.display().to_string(), source };
    let repo = open_or_init(workspace).map_err(failed)?;
    share_objects(&repo, &mirror)?;
    // Opened again: the borrowed objects are seen from the start.
    let repo = Repository::open(workspace).map_err(failed)?;
    let address = crate::RepoUrl::parse(url)?;
    match repo.find_remote("origin") {
        Ok(_) => repo.remote_set_url("origin", address.as_str()).map_err(failed)?,
        Err(_) => drop(repo.remote("origin", address.as_str()).map_err(failed)?),
    }
    let id = git2::Oid::from_str(commit).map_err(failed)?;
    let found = repo.find_commit(id).map_err(failed)?;
    repo.checkout_tree(found.as_object(), Some(CheckoutBuilder::new().force())).map_err(failed)?;
    repo.set_head_detached(id).map_err(failed)?;
    Ok(info)
}

fn open_or_init(workspace: &Path) -> Result<Repository, git2::Error> {
    if workspace.join(".git").is_dir() {
        return Repository::open(workspace);
    }
    let mut options = git2::RepositoryInitOptions::new();
    options.external_template(false).mkpath(true).initial_head("main");
    Repository::init_opts(workspace, &options)
}

/// Git's way of borrowing: a file that names the other repository's objects.
fn share_objects(repo: &Repository, mirror: &Mirror) -> Result<(), ScmError> {
    let file = repo.path().join("objects/info/alternates");
    let objects = mirror.folder().join("objects");
    let written = std::path::absolute(objects)
        .and_then(|path| std::fs::create_dir_all(repo.path().join("objects/info")).map(|()| path))
        .and_then(|path| std::fs::write(&file, format!("{}\n", path.display())));
    written.map_err(|source| ScmError::Io { path: file.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn a_commit_comes_into_the_workspace_and_again_over_changes() {
        let (repo, cache, work) = (Fixture::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let workspace = work.path().join("ws");
        let first = repo.commit("a/b.txt", "one", "first");
        let second = repo.commit("a/b.txt", "two", "second");
        let url = repo.url().to_string();
        let read = || std::fs::read_to_string(workspace.join("a/b.txt")).unwrap();
        assert_eq!(checkout(cache.path(), &url, &first, &workspace, None).unwrap().subject, "first");
        assert_eq!(read(), "one");
        std::fs::write(workspace.join("a/b.txt"), "changed").unwrap();
        std::fs::write(workspace.join("own.txt"), "kept").unwrap();
        assert_eq!(checkout(cache.path(), &url, &first, &workspace, None).unwrap().commit, first);
        assert_eq!(read(), "one");
        checkout(cache.path(), &url, &second, &workspace, None).unwrap();
        assert_eq!(read(), "two");
        assert!(workspace.join("own.txt").exists());
        let head = Repository::open(&workspace).unwrap().head().unwrap().target().unwrap();
        assert_eq!(head.to_string(), second);
    }

    #[test]
    fn a_failed_checkout_says_which_commit() {
        let (repo, cache, work) = (Fixture::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        repo.commit("a.txt", "one", "first");
        let absent = "1234567890123456789012345678901234567890";
        let error = checkout(cache.path(), repo.url().as_str(), absent, work.path(), None).unwrap_err();
        assert!(error.to_string().contains(absent));
    }
}
