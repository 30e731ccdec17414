//! Data on its way in and out of a job: objects to files before it starts, files to objects after it ended.
//!
//! Everything here blocks on the file system; callers use `spawn_blocking`. Errors are the job's failure reason, in
//! AWS' words where AWS has some.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::s3::{Location, Store};

/// A folder deeper than this is a mistake or an attack; S3 keys have at most 1024 bytes.
const MAX_DEPTH: usize = 256;

/// Objects to fetch.
pub(crate) struct Download<'a> {
    pub(crate) uri: &'a str,
    /// The URI names a manifest that names the objects.
    pub(crate) manifest: bool,
    /// Files are unpacked on arrival.
    pub(crate) gunzip: bool,
}

/// Fetches what a URI names into a folder, which is made. Gives the number of files.
///
/// # Errors
/// `ClientError: …` when there is nothing, else what the file system says.
pub(crate) fn download(store: &Store, region: &str, what: &Download<'_>, into: &Path) -> Result<usize, String> {
    std::fs::create_dir_all(into).map_err(|error| broken("cannot make", into, &error))?;
    let objects = if what.manifest { manifest(store, region, what.uri)? } else { listed(store, region, what.uri)? };
    for (location, relative) in &objects {
        let target = inside(into, relative)?;
        fetch(store, location, &target, what.gunzip)?;
    }
    Ok(objects.len())
}

/// Objects under a URI, each with its place relative to the target folder.
fn listed(store: &Store, region: &str, uri: &str) -> Result<Vec<(Location, String)>, String> {
    let location = locate(uri)?;
    let found = store.list(&location.bucket, &location.key).map_err(|error| nothing(uri, region, &error.message))?;
    let objects: Vec<_> = found
        .into_iter()
        .filter(|object| !object.key.ends_with('/'))
        .map(|object| (relative_key(&location.key, &object.key), object.key))
        .map(|(relative, key)| (Location { bucket: location.bucket.clone(), key }, relative))
        .collect();
    if objects.is_empty() {
        return Err(nothing(uri, region, "the prefix is empty"));
    }
    Ok(objects)
}

/// Where an object lands: an exact hit under its last name, others below the prefix, or below the prefix's folder when
/// the prefix ends within a name.
fn relative_key(prefix: &str, key: &str) -> String {
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    if rest.is_empty() {
        return key.rsplit('/').next().unwrap_or(key).to_owned();
    }
    if prefix.is_empty() || prefix.ends_with('/') {
        return rest.to_owned();
    }
    match rest.strip_prefix('/') {
        Some(below) => below.to_owned(),
        None => key[prefix.rfind('/').map_or(0, |slash| slash + 1)..].to_owned(),
    }
}

/// `[{"prefix": "s3://b/p/"}, "a.csv", …]`
fn manifest(store: &Store, region: &str, uri: &str) -> Result<Vec<(Location, String)>, String> {
    let location = locate(uri)?;
    let bytes = store.read(&location.bucket, &location.key).map_err(|error| nothing(uri, region, &error.message))?;
    let wrong = || format!("ClientError: the manifest {uri} must be a JSON list: an object with `prefix`, then names");
    let entries: Vec<Value> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let prefix = entries.first().and_then(|entry| entry["prefix"].as_str()).ok_or_else(wrong)?;
    let mut objects = Vec::new();
    for entry in &entries[1..] {
        let name = entry.as_str().ok_or_else(wrong)?;
        let object = locate(&format!("{prefix}{name}"))?;
        store.head(&object.bucket, &object.key).map_err(|e| nothing(&object.uri(), region, &e.message))?;
        objects.push((object, name.to_owned()));
    }
    Ok(objects)
}

fn locate(uri: &str) -> Result<Location, String> {
    Location::parse(uri).ok_or_else(|| format!("ClientError: the local cloud reads s3://bucket/key URIs, not {uri}"))
}

fn nothing(uri: &str, region: &str, said: &str) -> String {
    let bucket = Location::parse(uri).map(|location| location.bucket).unwrap_or_default();
    format!(
        "ClientError: Data download failed:No S3 objects found under S3 URL \"{uri}\" given in input data source. \
         Please ensure that the bucket exists in the selected region ({region}), that objects exist under that S3 \
         prefix, and that the role has \"s3:ListBucket\" permissions on bucket \"{bucket}\". Error message from S3: {said}"
    )
}

