//! What a build takes over from an earlier one of the same definition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BuildId, Call, StepId, StepOutput};

/// What is taken over, pinned with the build: its replay needs no other journal, and the earlier build may be removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carry {
    /// The earlier build.
    pub from: BuildId,
    /// Its number in the pipeline.
    pub number: u32,
    /// Where the person began: a step's path or a stage's name; empty: at what had not ended well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// `Some(name)`: the language itself leaves out what stands before this stage (Declarative Jenkinsfiles).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Ends of steps that are not run again, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<StepId, Carried>,
    /// A step that is asked for otherwise than before voids whatever is asked for later, not only what needs it.
    #[serde(default)]
    pub by_order: bool,
    /// The workspace is taken over as the earlier build left it.
    #[serde(default)]
    pub workspace: bool,
}

/// The end of a step in the earlier build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// How it ended.
    pub output: StepOutput,
    /// `Some`: good only for a step asked for with exactly this; `None`: the definition and all it reads are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}
