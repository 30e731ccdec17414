//! The object store: buckets and objects on the file system. The order of writes is told in `object.rs`.
//!
//! ```text
//! <root>/buckets/<bucket>/bucket.json   when it was made, its tags
//!                         objects/…     the bytes, one plain file a key (see `keys.rs`)
//!                         sidecars/…    what a file cannot say, under the same path
//! <root>/uploads/<id>/                  multipart uploads under way
//! <root>/tmp/                           bytes on their way in; swept at open
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::checksum::Algorithm;
use super::keys::{check_bucket, check_key, to_path};
use super::object::{DEFAULT_CONTENT_TYPE, Entry, ObjectHeaders, ObjectInfo, Sidecar, Stamp, describe, describe_bare};
use super::staged::{Finished, Staged};
use crate::durable::{self, sync_dir, write_atomic};
use crate::{AwsError, OpenError};

/// A reader that loses the race against two writers in a row tries again this often.
const READ_ATTEMPTS: u32 = 8;
/// A write whose folder is pruned under it by a delete tries again this often.
const RENAME_ATTEMPTS: u32 = 8;

/// The object store.
pub struct Store {
    root: PathBuf,
    /// Held while the two files of an object change places, never while bytes stream.
    writing: Mutex<()>,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// Milliseconds since 1970, UTC.
    pub created_ms: i64,
    /// Bucket tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A parsed `s3://bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// The key or prefix; may be empty.
    pub key: String,
}

impl Location {
    /// Parses `s3://bucket/key`; the key may be empty.
    pub fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("s3://")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        (!bucket.is_empty()).then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// `s3://bucket/key`.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

impl Store {
    /// Opens the folder and removes what interrupted uploads left.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let root = root.into();
        for folder in ["buckets", "uploads", "tmp"] {
            let folder = root.join(folder);
            std::fs::create_dir_all(&folder).map_err(OpenError::io(&folder))?;
        }
        let tmp = root.join("tmp");
        durable::sweep(&tmp).map_err(OpenError::io(&tmp))?;
        Ok(Self { root, writing: Mutex::new(()) })
    }

    // ---- buckets

    /// Makes a bucket. `false`: it was there before and is left as it is.
    ///
    /// # Errors
    /// `InvalidBucketName`, or the file system's.
    pub fn create_bucket(&self, name: &str) -> Result<bool, AwsError> {
        check_bucket(name)?;
        let _guard = self.lock();
        if self.bucket_file(name).exists() {
            return Ok(false);
        }
        let folder = self.bucket_folder(name);
        for part in ["objects", "sidecars"] {
            std::fs::create_dir_all(folder.join(part)).map_err(|error| AwsError::io("cannot make", &folder, &error))?;
        }
        let info = BucketInfo { name: name.to_owned(), created_ms: now_ms(), tags: BTreeMap::new() };
        self.write_bucket(&info)?;
        sync_dir(&self.root.join("buckets")).map_err(|error| AwsError::io("cannot sync", &folder, &error))?;
        Ok(true)
    }

    /// Makes the bucket unless it is there.
    ///
    /// # Errors
    /// As [`Store::create_bucket`].
    pub fn create_bucket_if_absent(&self, name: &str) -> Result<(), AwsError> {
        self.create_bucket(name).map(|_| ())
    }

