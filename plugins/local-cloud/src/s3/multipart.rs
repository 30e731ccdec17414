//! Multipart uploads: parts wait in a folder of their upload and become an object at once.
//!
//! ```text
//! <root>/uploads/<id>/upload.json   bucket, key, headers
//!                     <n>.json      which file holds part n, its ETag and checksums; its rename makes the part
//!                     <uuid>        a part's bytes
//! ```
//! A part sent twice is the later one. Killed between an object's commit and the removal of its upload, the upload is
//! still listed, and completing it again makes the same object.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksums, composite};
use super::keys::check_key;
use super::object::{ObjectHeaders, ObjectInfo};
use super::staged::Staged;
use super::store::{Location, Store, now_ms};
use crate::AwsError;
use crate::durable::write_atomic;

/// S3's largest part number.
pub(crate) const MAX_PART_NUMBER: u32 = 10_000;
/// S3's smallest part but for the last, in bytes.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// An upload under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) initiated_ms: i64,
    pub(crate) headers: ObjectHeaders,
    #[serde(default)]
    pub(crate) algorithm: Option<Algorithm>,
}

/// One part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) etag: String,
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
    pub(crate) checksums: Checksums,
    file: String,
}

impl Store {
    pub(crate) fn create_upload(
        &self,
        at: &Location,
        headers: ObjectHeaders,
        algorithm: Option<Algorithm>,
    ) -> Result<Upload, AwsError> {
        check_key(&at.key)?;
        self.bucket(&at.bucket)?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let upload = Upload {
            id: id.clone(),
            bucket: at.bucket.clone(),
            key: at.key.clone(),
            initiated_ms: now_ms(),
            headers,
            algorithm,
        };
        let folder = self.root().join("uploads").join(&id);
        std::fs::create_dir(&folder).map_err(|error| AwsError::io("cannot make", &folder, &error))?;
        write_json(&folder.join("upload.json"), &upload)?;
        Ok(upload)
    }

    /// The upload, if it is of this bucket and key.
    pub(crate) fn upload(&self, at: &Location, id: &str) -> Result<Upload, AwsError> {
        let known = self.upload_folder(id).and_then(|folder| {
            let text = std::fs::read(folder.join("upload.json")).ok()?;
            serde_json::from_slice::<Upload>(&text).ok()
        });
        known.filter(|upload| upload.bucket == at.bucket && upload.key == at.key).ok_or_else(|| {
            AwsError::new(
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                 aborted or completed.",
            )
        })
    }

    /// Uploads of a bucket by key, then by id.
    pub(crate) fn uploads(&self, bucket: &str, prefix: &str) -> Result<Vec<Upload>, AwsError> {
        self.bucket(bucket)?;
        let folder = self.root().join("uploads");
        let entries = std::fs::read_dir(&folder).map_err(|error| AwsError::io("cannot list", &folder, &error))?;
        let texts = entries.flatten().filter_map(|entry| std::fs::read(entry.path().join("upload.json")).ok());
        let mut uploads: Vec<Upload> = texts.filter_map(|text| serde_json::from_slice(&text).ok()).collect();
        uploads.retain(|upload| upload.bucket == bucket && upload.key.starts_with(prefix));
        uploads.sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
        Ok(uploads)
    }

    pub(crate) fn put_part(&self, upload: &Upload, number: u32, staged: Staged) -> Result<Part, AwsError> {
        check_number(number)?;
        let mut finished = staged.finish()?;
        let folder = self.root().join("uploads").join(&upload.id);
        let file = uuid::Uuid::new_v4().simple().to_string();
        let part = Part {
            number,
            etag: finished.md5_hex,
            size: finished.staged.len(),
            modified_ms: now_ms(),
            checksums: finished.checksums,
            file: file.clone(),
        };
        let before = self.part(upload, number);
        let target = folder.join(&file);
        finished.staged.rename_to(&target).map_err(|error| AwsError::io("cannot store", &target, &error))?;
        write_json(&folder.join(format!("{number}.json")), &part)?;
        if let Some(before) = before {
            // Nothing names the earlier bytes any more; left behind, they go with the upload.
            let _ = std::fs::remove_file(folder.join(before.file));
        }
        Ok(part)
    }

    /// A part from (a range of) an object.
    pub(crate) fn put_part_copy(
        &self,
        upload: &Upload,
        number: u32,
        from: &Location,
        range: Option<(u64, u64)>,
    ) -> Result<Part, AwsError> {
        let (mut file, info) = self.open_object(&from.bucket, &from.key)?;
        let (first, last) = range.unwrap_or((0, info.size.saturating_sub(1)));
        if range.is_some() && (last >= info.size || first > last) {
            let message = format!("Range specified is not valid for source object of size: {}", info.size);
            return Err(AwsError::new(400, "InvalidArgument", message));
        }
        let path = self.get_path(&from.bucket, &from.key)?;
        file.seek(SeekFrom::Start(first)).map_err(|error| AwsError::io("cannot read", &path, &error))?;
        let algorithms: Vec<_> = upload.algorithm.into_iter().collect();
        let mut staged = self.stage(&algorithms)?;
        staged.append_from(&mut file.take((last + 1).min(info.size) - first.min(info.size)), &path)?;
        self.put_part(upload, number, staged)
    }

