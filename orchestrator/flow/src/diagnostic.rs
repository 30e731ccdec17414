//! What is wrong with a source, as data. Rendered in one place, all of it at once.

use serde::{Deserialize, Serialize};

/// One problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable code, as `yaml-unknown-key`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub message: String,
    /// The file, as the user named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Length of the marked text in characters, at least 1.
    pub length: usize,
    /// What to do, as `did you mean "needs"?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The source cannot run.
    Error,
    /// It can, but it will surprise.
    Warning,
}