    /// A bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket(&self, name: &str) -> Result<BucketInfo, AwsError> {
        check_bucket(name)?;
        let text = std::fs::read(self.bucket_file(name)).map_err(|_| no_such_bucket(name))?;
        serde_json::from_slice(&text)
            .map_err(|error| AwsError::internal(format!("cannot read {}: {error}", self.bucket_file(name).display())))
    }

    /// All buckets by name.
    ///
    /// # Errors
    /// The file system's.
    pub fn buckets(&self) -> Result<Vec<BucketInfo>, AwsError> {
        let folder = self.root.join("buckets");
        let entries = std::fs::read_dir(&folder).map_err(|error| AwsError::io("cannot list", &folder, &error))?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut found: Vec<_> = names.filter_map(|name| self.bucket(&name).ok()).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Removes an empty bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`.
    pub fn delete_bucket(&self, name: &str) -> Result<(), AwsError> {
        self.bucket(name)?;
        let _guard = self.lock();
        if !self.keys(name, "")?.is_empty() {
            return Err(AwsError::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty"));
        }
        let folder = self.bucket_folder(name);
        // The file that makes it a bucket goes first: killed after that, the bucket is gone and the rest is litter
        // that a later bucket of the name takes over.
        std::fs::remove_file(self.bucket_file(name)).map_err(|error| AwsError::io("cannot delete", &folder, &error))?;
        std::fs::remove_dir_all(&folder).map_err(|error| AwsError::io("cannot delete", &folder, &error))?;
        sync_dir(&self.root.join("buckets")).map_err(|error| AwsError::io("cannot sync", &folder, &error))
    }

    /// Replaces a bucket's tags.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the file system's.
    pub fn set_bucket_tags(&self, name: &str, tags: BTreeMap<String, String>) -> Result<(), AwsError> {
        let info = BucketInfo { tags, ..self.bucket(name)? };
        self.write_bucket(&info)
    }

    // ---- objects in

    /// A temporary file to fill and [`Store::commit`].
    ///
    /// # Errors
    /// The file system's.
    pub fn stage(&self, algorithms: &[Algorithm]) -> Result<Staged, AwsError> {
        Staged::create(&self.root.join("tmp"), algorithms)
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`, a bad key, a full disk.
    pub fn put_bytes(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<ObjectInfo, AwsError> {
        self.bucket(bucket)?;
        let mut staged = self.stage(&[])?;
        staged.append(bytes)?;
        self.commit(bucket, key, staged, ObjectHeaders::default())
    }

    /// Stores a copy of a file.
    ///
    /// # Errors
    /// As [`Store::put_bytes`], or the file cannot be read.
    pub fn put_file(&self, bucket: &str, key: &str, path: &Path) -> Result<ObjectInfo, AwsError> {
        self.bucket(bucket)?;
        let mut source = File::open(path).map_err(|error| AwsError::io("cannot read", path, &error))?;
        let mut staged = self.stage(&[])?;
        staged.append_from(&mut source, path)?;
        self.commit(bucket, key, staged, ObjectHeaders::default())
    }

    /// Makes staged bytes the object. On return it is durable.
    ///
    /// # Errors
    /// As [`Store::put_bytes`].
    pub fn commit(
        &self,
        bucket: &str,
        key: &str,
        staged: Staged,
        headers: ObjectHeaders,
    ) -> Result<ObjectInfo, AwsError> {
        let finished = staged.finish()?;
        let etag = finished.md5_hex.clone();
        self.install(bucket, key, finished, etag, headers, |_| Ok(()))
    }

    /// Puts a finished file in place. `allow` sees the object that is there now and may refuse (`If-None-Match`).
    pub(crate) fn install(
        &self,
        bucket: &str,
        key: &str,
        finished: Finished,
        etag: String,
        headers: ObjectHeaders,
        allow: impl FnOnce(Option<&ObjectInfo>) -> Result<(), AwsError>,
    ) -> Result<ObjectInfo, AwsError> {
        check_key(key)?;
        let _guard = self.lock();
        self.bucket(bucket)?;
        let object = self.object_path(bucket, key);
        allow(self.head(bucket, key).ok().as_ref())?;
        let Finished { mut staged, stamp, checksums, .. } = finished;
        let entry = Entry { stamp, etag, headers, checksums };
        let result = self.place(bucket, key, &object, &mut staged, entry);
        result.map_err(|error| AwsError::io("cannot store", &object, &error))?;
        self.head(bucket, key)
    }

    /// Replaces the description of an object whose bytes stay.
    pub(crate) fn set_headers(&self, bucket: &str, key: &str, headers: ObjectHeaders) -> Result<ObjectInfo, AwsError> {
        let _guard = self.lock();
        let (file, info) = self.open_object(bucket, key)?;
        let path = self.object_path(bucket, key);
        let failed = |error: io::Error| AwsError::io("cannot describe", &path, &error);
        let stamp = Stamp::of(&file.metadata().map_err(failed)?);
        let entry = Entry { stamp, etag: info.etag, headers, checksums: info.checksums };
        self.write_sidecar(bucket, key, vec![entry]).map_err(failed)?;
        self.head(bucket, key)
    }

    fn place(&self, bucket: &str, key: &str, object: &Path, staged: &mut Staged, entry: Entry) -> io::Result<()> {
        let folder = object.parent().unwrap_or(&self.root);
        let mut entries = vec![entry];
        if let Ok(present) = std::fs::metadata(object) {
            let sidecar = Sidecar::read(&self.sidecar_path(bucket, key));
            entries.extend(sidecar.matching(&Stamp::of(&present)).cloned());
        }
        self.write_sidecar(bucket, key, entries)?;
        for attempt in 1.. {
            create_dirs(folder)?;
            match staged.rename_to(object) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < RENAME_ATTEMPTS => {}
                result => {
                    result?;
                    break;
                }
            }
        }
        sync_dir(folder)
    }

    fn write_sidecar(&self, bucket: &str, key: &str, entries: Vec<Entry>) -> io::Result<()> {
        let path = self.sidecar_path(bucket, key);
        create_dirs(path.parent().unwrap_or(&self.root))?;
        write_atomic(&path, &serde_json::to_vec(&Sidecar { entries })?)
    }

    // ---- objects out

    /// Where the object's bytes lie, for reading only. Valid until somebody replaces or deletes the object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn get_path(&self, bucket: &str, key: &str) -> Result<PathBuf, AwsError> {
        self.head(bucket, key)?;
        Ok(self.object_path(bucket, key))
    }

    /// The object's bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, or the file system's.
    pub fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, AwsError> {
        let path = self.get_path(bucket, key)?;
        std::fs::read(&path).map_err(|error| AwsError::io("cannot read", &path, &error))
    }

    /// The object without its bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, AwsError> {
        self.open_object(bucket, key).map(|(_, info)| info)
    }

    /// The open file and its description, which belong together whatever writers do meanwhile.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, or the file system's.
    pub fn open_object(&self, bucket: &str, key: &str) -> Result<(File, ObjectInfo), AwsError> {
        check_key(key)?;
        self.bucket(bucket)?;
        let path = self.object_path(bucket, key);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => no_such_key(key),
            _ => AwsError::io("cannot read", &path, &error),
        };
        for _ in 0..READ_ATTEMPTS {
            let file = File::open(&path).map_err(failed)?;
            let sidecar = Sidecar::read(&self.sidecar_path(bucket, key));
            if let Some(info) = describe(key, &file, &sidecar).map_err(failed)? {
                return Ok((file, info));
            }
            if sidecar.entries.is_empty() {
                break;
            }
        }
        let mut file = File::open(&path).map_err(failed)?;
        let info = describe_bare(key, &mut file).map_err(failed)?;
        Ok((file, info))
    }

    /// Removes an object; one that is not there is no error. `true`: it was there.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the file system's.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<bool, AwsError> {
        check_key(key)?;
        self.bucket(bucket)?;
        let _guard = self.lock();
        let object = self.object_path(bucket, key);
        let removed = match std::fs::remove_file(&object) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
            Err(error) => return Err(AwsError::io("cannot delete", &object, &error)),
        };
        let sidecar = self.sidecar_path(bucket, key);
        // A sidecar without bytes is no object, so its removal may fail without harm.
        let _ = std::fs::remove_file(&sidecar);
        prune(&object, &self.bucket_folder(bucket).join("objects"));
        prune(&sidecar, &self.bucket_folder(bucket).join("sidecars"));
        Ok(removed)
    }

    /// Copies an object; `headers`: `None` keeps the source's.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, or the file system's.
    pub fn copy(&self, from: &Location, to: &Location, headers: Option<ObjectHeaders>) -> Result<ObjectInfo, AwsError> {
        let (mut file, info) = self.open_object(&from.bucket, &from.key)?;
        let algorithms: Vec<_> = info.checksums.0.keys().copied().collect();
        let mut staged = self.stage(&algorithms)?;
        staged.append_from(&mut file, &self.object_path(&from.bucket, &from.key))?;
        self.commit(&to.bucket, &to.key, staged, headers.unwrap_or(info.headers))
    }

    // ---- places

    /// Where temporary files and multipart uploads lie.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn objects_folder(&self, bucket: &str) -> PathBuf {
        self.bucket_folder(bucket).join("objects")
    }

    fn bucket_folder(&self, name: &str) -> PathBuf {
        self.root.join("buckets").join(name)
    }

    fn bucket_file(&self, name: &str) -> PathBuf {
        self.bucket_folder(name).join("bucket.json")
    }

    fn object_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.objects_folder(bucket).join(to_path(key))
    }

    fn sidecar_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.bucket_folder(bucket).join("sidecars").join(to_path(key))
    }

    fn write_bucket(&self, info: &BucketInfo) -> Result<(), AwsError> {
        let path = self.bucket_file(&info.name);
        let text = serde_json::to_vec_pretty(info).map_err(|error| AwsError::internal(error.to_string()))?;
        write_atomic(&path, &text).map_err(|error| AwsError::io("cannot write", &path, &error))
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectInfo {
    /// What was stored, or S3's default.
    pub fn content_type(&self) -> &str {
        self.headers.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE)
    }
}

/// Makes the folders and syncs the one that gained the first of them, so that they survive a crash with their files.
fn create_dirs(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_dirs(parent)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    folder.parent().map_or(Ok(()), sync_dir)
}

/// Removes the empty folders above a file, up to but not including `top`.
fn prune(file: &Path, top: &Path) {
    let mut folder = file.parent();
    while let Some(path) = folder.filter(|path| *path != top && path.starts_with(top)) {
        if std::fs::remove_dir(path).is_err() {
            return;
        }
        folder = path.parent();
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

pub(crate) fn no_such_bucket(name: &str) -> AwsError {
    AwsError::new(404, "NoSuchBucket", format!("The specified bucket does not exist: {name}"))
}

pub(crate) fn no_such_key(key: &str) -> AwsError {
    AwsError::new(404, "NoSuchKey", format!("The specified key does not exist: {key}"))
}
