//! The checksums that clients send beside a body: verified while it streams in, kept, and given back on request.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::AwsError;

/// CRC-32C (Castagnoli), reflected.
const CRC32C_POLYNOMIAL: u64 = 0x82F6_3B78;
/// CRC-64/NVME, reflected.
const CRC64_NVME_POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;

/// Checksums by algorithm, Base64 as on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checksums(pub BTreeMap<Algorithm, String>);

/// The algorithms this store can compute. SHA-1 is refused rather than ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// As zip.
    Crc32,
    /// Castagnoli.
    Crc32c,
    /// NVMe's.
    Crc64Nvme,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha256];

    /// The word of `x-amz-sdk-checksum-algorithm`.
    pub fn parse(word: &str) -> Result<Self, AwsError> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.word().eq_ignore_ascii_case(word));
        known.ok_or_else(|| {
            AwsError::new(
                400,
                "InvalidRequest",
                format!("the local cloud cannot compute the checksum algorithm {word}; use CRC32, CRC32C, CRC64NVME or SHA256"),
            )
        })
    }

    /// As AWS writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries it.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }
}

/// A checksum in the making.
#[derive(Clone)]
pub(crate) enum Hasher {
    Crc32(crc32fast::Hasher),
    Table { state: u64, table: Box<[u64; 256]>, wide: bool },
    Sha256(Box<Sha256>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            Algorithm::Crc32c => {
                Self::Table { state: u64::from(u32::MAX), table: Box::new(crc_table(CRC32C_POLYNOMIAL)), wide: false }
            }
            Algorithm::Crc64Nvme => {
                Self::Table { state: u64::MAX, table: Box::new(crc_table(CRC64_NVME_POLYNOMIAL)), wide: true }
            }
            Algorithm::Sha256 => Self::Sha256(Box::new(Sha256::new())),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Table { state, table, .. } => {
                for byte in bytes {
                    *state = table[usize::from(*state as u8 ^ *byte)] ^ (*state >> 8);
                }
            }
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The raw bytes, most significant first.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().to_be_bytes().to_vec(),
            Self::Table { state, wide: true, .. } => (!state).to_be_bytes().to_vec(),
            Self::Table { state, .. } => (!(state as u32)).to_be_bytes().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
        }
    }
}

fn crc_table(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    for (index, slot) in table.iter_mut().enumerate() {
        let mut value = index as u64;
        for _ in 0..8 {
            value = if value & 1 == 1 { (value >> 1) ^ polynomial } else { value >> 1 };
        }
        *slot = value;
    }
    table
}

/// Base64 as in AWS' headers.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The checksum of a multipart object: that of its parts' checksums, `-` and their count. `None` where a part lacks it.
pub(crate) fn composite(algorithm: Algorithm, parts: &[&Checksums]) -> Option<String> {
    let mut hasher = Hasher::new(algorithm);
    for part in parts {
        hasher.update(&STANDARD.decode(part.0.get(&algorithm)?).ok()?);
    }
    Some(format!("{}-{}", to_base64(&hasher.finish()), parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values() {
        let expected = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for (algorithm, value) in expected {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"12345");
            hasher.update(b"6789");
            assert_eq!(hex::encode(hasher.finish()), value, "{algorithm:?}");
        }
    }
}