/// A relative path that stays inside the folder, or the reason why not.
fn inside(folder: &Path, relative: &str) -> Result<PathBuf, String> {
    let path = Path::new(relative);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays
        .then(|| folder.join(path))
        .ok_or_else(|| format!("ClientError: the object key {relative} does not make a file path inside the folder"))
}

fn fetch(store: &Store, location: &Location, target: &Path, gunzip: bool) -> Result<(), String> {
    let (mut source, _) = store
        .open_object(&location.bucket, &location.key)
        .map_err(|error| format!("ClientError: cannot read {}: {}", location.uri(), error.message))?;
    let parent = target.parent().unwrap_or(target);
    std::fs::create_dir_all(parent).map_err(|error| broken("cannot make", parent, &error))?;
    let mut file = File::create(target).map_err(|error| broken("cannot make", target, &error))?;
    let copied = if gunzip {
        io::copy(&mut GzDecoder::new(BufReader::new(source)), &mut file)
    } else {
        io::copy(&mut source, &mut file)
    };
    copied.map(|_| ()).map_err(|error| broken("cannot fill", target, &error))
}

/// Stores every regular file below the folder under the URI; symbolic links are left out, as in AWS. Gives the count.
///
/// # Errors
/// `ClientError: …` for a bucket that is not there, else what the file system says.
pub(crate) fn upload(store: &Store, from: &Path, uri: &str) -> Result<usize, String> {
    let location = locate(uri)?;
    let files = file_names(from)?;
    for relative in &files {
        let key = join_key(&location.key, relative);
        put(store, &location.bucket, &key, &from.join(relative))?;
    }
    Ok(files.len())
}

/// Stores one file.
///
/// # Errors
/// As [`upload`].
pub(crate) fn upload_file(store: &Store, file: &Path, uri: &str) -> Result<(), String> {
    let location = locate(uri)?;
    put(store, &location.bucket, &location.key, file)
}

/// Stores bytes.
///
/// # Errors
/// As [`upload`].
pub(crate) fn upload_bytes(store: &Store, bytes: &[u8], uri: &str) -> Result<(), String> {
    let location = locate(uri)?;
    let stored = store.put_bytes(&location.bucket, &location.key, bytes);
    stored.map(|_| ()).map_err(|error| {
        format!("ClientError: Data upload failed: cannot write {uri}: {} ({})", error.message, error.code)
    })
}

/// Regular files below a folder, in order of their relative names.
pub(crate) fn file_names(folder: &Path) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    walk(folder, folder, 0, &mut files)?;
    files.sort();
    Ok(files)
}

fn put(store: &Store, bucket: &str, key: &str, file: &Path) -> Result<(), String> {
    store.put_file(bucket, key, file).map(|_| ()).map_err(|error| {
        format!("ClientError: Data upload failed: cannot write s3://{bucket}/{key}: {} ({})", error.message, error.code)
    })
}

/// Key of a file below a prefix.
pub(crate) fn join_key(prefix: &str, relative: &str) -> String {
    match prefix.trim_end_matches('/') {
        "" => relative.to_owned(),
        prefix => format!("{prefix}/{relative}"),
    }
}

fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<String>) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("ClientError: the folder {} is nested too deep to upload", folder.display()));
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(broken("cannot read", folder, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| broken("cannot read", folder, &error))?;
        let kind = entry.file_type().map_err(|error| broken("cannot read", &entry.path(), &error))?;
        if kind.is_dir() {
            walk(root, &entry.path(), depth + 1, files)?;
        } else if kind.is_file() {
            let path = entry.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_str().map(str::to_owned);
            files.push(relative.ok_or_else(|| format!("ClientError: the file name {} is not UTF-8", path.display()))?);
        }
    }
    Ok(())
}

/// Packs the content of a folder, names at the archive's root, as `model.tar.gz` is.
///
/// # Errors
/// What the file system says.
pub(crate) fn pack(folder: &Path, archive: &Path) -> Result<(), String> {
    let write = || -> io::Result<()> {
        let encoder = GzEncoder::new(BufWriter::new(File::create(archive)?), Compression::default());
        let mut builder = tar::Builder::new(encoder);
        builder.follow_symlinks(false);
        let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_type()?.is_dir() {
                builder.append_dir_all(entry.file_name(), entry.path())?;
            } else {
                builder.append_path_with_name(entry.path(), entry.file_name())?;
            }
        }
        builder.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    };
    write().map_err(|error| broken("cannot pack", archive, &error))
}

