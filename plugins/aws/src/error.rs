//! What an SDK error means to a step, in one sentence that names what was tried and where.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use haliotis_plugin_api::{CloudSettings, StepError};

/// Codes that say the request itself is wrong, so that trying again helps nobody.
const WRONG_REQUEST: &[&str] = &[
    "InvalidArgument",
    "InvalidInputException",
    "InvalidParameterValue",
    "InvalidRequest",
    "ParamValidationError",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "ValidationError",
    "ValidationException",
];

/// Turns an SDK result into a step's.
pub(crate) trait Told<T> {
    /// `what` completes the sentence "WHAT failed", as in `creating the training job x`.
    fn told(self, cloud: &CloudSettings, what: &str) -> Result<T, StepError>;
}

impl<T, E, R> Told<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    fn told(self, cloud: &CloudSettings, what: &str) -> Result<T, StepError> {
        self.map_err(|error| told(&error, cloud, what))
    }
}

fn told<E, R>(error: &SdkError<E, R>, cloud: &CloudSettings, what: &str) -> StepError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error {
        SdkError::ServiceError(_) => {
            let code = error.code().unwrap_or("an error without code");
            let message = error.message().unwrap_or("no message");
            let text = format!("{what} failed: {code}: {message}");
            if WRONG_REQUEST.contains(&code) { StepError::Usage(text) } else { StepError::World(text) }
        }
        SdkError::ConstructionFailure(_) => StepError::Usage(format!("{what} failed: {}", causes(error))),
        _ => StepError::World(match &cloud.endpoint_url {
            Some(url) => format!("{what} failed: cannot reach the local cloud at {url}: {}", causes(error)),
            None => format!(
                "{what} failed: AWS in {} gave no answer (network, or no credentials?): {}",
                cloud.region,
                causes(error)
            ),
        }),
    }
}

/// The chain of causes, each said once.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        next = cause.source();
    }
    text
}

/// True when the error says that the thing asked for is not there.
///
/// SageMaker says so by `ValidationException` with "Could not find ..." (or "... not found") for most things.
pub(crate) fn is_absent<E, R>(error: &SdkError<E, R>) -> bool
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    let message = error.message().unwrap_or("").to_ascii_lowercase();
    match error.code() {
        Some(
            "ResourceNotFound"
            | "ResourceNotFoundException"
            | "ChangeSetNotFound"
            | "ChangeSetNotFoundException"
            | "NoSuchKey"
            | "NoSuchBucket",
        ) => true,
        Some("ValidationException" | "ValidationError") => {
            ["could not find", "not found", "does not exist", "cannot find"].iter().any(|part| message.contains(part))
        }
        _ => false,
    }
}

/// True when the error says that the thing to be made is there already.
pub(crate) fn is_present<E, R>(error: &SdkError<E, R>) -> bool
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    let message = error.message().unwrap_or("").to_ascii_lowercase();
    match error.code() {
        Some("ResourceInUse" | "ConflictException" | "AlreadyExistsException" | "BucketAlreadyOwnedByYou") => true,
        Some("ValidationException" | "ValidationError") => {
            message.contains("already exist") || message.contains("already existing")
        }
        _ => false,
    }
}
