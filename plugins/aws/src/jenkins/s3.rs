//! Objects: `s3Upload`, `s3Download`, `s3Delete`, `s3FindFiles`, `s3DoesObjectExist`, `s3Copy`, `s3PresignURL`.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption};
use globset::GlobBuilder;
use haliotis_model::StepOutput;
use haliotis_plugin_api::StepError;
use serde_json::json;

use super::{Work, answer, done, failure};
use crate::error::{Told, is_absent};
use crate::{storage, uploads};

/// Most objects that one step lists; a whole lake is for other tools.
const MAX_OBJECTS: usize = 50_000;
/// Most files that one step uploads.
const MAX_FILES: usize = 20_000;
/// Seconds that an address is good for, as in the plugin.
const DEFAULT_PRESIGNED: u64 = 60;
/// Folders in folders.
const MAX_DEPTH: usize = 64;

/// One object of a list.
struct Found {
    key: String,
    size: i64,
    modified_ms: i64,
}

impl Work<'_> {
    pub(super) async fn s3(&self, step: &str) -> Result<StepOutput, StepError> {
        match step {
            "s3Upload" => self.upload().await,
            "s3Download" => self.download().await,
            "s3Delete" => self.delete_objects().await,
            "s3FindFiles" => self.find_objects().await,
            "s3DoesObjectExist" => {
                let (bucket, key) = (self.bucket()?, self.key("path")?);
                let head = self.clients.s3.head_object().bucket(&bucket).key(&key).send().await;
                match head {
                    Ok(_) => Ok(answer(true)),
                    Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                        Ok(answer(false))
                    }
                    Err(error) => Err(error).told(&self.clients.cloud, &format!("looking for s3://{bucket}/{key}")),
                }
            }
            "s3Copy" => self.copy_object().await,
            "s3PresignURL" => self.presign().await,
            other => Err(StepError::Usage(format!("there is no step {other}"))),
        }
    }

    fn bucket(&self) -> Result<String, StepError> {
        self.given.required("bucket")
    }

    /// A key; a slash in front is none of it.
    fn key(&self, name: &str) -> Result<String, StepError> {
        Ok(self.given.required(name)?.trim_start_matches('/').to_owned())
    }

    async fn upload(&self) -> Result<StepOutput, StepError> {
        let bucket = self.bucket()?;
        let path = self.given.text("path").unwrap_or_default().trim_start_matches('/').to_owned();
        if let Some(text) = self.given.text("text") {
            self.put(&bucket, &path, ByteStream::from(text.into_bytes())).await?;
            return Ok(answer(format!("s3://{bucket}/{path}")));
        }
        let root = match self.given.text("workingDir").filter(|dir| !dir.is_empty()) {
            Some(dir) => uploads::workspace_path(self.ctx, &dir)?,
            None => self.ctx.workspace.clone(),
        };
        if let Some(pattern) = self.given.text("includePathPattern") {
            return self.upload_all(&bucket, &path, &root, &pattern).await;
        }
        let file = self.given.required("file")?;
        let local = match self.given.text("workingDir").filter(|dir| !dir.is_empty()) {
            Some(dir) => uploads::workspace_path(self.ctx, &format!("{dir}/{file}"))?,
            None => uploads::workspace_path(self.ctx, &file)?,
        };
        if local.is_dir() {
            let under = if path.is_empty() || path.ends_with('/') { path } else { format!("{path}/") };
            return self.upload_all(&bucket, &under, &local, "**").await;
        }
        if !local.is_file() {
            return Ok(failure(format!("Upload failed because source file '{file}' does not exist")));
        }
        let name = file.rsplit('/').next().unwrap_or(&file);
        let key = if path.is_empty() || path.ends_with('/') { format!("{path}{name}") } else { path };
        self.put_file(&bucket, &key, &local).await?;
        Ok(answer(format!("s3://{bucket}/{key}")))
    }

    async fn upload_all(&self, bucket: &str, path: &str, root: &Path, pattern: &str) -> Result<StepOutput, StepError> {
        let exclude = self.given.text("excludePathPattern").unwrap_or_default();
        let (wanted, unwanted) = (globs(pattern)?, globs(&exclude)?);
        let mut files = Vec::new();
        walk(root, "", 0, &mut files)?;
        files.retain(|file| wanted.is_match(file) && !unwanted.is_match(file));
        if files.len() > MAX_FILES {
            return Err(StepError::Usage(format!("{} files match; at most {MAX_FILES} are uploaded", files.len())));
        }
        let under = if path.is_empty() || path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
        files.sort();
        for file in &files {
            self.put_file(bucket, &format!("{under}{file}"), &root.join(file)).await?;
        }
        Ok(answer(format!("s3://{bucket}/{under}")))
    }

    async fn put_file(&self, bucket: &str, key: &str, file: &Path) -> Result<(), StepError> {
        let body = ByteStream::from_path(file).await;
        let body = body.map_err(|error| StepError::World(format!("{} cannot be read: {error}", file.display())))?;
        self.put(bucket, key, body).await
    }

    async fn put(&self, bucket: &str, key: &str, body: ByteStream) -> Result<(), StepError> {
        if key.is_empty() {
            return Err(StepError::Usage("s3Upload: path: is empty; give the object's key".to_owned()));
        }
        if self.clients.is_local() {
            storage::ensure_bucket(self.clients, bucket).await?;
        }
        let mut request = self.clients.s3.put_object().bucket(bucket).key(key).body(body);
        request = request
            .set_acl(self.given.text("acl").map(|acl| canned(&acl)))
            .set_cache_control(self.given.text("cacheControl"))
            .set_content_type(self.given.text("contentType"))
            .set_content_disposition(self.given.text("contentDisposition"))
            .set_content_encoding(self.given.text("contentEncoding"));
        for (name, value) in self.given.pairs("metadatas") {
            request = request.metadata(name, value);
        }
        let tags = self.given.text("tags").filter(|tags| !tags.is_empty());
        request =
            request.set_tagging(tags.map(|tags| tags.trim_matches(['[', ']']).replace(':', "=").replace(", ", "&")));
        if let Some(key) = self.given.text("kmsId") {
            request = request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key);
        } else if let Some(algorithm) = self.given.text("sseAlgorithm") {
            request = request.server_side_encryption(ServerSideEncryption::from(algorithm.as_str()));
        }
        request.send().await.told(&self.clients.cloud, &format!("uploading s3://{bucket}/{key}"))?;
        self.ctx.log.line(&format!("Upload of s3://{bucket}/{key} complete"));
        Ok(())
    }

    async fn download(&self) -> Result<StepOutput, StepError> {
        let bucket = self.bucket()?;
        let file = self.given.required("file")?;
        let path = self.given.text("path").unwrap_or_default().trim_start_matches('/').to_owned();
        let local = self.ctx.path(&file)?;
        if path.is_empty() || path.ends_with('/') {
            for found in self.list(&bucket, &path).await? {
                let Some(name) = found.key.strip_prefix(&path).filter(|name| !name.is_empty() && !name.ends_with('/'))
                else {
                    continue;
                };
                let inside = self.ctx.path(&format!("{file}/{name}"))?;
                self.get(&bucket, &found.key, &inside).await?;
            }
            return Ok(done());
        }
        let local = match local.is_dir() || file.ends_with('/') {
            true => local.join(path.rsplit('/').next().unwrap_or(&path)),
            false => local,
        };
        if local.exists() && !self.given.flag("force") {
            return Ok(failure(format!(
                "Download failed due to existing target file '{file}'; set force=true to overwrite target file"
            )));
        }
        match self.get(&bucket, &path, &local).await {
            Err(StepError::Usage(why)) => Ok(failure(why)),
            other => other.map(|()| done()),
        }
    }

    /// Streams an object into a file, which is whole or not there.
    async fn get(&self, bucket: &str, key: &str, file: &Path) -> Result<(), StepError> {
        let shown = format!("s3://{bucket}/{key}");
        let mut object = match self.clients.s3.get_object().bucket(bucket).key(key).send().await {
            Err(error) if is_absent(&error) => return Err(StepError::Usage(format!("there is no object {shown}"))),
            other => other.told(&self.clients.cloud, &format!("reading {shown}"))?,
        };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let fresh = self.ctx.scratch.join("download");
        let mut out = tokio::fs::File::create(&fresh).await?;
        while let Some(chunk) = object.body.next().await {
            let chunk = chunk.map_err(|error| StepError::World(format!("reading {shown} broke off: {error}")))?;
            tokio::io::AsyncWriteExt::write_all(&mut out, &chunk).await?;
        }
        tokio::io::AsyncWriteExt::flush(&mut out).await?;
        drop(out);
        // Scratch and workspace may be on two disks.
        if std::fs::rename(&fresh, file).is_err() {
            std::fs::copy(&fresh, file)?;
        }
        self.ctx.log.line(&format!("Download of {shown} complete"));
        Ok(())
    }

    async fn delete_objects(&self) -> Result<StepOutput, StepError> {
        let (bucket, path) = (self.bucket()?, self.key("path")?);
        let keys = if path.is_empty() || path.ends_with('/') {
            self.list(&bucket, &path).await?.into_iter().map(|found| found.key).collect()
        } else {
            vec![path]
        };
        for key in keys {
            let sent = self.clients.s3.delete_object().bucket(&bucket).key(&key).send().await;
            sent.told(&self.clients.cloud, &format!("deleting s3://{bucket}/{key}"))?;
        }
        Ok(done())
    }

    async fn find_objects(&self) -> Result<StepOutput, StepError> {
        let bucket = self.bucket()?;
        let path = self.given.text("path").unwrap_or_default().trim_start_matches('/').to_owned();
        let under = if path.is_empty() || path.ends_with('/') { path } else { format!("{path}/") };
        let wanted = globs(&self.given.text("glob").unwrap_or_else(|| "**".to_owned()))?;
        let mut files = Vec::new();
        for found in self.list(&bucket, &under).await? {
            let Some(name) = found.key.strip_prefix(&under) else { continue };
            let folder = name.ends_with('/');
            if !wanted.is_match(name.trim_end_matches('/')) || (folder && self.given.flag("onlyFiles")) {
                continue;
            }
            let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
            files.push(json!({
                "name": last, "path": name, "directory": folder, "length": found.size, "lastModified": found.modified_ms,
            }));
        }
        Ok(answer(files))
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Found>, StepError> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let request = self.clients.s3.list_objects_v2().bucket(bucket).prefix(prefix);
            let page = request.set_continuation_token(token).send().await;
            let page = page.told(&self.clients.cloud, &format!("listing s3://{bucket}/{prefix}"))?;
            all.extend(page.contents.unwrap_or_default().into_iter().map(|object| Found {
                key: object.key.unwrap_or_default(),
                size: object.size.unwrap_or(0),
                modified_ms: object.last_modified.and_then(|at| at.to_millis().ok()).unwrap_or(0),
            }));
            if all.len() > MAX_OBJECTS {
                return Err(StepError::Usage(format!(
                    "s3://{bucket}/{prefix} holds more than {MAX_OBJECTS} objects; name a narrower path"
                )));
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    async fn copy_object(&self) -> Result<StepOutput, StepError> {
        let (from, to) = (self.given.required("fromBucket")?, self.given.required("toBucket")?);
        let (source, target) = (self.key("fromPath")?, self.key("toPath")?);
        if self.clients.is_local() {
            storage::ensure_bucket(self.clients, &to).await?;
        }
        let mut request = self.clients.s3.copy_object().copy_source(format!("{from}/{}", encoded(&source)));
        request = request.bucket(&to).key(&target).set_acl(self.given.text("acl").map(|acl| canned(&acl)));
        let what = format!("copying s3://{from}/{source} to s3://{to}/{target}");
        request.send().await.told(&self.clients.cloud, &what)?;
        Ok(answer(format!("s3://{to}/{target}")))
    }

    async fn presign(&self) -> Result<StepOutput, StepError> {
        let (bucket, key) = (self.bucket()?, self.key("key")?);
        let seconds = self.given.number("durationInSeconds").and_then(|n| u64::try_from(n).ok());
        let config = PresigningConfig::expires_in(Duration::from_secs(seconds.unwrap_or(DEFAULT_PRESIGNED)));
        let config = config.map_err(|error| StepError::Usage(format!("s3PresignURL: durationInSeconds: {error}")))?;
        let (s3, cloud) = (&self.clients.s3, &self.clients.cloud);
        let what = format!("signing an address of s3://{bucket}/{key}");
        let method = self.given.text("httpMethod").unwrap_or_else(|| "GET".to_owned());
        let signed = match method.as_str() {
            "GET" => s3.get_object().bucket(&bucket).key(&key).presigned(config).await.told(cloud, &what)?,
            "PUT" => s3.put_object().bucket(&bucket).key(&key).presigned(config).await.told(cloud, &what)?,
            "DELETE" => s3.delete_object().bucket(&bucket).key(&key).presigned(config).await.told(cloud, &what)?,
            "HEAD" => s3.head_object().bucket(&bucket).key(&key).presigned(config).await.told(cloud, &what)?,
            other => {
                return Err(StepError::Usage(format!(
                    "s3PresignURL: httpMethod {other} is not GET, PUT, DELETE or HEAD"
                )));
            }
        };
        Ok(answer(signed.uri()))
    }
}

/// `PublicRead` of the plugin, `public-read` of S3.
fn canned(name: &str) -> ObjectCannedAcl {
    let mut out = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    ObjectCannedAcl::from(out.as_str())
}

/// A key as a part of an address.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Ant's patterns, separated by commas: `*` stays within a folder.
fn globs(patterns: &str) -> Result<globset::GlobSet, StepError> {
    let wrong = |error: globset::Error| StepError::Usage(format!("the pattern `{patterns}`: {error}"));
    let mut set = globset::GlobSetBuilder::new();
    for pattern in patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

/// Files below a folder; links are not followed.
fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<String>) -> Result<(), StepError> {
    if depth > MAX_DEPTH || files.len() > MAX_FILES * 10 {
        return Err(StepError::Usage(format!("{} holds too much to look through", folder.display())));
    }
    for entry in std::fs::read_dir(folder)?.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), &format!("{name}/"), depth + 1, files)?,
            Ok(kind) if kind.is_file() => files.push(name),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        assert_eq!(canned("BucketOwnerFullControl").as_str(), "bucket-owner-full-control");
        assert_eq!(canned("private").as_str(), "private");
        assert_eq!(encoded("a b/ü.txt"), "a%20b/%C3%BC.txt");
        let set = globs("**/*.json, top.txt").unwrap();
        assert!(
            set.is_match("a/b.json") && set.is_match("b.json") && set.is_match("top.txt") && !set.is_match("a/top.txt")
        );
        assert!(globs("[").is_err());
    }
}
