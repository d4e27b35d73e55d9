//! Messages that nobody could read, for operators (7.6).
//!
//! | endpoint                                                     | answers                     |
//! |--------------------------------------------------------------|-----------------------------|
//! | `GET /internal/v1/dead-letters?topic=T&from=0`               | those of a topic            |
//! | `POST /internal/v1/dead-letters/{topic}/{offset}/redrive`    | 202 it is sent again        |
//!
//! All services share one log, so this one tells of every topic.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use messaging::broker::{Broker, BrokerError, Placed};
use messaging::dead_letter::{self, dlt};
use messaging::topic::Topic;
use serde::Serialize;
use service::check::Check;
use service::clock::Clock;
use service::code::{Code, codes};
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use service::stored::read_instant;
use utoipa::ToSchema;

/// How many are shown at once.
const MOST: usize = 100;
/// Characters of a body that are shown.
const BODY: usize = 2000;
const SOON: Duration = Duration::from_secs(5);

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetters {
    pub(crate) broker: Broker,
    pub(crate) clock: Clock,
}

/// A message that nobody could read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterView {
    /// Its place among the dead letters of its topic.
    offset: i64,
    #[schema(example = "SCHEMA_VIOLATION")]
    reason: String,
    /// The reason in words.
    detail: String,
    /// Who gave it up.
    #[schema(example = "payment.confirm")]
    group: String,
    original_partition: Option<i64>,
    original_offset: Option<i64>,
    attempts: Option<i64>,
    #[schema(format = DateTime)]
    first_seen: Option<String>,
    key: Option<String>,
    /// The message, or its first 2,000 characters.
    body: String,
}

/// The endpoints of this file.
pub(crate) fn routes(letters: DeadLetters) -> Router {
    Router::new()
        .route("/internal/v1/dead-letters", get(list_dead_letters))
        .route("/internal/v1/dead-letters/{topic}/{offset}/redrive", post(redrive_dead_letter))
        .with_state(letters)
}

/// Lists dead letters of a topic, the oldest first.
#[utoipa::path(
    get,
    path = "/internal/v1/dead-letters",
    operation_id = "listDeadLetters",
    tag = "internal",
    security(("serviceProof" = [])),
    params(
        ("topic" = String, Query, description = "The topic that they were read from, such as PAYMENT-CONFIRM-REQUEST"),
        ("from" = Option<i64>, Query, minimum = 0, description = "The offset of the first one, default 0"),
    ),
    responses(
        (status = 200, description = "At most 100", body = One<Vec<DeadLetterView>>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "BROKER_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_dead_letters(
    State(letters): State<DeadLetters>,
    mut query: Query,
) -> Result<One<Vec<DeadLetterView>>, Problem> {
    let topic = query.parse("topic", format!("one of {}", codes::<Topic>(" ")), Topic::by_code);
    if topic.is_none() && query.all("topic").is_empty() {
        query.reject("topic", "must be given", None);
    }
    let from = query.parse("from", "a whole number from 0 on", read_offset);
    query.finish()?;
    let Some(topic) = topic else { return Ok(One::new(&letters.clock, Vec::new())) };
    let found = dead_letter::list(&letters.broker, topic, from.unwrap_or(0), MOST).await;
    let found = found.map_err(unavailable)?;
    Ok(One::new(&letters.clock, found.iter().map(DeadLetterView::new).collect()))
}

/// Sends a dead letter to its topic once more, under the message's id: whoever had handled it after
/// all does nothing twice.
#[utoipa::path(
    post,
    path = "/internal/v1/dead-letters/{topic}/{offset}/redrive",
    operation_id = "redriveDeadLetter",
    tag = "internal",
    security(("serviceProof" = [])),
    params(
        ("topic" = String, Path, description = "The topic that it was read from"),
        ("offset" = i64, Path, minimum = 0, description = "Its place among the dead letters"),
    ),
    responses(
        (status = 202, description = "It is sent again"),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "DEAD_LETTER_NOT_FOUND: there is none, or it is too old", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "BROKER_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn redrive_dead_letter(
    State(letters): State<DeadLetters>,
    Path((topic, offset)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let mut check = Check::new();
    let expected = format!("one of {}", codes::<Topic>(" "));
    let topic = check.parse("topic", Some(&topic), &expected, Topic::by_code);
    let offset = check.parse("offset", Some(&offset), "a whole number from 0 on", read_offset);
    let (topic, offset) = check.finish_with(topic.zip(offset))?;
    let now = letters.clock.now();
    let is_sent = dead_letter::redrive(&letters.broker, topic, offset, now).await;
    if is_sent.map_err(unavailable)? {
        tracing::info!(topic = topic.name(), offset, "a dead letter is sent again");
        return Ok(StatusCode::ACCEPTED);
    }
    let detail = format!("there is no dead letter {offset} of {}", topic.name());
    Err(Problem::not_found("DEAD_LETTER_NOT_FOUND", detail))
}

fn read_offset(text: &str) -> Option<i64> {
    text.parse().ok().filter(|offset| *offset >= 0)
}

fn unavailable(error: BrokerError) -> Problem {
    let detail = "the messages cannot be read now; try again";
    Problem::unavailable("BROKER_UNAVAILABLE", detail, SOON).caused_by(error)
}

impl DeadLetterView {
    fn new(placed: &Placed) -> Self {
        let record = &placed.record;
        let header = |name: &str| {
            let found = record.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let number = |name| header(name).and_then(|text| text.parse().ok());
        let text = |name| header(name).unwrap_or_default().to_owned();
        Self {
            offset: placed.offset,
            reason: text(dlt::REASON),
            detail: text(dlt::EXCEPTION),
            group: text(dlt::GROUP),
            original_partition: number(dlt::ORIGINAL_PARTITION),
            original_offset: number(dlt::ORIGINAL_OFFSET),
            attempts: number(dlt::ATTEMPTS),
            first_seen: header(dlt::FIRST_SEEN).and_then(|at| read_instant(at).ok()),
            key: record.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()),
            body: String::from_utf8_lossy(&record.body).chars().take(BODY).collect(),
        }
    }
}
