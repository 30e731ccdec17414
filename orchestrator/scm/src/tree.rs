//! All text files below some folders of a commit: what a shared library is made of.

use std::path::Path;

use git2::{FileMode, ObjectType, Repository, Tree};

use crate::poll::blocking;
use crate::{Credential, Mirror, ScmError};

/// Most files of a tree: a shared library has hundreds; they are pinned into every build that uses it.
pub const MAX_TREE_FILES: usize = 2_000;
/// Most bytes of a tree's texts, for the same reason.
pub const MAX_TREE_BYTES: usize = 4 << 20;

/// Paths and texts of all files below `folders` of a repository at a commit, sorted by path. Links and files that are not
/// UTF-8 are left out. `root` is a folder that the others lie in; empty: the repository's root.
///
/// # Errors
/// Those of [`Mirror::ensure`]; `TooLarge` beyond [`MAX_TREE_FILES`] files or [`MAX_TREE_BYTES`] bytes.
pub async fn texts_at(
    cache_dir: &Path,
    url: &str,
    commit: &str,
    root: &str,
    folders: &[&str],
    credential: Option<&Credential>,
) -> Result<Vec<(String, String)>, ScmError> {
    let (mirror, commit, credential) = (Mirror::new(cache_dir, url)?, commit.to_owned(), credential.cloned());
    let folders: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let root = root.trim_matches('/').to_owned();
    blocking(move || {
        mirror.ensure(&commit, credential.as_ref())?;
        let repo = mirror.open()?;
        let tree = mirror.tree(&repo, &commit)?;
        let mut reading = Reading {
            repo: &repo,
            found: Vec::new(),
            bytes: 0,
            what: format!("{} at {commit}", mirror.folder().display()),
        };
        for folder in folders {
            let path = if root.is_empty() { folder.clone() } else { format!("{root}/{folder}") };
            let Ok(entry) = tree.get_path(Path::new(&path)) else { continue };
            if let Ok(inner) = repo.find_tree(entry.id()) {
                reading.tree(&inner, &folder)?;
            }
        }
        reading.found.sort();
        Ok(reading.found)
    })
    .await
}

struct Reading<'r> {
    repo: &'r Repository,
    found: Vec<(String, String)>,
    bytes: usize,
    what: String,
}

impl Reading<'_> {
    fn tree(&mut self, tree: &Tree<'_>, path: &str) -> Result<(), ScmError> {
        for entry in tree {
            let path = format!("{path}/{}", String::from_utf8_lossy(entry.name_bytes()));
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    if let Ok(inner) = self.repo.find_tree(entry.id()) {
                        self.tree(&inner, &path)?;
                    }
                }
                Some(ObjectType::Blob) if entry.filemode() != i32::from(FileMode::Link) => {
                    let Ok(blob) = self.repo.find_blob(entry.id()) else { continue };
                    let Ok(text) = String::from_utf8(blob.content().to_vec()) else { continue };
                    self.bytes += text.len();
                    if self.found.len() >= MAX_TREE_FILES || self.bytes > MAX_TREE_BYTES {
                        return Err(ScmError::TooLarge { what: self.what.clone(), limit: MAX_TREE_BYTES });
                    }
                    self.found.push((path, text));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision;
    use crate::testing::Fixture;

    #[tokio::test]
    async fn a_librarys_files_at_a_branch_a_tag_and_a_hash() {
        let (repo, cache) = (Fixture::new(), tempfile::tempdir().unwrap());
        let url = repo.url().to_string();
        repo.commit("README.md", "no", "read me");
        let first = repo.commit("vars/greet.groovy", "def call() { 1 }", "one");
        let git = |args: &[&str]| {
            let done = std::process::Command::new("git").arg("-C").arg(repo.path()).args(args).status().unwrap();
            assert!(done.success());
        };
        git(&["-c", "user.name=t", "-c", "user.email=t@localhost", "tag", "-a", "-m", "first", "v1", &first]);
        repo.commit("vars/greet.groovy", "def call() { 2 }", "two");
        let side = repo.commit_on("side/x", "src/org/acme/A.groovy", "class A {}", "aside");
        git(&["tag", "light", &side]);
        git(&["update-ref", "-d", "refs/heads/side/x"]);
        for (name, commit) in
            [("v1", Some(&first)), ("refs/tags/v1", Some(&first)), ("light", Some(&side)), ("none", None)]
        {
            assert_eq!(revision(&url, name, None).await.unwrap().as_ref(), commit, "{name}");
        }
        assert_eq!(revision(&url, &first, None).await.unwrap().unwrap(), first);
        let read = async |commit: &str| texts_at(cache.path(), &url, commit, "", &["vars", "src"], None).await.unwrap();
        assert_eq!(read(&first).await, [("vars/greet.groovy".to_owned(), "def call() { 1 }".to_owned())]);
        // On no branch any more.
        assert_eq!(read(&side).await[0].0, "src/org/acme/A.groovy");
        let below = texts_at(cache.path(), &url, &side, "src/org", &["acme"], None).await.unwrap();
        assert_eq!(below[0], ("acme/A.groovy".to_owned(), "class A {}".to_owned()));
        assert!(revision(&url, "--upload-pack=x", None).await.is_err());
    }
}
