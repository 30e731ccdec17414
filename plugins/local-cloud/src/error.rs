//! What the local cloud answers when it refuses: AWS' own codes and messages, rendered by the front in each protocol's
//! shape. An [`AwsError`] is an answer to a client; an [`OpenError`] means the local cloud itself cannot start.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A refusal as AWS words it: a code that clients switch on, a message for people, an HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// As `ValidationException` or `NoSuchKey`.
    pub code: Cow<'static, str>,
    /// For people; says what, where, and what to do.
    pub message: String,
    /// HTTP status, 3xx to 5xx.
    pub status: u16,
}

impl AwsError {
    /// Any refusal.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status }
    }

    /// `ValidationException`, 400: the JSON services' word for bad input (SageMaker uses it for most unknown names too).
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    /// `ResourceNotFound`, 400: SageMaker's word for a job or package that is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(400, "ResourceNotFound", message)
    }

    /// `ResourceInUse`, 400: the name is taken.
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::new(400, "ResourceInUse", message)
    }

    /// `ConflictException`, 409: the state does not allow it now.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ConflictException", message)
    }

    /// `ResourceLimitExceeded`, 400.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(400, "ResourceLimitExceeded", message)
    }

    /// `ThrottlingException`, 400; SDKs try again by themselves.
    pub fn throttling(message: impl Into<String>) -> Self {
        Self::new(400, "ThrottlingException", message)
    }

    /// `AccessDenied`, 403.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    /// `InternalFailure`, 500: we could not do our part, as with a full disk.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalFailure", message)
    }

    /// An operation this local cloud does not carry out; said plainly rather than pretended.
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        Self::new(400, "UnknownOperationException", format!("the local cloud does not offer {service} {operation}"))
    }

    /// A file operation of ours that failed; a full disk is named as such.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let place = path.display();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::new(
                507,
                "InsufficientStorage",
                format!("{doing} {place}: the disk is full; free some space there and try again"),
            ),
            _ => Self::internal(format!("{doing} {place}: {error}")),
        }
    }
}

/// Why the local cloud cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder or file of the data folder cannot be used.
    #[error("the local cloud cannot use {path}: {source}; check that the folder exists, is yours, and has space")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file of the data folder does not say what it should.
    #[error("the local cloud cannot read {path}: {reason}; move the file away to start without it")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that cannot be.
    #[error("the local cloud cannot start: {0}")]
    Config(String),
}

impl OpenError {
    /// For `map_err` beside a file operation.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| OpenError::Io { path, source }
    }
}
