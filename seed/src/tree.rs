//! Trees and commits from rendered files, by git2.

use git2::{Commit, FileMode, Oid, Repository, Signature, Tree};

use crate::{File, SeedError};

/// The line of a commit message that tells which template a repository came from.
const TRAILER: &str = "Haliotis-Seed: ";

pub(crate) fn git(what: &str) -> impl FnOnce(git2::Error) -> SeedError {
    let what = what.to_owned();
    move |source| SeedError::Git { what, source }
}

/// The message of the first commit.
pub(crate) fn seed_message(template: &str) -> String {
    format!("Seed from {template}\n\n{TRAILER}{template}\n")
}

/// The template that a commit says it seeded from.
pub(crate) fn seeded_from(commit: &Commit<'_>) -> Option<String> {
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    message.lines().find_map(|line| Some(line.strip_prefix(TRAILER)?.trim().to_owned()))
}

/// Writes the files as a tree.
pub(crate) fn write_tree(repo: &Repository, files: &[File]) -> Result<Oid, SeedError> {
    let empty = repo.treebuilder(None).and_then(|builder| builder.write()).map_err(git("writing a tree"))?;
    let base = repo.find_tree(empty).map_err(git("reading a tree"))?;
    let mut update = git2::build::TreeUpdateBuilder::new();
    for file in files {
        let blob = repo.blob(&file.content).map_err(git("writing a file"))?;
        update.upsert(file.path.as_str(), blob, FileMode::Blob);
    }
    update.create_updated(repo, &base).map_err(git("writing a tree"))
}

/// The tree with one file changed.
pub(crate) fn with_file(repo: &Repository, base: &Tree<'_>, path: &str, text: &str) -> Result<Oid, SeedError> {
    let blob = repo.blob(text.as_bytes()).map_err(git("writing a file"))?;
    let mode = match base.get_path(std::path::Path::new(path)).map(|entry| entry.filemode()) {
        Ok(mode) if mode == i32::from(FileMode::BlobExecutable) => FileMode::BlobExecutable,
        _ => FileMode::Blob,
    };
    git2::build::TreeUpdateBuilder::new()
        .upsert(path, blob, mode)
        .create_updated(repo, base)
        .map_err(git("writing a tree"))
}

/// Commits a tree; no branch is moved.
pub(crate) fn commit(
    repo: &Repository,
    tree: Oid,
    parent: Option<&Commit<'_>>,
    message: &str,
    author: &str,
) -> Result<Oid, SeedError> {
    let who = signature(author)?;
    let tree = repo.find_tree(tree).map_err(git("reading a tree"))?;
    let parents: Vec<&Commit<'_>> = parent.into_iter().collect();
    repo.commit(None, &who, &who, message, &tree, &parents).map_err(git("writing a commit"))
}

/// `Name <address>`, now.
fn signature(author: &str) -> Result<Signature<'static>, SeedError> {
    let bad = || SeedError::BadAuthor(author.to_owned());
    let (name, rest) = author.split_once('<').ok_or_else(bad)?;
    let address = rest.strip_suffix('>').ok_or_else(bad)?;
    Signature::now(name.trim(), address.trim()).map_err(|_| bad())
}

/// The first commit of a branch, along first parents. A history longer than the bound is none that was seeded lately;
/// it is looked at no further.
pub(crate) fn root<'r>(head: &Commit<'r>) -> Option<Commit<'r>> {
    const LONGEST: usize = 100_000;
    let mut commit = head.clone();
    for _ in 0..LONGEST {
        if commit.parent_count() == 0 {
            return Some(commit);
        }
        commit = commit.parent(0).ok()?;
    }
    None
}
