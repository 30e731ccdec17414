//! The nouns of Haliotis: ids, pipelines, builds, steps, results, inputs, causes.
//!
//! Plain data. No IO, no clock, no async, no unordered maps: every other crate may name this one, and this one names
//! none of ours. Names are the field's (ARCHITECTURE.md, Words); one word per thing across code, SQL, API and pages.

pub mod bounds;
pub mod branches;
mod build;
mod carry;
mod id;
mod input;
mod result;
mod retention;
mod schema;
mod secret;
mod step;
mod time;

pub use build::{
    BuildStatus, BuildSummary, Cause, NewBuild, ParameterKind, ParameterSpec, Pipeline, Source, TriggerSpec,
    WorkspaceKind,
};
pub use carry::{Carried, Carry};
pub use id::{BuildId, StepId, StepKey};
pub use input::{Answer, Decision, InputSpec};
pub use result::BuildResult;
pub use retention::{Kept, Retention};
pub use schema::{ArgumentKind, ArgumentSchema, Delivery, OutputSchema, Placement, StepSchema};
pub use secret::{Secret, fill_placeholders, placeholder};
pub use step::{Call, Interrupted, StepOutput};
pub use time::Millis;

/// JSON with keys in the order they were written; what arguments, outputs and parameters are made of.
pub type Value = serde_json::Value;
/// A JSON object with keys in the order they were written.
pub type Object = serde_json::Map<String, serde_json::Value>;
/// Variables of a process, in name order.
pub type Vars = std::collections::BTreeMap<String, String>;
