//! What a step sends from the workspace to S3: under a key made of its content, so that the same bytes are sent once and
//! other bytes never take their place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use haliotis_plugin_api::{StepContext, StepError};
use sha2::{Digest, Sha256};

use crate::storage::{self, S3Uri};
use crate::{Clients, names};

/// Most files of one folder that is uploaded.
const MAX_FILES: usize = 10_000;
/// Deepest folder looked into.
const MAX_DEPTH: usize = 32;
/// Hexadecimal digits of a content hash in a key.
const HASH_DIGITS: usize = 16;

/// An S3 URI as it is, or that of a workspace file or folder, uploaded.
pub(crate) async fn source(ctx: &StepContext, clients: &Clients, text: &str) -> Result<String, StepError> {
    if text.starts_with("s3://") {
        return S3Uri::parse(text).map(|_| text.to_owned());
    }
    let path = workspace_path(ctx, text)?;
    if path.is_dir() { folder(ctx, clients, &path, text).await } else { file(ctx, clients, &path).await }
}

/// Uploads one file; the URI ends in its name.
pub(crate) async fn file(ctx: &StepContext, clients: &Clients, path: &Path) -> Result<String, StepError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let hash = hash_file(path).map_err(|error| cannot_read(path, &error))?;
    let uri = key(ctx, clients, &format!("{}/{name}", &hash[..HASH_DIGITS])).await?;
    storage::put_file_once(clients, &uri, path).await?;
    Ok(shown(&uri))
}

/// Uploads a folder's files; the URI is their common prefix.
async fn folder(ctx: &StepContext, clients: &Clients, path: &Path, text: &str) -> Result<String, StepError> {
    let files = files_below(path)?;
    if files.is_empty() {
        return Err(StepError::Usage(format!("the folder `{text}` holds no files to upload")));
    }
    let mut all = Sha256::new();
    for (name, file) in &files {
        let hash = hash_file(file).map_err(|error| cannot_read(file, &error))?;
        all.update(format!("{name}\0{hash}\n"));
    }
    let hash = hex::encode(all.finalize());
    let prefix = key(ctx, clients, &hash[..HASH_DIGITS]).await?;
    for (name, file) in &files {
        let uri = S3Uri { bucket: prefix.bucket.clone(), key: format!("{}/{name}", prefix.key) };
        storage::put_file_once(clients, &uri, file).await?;
    }
    Ok(shown(&prefix))
}

/// Uploads a folder as `sourcedir.tar.gz`, for script mode. The same files make the same bytes: no times, no owners.
pub(crate) async fn packed(ctx: &StepContext, clients: &Clients, text: &str) -> Result<String, StepError> {
    let folder = workspace_path(ctx, text)?;
    let files = files_below(&folder)?;
    let bytes = pack(&files).map_err(|error| cannot_read(&folder, &error))?;
    let hash = hex::encode(Sha256::digest(&bytes));
    let uri = key(ctx, clients, &format!("{}/sourcedir.tar.gz", &hash[..HASH_DIGITS])).await?;
    storage::put_bytes(clients, &uri, bytes).await?;
    Ok(shown(&uri))
}

/// A file or folder of the workspace that exists.
pub(crate) fn workspace_path(ctx: &StepContext, text: &str) -> Result<PathBuf, StepError> {
    let path = ctx.path(text)?;
    if path.exists() {
        return Ok(path);
    }
    Err(StepError::Usage(format!(
        "`{text}` is not in the workspace; is it committed, and does this step run after the one that makes it?"
    )))
}

/// Where the step writes unless it says otherwise: `s3://BUCKET/PIPELINE/NUMBER/STEP`.
pub(crate) async fn step_prefix(ctx: &StepContext, clients: &Clients) -> Result<String, StepError> {
    storage::ensure_bucket(clients, &clients.cloud.bucket).await?;
    Ok(format!("s3://{}/{}", clients.cloud.bucket, names::prefix(ctx)))
}

async fn key(ctx: &StepContext, clients: &Clients, rest: &str) -> Result<S3Uri, StepError> {
    let bucket = clients.cloud.bucket.clone();
    storage::ensure_bucket(clients, &bucket).await?;
    let pipeline: String = ctx
        .build
        .pipeline
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "/-_.".contains(c) { c } else { '-' })
        .collect();
    Ok(S3Uri { bucket, key: format!("{pipeline}/uploads/{rest}") })
}

fn shown(uri: &S3Uri) -> String {
    format!("s3://{}/{}", uri.bucket, uri.key)
}

/// Regular files below a folder with their names from it, in name order. Links and `.git` are left out.
fn files_below(root: &Path) -> Result<Vec<(String, PathBuf)>, StepError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| cannot_read(&folder, &error))? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < MAX_DEPTH && name != ".git" {
                folders.push((entry.path(), format!("{name}/"), depth + 1));
            } else if kind.is_file() {
                found.push((name, entry.path()));
            }
        }
        if found.len() > MAX_FILES {
            return Err(StepError::Usage(format!("{} holds more than {MAX_FILES} files to upload", root.display())));
        }
    }
    found.sort();
    Ok(found)
}

fn pack(files: &[(String, PathBuf)]) -> io::Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    let mut tar = tar::Builder::new(gzip);
    for (name, path) in files {
        let file = File::open(path)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o644);
        header.set_mtime(0);
        tar.append_data(&mut header, name, file)?;
    }
    tar.into_inner()?.finish()
}

fn hash_file(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(&chunk[..n]),
        }
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> StepError {
    StepError::Usage(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/b.py"), "b").unwrap();
        fs::write(dir.path().join("a.py"), "a").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        let files = files_below(dir.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.py", "d/b.py"]);
        let first = pack(&files).unwrap();
        fs::write(dir.path().join("a.py"), "a").unwrap();
        assert_eq!(first, pack(&files).unwrap());
        fs::write(dir.path().join("a.py"), "A").unwrap();
        assert_ne!(first, pack(&files).unwrap());
    }
}
