//! API tokens: shown once, kept as a hash, with a limit and an end.
//!
//! A token is `hal_` and 44 hexadecimal digits: 4 bytes that name it and 18 that nobody guesses. A slow hash is of no use
//! for 144 random bits, so SHA-256 it is, and a request with a token costs no more than one without.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::name::Name;
use crate::permission::Permissions;
use crate::{NoRandomness, random};

/// How a token begins; scanners for lost secrets can look for it.
pub const PREFIX: &str = "hal_";
/// Bytes that name a token.
const ID_BYTES: usize = 4;
/// Bytes that nobody guesses.
const SECRET_BYTES: usize = 18;
/// Without another wish a token lives so long, in milliseconds: 90 days.
pub const LIFETIME_MS: i64 = 90 * 24 * 3600 * 1000;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Eight hexadecimal digits, the first of the token.
    pub id: String,
    /// Whose.
    pub user: Name,
    /// For people.
    pub label: String,
    /// SHA-256 of the whole token, in hexadecimal.
    pub hash: String,
    /// No more than this, whatever its owner may do.
    pub permissions: Permissions,
    /// Within this scope; empty: everywhere.
    pub scope: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// From then on it counts for nothing; `None`: never.
    pub expires_at: Option<i64>,
}

/// What a new token may do.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// For people.
    pub label: String,
    /// No more than this.
    pub permissions: Permissions,
    /// Within this scope.
    pub scope: String,
    /// Its end.
    pub expires_at: Option<i64>,
}

/// Makes a token: what is shown once, and what is kept.
///
/// # Errors
/// When the system gives no random numbers.
pub fn mint(user: Name, wish: Wish, now: i64) -> Result<(String, Token), NoRandomness> {
    let bytes: [u8; ID_BYTES + SECRET_BYTES] = random().ok_or(NoRandomness)?;
    let digits = hex::encode(bytes);
    let text = format!("{PREFIX}{digits}");
    let Wish { label, permissions, scope, expires_at } = wish;
    let id = digits.chars().take(ID_BYTES * 2).collect();
    let hash = digest(&text);
    Ok((text, Token { id, user, label, hash, permissions, scope, created_at: now, expires_at }))
}

/// The id in a text that looks like a token.
pub fn id_of(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(PREFIX)?;
    let whole = digits.len() == (ID_BYTES + SECRET_BYTES) * 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if whole { digits.get(..ID_BYTES * 2) } else { None }
}

impl Token {
    /// Whether `text` is this token and it still counts. The time taken does not depend on where it differs.
    pub fn accepts(&self, text: &str, now: i64) -> bool {
        let same: bool = digest(text).as_bytes().ct_eq(self.hash.as_bytes()).into();
        same && self.expires_at.is_none_or(|end| now < end)
    }
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_id_and_known_by_its_hash() {
        let wish = Wish { expires_at: Some(2_000), ..Wish::default() };
        let (text, token) = mint(Name::parse("ada").unwrap(), wish, 1_000).unwrap();
        assert_eq!(id_of(&text), Some(token.id.as_str()));
        assert!(!serde_json::to_string(&token).unwrap().contains(&text));
        assert!(token.accepts(&text, 1_999) && !token.accepts(&text, 2_000));
        let other = format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
        assert!(!token.accepts(&other, 1_000) && !token.accepts("", 1_000));
    }

    #[test]
    fn nothing_else_is_taken_for_a_token() {
        for text in ["", "hal_", "hal_zz", "110000000000000000000000000000000000000000", "Hal_00"] {
            assert_eq!(id_of(text), None, "{text}");
        }
    }
}
