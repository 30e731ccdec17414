//! Fills Git repositories from templates that are data inside the binary.
//!
//! [`templates`] lists them, [`render`] gives the files of one for a project's values, [`seed`] commits and pushes them
//! to a repository that has nothing in it, [`commit_change`] changes one file there later.
//!
//! **Invariant**: the same template and values give the same tree, byte for byte. Seeding twice finds the first.
//! Commits are built by git2 in a temporary repository. To a folder of this machine git2 also pushes; over the network
//! the push is the `git` program's, through `haliotis_scm::git`.

mod error;
mod publish;
mod remote;
mod render;
mod template;
mod tree;
mod values;

pub use error::SeedError;
pub use haliotis_scm::Credential;
pub use publish::{SeedRequest, Seeded, commit_change, create_bare, seed, set_parameter_default};
pub use render::{File, render};
pub use template::{TemplateInfo, templates};
pub use values::{DEFAULT_DATA_URL, PLACEHOLDERS, Placeholder};
