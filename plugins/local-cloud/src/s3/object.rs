//! What is known of an object beside its bytes, and the sidecar file that keeps it.
//!
//! Races and crashes. An object is two files: the bytes and the sidecar. They cannot be renamed together, so the
//! sidecar carries the *stamp* (inode, size, modification time) of the bytes it describes, and a write goes:
//! 1. bytes to a temporary file, synced (its stamp is now known and survives the rename);
//! 2. sidecar renamed into place with two entries: the new one, and the one that matches the bytes still in place;
//! 3. bytes renamed into place, folders synced, and only then the client is told.
//!
//! - Killed between 2 and 3: the old bytes are there and the second entry describes them. Nothing was acknowledged.
//! - Killed after 3: the first entry describes the new bytes.
//! - A reader opens the bytes first and looks for the entry of that very file, and starts again if there is none
//!   because two writes went by.
//! - Somebody edits the file by hand: no entry matches; the ETag is computed from what is there.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::checksum::Checksums;

/// S3's default.
pub(crate) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// Headers stored with an object and given back with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeaders {
    /// MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `cache-control`, `content-disposition`, `content-encoding`, `content-language`, `expires`, by lower-case name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standard: BTreeMap<String, String>,
    /// `x-amz-meta-*`, without that beginning, by lower-case name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Object tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// An object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Milliseconds since 1970, UTC.
    pub modified_ms: i64,
    /// What was stored with it.
    pub headers: ObjectHeaders,
    /// Checksums given or computed when it was stored.
    pub checksums: Checksums,
}

/// Identifies one version of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inode: u64,
    size: u64,
    mtime_ns: i128,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mtime_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.len(), mtime_ns }
    }

    /// The same bytes after a copy that kept times, as from a backup.
    fn is_like(&self, other: &Stamp) -> bool {
        self.size == other.size && self.mtime_ns == other.mtime_ns
    }
}

/// One version's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) stamp: Stamp,
    pub(crate) etag: String,
    #[serde(default)]
    pub(crate) headers: ObjectHeaders,
    #[serde(default)]
    pub(crate) checksums: Checksums,
}

/// The sidecar: the newest entry first, then the one it replaces.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    pub(crate) entries: Vec<Entry>,
}

impl Sidecar {
    /// An unreadable sidecar counts as none: the bytes are still the object.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(crate) fn matching(&self, stamp: &Stamp) -> Option<&Entry> {
        let exact = self.entries.iter().find(|entry| entry.stamp == *stamp);
        exact.or_else(|| self.entries.iter().find(|entry| entry.stamp.is_like(stamp)))
    }
}

/// Describes an open object.
pub(crate) fn describe(key: &str, file: &File, sidecar: &Sidecar) -> std::io::Result<Option<ObjectInfo>> {
    let metadata = file.metadata()?;
    let stamp = Stamp::of(&metadata);
    let info = sidecar.matching(&stamp).map(|entry| ObjectInfo {
        key: key.to_owned(),
        size: stamp.size,
        etag: entry.etag.clone(),
        modified_ms: modified_ms(&stamp),
        headers: entry.headers.clone(),
        checksums: entry.checksums.clone(),
    });
    Ok(info)
}

/// Describes a file that has no sidecar entry, by reading it.
pub(crate) fn describe_bare(key: &str, file: &mut File) -> std::io::Result<ObjectInfo> {
    let stamp = Stamp::of(&file.metadata()?);
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    std::io::Seek::rewind(file)?;
    Ok(ObjectInfo {
        key: key.to_owned(),
        size: stamp.size,
        etag: hex::encode(hasher.finalize()),
        modified_ms: modified_ms(&stamp),
        headers: ObjectHeaders::default(),
        checksums: Checksums::default(),
    })
}

fn modified_ms(stamp: &Stamp) -> i64 {
    i64::try_from(stamp.mtime_ns / 1_000_000).unwrap_or(i64::MAX)
}
