//! Operations on buckets: make, list, look, empty, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};

use super::http::{Request, blocking, document, empty, iso, method_not_allowed, parse_tags, set, tag_document};
use super::list::{ListQuery, Listing, MAX_PAGE};
use super::object::ObjectInfo;
use super::receive::collect;
use super::store::Store;
use super::xml::{self, tag};
use crate::AwsError;
use crate::auth::encode;

/// S3's most keys in one DeleteObjects.
const MAX_DELETES: usize = 1000;
/// The region that S3 leaves out of its answers.
const UNNAMED_REGION: &str = "us-east-1";

pub(super) async fn list_buckets(store: Arc<Store>, account: String) -> Result<Response<Body>, AwsError> {
    let buckets = blocking(move || store.buckets()).await?;
    let write = |name: &str, ms| format!("<Bucket>{}{}</Bucket>", tag("Name", name), tag("CreationDate", &iso(ms)));
    let list: String = buckets.iter().map(|bucket| write(&bucket.name, bucket.created_ms)).collect();
    Ok(document("ListAllMyBucketsResult", &format!("{}<Buckets>{list}</Buckets>", owner("Owner", &account))))
}

pub(super) async fn handle(store: Arc<Store>, request: Request, bucket: String) -> Result<Response<Body>, AwsError> {
    match request.method {
        Method::PUT if request.has("tagging") => put_tags(store, request, bucket).await,
        Method::PUT if request.has("versioning") => Err(super::http::not_implemented("versioning")),
        Method::PUT => create(store, request, bucket).await,
        Method::GET => get(store, request, bucket).await,
        Method::HEAD => {
            blocking(move || store.bucket(&bucket)).await?;
            let mut response = empty(StatusCode::OK);
            set(&mut response, "x-amz-bucket-region", &request.region);
            Ok(response)
        }
        Method::DELETE if request.has("tagging") => {
            blocking(move || store.set_bucket_tags(&bucket, BTreeMap::new())).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Method::DELETE => {
            blocking(move || store.delete_bucket(&bucket)).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Method::POST if request.has("delete") => delete_objects(store, request, bucket).await,
        _ => Err(method_not_allowed()),
    }
}

async fn create(store: Arc<Store>, request: Request, bucket: String) -> Result<Response<Body>, AwsError> {
    let region = request.region.clone();
    let body = collect(request).await?;
    check_constraint(&body, &region)?;
    let name = bucket.clone();
    let made = blocking(move || store.create_bucket(&name)).await?;
    if !made && region != UNNAMED_REGION {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(AwsError::new(409, "BucketAlreadyOwnedByYou", message));
    }
    let mut response = empty(StatusCode::OK);
    set(&mut response, "location", &format!("/{bucket}"));
    Ok(response)
}

/// A bucket lies in the server's region; asking for another would be a mistake nobody would see.
fn check_constraint(body: &str, region: &str) -> Result<(), AwsError> {
    if body.trim().is_empty() {
        return Ok(());
    }
    let root = xml::parse(body)?;
    match root.text_of("LocationConstraint").map(str::trim).filter(|text| !text.is_empty()) {
        Some(asked) if asked != region => {
            let message =
                format!("The {asked} location constraint is incompatible for the region {region} of this local cloud.");
            Err(AwsError::new(400, "IllegalLocationConstraintException", message))
        }
        _ => Ok(()),
    }
}

async fn put_tags(store: Arc<Store>, request: Request, bucket: String) -> Result<Response<Body>, AwsError> {
    let tags = parse_tags(&collect(request).await?)?;
    blocking(move || store.set_bucket_tags(&bucket, tags)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn get(store: Arc<Store>, request: Request, bucket: String) -> Result<Response<Body>, AwsError> {
    if request.has("uploads") {
        return super::upload_http::list_uploads(store, request, bucket).await;
    }
    if !["location", "tagging", "versioning"].iter().any(|name| request.has(name)) {
        return list_objects(store, request, bucket).await;
    }
    let info = blocking(move || store.bucket(&bucket)).await?;
    if request.has("versioning") {
        return Ok(document("VersioningConfiguration", ""));
    }
    if request.has("location") {
        let region = if request.region == UNNAMED_REGION { "" } else { &request.region };
        // The one answer whose root element holds the text itself.
        return Ok(document("LocationConstraint", region));
    }
    if info.tags.is_empty() {
        return Err(AwsError::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    }
    Ok(tag_document(&info.tags))
}

async fn list_objects(store: Arc<Store>, request: Request, bucket: String) -> Result<Response<Body>, AwsError> {
    let second = request.param("list-type") == Some("2");
    let after = if second { continuation(&request)? } else { request.param("marker").map(str::to_owned) };
    let query = ListQuery {
        prefix: request.param("prefix").unwrap_or_default().to_owned(),
        delimiter: request.param("delimiter").map(str::to_owned).filter(|text| !text.is_empty()),
        after: after.filter(|text| !text.is_empty()),
        max_keys: max_keys(&request, "max-keys")?,
    };
    let (name, asked) = (bucket.clone(), query.clone());
    let page = blocking(move || store.list_page(&name, &asked)).await?;
    Ok(document("ListBucketResult", &page_content(&request, &bucket, &query, &page, second)))
}

fn page_content(request: &Request, bucket: &str, query: &ListQuery, page: &Listing, second: bool) -> String {
    let url = request.param("encoding-type") == Some("url");
    let text = |name: &str, value: &str| tag(name, &if url { encode(value, true) } else { value.to_owned() });
    let mut out = tag("Name", bucket) + &text("Prefix", &query.prefix) + &tag("MaxKeys", &query.max_keys.to_string());
    if let Some(delimiter) = &query.delimiter {
        out += &text("Delimiter", delimiter);
    }
    if url {
        out += &tag("EncodingType", "url");
    }
    out += &tag("IsTruncated", if page.truncated { "true" } else { "false" });
    let next = page.last.as_deref().filter(|_| page.truncated);
    if second {
        out += &tag("KeyCount", &(page.objects.len() + page.prefixes.len()).to_string());
        out += &request.param("start-after").map(|after| text("StartAfter", after)).unwrap_or_default();
        out += &request.param("continuation-token").map(|token| tag("ContinuationToken", token)).unwrap_or_default();
        out += &next.map(|last| tag("NextContinuationToken", &hex::encode(last))).unwrap_or_default();
    } else {
        out += &text("Marker", request.param("marker").unwrap_or_default());
        out += &next.map(|last| text("NextMarker", last)).unwrap_or_default();
    }
    let with_owner = !second || request.param("fetch-owner") == Some("true");
    for object in &page.objects {
        let owner = if with_owner { owner("Owner", &request.account) } else { String::new() };
        out += &format!("<Contents>{}{}{owner}</Contents>", text("Key", &object.key), facts(object));
    }
    for prefix in &page.prefixes {
        out += &format!("<CommonPrefixes>{}</CommonPrefixes>", text("Prefix", prefix));
    }
    out
}

fn facts(object: &ObjectInfo) -> String {
    let algorithms: String = object.checksums.0.keys().map(|sum| tag("ChecksumAlgorithm", sum.word())).collect();
    tag("LastModified", &iso(object.modified_ms))
        + &tag("ETag", &format!("\"{}\"", object.etag))
        + &algorithms
        + &tag("Size", &object.size.to_string())
        + &tag("StorageClass", "STANDARD")
}

/// The key to go on after.
fn continuation(request: &Request) -> Result<Option<String>, AwsError> {
    let Some(token) = request.param("continuation-token") else {
        return Ok(request.param("start-after").map(str::to_owned));
    };
    let key = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.map(Some).ok_or_else(|| AwsError::new(400, "InvalidArgument", "The continuation token provided is incorrect"))
}

pub(super) fn max_keys(request: &Request, name: &str) -> Result<usize, AwsError> {
    let Some(text) = request.param(name).filter(|text| !text.is_empty()) else { return Ok(MAX_PAGE) };
    let number: usize = text.parse().map_err(|_| {
        AwsError::new(400, "InvalidArgument", format!("Provided {name} not an integer or within integer range"))
    })?;
    Ok(number.min(MAX_PAGE))
}

async fn delete_objects(store: Arc<Store>, request: Request, bucket: String) -> Result<Response<Body>, AwsError> {
    let root = xml::parse(&collect(request).await?)?;
    let keys: Vec<String> =
        root.children("Object").filter_map(|object| object.text_of("Key")).map(str::to_owned).collect();
    if keys.is_empty() || keys.len() > MAX_DELETES {
        return Err(AwsError::new(400, "MalformedXML", format!("Name 1 to {MAX_DELETES} objects to delete")));
    }
    let quiet = root.text_of("Quiet") == Some("true");
    let results = blocking(move || {
        store.bucket(&bucket)?;
        Ok(keys.into_iter().map(|key| (store.delete(&bucket, &key).err(), key)).collect::<Vec<_>>())
    })
    .await?;
    let mut out = String::new();
    for (error, key) in results {
        match error {
            None if quiet => {}
            None => out += &format!("<Deleted>{}</Deleted>", tag("Key", &key)),
            Some(error) => {
                let detail = tag("Code", &error.code) + &tag("Message", &error.message);
                out += &format!("<Error>{}{detail}</Error>", tag("Key", &key));
            }
        }
    }
    Ok(document("DeleteResult", &out))
}

pub(super) fn owner(element: &str, account: &str) -> String {
    format!("<{element}>{}{}</{element}>", tag("ID", account), tag("DisplayName", "haliotis"))
}
