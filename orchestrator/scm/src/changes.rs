//! What commits did: their whole messages, and the files that each of them touched.

use git2::{Commit, Delta, Sort};

use crate::error::ScmError;
use crate::mirror::Mirror;

/// Most files told of one commit; a commit with more is a merge of the world.
const MAX_FILES: usize = 1000;

/// What a commit did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It was not there.
    Add,
    /// It was another.
    Edit,
    /// It is gone.
    Delete,
}

/// A commit with all that is told of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitChange {
    /// Full hash.
    pub commit: String,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub email: String,
    /// The whole message.
    pub message: String,
    /// When it was committed, in milliseconds since 1970.
    pub at_ms: i64,
    /// Files against the first parent, sorted by path; at most 1000.
    pub files: Vec<(Edit, String)>,
}

impl Mirror {
    /// Commits that are in `to` and not in `from`, oldest first, at most the newest `limit`.
    ///
    /// # Errors
    /// `NoSuchCommit`, or that the mirror cannot be read.
    pub fn changes(&self, from: &str, to: &str, limit: usize) -> Result<Vec<CommitChange>, ScmError> {
        let repo = self.open()?;
        let failed = |error| self.failed(error);
        let mut walk = repo.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(failed)?;
        walk.push(self.find(&repo, to)?.id()).map_err(failed)?;
        walk.hide(self.find(&repo, from)?.id()).map_err(failed)?;
        let mut found = Vec::new();
        for id in walk.take(limit) {
            let commit = repo.find_commit(id.map_err(failed)?).map_err(failed)?;
            found.push(change(&repo, &commit).map_err(failed)?);
        }
        found.reverse();
        Ok(found)
    }
}

fn change(repo: &git2::Repository, commit: &Commit<'_>) -> Result<CommitChange, git2::Error> {
    let before = match commit.parent_count() {
        0 => None,
        _ => Some(commit.parent(0)?.tree()?),
    };
    let diff = repo.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
    let mut files: Vec<(Edit, String)> = diff
        .deltas()
        .take(MAX_FILES)
        .filter_map(|delta| {
            let (edit, file) = match delta.status() {
                Delta::Added => (Edit::Add, delta.new_file()),
                Delta::Deleted => (Edit::Delete, delta.old_file()),
                _ => (Edit::Edit, delta.new_file()),
            };
            Some((edit, String::from_utf8_lossy(file.path_bytes()?).into_owned()))
        })
        .collect();
    files.sort_by(|a, b| a.1.cmp(&b.1));
    let author = commit.author();
    Ok(CommitChange {
        commit: commit.id().to_string(),
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        at_ms: commit.time().seconds().saturating_mul(1000),
        files,
    })
}