/// Unpacks a gzipped tar into a folder, which is made. Entries that would leave the folder are refused by `tar`.
///
/// # Errors
/// `ClientError: …` when it is not such an archive.
pub(crate) fn unpack(archive: impl Read, name: &str, into: &Path) -> Result<(), String> {
    std::fs::create_dir_all(into).map_err(|error| broken("cannot make", into, &error))?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(archive)));
    archive.set_preserve_permissions(true);
    // Inside a user namespace nobody else's files can be made.
    archive.set_preserve_ownerships(false);
    archive
        .unpack(into)
        .map_err(|error| format!("ClientError: {name} is not a gzipped tar archive that can be unpacked: {error}"))
}

/// Whether the folder holds anything.
pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

fn broken(doing: &str, path: &Path, error: &io::Error) -> String {
    let hint = if error.kind() == io::ErrorKind::StorageFull { "; the disk is full: free some space" } else { "" };
    format!("InternalServerError: {doing} {}: {error}{hint}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path) -> Store {
        let store = Store::open(folder.join("s3")).unwrap();
        store.create_bucket_if_absent("bkt").unwrap();
        store
    }

    #[test]
    fn keys_land_where_aws_puts_them() {
        for (prefix, key, want) in [
            ("a/train", "a/train/x.csv", "x.csv"),
            ("a/train/", "a/train/b/x.csv", "b/x.csv"),
            ("a/train/x.csv", "a/train/x.csv", "x.csv"),
            ("a/tra", "a/train/x.csv", "train/x.csv"),
            ("", "x.csv", "x.csv"),
        ] {
            assert_eq!(relative_key(prefix, key), want, "{prefix} {key}");
        }
    }

    #[test]
    fn up_and_down_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let source = folder.path().join("out");
        std::fs::create_dir_all(source.join("deep")).unwrap();
        std::fs::write(source.join("a.csv"), "1").unwrap();
        std::fs::write(source.join("deep/b.csv"), "2").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", source.join("link")).unwrap();
        assert_eq!(upload(&store, &source, "s3://bkt/p/q/").unwrap(), 2);
        let what = Download { uri: "s3://bkt/p/q", manifest: false, gunzip: false };
        let target = folder.path().join("in");
        assert_eq!(download(&store, "r", &what, &target).unwrap(), 2);
        assert_eq!(std::fs::read_to_string(target.join("deep/b.csv")).unwrap(), "2");
    }

    #[test]
    fn what_is_not_there_is_a_client_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        for uri in ["s3://bkt/none", "s3://other-bucket/none"] {
            let what = Download { uri, manifest: false, gunzip: false };
            let error = download(&store, "eu-west-1", &what, &folder.path().join("in")).unwrap_err();
            assert!(error.starts_with("ClientError: Data download failed:No S3 objects found"), "{error}");
            assert!(error.contains(uri), "{error}");
        }
    }

    #[test]
    fn a_manifest_names_the_objects() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        store.put_bytes("bkt", "d/x.csv", b"1").unwrap();
        store.put_bytes("bkt", "d/y.csv", b"2").unwrap();
        store.put_bytes("bkt", "m", br#"[{"prefix":"s3://bkt/d/"},"y.csv"]"#).unwrap();
        let what = Download { uri: "s3://bkt/m", manifest: true, gunzip: false };
        assert_eq!(download(&store, "r", &what, &folder.path().join("in")).unwrap(), 1);
        assert!(folder.path().join("in/y.csv").exists());
    }

    #[test]
    fn archives() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir_all(model.join("code")).unwrap();
        std::fs::write(model.join("xgboost-model"), "m").unwrap();
        std::fs::write(model.join("code/inference.py"), "c").unwrap();
        let archive = folder.path().join("model.tar.gz");
        pack(&model, &archive).unwrap();
        let again = folder.path().join("again");
        unpack(File::open(&archive).unwrap(), "model.tar.gz", &again).unwrap();
        assert_eq!(std::fs::read_to_string(again.join("code/inference.py")).unwrap(), "c");
        let error = unpack(&b"nonsense"[..], "s3://bkt/x", &again).unwrap_err();
        assert!(error.starts_with("ClientError: s3://bkt/x is not a gzipped tar"), "{error}");
        assert!(is_empty(&folder.path().join("nothing")) && !is_empty(&again));
    }
}
