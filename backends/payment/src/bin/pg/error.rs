//! Errors as the payment gateway words them: a status, a code and a sentence.

use axum::Extension;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use payment::pg::code::published;
use serde::Serialize;
use service::problem::{InOtherWords, Problem};
use utoipa::ToSchema;

/// Why the payment gateway does not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PgError {
    pub(crate) status: StatusCode,
    pub(crate) told: Told,
}

/// What the merchant is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PgError)]
pub(crate) struct Told {
    /// For a program.
    #[schema(example = "REJECT_CARD_PAYMENT")]
    pub(crate) code: String,
    /// For a person.
    pub(crate) message: String,
}

/// Why a request was not served: in the payment gateway's words, or in ours where it is the
/// stand-in that cannot.
#[derive(Debug)]
pub(crate) enum Failure {
    Pg(PgError),
    Own(Box<Problem>),
}

impl PgError {
    /// The error of a code, with the status it is published with; one that is not known is 400, as
    /// the payment gateway has it for new ones.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        let status = published(code).map_or(StatusCode::BAD_REQUEST, |(status, _)| status);
        Self { status, told: Told { code: code.to_owned(), message: message.into() } }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("INVALID_REQUEST", message)
    }

    /// Whether it says that there is nothing it could be about.
    pub(crate) fn is_about_nothing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    pub(crate) fn not_found() -> Self {
        Self::new("NOT_FOUND_PAYMENT", "there is no such payment")
    }
}

/// What a path names; nothing is served where it names nothing, though the router takes `//` for it.
pub(crate) fn named(text: String) -> Result<String, Failure> {
    if text.is_empty() {
        return Err(Problem::not_found("NOT_FOUND", "nothing is served under this path").into());
    }
    // What no store can hold is nothing it could know.
    if text.contains('\0') {
        return Err(PgError::not_found().into());
    }
    Ok(text)
}

impl IntoResponse for PgError {
    fn into_response(self) -> Response {
        (self.status, Extension(InOtherWords), Json(self.told)).into_response()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Pg(error) => error.into_response(),
            Self::Own(problem) => problem.into_response(),
        }
    }
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self::Pg(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Own(Box::new(problem))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Problem::from(error).into()
    }
}
