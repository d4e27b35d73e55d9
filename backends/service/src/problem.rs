//! Errors as clients see them: RFC 9457 documents with a stable `code`.
//!
//! A handler returns a [`Problem`]; what depends on the request (`instance`, `traceId`, the time) is
//! added where the answer leaves the service, so no handler can forget it. The cause of a problem
//! goes to the log and never to the client.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sqlx::error::DatabaseError;
use utoipa::ToSchema;

pub(crate) const UNTRUSTED_CALLER: &str = "UNTRUSTED_CALLER";

/// Why a request was not served.
#[derive(Debug, Clone)]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// On an error answer: it is worded as somebody else's API words it, and passes as it is. For
/// stand-ins only.
#[derive(Debug, Clone, Copy)]
pub struct InOtherWords;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Name of the parameter or path of the member.
    #[schema(example = "checkOut")]
    pub field: String,
    /// What it should be, to be read after the name.
    #[schema(example = "must be after checkIn")]
    pub reason: String,
    /// What was sent; absent when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// The document a client receives as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// Always `about:blank`: the code says what happened.
    #[schema(example = "about:blank")]
    pub(crate) r#type: &'static str,
    /// The status in words.
    #[schema(example = "Bad Request")]
    pub(crate) title: String,
    /// The status of the answer.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    pub(crate) status: u16,
    /// What happened, for a person.
    pub(crate) detail: String,
    /// The path that was asked for.
    pub(crate) instance: String,
    /// What happened, for a program; never changes its meaning.
    #[schema(example = "INVALID_REQUEST")]
    pub(crate) code: Cow<'static, str>,
    /// When, as RFC 3339 in Korean time.
    #[schema(example = "2025-05-01T10:00:00.000+09:00")]
    pub(crate) timestamp: String,
    /// The trace this request belongs to.
    pub(crate) trace_id: String,
    /// What is wrong with which field; only when fields were checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with a status, a stable code and a sentence for a person.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self { status, code, detail, errors: Vec::new(), retry_after: None, cause: None }
    }

    /// 400 `INVALID_REQUEST`: fields that cannot be used.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let sentences: Vec<_> =
            errors.iter().map(|error| format!("{} {}", error.field, error.reason)).collect();
        let detail = sentences.join("; ");
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", detail) }
    }

    /// 404 with a code that names what does not exist.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 409 with a code that names what stands against it.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 409 `CONCURRENT_MODIFICATION`: another request was faster; the same one may be sent again.
    pub fn concurrent() -> Self {
        let detail = "it was changed by another request in the meantime; try again";
        Self::conflict("CONCURRENT_MODIFICATION", detail)
    }

    /// 401 `UNTRUSTED_CALLER`: no proof, or not one that holds.
    pub fn untrusted() -> Self {
        let detail = "this service is called through the gateway only; send the request there";
        Self::new(StatusCode::UNAUTHORIZED, UNTRUSTED_CALLER, detail)
    }

    /// 500 `INTERNAL_ERROR`: a fault of ours, explained in the log only.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::unexplained().caused_by(cause)
    }

    /// 503: something this service needs does not answer; worth another try after `retry_after`.
    pub fn unavailable(
        code: &'static str,
        detail: impl Into<String>,
        retry_after: Duration,
    ) -> Self {
        let retry_after = Some(retry_after);
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// Adds when the same request is worth another try.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds what is wrong with a field.
    #[must_use]
    pub fn about(mut self, error: FieldError) -> Self {
        self.errors.push(error);
        self
    }

    /// Adds what led to the problem, for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    pub(crate) fn unexplained() -> Self {
        let detail = "the service met a fault of its own; the log has the trace id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", detail)
    }

    /// The problem that a bare status stands for, when an answer was not made by a handler of ours.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("NOT_FOUND", "nothing is served under this path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("METHOD_NOT_ALLOWED", "this path does not serve that method; see Allow")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("REQUEST_TOO_LARGE", "send at most 64 KiB"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("UNSUPPORTED_MEDIA_TYPE", "send application/json")
            }
            other if other.is_server_error() => return Self::unexplained(),
            _ => ("INVALID_REQUEST", "the request cannot be understood"),
        };
        Self::new(status, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A store that does not answer is worth another try; anything else it says is a fault of ours.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let is_lost = matches!(
            error,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_)
        );
        let code = error.as_database_error().and_then(DatabaseError::code);
        // SQLite busy and locked, PostgreSQL statement timeout and shutting down.
        let is_busy = matches!(
            code.as_deref(),
            Some("5" | "6" | "261" | "517" | "57014" | "57P01" | "57P02" | "57P03")
        );
        let is_outage = is_lost || is_busy;
        if !is_outage {
            return Self::internal(error);
        }
        let detail = "the store does not answer; try again";
        Self::unavailable("STORE_UNAVAILABLE", detail, Duration::from_secs(1)).caused_by(error)
    }
}
