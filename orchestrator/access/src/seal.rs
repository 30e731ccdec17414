//! Secrets at rest: XChaCha20-Poly1305 in an envelope. Each secret has a key of its own; that key is sealed under the
//! server's. So changing the server's key rewrites small envelopes and no secret is ever written open.
//!
//! An envelope is bound to its name: moved to another row it does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::random;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce; of 24 random ones no two are ever the same.
const NONCE_BYTES: usize = 24;

/// The server's key. Neither `Debug` nor `Serialize` shows it; its memory is wiped.
#[derive(Clone)]
pub struct SealKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

/// A sealed secret, as it is kept. All in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Which key sealed it.
    pub key: String,
    /// The secret's own key, sealed.
    pub wrapped: String,
    /// The secret, sealed under its own key.
    pub sealed: String,
}

/// Why an envelope does not open, or a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is no key.
    #[error("a key is 64 hexadecimal digits, as `openssl rand -hex 32` prints them")]
    BadKey,
    /// Sealed under another key.
    #[error("it was sealed under key {sealed} and the server has key {own}; start it with the key file of that time")]
    OtherKey {
        /// The one it was sealed under.
        sealed: String,
        /// The one at hand.
        own: String,
    },
    /// It was changed, cut, or belongs to another name.
    #[error("what is kept of it was changed or belongs to something else; store it again")]
    Damaged,
    /// No random numbers.
    #[error(transparent)]
    NoRandomness(#[from] crate::NoRandomness),
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

impl SealKey {
    /// From 64 hexadecimal digits; space around them is nothing.
    ///
    /// # Errors
    /// `BadKey`.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(text.trim(), &mut *bytes).map_err(|_| SealError::BadKey)?;
        Ok(Self::new(bytes))
    }

    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<Self, SealError> {
        Ok(Self::new(Zeroizing::new(random().ok_or(crate::NoRandomness)?)))
    }

    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = hex::encode(Sha256::new().chain_update(b"haliotis key id\0").chain_update(*bytes).finalize());
        Self { bytes, id: digest.chars().take(16).collect() }
    }

    /// Names the key without giving it away.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as text, for its file.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(*self.bytes))
    }

    /// Seals a secret for a name.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn seal(&self, name: &str, secret: &[u8]) -> Result<Envelope, SealError> {
        let own: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(random().ok_or(crate::NoRandomness)?);
        let wrapped = encrypt(&self.bytes, name, &own[..])?;
        Ok(Envelope { key: self.id.clone(), wrapped, sealed: encrypt(&own, name, secret)? })
    }

    /// Opens what was sealed for that name.
    ///
    /// # Errors
    /// `OtherKey`, `Damaged`.
    pub fn open(&self, name: &str, envelope: &Envelope) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let own = self.unwrap(name, envelope)?;
        decrypt(&own, name, &envelope.sealed)
    }

    /// The same secret under another key; the secret itself stays sealed all the while.
    ///
    /// # Errors
    /// As [`SealKey::open`].
    pub fn rewrap(&self, to: &SealKey, name: &str, envelope: &Envelope) -> Result<Envelope, SealError> {
        let own = self.unwrap(name, envelope)?;
        let wrapped = encrypt(&to.bytes, name, &own[..])?;
        Ok(Envelope { key: to.id.clone(), wrapped, sealed: envelope.sealed.clone() })
    }

    fn unwrap(&self, name: &str, envelope: &Envelope) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        if envelope.key != self.id {
            return Err(SealError::OtherKey { sealed: envelope.key.clone(), own: self.id.clone() });
        }
        let bytes = decrypt(&self.bytes, name, &envelope.wrapped)?;
        let own: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| SealError::Damaged)?;
        Ok(Zeroizing::new(own))
    }
}

fn encrypt(key: &[u8; KEY_BYTES], name: &str, plain: &[u8]) -> Result<String, SealError> {
    let nonce: [u8; NONCE_BYTES] = random().ok_or(crate::NoRandomness)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let payload = Payload { msg: plain, aad: name.as_bytes() };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Damaged)?;
    Ok(format!("{}{}", hex::encode(nonce), hex::encode(sealed)))
}

fn decrypt(key: &[u8; KEY_BYTES], name: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let bytes = hex::decode(text).map_err(|_| SealError::Damaged)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Damaged)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let payload = Payload { msg: sealed, aad: name.as_bytes() };
    cipher.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| SealError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_under_its_key_and_name_alone() {
        let (key, other) = (SealKey::generate().unwrap(), SealKey::generate().unwrap());
        let envelope = key.seal("git", b"s3cr3t").unwrap();
        assert_eq!(key.open("git", &envelope).unwrap().as_slice(), b"s3cr3t");
        assert_eq!(key.open("other", &envelope).unwrap_err(), SealError::Damaged);
        assert!(matches!(other.open("git", &envelope), Err(SealError::OtherKey { .. })));
        let mut changed = envelope.clone();
        changed.sealed.replace_range(60..61, if &envelope.sealed[60..61] == "0" { "1" } else { "0" });
        assert_eq!(key.open("git", &changed).unwrap_err(), SealError::Damaged);
        assert_ne!(envelope, key.seal("git", b"s3cr3t").unwrap());
        assert!(!format!("{key:?} {envelope:?}").contains(key.to_text().as_str()));
    }

    #[test]
    fn rotation_leaves_the_secret_sealed_and_the_old_key_useless() {
        let (old, new) = (SealKey::generate().unwrap(), SealKey::generate().unwrap());
        let before = old.seal("git", b"s3cr3t").unwrap();
        let after = old.rewrap(&new, "git", &before).unwrap();
        assert_eq!(new.open("git", &after).unwrap().as_slice(), b"s3cr3t");
        assert!(old.open("git", &after).is_err());
        assert_eq!(before.sealed, after.sealed);
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = SealKey::generate().unwrap();
        assert_eq!(SealKey::parse(&format!("{}\n", key.to_text().as_str())).unwrap().id(), key.id());
        for text in ["", "00", &"zz".repeat(32), &"00".repeat(33)] {
            assert_eq!(SealKey::parse(text).unwrap_err(), SealError::BadKey);
        }
    }
}
