//! Objects in S3.

use std::path::Path;

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use haliotis_plugin_api::StepError;

use crate::Clients;
use crate::error::{Told, is_present};

/// Largest object that one PutObject may be, in bytes.
const MAX_PUT: u64 = 5 * 1024 * 1024 * 1024;

/// `s3://BUCKET/KEY`; the key may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct S3Uri {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl S3Uri {
    /// Reads `s3://BUCKET/KEY`.
    pub(crate) fn parse(text: &str) -> Result<Self, StepError> {
        let rest = text.strip_prefix("s3://").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let rest = rest.ok_or_else(|| StepError::Usage(format!("`{text}` is not an S3 URI as s3://BUCKET/KEY")))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// Makes sure that a bucket is there. The local cloud's is made; on AWS a missing bucket is an error, for whoever owns
/// the account decides where data lies.
pub(crate) async fn ensure_bucket(clients: &Clients, bucket: &str) -> Result<(), StepError> {
    if bucket.is_empty() {
        return Err(StepError::Usage(
            "no bucket is set for what steps upload; set `bucket` of the cloud, or give S3 URIs in the step".to_owned(),
        ));
    }
    if clients.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(bucket) {
        return Ok(());
    }
    match clients.s3.head_bucket().bucket(bucket).send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
            if !clients.is_local() {
                return Err(StepError::World(format!(
                    "the bucket `{bucket}` is not in the account; make it (aws s3 mb s3://{bucket}) or set another"
                )));
            }
            create_bucket(clients, bucket).await?;
        }
        Err(error) => return Err(error).told(&clients.cloud, &format!("looking at the bucket {bucket}")),
    }
    clients.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(bucket.to_owned());
    Ok(())
}

async fn create_bucket(clients: &Clients, bucket: &str) -> Result<(), StepError> {
    let region = clients.cloud.region.as_str();
    // S3 refuses the name of its first region here.
    let place = (region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
    });
    match clients.s3.create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await {
        Ok(_) => Ok(()),
        Err(error) if is_present(&error) => Ok(()),
        Err(error) => Err(error).told(&clients.cloud, &format!("making the bucket {bucket}")),
    }
}

/// Uploads a file, unless an object of that key and length is there: keys made of a content hash need no second upload.
pub(crate) async fn put_file_once(clients: &Clients, uri: &S3Uri, file: &Path) -> Result<(), StepError> {
    let length = tokio::fs::metadata(file).await.map_err(|error| cannot_read(file, &error))?.len();
    let there = clients.s3.head_object().bucket(&uri.bucket).key(&uri.key).send().await;
    if there.is_ok_and(|head| head.content_length.and_then(|n| u64::try_from(n).ok()) == Some(length)) {
        return Ok(());
    }
    put_file(clients, uri, file).await
}

/// Uploads a file.
pub(crate) async fn put_file(clients: &Clients, uri: &S3Uri, file: &Path) -> Result<(), StepError> {
    let length = tokio::fs::metadata(file).await.map_err(|error| cannot_read(file, &error))?.len();
    if length > MAX_PUT {
        return Err(StepError::Usage(format!(
            "{} has {length} bytes but one upload takes {MAX_PUT}; put it into S3 by other means and give the S3 URI",
            file.display()
        )));
    }
    let body = ByteStream::from_path(file).await.map_err(|error| StepError::World(error.to_string()))?;
    put(clients, uri, body).await
}

/// Uploads bytes.
pub(crate) async fn put_bytes(clients: &Clients, uri: &S3Uri, bytes: Vec<u8>) -> Result<(), StepError> {
    put(clients, uri, ByteStream::from(bytes)).await
}

async fn put(clients: &Clients, uri: &S3Uri, body: ByteStream) -> Result<(), StepError> {
    let what = format!("uploading s3://{}/{}", uri.bucket, uri.key);
    let sent = clients.s3.put_object().bucket(&uri.bucket).key(&uri.key).body(body).send().await;
    sent.told(&clients.cloud, &what).map(drop)
}

/// The whole object, at most `limit` bytes.
pub(crate) async fn get(clients: &Clients, uri: &S3Uri, limit: usize) -> Result<Vec<u8>, StepError> {
    let shown = format!("s3://{}/{}", uri.bucket, uri.key);
    let sent = clients.s3.get_object().bucket(&uri.bucket).key(&uri.key).send().await;
    let mut object = match sent {
        Ok(object) => object,
        Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => {
            return Err(StepError::Usage(format!("there is no object {shown}")));
        }
        Err(error) => return Err(error).told(&clients.cloud, &format!("reading {shown}")),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = object.body.next().await {
        let chunk = chunk.map_err(|error| StepError::World(format!("reading {shown} broke off: {error}")))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limit {
            return Err(StepError::Usage(format!("{shown} is longer than the {limit} bytes that are read")));
        }
    }
    Ok(bytes)
}

/// The URL by which another service of the same cloud reads the object.
pub(crate) fn https_url(clients: &Clients, uri: &S3Uri) -> String {
    match &clients.cloud.endpoint_url {
        Some(url) => format!("{}/{}/{}", url.trim_end_matches('/'), uri.bucket, uri.key),
        None => format!("https://{}.s3.{}.amazonaws.com/{}", uri.bucket, clients.cloud.region, uri.key),
    }
}

fn cannot_read(file: &Path, error: &std::io::Error) -> StepError {
    StepError::Usage(format!("cannot read {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::S3Uri;

    #[test]
    fn uris() {
        let uri = S3Uri::parse("s3://b/k/x.csv").unwrap();
        assert_eq!((uri.bucket.as_str(), uri.key.as_str()), ("b", "k/x.csv"));
        assert_eq!(S3Uri::parse("s3://b").unwrap().key, "");
        for wrong in ["b/k", "s3://", "s3:///k", "http://b"] {
            assert!(S3Uri::parse(wrong).is_err(), "{wrong}");
        }
    }
}
