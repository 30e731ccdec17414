//! The S3 protocol: which operation a request asks for, and what all operations share.
//!
//! Accepted without effect, because one person's disk has no such thing: storage classes, ACL and encryption headers.
//! What changes an answer (versioning, policies, lifecycle, …) is refused with `NotImplemented`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, StatusCode, header};

use super::store::{Location, Store};
use super::{bucket_http, object_http, upload_http, xml};
use crate::AwsError;
use crate::s3::body::ChunkSigner;

/// S3's name space, which some clients insist on.
pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Sub-resources that are not here, as the query names them.
const NOT_HERE: [&str; 26] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "torrent",
    "versions",
    "website",
];

/// A verified request.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Decoded; where the bucket is in the host name it has been put in front.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Verifies the chunks of a signed stream.
    pub(crate) signer: Option<ChunkSigner>,
    pub(crate) region: String,
    pub(crate) account: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Bucket and key.
    fn location(&self) -> Location {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Location { bucket: bucket.to_owned(), key: key.to_owned() }
    }
}

/// Answers an S3 request.
///
/// # Errors
/// S3's own; the front writes them as XML.
pub(crate) async fn handle(store: Arc<Store>, request: Request) -> Result<Response<Body>, AwsError> {
    let at = request.location();
    if let Some(name) = NOT_HERE.iter().find(|name| request.has(name)) {
        return Err(not_implemented(&format!("the sub-resource ?{name}")));
    }
    match (at.bucket.is_empty(), at.key.is_empty()) {
        (true, _) if request.method == Method::GET => bucket_http::list_buckets(store, request.account).await,
        (true, _) => Err(method_not_allowed()),
        (false, true) => bucket_http::handle(store, request, at.bucket).await,
        (false, false) if request.has("uploads") || request.has("uploadId") => {
            upload_http::handle(store, request, at).await
        }
        (false, false) => object_http::handle(store, request, at).await,
    }
}

/// Runs store calls away from the threads that serve requests.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AwsError> + Send + 'static,
) -> Result<T, AwsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(AwsError::internal(format!("the request's work ended early: {error}"))),
    }
}

/// An XML document.
pub(super) fn document(root: &str, content: &str) -> Response<Body> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">{content}</{root}>");
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header; a value that no header can hold is left out.
pub(super) fn set(response: &mut Response<Body>, name: &str, value: &str) {
    let name = header::HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, header::HeaderValue::from_bytes(value.as_bytes())) {
        response.headers_mut().insert(name, value);
    }
}

/// `2026-01-02T03:04:05.000Z`.
pub(super) fn iso(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Tags of a `<Tagging>` document.
pub(super) fn parse_tags(text: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let root = xml::parse(text)?;
    let set = root.child("TagSet").ok_or_else(|| AwsError::new(400, "MalformedXML", "TagSet is missing"))?;
    let pairs = set.children("Tag").map(|tag| (tag.text_of("Key"), tag.text_of("Value").unwrap_or_default()));
    let tags: BTreeMap<_, _> = pairs.filter_map(|(key, value)| Some((key?.to_owned(), value.to_owned()))).collect();
    Ok(tags)
}

/// A `<Tagging>` document.
pub(super) fn tag_document(tags: &BTreeMap<String, String>) -> Response<Body> {
    let write =
        |(key, value): (&String, &String)| format!("<Tag>{}{}</Tag>", xml::tag("Key", key), xml::tag("Value", value));
    let tags: String = tags.iter().map(write).collect();
    document("Tagging", &format!("<TagSet>{tags}</TagSet>"))
}

pub(super) fn method_not_allowed() -> AwsError {
    AwsError::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
}

pub(super) fn not_implemented(what: &str) -> AwsError {
    AwsError::new(501, "NotImplemented", format!("The local cloud does not implement {what} of S3."))
}
