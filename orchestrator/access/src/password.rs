//! Passwords: argon2id with the library's defaults (19 MiB, two passes: OWASP's advice), a fresh salt each.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::{NoRandomness, random};

/// Shorter ones are refused: they can be guessed even through the limit on tries.
pub const MIN_LENGTH: usize = 10;
/// Longer ones are refused: hashing them costs time for nothing.
pub const MAX_LENGTH: usize = 256;
/// Letters of a one-time password: 24 of 32 signs are 120 bits.
const ONE_TIME_LENGTH: usize = 24;
/// Signs that nobody confuses.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Too short or too long.
    #[error("a password has {MIN_LENGTH} to {MAX_LENGTH} characters; this has {0}")]
    Length(usize),
    /// The hash cannot be made.
    #[error("the password cannot be kept: {0}")]
    Hash(String),
}

/// What is kept of a password. Takes some 20 ms of a core and 19 MiB: not on a thread that others wait for.
///
/// # Errors
/// When the length is out of bounds or no salt can be had.
pub fn hash(password: &str) -> Result<String, BadPassword> {
    let length = password.chars().count();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(BadPassword::Length(length));
    }
    let salt: [u8; 16] = random().ok_or_else(|| BadPassword::Hash(NoRandomness.to_string()))?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| BadPassword::Hash(error.to_string()))
}

/// Whether the password is the one of this hash. As slow as [`hash`]. Without a hash as much work is done, so that the
/// time taken does not tell whether a user exists.
pub fn verify(password: &str, kept: Option<&str>) -> bool {
    if password.len() > MAX_LENGTH * 4 {
        return false;
    }
    let Some(parsed) = kept.and_then(|kept| PasswordHash::new(kept).ok()) else {
        let _ = Argon2::default().hash_password_with_salt(password.as_bytes(), &[0; 16]);
        return false;
    };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
}

/// A password to print once.
///
/// # Errors
/// When the system gives no random numbers.
pub fn one_time() -> Result<String, NoRandomness> {
    let bytes: [u8; ONE_TIME_LENGTH] = random().ok_or(NoRandomness)?;
    Ok(bytes.iter().map(|byte| char::from(SIGNS[usize::from(byte & 31)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_never_kept() {
        let kept = hash("correct horse").unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("horse"));
        assert!(verify("correct horse", Some(&kept)));
        assert!(!verify("correct horsE", Some(&kept)) && !verify("", Some(&kept)));
        assert!(!verify("correct horse", None) && !verify("x", Some("not a hash")));
        assert_ne!(kept, hash("correct horse").unwrap(), "each has its own salt");
    }

    #[test]
    fn lengths_are_bound_and_one_time_passwords_differ() {
        assert_eq!(hash("short"), Err(BadPassword::Length(5)));
        assert_eq!(hash(&"x".repeat(MAX_LENGTH + 1)), Err(BadPassword::Length(MAX_LENGTH + 1)));
        let (one, other) = (one_time().unwrap(), one_time().unwrap());
        assert!(one.len() == ONE_TIME_LENGTH && one != other);
    }
}
