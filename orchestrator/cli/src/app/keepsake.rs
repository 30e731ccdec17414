//! A backup as a folder: a database, the files of builds, and a list of all of them with their hashes.
//!
//! ```text
//! DEST/manifest.json       what, when, of which version; every file with its size and SHA-256
//! DEST/haliotis.db         SQLite, or
//! DEST/postgres/T.jsonl    PostgreSQL, one file a table
//! DEST/files/…             logs, artifacts, stashes, the key of credentials, the local cloud
//! ```
//! The database is copied first, as of one moment; files after it. A file belongs to a fact that is in the database later
//! than itself, or to one that never was acknowledged, so a copy has at least the files that its database speaks of. The
//! list is written last: a folder without one is no backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The list.
pub const MANIFEST: &str = "manifest.json";
/// Tables of PostgreSQL.
pub const TABLES: &str = "postgres";
/// Everything that is no database.
pub const FILES: &str = "files";
/// What of a data folder is copied. Workspaces and mirrors of repositories are not: they are made again.
pub const KEPT: [&str; 6] = ["credentials.key", "logs", "sealed", "artifacts", "stashes", "cloud"];
/// One read.
const CHUNK: usize = 256 << 10;

/// The list of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the program that made it.
    pub haliotis: String,
    /// Of the database's schema.
    pub schema: i64,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// When, RFC 3339.
    pub made_at: String,
    /// Path in the backup to size and SHA-256.
    pub files: BTreeMap<String, FileSum>,
}

/// A file's size and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// Copies what is kept of a data folder; a file that goes meanwhile is left out. Answers how many.
pub fn copy_files(from: &Path, to: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for kept in KEPT {
        let source = from.join(kept);
        match std::fs::symlink_metadata(&source) {
            Ok(meta) => count += copy(&source, &to.join(kept), &meta)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(&source, &error)),
        }
    }
    Ok(count)
}

fn named(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path, meta: &std::fs::Metadata) -> std::io::Result<usize> {
    if meta.is_dir() {
        make_private(to)?;
        let mut count = 0;
        for entry in std::fs::read_dir(from).map_err(|error| named(from, &error))? {
            let entry = entry?;
            match std::fs::symlink_metadata(entry.path()) {
                Ok(meta) => count += copy(&entry.path(), &to.join(entry.file_name()), &meta)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(named(&entry.path(), &error)),
            }
        }
        return Ok(count);
    }
    if meta.is_symlink() {
        std::os::unix::fs::symlink(std::fs::read_link(from)?, to).map_err(|error| named(to, &error))?;
        return Ok(0);
    }
    // Sockets and pipes belong to processes, not to the data.
    if !meta.is_file() {
        return Ok(0);
    }
    if let Some(folder) = to.parent() {
        make_private(folder)?;
    }
    let copied = std::fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    match copied {
        Ok(()) => Ok(1),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !from.exists() => Ok(0),
        Err(error) => Err(named(from, &error)),
    }
}

/// A folder for its owner alone: backups hold keys and logs.
pub fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| named(dir, &error))
}

/// All plain files below a folder but the list, with their hashes.
pub fn sums(root: &Path) -> std::io::Result<BTreeMap<String, FileSum>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| named(&folder, &error))? {
            let path = entry?.path();
            let meta = std::fs::symlink_metadata(&path)?;
            if meta.is_dir() {
                folders.push(path);
            } else if meta.is_file() {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                if name != MANIFEST {
                    found.insert(name, sum(&path).map_err(|error| named(&path, &error))?);
                }
            }
        }
    }
    Ok(found)
}

fn sum(path: &Path) -> std::io::Result<FileSum> {
    let mut file = File::open(path)?;
    let (mut hash, mut size, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(FileSum { size, sha256: hex::encode(hash.finalize()) });
        }
        hash.update(&chunk[..read]);
        size += read as u64;
    }
}

impl Manifest {
    /// Writes the list: from now on the folder is a backup.
    pub fn write(&self, root: &Path) -> std::io::Result<()> {
        let path = root.join(MANIFEST);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(serde_json::to_string_pretty(self).unwrap_or_default().as_bytes())?;
        file.sync_all()?;
        File::open(root)?.sync_all()
    }

    /// Reads the list.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(root: &Path) -> Result<Manifest, String> {
        let path = root.join(MANIFEST);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{} is no finished backup: {}: {error}", root.display(), path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    }

    /// Compares what is there with the list: one line a difference.
    pub fn differences(&self, root: &Path) -> std::io::Result<Vec<String>> {
        let there = sums(root)?;
        let mut lines = Vec::new();
        for (name, listed) in &self.files {
            match there.get(name) {
                None => lines.push(format!("{name} is missing")),
                Some(found) if found != listed => lines.push(format!(
                    "{name} has {} bytes with hash {}, the list says {} and {}",
                    found.size,
                    &found.sha256[..12],
                    listed.size,
                    listed.sha256.get(..12).unwrap_or_default()
                )),
                Some(_) => {}
            }
        }
        lines.extend(
            there.keys().filter(|name| !self.files.contains_key(*name)).map(|name| format!("{name} is not listed")),
        );
        Ok(lines)
    }
}

/// A folder that is not there yet, or is empty.
pub fn is_free(dir: &Path) -> bool {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Where a folder grows until it is whole.
pub fn unfinished(dir: &Path) -> PathBuf {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    dir.with_file_name(format!("{name}.unfinished-{}", std::process::id()))
}
