//! JSON request bodies.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The largest body a service reads.
pub const LIMIT_BYTES: usize = 64 * 1024;

/// A JSON request body; refused as a [`Problem`] when it is none, or not a `T`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = axum::Json::from_request(request, state).await;
        body.map(|axum::Json(value)| Self(value)).map_err(refuse)
    }
}

fn refuse(rejection: JsonRejection) -> Problem {
    let status = rejection.status();
    let problem = match status {
        // Well-formed, but not what was asked for.
        StatusCode::UNPROCESSABLE_ENTITY => {
            Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", rejection.body_text())
        }
        StatusCode::BAD_REQUEST => {
            Problem::new(status, "MALFORMED_JSON", "the body is not JSON in UTF-8")
        }
        other => Problem::of_status(other),
    };
    problem.caused_by(rejection)
}
