//! Hears and answers git hosts.
//!
//! - [`ls_remote`] asks a repository where a branch is; [`definition_at`] reads a file of it at a commit.
//! - [`webhook`] verifies and parses what hosts send, without any IO.
//! - [`git`] is the one place of the project that starts the `git` program; it does all that touches the network.
//!   Reading is git2's work, on bare mirrors below a cache folder ([`Mirror`]).
//!
//! Nothing here knows of builds, triggers or stores: commits, texts and events go out, decisions are the engine's.

mod address;
mod changes;
mod classify;
mod credential;
mod error;
pub mod git;
mod mirror;
mod poll;
#[cfg(test)]
mod testing;
mod tree;
pub mod webhook;

pub use address::{RepoUrl, Transport, destination, same_repo};
pub use changes::{CommitChange, Edit};
pub use credential::Credential;
pub use error::ScmError;
pub use mirror::{CommitInfo, Mirror, commit_at, definition_at};
pub use poll::{ls_remote, references, revision};
pub use tree::{MAX_TREE_BYTES, MAX_TREE_FILES, texts_at};
pub use webhook::{Change, HookError, Host, Push, ScmEvent};
