//! Time as data. Whoever has a clock makes one of these; nobody below the engine asks a clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Milliseconds from `earlier` to `self`, never negative.
    pub fn since(self, earlier: Millis) -> u64 {
        u64::try_from(self.0 - earlier.0).unwrap_or(0)
    }

    /// This time and `ms` more.
    #[must_use]
    pub fn plus(self, ms: u64) -> Millis {
        Millis(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }
}
