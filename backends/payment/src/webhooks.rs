//! | endpoint                 | answers                                                             |
//! |--------------------------|---------------------------------------------------------------------|
//! | `POST /v1/webhooks/toss` | 200: what the payment gateway announced is kept                     |

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, Value};
use service::body::Json;
use service::problem::{Problem, ProblemDocument};
use utoipa::ToSchema;

use crate::desk::Desk;
use crate::store::events;

/// Longer than any name the payment gateway gives its events.
const LONGEST_TYPE: usize = 100;

/// What the payment gateway announces, such as
/// `{"eventType": "PAYMENT_STATUS_CHANGED", "createdAt": …, "data": …}`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(value_type = Object)]
pub(crate) struct Event(Map<String, Value>);

/// The endpoints of this file.
pub(crate) fn routes(desk: Desk) -> Router {
    Router::new().route("/v1/webhooks/toss", post(keep)).with_state(desk)
}

/// Keeps what the payment gateway announces.
///
/// It is unsigned, hence only a reason to ask the payment gateway, which is done later from what was
/// kept: the payment gateway waits for an answer and repeats what it is not answered.
#[utoipa::path(
    post,
    path = "/v1/webhooks/toss",
    operation_id = "keepTossEvent",
    tag = "webhooks",
    security(("gatewayProof" = [])),
    request_body = Event,
    responses(
        (status = 200, description = "It is kept"),
        (status = 400, description = "INVALID_REQUEST when it is no object, or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn keep(
    State(desk): State<Desk>,
    Json(Event(event)): Json<Event>,
) -> Result<(), Problem> {
    let event_type = event.get("eventType").and_then(Value::as_str).filter(|name| is_plain(name));
    let body = serde_json::to_string(&event).map_err(Problem::internal)?;
    let shared = &desk.shared;
    events::keep(shared.database.pool(), event_type, &body, shared.clock.now()).await?;
    tracing::info!(event_type, "an event of the payment gateway is kept");
    Ok(())
}

/// A name that can be stored and logged; events without one exist.
fn is_plain(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=LONGEST_TYPE).contains(&name.len()) && name.bytes().all(is_word)
}

#[cfg(test)]
mod tests;
