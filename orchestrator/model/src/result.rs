//! How a build or a part of it ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Ordered from best to worst; the worst of the parts is the result of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildResult {
    /// All well.
    Success,
    /// It ran, but tests failed or a step said so.
    Unstable,
    /// Something failed.
    Failure,
    /// It did not run.
    NotBuilt,
    /// A person or a rule stopped it.
    Aborted,
}

impl BuildResult {
    /// All, from best to worst.
    pub const ALL: [BuildResult; 5] = [
        BuildResult::Success,
        BuildResult::Unstable,
        BuildResult::Failure,
        BuildResult::NotBuilt,
        BuildResult::Aborted,
    ];

    /// The worse of the two.
    #[must_use]
    pub fn worst(self, other: BuildResult) -> BuildResult {
        self.max(other)
    }

    /// The word in files, API and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            BuildResult::Success => "success",
            BuildResult::Unstable => "unstable",
            BuildResult::Failure => "failure",
            BuildResult::NotBuilt => "not-built",
            BuildResult::Aborted => "aborted",
        }
    }

    /// The result a word names.
    pub fn parse(word: &str) -> Option<BuildResult> {
        BuildResult::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

impl fmt::Display for BuildResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
