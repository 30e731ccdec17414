//! S3 over the file system: every object is a plain file, with a sidecar for what a file cannot say.
//!
//! [`Store`] is the object store itself, used in process by SageMaker and CloudFormation; its calls block on the file
//! system, so call them through `spawn_blocking` where files are large. `http` puts the S3 protocol in front of it.

pub(crate) mod body;
mod bucket_http;
mod checksum;
mod conditions;
mod http;
mod keys;
mod list;
mod multipart;
mod object;
mod object_http;
mod receive;
mod staged;
mod store;
mod upload_http;
mod xml;

pub use checksum::Checksums;
pub(crate) use http::{Request, handle};
pub use keys::{MAX_KEY_BYTES, check_bucket, check_key};
pub use list::{ListQuery, Listing};
pub use object::{ObjectHeaders, ObjectInfo};
pub use staged::{MAX_OBJECT_BYTES, Staged};
pub use store::{BucketInfo, Location, Store};
pub(crate) use xml::escape as escape_xml;
