//! What can go wrong with seeding; nothing was changed in the repository in any of these cases.

use haliotis_scm::ScmError;

/// An error of a template, its values or the repository.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// No template of this name.
    #[error("there is no template {name}; there are: {known}")]
    UnknownTemplate {
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// Values that are missing, not known or not allowed; all of them at once.
    #[error("the values for the template cannot be used:\n  {}", .0.join("\n  "))]
    BadValues(Vec<String>),
    /// A template has a placeholder that is none of the list: our own mistake.
    #[error("template file {file}, line {line}: {problem}")]
    BadTemplate {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The author is not `Name <address>`.
    #[error("{0:?} is no author; write it as `Name <address>`")]
    BadAuthor(String),
    /// The repository is not empty and was not seeded with this.
    #[error("{url} already has other content ({found}), nothing was changed; seed an empty repository instead")]
    NotEmpty {
        /// The repository.
        url: String,
        /// What was found there.
        found: String,
    },
    /// The repository was seeded from the same template, with other values or by another version of it.
    #[error(
        "{url} was seeded from {template} before, with other values or by another version (commit {commit}), nothing was \
         changed; use it as it is, or seed an empty repository"
    )]
    SeededOtherwise {
        /// The repository.
        url: String,
        /// The template.
        template: String,
        /// The commit that seeded it.
        commit: String,
    },
    /// The file to change is not there.
    #[error("{url}, branch {branch}, has no text file {path}")]
    NoFile {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// The file.
        path: String,
    },
    /// A parameter to change is not in the file.
    #[error("the file has no parameter {0} with a default; nothing was changed")]
    NoParameter(String),
    /// The place for a new repository is taken.
    #[error("{path} is not an empty folder and not a bare repository; name another place")]
    PlaceTaken {
        /// The folder.
        path: String,
    },
    /// The host, the credential, the repository.
    #[error(transparent)]
    Scm(#[from] ScmError),
    /// libgit2 on local files.
    #[error("{what}: {source}")]
    Git {
        /// What was being done, and where.
        what: String,
        /// libgit2's words.
        source: git2::Error,
    },
    /// The local disk.
    #[error("{path}: {source}; check the folder, its rights and the space left")]
    Io {
        /// Where.
        path: String,
        /// The system's words.
        source: std::io::Error,
    },
}
