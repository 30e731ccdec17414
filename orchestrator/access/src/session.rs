//! Sessions of browsers: a random id in a cookie, its hash in the store, an end after idleness and an end in any case.
//!
//! Logging in always makes a new id (nothing that came before is taken over), logging out and changing the password
//! remove it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::Name;
use crate::{NoRandomness, random};

/// Without a request for so long the session is over: 12 hours.
pub const IDLE_MS: i64 = 12 * 3600 * 1000;
/// Over in any case: 7 days.
pub const LIFETIME_MS: i64 = 7 * 24 * 3600 * 1000;
/// A request is noted at most so often, so that looking at pages writes little: 5 minutes.
pub const NOTE_MS: i64 = 5 * 60 * 1000;

/// What is kept of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the id in the cookie, in hexadecimal.
    pub id: String,
    /// Whose.
    pub user: Name,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// The last request that was noted.
    pub seen_at: i64,
}

/// Makes a session: the cookie's value, and what is kept.
///
/// # Errors
/// When the system gives no random numbers.
pub fn open(user: Name, now: i64) -> Result<(String, Session), NoRandomness> {
    let bytes: [u8; 32] = random().ok_or(NoRandomness)?;
    let cookie = hex::encode(bytes);
    let id = id_of(&cookie);
    Ok((cookie, Session { id, user, created_at: now, seen_at: now }))
}

/// The id under which the session of a cookie is kept.
pub fn id_of(cookie: &str) -> String {
    hex::encode(Sha256::digest(cookie))
}

impl Session {
    /// Whether it still counts.
    pub fn alive(&self, now: i64) -> bool {
        now < self.created_at + LIFETIME_MS && now < self.seen_at + IDLE_MS
    }

    /// Whether this request should be noted.
    pub fn stale(&self, now: i64) -> bool {
        now >= self.seen_at + NOTE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_idleness_and_by_age() {
        let (cookie, mut session) = open(Name::parse("ada").unwrap(), 0).unwrap();
        assert_eq!(id_of(&cookie), session.id);
        assert!(session.alive(IDLE_MS - 1) && !session.alive(IDLE_MS));
        assert!(!session.stale(NOTE_MS - 1) && session.stale(NOTE_MS));
        session.seen_at = LIFETIME_MS - 1;
        assert!(session.alive(LIFETIME_MS - 1) && !session.alive(LIFETIME_MS));
    }
}
