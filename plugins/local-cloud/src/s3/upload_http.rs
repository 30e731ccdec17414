//! Operations on multipart uploads.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};

use super::bucket_http::{max_keys, owner};
use super::checksum::Algorithm;
use super::conditions;
use super::http::{Request, blocking, document, empty, iso, method_not_allowed, set};
use super::multipart::{Part, Upload};
use super::object::ObjectInfo;
use super::object_http::{copy_source, read_headers};
use super::receive::{collect, stage};
use super::store::{Location, Store};
use super::xml::{self, tag};
use crate::AwsError;

pub(super) async fn handle(store: Arc<Store>, request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    if request.has("uploads") {
        return if request.method == Method::POST {
            create(store, request, at).await
        } else {
            Err(method_not_allowed())
        };
    }
    let id = request.param("uploadId").unwrap_or_default().to_owned();
    let (known, place) = (Arc::clone(&store), at.clone());
    let upload = blocking(move || known.upload(&place, &id)).await?;
    match request.method {
        Method::PUT => put_part(store, request, upload).await,
        Method::POST => complete(store, request, upload).await,
        Method::GET => list_parts(store, request, upload).await,
        Method::DELETE => {
            blocking(move || store.remove_upload(&upload)).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(method_not_allowed()),
    }
}

async fn create(store: Arc<Store>, request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    let headers = read_headers(&request.headers)?;
    let algorithm = request.header("x-amz-checksum-algorithm").map(Algorithm::parse).transpose()?;
    let upload = blocking(move || store.create_upload(&at, headers, algorithm)).await?;
    let mut response = document("InitiateMultipartUploadResult", &(place(&upload) + &tag("UploadId", &upload.id)));
    if let Some(algorithm) = algorithm {
        set(&mut response, "x-amz-checksum-algorithm", algorithm.word());
    }
    Ok(response)
}

async fn put_part(store: Arc<Store>, mut request: Request, upload: Upload) -> Result<Response<Body>, AwsError> {
    let number = request.param("partNumber").and_then(|text| text.parse().ok()).unwrap_or(0);
    if request.header("x-amz-copy-source").is_some() {
        let from = copy_source(&request)?;
        let range = request.header("x-amz-copy-source-range").map(copy_range).transpose()?;
        let part = blocking(move || store.put_part_copy(&upload, number, &from, range)).await?;
        let content = tag("LastModified", &iso(part.modified_ms)) + &tag("ETag", &format!("\"{}\"", part.etag));
        return Ok(document("CopyPartResult", &content));
    }
    let staged = stage(&store, &mut request).await?;
    let part = blocking(move || store.put_part(&upload, number, staged)).await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "etag", &format!("\"{}\"", part.etag));
    for (algorithm, value) in &part.checksums.0 {
        set(&mut response, algorithm.header(), value);
    }
    Ok(response)
}

/// `bytes=first-last`, both given.
fn copy_range(text: &str) -> Result<(u64, u64), AwsError> {
    let ends = text.strip_prefix("bytes=").and_then(|spec| spec.split_once('-'));
    ends.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?))).ok_or_else(|| {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last";
        AwsError::new(400, "InvalidArgument", message)
    })
}

async fn complete(store: Arc<Store>, request: Request, upload: Upload) -> Result<Response<Body>, AwsError> {
    let headers = request.headers.clone();
    let root = xml::parse(&collect(request).await?)?;
    let parts: Option<Vec<(u32, String)>> = root
        .children("Part")
        .map(|part| Some((part.text_of("PartNumber")?.trim().parse().ok()?, part.text_of("ETag")?.to_owned())))
        .collect();
    let parts = parts.ok_or_else(|| AwsError::new(400, "MalformedXML", "Each Part needs a PartNumber and an ETag"))?;
    let location = format!("/{}/{}", upload.bucket, upload.key);
    let names = place(&upload);
    let info = blocking(move || {
        let allow = |present: Option<&ObjectInfo>| conditions::allow_write(&headers, present);
        store.complete_upload(&upload, &parts, allow)
    })
    .await?;
    let content = tag("Location", &location) + &names + &tag("ETag", &format!("\"{}\"", info.etag));
    Ok(document("CompleteMultipartUploadResult", &content))
}

async fn list_parts(store: Arc<Store>, request: Request, upload: Upload) -> Result<Response<Body>, AwsError> {
    let limit = max_keys(&request, "max-parts")?;
    let after: u32 = request.param("part-number-marker").and_then(|text| text.parse().ok()).unwrap_or(0);
    let names = place(&upload) + &tag("UploadId", &upload.id);
    let parts = blocking(move || Ok(store.parts(&upload))).await?;
    let later: Vec<&Part> = parts.iter().filter(|part| part.number > after).collect();
    let page = &later[..limit.min(later.len())];
    let last = page.last().map_or(after, |part| part.number);
    let mut out = names
        + &tag("PartNumberMarker", &after.to_string())
        + &tag("NextPartNumberMarker", &last.to_string())
        + &tag("MaxParts", &limit.to_string())
        + &tag("IsTruncated", if page.len() < later.len() { "true" } else { "false" })
        + &owner("Initiator", &request.account)
        + &owner("Owner", &request.account)
        + &tag("StorageClass", "STANDARD");
    for part in page {
        let facts = tag("PartNumber", &part.number.to_string())
            + &tag("LastModified", &iso(part.modified_ms))
            + &tag("ETag", &format!("\"{}\"", part.etag))
            + &tag("Size", &part.size.to_string());
        out += &format!("<Part>{facts}</Part>");
    }
    Ok(document("ListPartsResult", &out))
}

/// All uploads of a bucket on one page: one person's bucket never has thousands under way.
pub(super) async fn list_uploads(
    store: Arc<Store>,
    request: Request,
    bucket: String,
) -> Result<Response<Body>, AwsError> {
    let prefix = request.param("prefix").unwrap_or_default().to_owned();
    let (name, asked) = (bucket.clone(), prefix.clone());
    let uploads = blocking(move || store.uploads(&name, &asked)).await?;
    let mut out = tag("Bucket", &bucket)
        + &tag("Prefix", &prefix)
        + &tag("MaxUploads", &uploads.len().max(1000).to_string())
        + &tag("IsTruncated", "false");
    for upload in uploads {
        let facts = tag("Key", &upload.key)
            + &tag("UploadId", &upload.id)
            + &owner("Initiator", &request.account)
            + &owner("Owner", &request.account)
            + &tag("StorageClass", "STANDARD")
            + &tag("Initiated", &iso(upload.initiated_ms));
        out += &format!("<Upload>{facts}</Upload>");
    }
    Ok(document("ListMultipartUploadsResult", &out))
}

fn place(upload: &Upload) -> String {
    tag("Bucket", &upload.bucket) + &tag("Key", &upload.key)
}
