//! What an endpoint was asked of late: the counts and the last invocations of each variant, for people. AWS keeps these in
//! CloudWatch; here they live as long as the fleet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Invocations remembered of each variant.
const KEPT: usize = 50;
/// Characters of what a container said when it refused.
const SAID: usize = 300;

/// One invocation that is over.
#[derive(Clone, Debug)]
struct Seen {
    /// Milliseconds since 1970.
    at: u64,
    took: Duration,
    /// Of the container; 0: it did not answer in time.
    status: u16,
    /// What it said, when it refused.
    said: String,
}

/// The traffic of one variant.
#[derive(Default)]
pub(crate) struct Traffic {
    invocations: AtomicU64,
    errors: AtomicU64,
    recent: Mutex<VecDeque<Seen>>,
}

impl Traffic {
    /// An invocation came.
    pub(crate) fn begin(&self) {
        self.invocations.fetch_add(1, Ordering::Relaxed);
    }

    /// It was answered well.
    pub(crate) fn well(&self, took: Duration) {
        self.remember(took, 200, String::new());
    }

    /// It was not.
    pub(crate) fn failed(&self, took: Duration, status: u16, said: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.remember(took, status, said.chars().take(SAID).collect());
    }

    fn remember(&self, took: Duration, status: u16, said: String) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_front(Seen { at, took, status, said });
        recent.truncate(KEPT);
    }

    /// Counts, and the last invocations, newest first.
    pub(crate) fn told(&self, name: &str) -> Value {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |seen: &Seen| {
            let took = u64::try_from(seen.took.as_micros()).unwrap_or(u64::MAX);
            json!({ "at": seen.at, "took-us": took, "status": seen.status, "said": seen.said })
        };
        json!({
            "name": name,
            "invocations": self.invocations.load(Ordering::Relaxed),
            "errors": self.errors.load(Ordering::Relaxed),
            "recent": recent.iter().map(one).collect::<Value>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_remembers_the_last() {
        let traffic = Traffic::default();
        for n in 0..60 {
            traffic.begin();
            match n % 3 {
                0 => traffic.failed(Duration::from_micros(n), 500, &"x".repeat(1_000)),
                _ => traffic.well(Duration::from_micros(n)),
            }
        }
        let told = traffic.told("AllTraffic");
        assert_eq!((&told["invocations"], &told["errors"]), (&json!(60), &json!(20)));
        assert_eq!((told["recent"].as_array().unwrap().len(), &told["recent"][0]["took-us"]), (KEPT, &json!(59)));
        assert_eq!(told["recent"][2]["said"].as_str().unwrap().len(), SAID);
    }
}
