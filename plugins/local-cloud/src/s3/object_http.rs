//! Operations on one object: put, copy, get with ranges and conditions, tags, delete.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::conditions::{self, Met};
use super::http::{Request, blocking, document, empty, iso, method_not_allowed, parse_tags, set, tag_document};
use super::object::{ObjectHeaders, ObjectInfo};
use super::receive::{collect, stage};
use super::store::{Location, Store};
use super::xml::tag;
use crate::AwsError;
use crate::auth::decode;

/// S3's limit on user metadata, names and values, in bytes.
const MAX_METADATA_BYTES: usize = 2048;
/// S3's limit on the tags of an object.
const MAX_TAGS: usize = 10;
/// Bytes read from disk at a time on the way out.
const READ_BYTES: usize = 128 * 1024;
/// Headers kept beside the content type.
const STANDARD: [&str; 5] = ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

pub(super) async fn handle(store: Arc<Store>, request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    let tagging = request.has("tagging");
    match request.method {
        Method::PUT if tagging => put_tags(store, request, at).await,
        Method::PUT if request.header("x-amz-copy-source").is_some() => copy(store, request, at).await,
        Method::PUT => put(store, request, at).await,
        Method::GET if tagging => {
            let info = blocking(move || store.head(&at.bucket, &at.key)).await?;
            Ok(tag_document(&info.headers.tags))
        }
        Method::GET => get(store, request, at).await,
        Method::HEAD => head(store, request, at).await,
        Method::DELETE if tagging => set_tags(store, at, BTreeMap::new(), StatusCode::NO_CONTENT).await,
        Method::DELETE => {
            blocking(move || store.delete(&at.bucket, &at.key)).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(method_not_allowed()),
    }
}

async fn put(store: Arc<Store>, mut request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    let headers = read_headers(&request.headers)?;
    super::check_key(&at.key)?;
    store.bucket(&at.bucket)?;
    let staged = stage(&store, &mut request).await?;
    let info = blocking(move || {
        let finished = staged.finish()?;
        let etag = finished.md5_hex.clone();
        let allow = |present: Option<&ObjectInfo>| conditions::allow_write(&request.headers, present);
        store.install(&at.bucket, &at.key, finished, etag, headers, allow)
    })
    .await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, "etag", &format!("\"{}\"", info.etag));
    set_checksums(&mut response, &info);
    Ok(response)
}

/// What a copy request asks for.
struct Copy {
    from: Location,
    given: ObjectHeaders,
    new_metadata: bool,
    new_tags: bool,
}

impl Copy {
    fn read(request: &Request, to: &Location) -> Result<Self, AwsError> {
        let replace = |name| request.header(name).is_some_and(|word: &str| word.eq_ignore_ascii_case("REPLACE"));
        let asked = Self {
            from: copy_source(request)?,
            given: read_headers(&request.headers)?,
            new_metadata: replace("x-amz-metadata-directive"),
            new_tags: replace("x-amz-tagging-directive"),
        };
        if asked.from == *to && !asked.new_metadata && !asked.new_tags {
            let message = "This copy request is illegal because it is trying to copy an object to itself without changing \
                           the object's metadata, storage class, website redirect location or encryption attributes.";
            return Err(AwsError::new(400, "InvalidRequest", message));
        }
        Ok(asked)
    }

    fn headers(self, source: ObjectHeaders) -> ObjectHeaders {
        let tags = if self.new_tags { self.given.tags.clone() } else { source.tags.clone() };
        ObjectHeaders { tags, ..if self.new_metadata { self.given } else { source } }
    }
}

async fn copy(store: Arc<Store>, request: Request, to: Location) -> Result<Response<Body>, AwsError> {
    let asked = Copy::read(&request, &to)?;
    let conditions = request.headers;
    let info = blocking(move || {
        let source = store.head(&asked.from.bucket, &asked.from.key)?;
        conditions::check_copy(&conditions, &source)?;
        let from = asked.from.clone();
        store.copy(&from, &to, Some(asked.headers(source.headers)))
    })
    .await?;
    let content = tag("LastModified", &iso(info.modified_ms)) + &tag("ETag", &format!("\"{}\"", info.etag));
    Ok(document("CopyObjectResult", &content))
}

/// `bucket/key`, with or without a leading `/`, percent-encoded.
pub(super) fn copy_source(request: &Request) -> Result<Location, AwsError> {
    let text = request.header("x-amz-copy-source").unwrap_or_default();
    let (path, version) = text.split_once("?versionId=").unwrap_or((text, "null"));
    if version != "null" {
        return Err(super::http::not_implemented("object versions"));
    }
    let path = decode(path);
    let path = path.strip_prefix('/').unwrap_or(&path);
    match path.split_once('/') {
        Some((bucket, key)) if !key.is_empty() => Ok(Location { bucket: bucket.to_owned(), key: key.to_owned() }),
        _ => Err(AwsError::new(
            400,
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )),
    }
}

