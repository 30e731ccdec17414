//! Errors on their way out: one shape for the API, one page for people, the same codes for both.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use haliotis_engine::{CreateError, JournalError, RefusedAnswer};
use haliotis_flow::Diagnostic;
use serde::Serialize;
use utoipa::ToSchema;

use crate::edges::EdgeError;

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Stable, as `not-found`.
    pub(crate) code: &'static str,
    /// What went wrong, in a sentence.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) help: String,
    /// All problems of a definition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The body of every answer that is not a success.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// What went wrong.
    pub(crate) error: Problem,
}

/// A refused or failed request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) status: StatusCode,
    pub(crate) problem: Problem,
}

impl Failed {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (message, help) = (message.into(), help.into());
        Self { status, problem: Problem { code, message, help, diagnostics: Vec::new() } }
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", what, "Look at the list for what there is.")
    }

    pub(crate) fn bad_request(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message, help)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.problem })).into_response()
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        let message = error.to_string();
        match error {
            JournalError::NoBuild(_) => Self::not_found(message),
            JournalError::Damaged { .. } => {
                let help = "Restore the data folder from a backup; other builds are not touched.";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", message, help)
            }
            JournalError::Fenced { .. } | JournalError::Store(_) => {
                let help = "Nothing acknowledged is lost. Look at the disk, then try again.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", message, help)
            }
        }
    }
}

impl From<haliotis_access::RecordsError> for Failed {
    fn from(error: haliotis_access::RecordsError) -> Self {
        let help = "Look at the disk and the server's log, then try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", error.to_string(), help)
    }
}

impl From<CreateError> for Failed {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Journal(error) => error.into(),
            CreateError::Draining => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", error.to_string(), "Try again in a minute.")
            }
        }
    }
}

impl From<RefusedAnswer> for Failed {
    fn from(refused: RefusedAnswer) -> Self {
        let (status, code, help) = match &refused {
            RefusedAnswer::NotRunning(_) => (StatusCode::CONFLICT, "not-running", "Look at the build's page."),
            RefusedAnswer::NotOpen(_) => (StatusCode::CONFLICT, "not-open", "Look at the build's page for the answer."),
            RefusedAnswer::Digest => {
                (StatusCode::CONFLICT, "digest", "Read the question again and answer with the digest it shows now.")
            }
            RefusedAnswer::Reason => (StatusCode::UNPROCESSABLE_ENTITY, "reason", "Write a sentence on why."),
            RefusedAnswer::NotApprover { .. } => {
                (StatusCode::FORBIDDEN, "not-approver", "Ask one of those who may answer.")
            }
            RefusedAnswer::OwnWork { .. } => (StatusCode::FORBIDDEN, "own-work", "Ask somebody else who may answer."),
            RefusedAnswer::Parameter(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "parameter", "Give the values the question asks for.")
            }
        };
        Self::new(status, code, refused.to_string(), help)
    }
}

impl From<EdgeError> for Failed {
    fn from(error: EdgeError) -> Self {
        let message = error.to_string();
        match error {
            EdgeError::NotFound(_) => Self::not_found(message),
            EdgeError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", message, "Look at it again."),
            EdgeError::Invalid(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message, "Correct it and send it again.")
            }
            EdgeError::Definition(diagnostics) => {
                let help = "Correct the definition; each problem is listed with file, line and column.";
                let mut failed = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "definition", message, help);
                failed.problem.diagnostics = diagnostics;
                failed
            }
            EdgeError::Unavailable(_) => {
                let help = "Look at the server's log for the cause, then try again.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message, help)
            }
        }
    }
}
