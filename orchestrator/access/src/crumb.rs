//! Crumbs: what a form of ours carries and another site cannot know. Jenkins' clients fetch one before they post.
//!
//! A crumb is an HMAC over who asks and the day, under a key that lives as long as the process; so none is kept. One of
//! yesterday still counts, that a form left open over midnight can be sent.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The crumb of a caller; `who` names the session or the user.
pub fn make(key: &[u8; 32], who: &str, now: i64) -> String {
    of_day(key, who, now.div_euclid(DAY_MS))
}

/// Whether a crumb is this caller's, of today or yesterday. In constant time.
pub fn accepts(key: &[u8; 32], who: &str, now: i64, crumb: &str) -> bool {
    let today = now.div_euclid(DAY_MS);
    let Ok(given) = hex::decode(crumb) else { return false };
    [today, today - 1].into_iter().any(|day| mac(key, who, day).is_some_and(|mac| mac.verify_slice(&given).is_ok()))
}

fn of_day(key: &[u8; 32], who: &str, day: i64) -> String {
    mac(key, who, day).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
}

fn mac(key: &[u8; 32], who: &str, day: i64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(format!("crumb\0{day}\0{who}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crumb_is_one_callers_and_two_days_old_at_most() {
        let key = [7; 32];
        let crumb = make(&key, "ada", 0);
        assert!(accepts(&key, "ada", DAY_MS - 1, &crumb) && accepts(&key, "ada", DAY_MS, &crumb));
        assert!(!accepts(&key, "ada", 2 * DAY_MS, &crumb));
        assert!(!accepts(&key, "bob", 0, &crumb) && !accepts(&[8; 32], "ada", 0, &crumb));
        assert!(!accepts(&key, "ada", 0, "") && !accepts(&key, "ada", 0, "zz"));
    }
}