async fn get(store: Arc<Store>, request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    let (mut file, info) = blocking(move || store.open_object(&at.bucket, &at.key)).await?;
    if let Some(response) = unmet(&request, &info)? {
        return Ok(response);
    }
    let range = conditions::range(request.header("range"), info.size)?;
    let (first, length) = range.map_or((0, info.size), |(first, last)| (first, last - first + 1));
    let file = blocking(move || {
        let moved = file.seek(SeekFrom::Start(first));
        moved.map(|_| file).map_err(|error| AwsError::internal(format!("cannot read the object: {error}")))
    })
    .await?;
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(length), READ_BYTES);
    let mut response = Response::new(Body::from_stream(stream));
    describe(&mut response, &request, &info, range);
    Ok(response)
}

async fn head(store: Arc<Store>, request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    let info = blocking(move || store.head(&at.bucket, &at.key)).await?;
    if let Some(response) = unmet(&request, &info)? {
        return Ok(response);
    }
    let range = conditions::range(request.header("range"), info.size)?;
    let mut response = empty(StatusCode::OK);
    describe(&mut response, &request, &info, range);
    Ok(response)
}

/// The answer `304 Not Modified`, where the client's copy is still good.
fn unmet(request: &Request, info: &ObjectInfo) -> Result<Option<Response<Body>>, AwsError> {
    match conditions::check_read(&request.headers, info)? {
        Met::Send => Ok(None),
        Met::NotModified => {
            let mut response = empty(StatusCode::NOT_MODIFIED);
            set(&mut response, "etag", &format!("\"{}\"", info.etag));
            set(&mut response, "last-modified", &conditions::http_date(info.modified_ms));
            Ok(Some(response))
        }
    }
}

fn describe(response: &mut Response<Body>, request: &Request, info: &ObjectInfo, range: Option<(u64, u64)>) {
    set(response, "accept-ranges", "bytes");
    set(response, "content-type", info.content_type());
    set(response, "etag", &format!("\"{}\"", info.etag));
    set(response, "last-modified", &conditions::http_date(info.modified_ms));
    let length = range.map_or(info.size, |(first, last)| last - first + 1);
    set(response, "content-length", &length.to_string());
    for (name, value) in &info.headers.standard {
        set(response, name, value);
    }
    for (name, value) in &info.headers.metadata {
        set(response, &format!("x-amz-meta-{name}"), value);
    }
    if !info.headers.tags.is_empty() {
        set(response, "x-amz-tagging-count", &info.headers.tags.len().to_string());
    }
    for name in STANDARD.iter().chain(["content-type"].iter()) {
        if let Some(value) = request.param(&format!("response-{name}")) {
            set(response, name, value);
        }
    }
    if let Some((first, last)) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(response, "content-range", &format!("bytes {first}-{last}/{}", info.size));
    } else if request.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled")) {
        set_checksums(response, info);
    }
}

pub(super) fn set_checksums(response: &mut Response<Body>, info: &ObjectInfo) {
    for (algorithm, value) in &info.checksums.0 {
        set(response, algorithm.header(), value);
        set(response, "x-amz-checksum-type", if value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" });
    }
}

async fn put_tags(store: Arc<Store>, request: Request, at: Location) -> Result<Response<Body>, AwsError> {
    let tags = parse_tags(&collect(request).await?)?;
    set_tags(store, at, tags, StatusCode::OK).await
}

async fn set_tags(
    store: Arc<Store>,
    at: Location,
    tags: BTreeMap<String, String>,
    status: StatusCode,
) -> Result<Response<Body>, AwsError> {
    check_tags(&tags)?;
    blocking(move || {
        let headers = store.head(&at.bucket, &at.key)?.headers;
        store.set_headers(&at.bucket, &at.key, ObjectHeaders { tags, ..headers })
    })
    .await?;
    Ok(empty(status))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > MAX_TAGS {
        return Err(AwsError::new(400, "BadRequest", format!("Object tags cannot be greater than {MAX_TAGS}")));
    }
    Ok(())
}

/// What of a request's headers is stored with the object.
pub(super) fn read_headers(headers: &HeaderMap) -> Result<ObjectHeaders, AwsError> {
    let mut found = ObjectHeaders::default();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    for (name, value) in headers {
        let name = name.as_str();
        if let Some(name) = name.strip_prefix("x-amz-meta-") {
            found.metadata.insert(name.to_owned(), text(value));
        } else if name == "content-type" {
            found.content_type = Some(text(value));
        } else if STANDARD.contains(&name) {
            found.standard.insert(name.to_owned(), text(value));
        }
    }
    // `aws-chunked` is the frame on the wire, not the object's encoding.
    if let Some(encoding) = found.standard.remove("content-encoding") {
        let kept: Vec<_> = encoding.split(',').map(str::trim).filter(|word| *word != "aws-chunked").collect();
        if !kept.is_empty() {
            found.standard.insert("content-encoding".to_owned(), kept.join(","));
        }
    }
    let tags = headers.get("x-amz-tagging").map(text).unwrap_or_default();
    for pair in tags.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        found.tags.insert(decode(&name.replace('+', " ")), decode(&value.replace('+', " ")));
    }
    check_tags(&found.tags)?;
    let size: usize = found.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA_BYTES {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(AwsError::new(
            400,
            "MetadataTooLarge",
            format!("{message}: {size} bytes, at most {MAX_METADATA_BYTES}"),
        ));
    }
    Ok(found)
}
