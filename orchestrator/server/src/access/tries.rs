//! How often somebody may guess: a name that failed often waits, whoever asks; so does an address.
//!
//! A name that waits is refused before any hashing, so guessing costs the server nothing. Tokens and sessions of the same
//! person go on working: nobody can be locked out by guessing at their name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Wrong tries that cost nothing.
const FREE: u32 = 5;
/// The first wait, in milliseconds; it doubles with each wrong try.
const FIRST_MS: i64 = 1_000;
/// The longest wait: 5 minutes.
const LONGEST_MS: i64 = 5 * 60 * 1000;
/// Keys remembered; more come only of an attack, and then the oldest go.
const MOST: usize = 10_000;

/// Wrong tries by key.
#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<String, (u32, i64)>>);

impl Tries {
    /// Milliseconds until this key may try again; `None`: now.
    pub(super) fn wait(&self, key: &str, now: i64) -> Option<i64> {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = tries.get(key)?;
        let over = count.checked_sub(FREE)?;
        let pause = FIRST_MS.saturating_mul(1 << over.min(20)).min(LONGEST_MS);
        Some(last + pause - now).filter(|rest| *rest > 0)
    }

    /// A wrong try.
    pub(super) fn wrong(&self, key: &str, now: i64) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MOST {
            tries.retain(|_, (_, last)| now - *last < LONGEST_MS);
            if tries.len() >= MOST {
                tries.clear();
            }
        }
        let entry = tries.entry(key.to_owned()).or_insert((0, now));
        *entry = (entry.0.saturating_add(1), now);
    }

    /// A right one.
    pub(super) fn right(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_gets_slower_and_being_right_ends_it() {
        let tries = Tries::default();
        for _ in 0..FREE - 1 {
            tries.wrong("ada", 0);
        }
        assert_eq!(tries.wait("ada", 0), None);
        tries.wrong("ada", 0);
        assert_eq!(tries.wait("ada", 0), Some(FIRST_MS));
        tries.wrong("ada", 0);
        assert_eq!(tries.wait("ada", 0), Some(2 * FIRST_MS));
        assert_eq!(tries.wait("ada", 2 * FIRST_MS), None);
        assert_eq!(tries.wait("bob", 0), None);
        (0..90).for_each(|_| tries.wrong("ada", 0));
        assert_eq!(tries.wait("ada", 0), Some(LONGEST_MS));
        tries.right("ada");
        assert_eq!(tries.wait("ada", 0), None);
    }
}
