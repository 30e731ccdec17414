//! Identities. Outside names and idempotency tokens derive from [`StepKey`], so its text form is stable for ever.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One build, unique in a data folder, counted from 1. People know a build by pipeline and number instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BuildId(pub i64);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The path of a step, block, timer, lease or input inside its build, as in `/train` or `/test/matrix[2]/sh`.
///
/// Identity by path: a replay finds the same thing under the same path whatever the interleaving was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub std::sync::Arc<str>);

impl StepId {
    /// A path from its text; it should start with `/`.
    pub fn new(path: impl AsRef<str>) -> Self {
        Self(path.as_ref().into())
    }

    /// This path with one more part.
    #[must_use]
    pub fn child(&self, part: &str) -> Self {
        Self(format!("{}/{part}", self.0).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part, which people see as the name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt of one step of one build: what a step runner is idempotent under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// The build.
    pub build: BuildId,
    /// The step's path.
    pub step: StepId,
    /// Counted from 1; a retry has the next number.
    pub attempt: u32,
}

impl fmt::Display for StepKey {
    /// `42/train#1`; read back by nobody, compared by everybody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}#{}", self.build, self.step, self.attempt)
    }
}

impl StepKey {
    /// A name safe in a file system and in AWS' names: lower-case letters, digits and `-`, at most 60 characters,
    /// ending in a hash of the whole key so that two keys never share it.
    pub fn slug(&self) -> String {
        let full = self.to_string();
        let mut slug: String = full
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(40)
            .collect();
        slug.truncate(slug.trim_end_matches('-').len());
        format!("{slug}-{:016x}", fnv1a(full.as_bytes()))
    }
}

/// FNV-1a, 64 bits: a stable hash that needs no crate; not for secrets.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_is_short_safe_and_distinct() {
        let key = |step: &str, attempt| StepKey { build: BuildId(7), step: StepId::new(step), attempt };
        let a = key("/Train model/a", 1).slug();
        assert!(a.starts_with("7-train-model-a-1-"), "{a}");
        assert!(a.len() <= 60);
        assert_ne!(a, key("/train-model/a", 1).slug());
        assert_ne!(a, key("/Train model/a", 2).slug());
    }

    #[test]
    fn name_is_the_last_part() {
        assert_eq!(StepId::new("/a/b[1]").name(), "b[1]");
        assert_eq!(StepId::new("/a").child("c").as_str(), "/a/c");
    }
}
