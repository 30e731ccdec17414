//! What a step kind says of itself. Lint, `haliotis steps`, documentation, forms and the editor schema all read this.

use serde::Serialize;

use crate::Value;

/// What may happen to a step when its host dies while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Running it twice does no harm: it is started again.
    AtLeastOnce,
    /// It is never started twice; an unknown outcome is shown and a person decides.
    AtMostOnce,
    /// Its effect is idempotent under the step key: starting it again finds the first.
    Token,
}

/// Where a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// In a slot of an agent, with the build's workspace and a process of its own.
    Agent,
    /// In the server: waits on something elsewhere and takes no slot.
    Server,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A duration: a number of seconds or text as `90s`, `15m`, `2h`.
    Duration,
    /// A path in the workspace.
    Path,
    /// A list of texts.
    Strings,
    /// A list of anything.
    List,
    /// A map of texts, numbers and booleans.
    Map,
    /// Anything.
    Any,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArgumentSchema {
    /// Its key under `with:`.
    pub name: &'static str,
    /// Its type.
    pub kind: ArgumentKind,
    /// Must be given.
    pub required: bool,
    /// What it means, its unit and limits; one or two sentences.
    pub doc: &'static str,
    /// Used when absent.
    pub default: Option<Value>,
    /// The values allowed; empty: any of the kind.
    pub one_of: &'static [&'static str],
}

impl ArgumentSchema {
    /// An argument that must be given.
    pub const fn required(name: &'static str, kind: ArgumentKind, doc: &'static str) -> Self {
        Self { name, kind, required: true, doc, default: None, one_of: &[] }
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static str, kind: ArgumentKind, doc: &'static str) -> Self {
        Self { name, kind, required: false, doc, default: None, one_of: &[] }
    }

    /// The same with a default.
    #[must_use]
    pub fn or(mut self, default: impl Into<Value>) -> Self {
        self.default = Some(default.into());
        self
    }

    /// The same with a list of allowed values.
    #[must_use]
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.one_of = values;
        self
    }
}

/// One output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutputSchema {
    /// Its name after `steps.ID.outputs.`.
    pub name: &'static str,
    /// What it holds.
    pub doc: &'static str,
}

/// A step kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepSchema {
    /// The name after `uses:`.
    pub name: &'static str,
    /// One sentence; the first line of its documentation.
    pub doc: &'static str,
    /// Where it runs unless the pipeline says otherwise.
    pub placement: Placement,
    /// What a crash may do to it.
    pub delivery: Delivery,
    /// Its arguments.
    pub arguments: Vec<ArgumentSchema>,
    /// Outputs it always has on success.
    pub outputs: Vec<OutputSchema>,
    /// It may have outputs of other names too (a script's own).
    pub open_outputs: bool,
    /// It talks to the cloud, so plan, log and page say which one.
    pub cloud: bool,
    /// A complete `with:` block as YAML, for the documentation; linted by a test.
    pub example: &'static str,
}

impl StepSchema {
    /// The argument of a name.
    pub fn argument(&self, name: &str) -> Option<&ArgumentSchema> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}