    /// Parts by number.
    pub(crate) fn parts(&self, upload: &Upload) -> Vec<Part> {
        let folder = self.root().join("uploads").join(&upload.id);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok());
        let mut parts: Vec<Part> = numbers.filter_map(|number| self.part(upload, number)).collect();
        parts.sort_by_key(|part| part.number);
        parts
    }

    /// Makes the object of the listed parts (number and ETag) and forgets the upload.
    pub(crate) fn complete_upload(
        &self,
        upload: &Upload,
        wanted: &[(u32, String)],
        allow: impl FnOnce(Option<&ObjectInfo>) -> Result<(), AwsError>,
    ) -> Result<ObjectInfo, AwsError> {
        let parts = self.wanted_parts(upload, wanted)?;
        let folder = self.root().join("uploads").join(&upload.id);
        let mut staged = self.stage(&[])?;
        let mut md5 = Md5::new();
        for part in &parts {
            let path = folder.join(&part.file);
            let mut file = File::open(&path).map_err(|error| AwsError::io("cannot read", &path, &error))?;
            staged.append_from(&mut file, &path)?;
            md5.update(hex::decode(&part.etag).unwrap_or_default());
        }
        let etag = format!("{}-{}", hex::encode(md5.finalize()), parts.len());
        let mut finished = staged.finish()?;
        finished.checksums = composite_checksums(upload, &parts);
        let info = self.install(&upload.bucket, &upload.key, finished, etag, upload.headers.clone(), allow)?;
        self.remove_upload(upload)?;
        Ok(info)
    }

    /// Forgets an upload and its parts.
    pub(crate) fn remove_upload(&self, upload: &Upload) -> Result<(), AwsError> {
        let folder = self.root().join("uploads").join(&upload.id);
        std::fs::remove_dir_all(&folder).map_err(|error| AwsError::io("cannot delete", &folder, &error))
    }

    fn wanted_parts(&self, upload: &Upload, wanted: &[(u32, String)]) -> Result<Vec<Part>, AwsError> {
        if wanted.is_empty() {
            return Err(AwsError::new(400, "MalformedXML", "You must specify at least one part"));
        }
        if wanted.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(AwsError::new(400, "InvalidPartOrder", message));
        }
        let mut parts = Vec::with_capacity(wanted.len());
        for (number, etag) in wanted {
            let part = self.part(upload, *number).filter(|part| part.etag == etag.trim().trim_matches('"'));
            parts.push(part.ok_or_else(|| {
                let message = "One or more of the specified parts could not be found. The part may not have been \
                               uploaded, or the specified entity tag may not match the part's entity tag";
                AwsError::new(400, "InvalidPart", format!("{message}: part {number}."))
            })?);
        }
        let but_last = &parts[..parts.len() - 1];
        if let Some(small) = but_last.iter().find(|part| part.size < MIN_PART_BYTES) {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            let detail =
                format!("{message}: part {} has {} bytes, at least {MIN_PART_BYTES}", small.number, small.size);
            return Err(AwsError::new(400, "EntityTooSmall", detail));
        }
        Ok(parts)
    }

    fn part(&self, upload: &Upload, number: u32) -> Option<Part> {
        let path = self.root().join("uploads").join(&upload.id).join(format!("{number}.json"));
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Only ids of our own shape name a folder.
    fn upload_folder(&self, id: &str) -> Option<PathBuf> {
        let ours = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        ours.then(|| self.root().join("uploads").join(id))
    }
}

fn composite_checksums(upload: &Upload, parts: &[Part]) -> Checksums {
    let sums: Vec<&Checksums> = parts.iter().map(|part| &part.checksums).collect();
    let pair = upload.algorithm.and_then(|algorithm| Some((algorithm, composite(algorithm, &sums)?)));
    Checksums(pair.into_iter().collect::<BTreeMap<_, _>>())
}

fn check_number(number: u32) -> Result<(), AwsError> {
    if (1..=MAX_PART_NUMBER).contains(&number) {
        return Ok(());
    }
    let message = format!("Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive");
    Err(AwsError::new(400, "InvalidArgument", message))
}

fn write_json(path: &std::path::Path, value: &impl Serialize) -> Result<(), AwsError> {
    let text = serde_json::to_vec(value).map_err(|error| AwsError::internal(error.to_string()))?;
    write_atomic(path, &text).map_err(|error| AwsError::io("cannot write", path, &error))
}
