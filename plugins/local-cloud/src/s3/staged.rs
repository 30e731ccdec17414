//! Bytes on their way in: a temporary file that is hashed while it is written, and becomes an object by a rename.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use super::checksum::{Algorithm, Checksums, Hasher, to_base64};
use super::object::Stamp;
use crate::AwsError;

/// S3's limit for one upload and for one part, in bytes.
pub const MAX_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// A temporary file of the store. Dropped without [`super::Store::commit`], it is removed.
pub struct Staged {
    path: PathBuf,
    file: File,
    size: u64,
    md5: Md5,
    hashers: Vec<(Algorithm, Hasher)>,
    kept: bool,
}

/// A finished temporary file.
pub(crate) struct Finished {
    pub(crate) staged: Staged,
    pub(crate) stamp: Stamp,
    pub(crate) md5_hex: String,
    pub(crate) checksums: Checksums,
}

impl Staged {
    /// A new file in the folder, computing these checksums besides MD5.
    pub(crate) fn create(folder: &Path, algorithms: &[Algorithm]) -> Result<Self, AwsError> {
        let path = folder.join(format!("{}{}", uuid::Uuid::new_v4().simple(), crate::durable::TEMPORARY));
        let file = File::create_new(&path).map_err(|error| AwsError::io("cannot write", &path, &error))?;
        let hashers = algorithms.iter().map(|algorithm| (*algorithm, Hasher::new(*algorithm))).collect();
        Ok(Self { path, file, size: 0, md5: Md5::new(), hashers, kept: false })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// `EntityTooLarge` past [`MAX_OBJECT_BYTES`]; `InsufficientStorage` when the disk is full.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), AwsError> {
        self.size += bytes.len() as u64;
        if self.size > MAX_OBJECT_BYTES {
            let message = format!("Your proposed upload exceeds the maximum allowed size of {MAX_OBJECT_BYTES} bytes");
            return Err(AwsError::new(400, "EntityTooLarge", message));
        }
        self.file.write_all(bytes).map_err(|error| self.failed(&error))?;
        self.md5.update(bytes);
        for (_, hasher) in &mut self.hashers {
            hasher.update(bytes);
        }
        Ok(())
    }

    /// Appends a whole file.
    pub(crate) fn append_from(&mut self, source: &mut impl io::Read, from: &Path) -> Result<(), AwsError> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.append(&buffer[..count])?,
                Err(error) => return Err(AwsError::io("cannot read", from, &error)),
            }
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Nothing yet.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Syncs the bytes to disk and closes the hashes.
    pub(crate) fn finish(self) -> Result<Finished, AwsError> {
        self.file.sync_all().map_err(|error| self.failed(&error))?;
        let metadata = self.file.metadata().map_err(|error| self.failed(&error))?;
        let (md5, checksums) = self.hashes();
        Ok(Finished { stamp: Stamp::of(&metadata), staged: self, md5_hex: hex::encode(md5), checksums })
    }

    /// MD5 and checksums of the bytes so far.
    pub(crate) fn hashes(&self) -> (Vec<u8>, Checksums) {
        let sums = self.hashers.iter().map(|(algorithm, hasher)| (*algorithm, to_base64(&hasher.clone().finish())));
        (self.md5.clone().finalize().to_vec(), Checksums(sums.collect()))
    }

    /// Moves the file to its place.
    pub(crate) fn rename_to(&mut self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, target)?;
        self.kept = true;
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> AwsError {
        AwsError::io("cannot write", &self.path, error)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is swept at the next open.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
