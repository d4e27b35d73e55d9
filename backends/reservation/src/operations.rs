//! For operators (5.5).
//!
//! | endpoint                                                     | answers                     |
//! |--------------------------------------------------------------|-----------------------------|
//! | `GET /internal/v1/reservations?attention=true`               | what has to be looked at    |
//! | `GET /internal/v1/reservations/{id}`                         | everything about one        |
//! | `POST /internal/v1/reservations/{id}/steps/{kind}/redrive`   | 202 it is due now (T32)     |
//! | `POST /internal/v1/outbox/{messageId}/redrive`               | 202 it is sent again (T32)  |
//! | `POST /internal/v1/reservations/{id}/compensate`             | 202 it is given up (T31)    |
//! | `POST /internal/v1/reservations/{id}/cancel`                 | 202 as the booker would     |
//! | `POST /internal/v1/reservations/{id}/refund/settle`          | 202 settled by hand (T33)   |
//! | `POST /internal/v1/reservations/{id}/attention/clear`        | 204                         |

mod view;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use service::body::Json;
use service::check::Check;
use service::code::{Code, codes};
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use self::view::{AlertView, OperationsView};
use crate::booking::refused;
use crate::saga::{Failure, Saga, SettleError};
use crate::store::history;
use crate::store::record;
use crate::store::steps::{self, Kind};

/// More alerts than anybody reads at once.
const MOST_ALERTS: i64 = 500;
/// As long as the reason of a cancellation may be.
const LONGEST_NOTE: usize = 200;

/// What an operator says about what it does.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Note {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    note: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes(saga: Saga) -> Router {
    let one = "/internal/v1/reservations/{reservationId}";
    Router::new()
        .route("/internal/v1/reservations", get(list_attention))
        .route(one, get(show_operations))
        .route(&format!("{one}/steps/{{kind}}/redrive"), post(redrive_step))
        .route(&format!("{one}/compensate"), post(compensate))
        .route(&format!("{one}/cancel"), post(cancel))
        .route(&format!("{one}/refund/settle"), post(settle_refund))
        .route(&format!("{one}/attention/clear"), post(clear_attention))
        .route("/internal/v1/outbox/{messageId}/redrive", post(redrive_message))
        .with_state(saga)
}

/// Lists what operators have to look at, the oldest first.
#[utoipa::path(
    get,
    path = "/internal/v1/reservations",
    operation_id = "listAttention",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("attention" = bool, Query, description = "Must be true: there is no other list")),
    responses(
        (status = 200, description = "At most 500", body = One<Vec<AlertView>>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_attention(
    State(saga): State<Saga>,
    mut query: Query,
) -> Result<One<Vec<AlertView>>, Problem> {
    let wanted = query.parse("attention", "true", |text| (text == "true").then_some(()));
    if wanted.is_none() && query.all("attention").is_empty() {
        query.reject("attention", "must be true", None);
    }
    query.finish()?;
    let alerts = history::open_alerts(saga.database.pool(), None, MOST_ALERTS).await?;
    let alerts = alerts.into_iter().map(AlertView::new).collect::<Result<_, _>>()?;
    Ok(One::new(&saga.clock, alerts))
}

/// Shows everything that is known of a reservation.
#[utoipa::path(
    get,
    path = "/internal/v1/reservations/{reservationId}",
    operation_id = "showOperations",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    responses(
        (status = 200, description = "The reservation", body = One<OperationsView>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_operations(
    State(saga): State<Saga>,
    Path(reservation_id): Path<String>,
) -> Result<One<OperationsView>, Problem> {
    let id = read_id(&reservation_id)?;
    let mut connection = saga.database.pool().acquire().await?;
    let record = record::load(&mut connection, &id).await?;
    drop(connection);
    let record = record.ok_or_else(|| Failure::Unknown.into_problem())?;
    let pool = saga.database.pool();
    let steps = steps::list(pool, &id).await?;
    let history = history::list(pool, &id).await?;
    let alerts = history::open_alerts(pool, Some(&id), MOST_ALERTS).await?;
    let view = OperationsView::new(record, steps, history, alerts)?;
    Ok(One::new(&saga.clock, view))
}

/// Makes the open steps of a kind due at once.
#[utoipa::path(
    post,
    path = "/internal/v1/reservations/{reservationId}/steps/{kind}/redrive",
    operation_id = "redriveStep",
    tag = "internal",
    security(("serviceProof" = [])),
    params(
        ("reservationId" = String, Path, format = "uuid", description = "Id of the reservation"),
        ("kind" = String, Path, description = "cms_approve, cms_payment_complete, release_room or apply_result"),
    ),
    responses(
        (status = 202, description = "It is due now"),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND or STEP_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn redrive_step(
    State(saga): State<Saga>,
    Path((reservation_id, kind)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id = read_id(&reservation_id)?;
    let mut check = Check::new();
    let kind = check.parse("kind", Some(&kind), codes::<Kind>(" "), Kind::by_code);
    let kind = check.finish_with(kind)?;
    let hurried = saga.redrive_steps(&id, kind.code()).await.map_err(Failure::into_problem)?;
    if hurried == 0 {
        let detail = format!("the reservation has no open step {}", kind.code());
        return Err(Problem::not_found("STEP_NOT_FOUND", detail));
    }
    Ok(StatusCode::ACCEPTED)
}

/// Sends a message once more under its id.
#[utoipa::path(
    post,
    path = "/internal/v1/outbox/{messageId}/redrive",
    operation_id = "redriveMessage",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("messageId" = String, Path, format = "uuid", description = "Id of the message")),
    responses(
        (status = 202, description = "It is sent again"),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MESSAGE_NOT_FOUND: there is none, or it is too old", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn redrive_message(
    State(saga): State<Saga>,
    Path(message_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let not_found = || Problem::not_found("MESSAGE_NOT_FOUND", "there is no such message");
    let id = Uuid::try_parse(&message_id).map_err(|_| not_found())?;
    let is_sent = saga.redrive_message(id).await.map_err(Failure::into_problem)?;
    if is_sent { Ok(StatusCode::ACCEPTED) } else { Err(not_found()) }
}

/// Gives a booking up that the CMS does not fix: room and money come back.
#[utoipa::path(
    post,
    path = "/internal/v1/reservations/{reservationId}/compensate",
    operation_id = "compensate",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    request_body = Note,
    responses(
        (status = 202, description = "It is being undone"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "INVALID_STATE: it is not CONFIRMING; or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn compensate(
    State(saga): State<Saga>,
    Path(reservation_id): Path<String>,
    Json(body): Json<Note>,
) -> Result<StatusCode, Problem> {
    let id = read_id(&reservation_id)?;
    let note = body.check()?;
    let changed = saga.compensate(&id, &note).await.map_err(Failure::into_problem)?;
    if changed.decision.verdict.refusal().is_some() {
        let status = &changed.record.shown.status;
        let detail = format!("only a reservation that is CONFIRMING is given up; it is {status}");
        return Err(Problem::conflict("INVALID_STATE", detail));
    }
    Ok(StatusCode::ACCEPTED)
}

/// Cancels a reservation on the booker's behalf.
///
/// It goes the way of the booker's own cancellation, with the same conditions; the note stands for
/// the reason.
#[utoipa::path(
    post,
    path = "/internal/v1/reservations/{reservationId}/cancel",
    operation_id = "cancelForBooker",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    request_body = Note,
    responses(
        (status = 202, description = "It is being cancelled, or is"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "NOT_CANCELLABLE, CANCEL_WINDOW_CLOSED, RESERVATION_IN_PROGRESS or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(saga): State<Saga>,
    Path(reservation_id): Path<String>,
    Json(body): Json<Note>,
) -> Result<StatusCode, Problem> {
    let id = read_id(&reservation_id)?;
    let note = body.check()?;
    let changed = saga.cancel_for_booker(&id, &note).await.map_err(Failure::into_problem)?;
    refused(&changed)?;
    Ok(StatusCode::ACCEPTED)
}

/// Notes that money which the payment gateway refuses to return was returned otherwise.
#[utoipa::path(
    post,
    path = "/internal/v1/reservations/{reservationId}/refund/settle",
    operation_id = "settleRefund",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    request_body = Note,
    responses(
        (status = 202, description = "It is settled, or payment has marked it and will say so"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "INVALID_STATE: no refund of it was refused; or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "UPSTREAM_PROTOCOL", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "PAYMENT_UNAVAILABLE, STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "UPSTREAM_TIMEOUT", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn settle_refund(
    State(saga): State<Saga>,
    Path(reservation_id): Path<String>,
    Json(body): Json<Note>,
) -> Result<StatusCode, Problem> {
    let id = read_id(&reservation_id)?;
    let note = body.check()?;
    match saga.settle_refund(&id, &note).await {
        Ok(()) => Ok(StatusCode::ACCEPTED),
        Err(SettleError::State) => {
            let detail = "only a refund that was refused is settled by hand";
            Err(Problem::conflict("INVALID_STATE", detail))
        }
        Err(SettleError::Payment(error)) => Err(error.into_problem("PAYMENT_UNAVAILABLE")),
        Err(SettleError::Failure(failure)) => Err(failure.into_problem()),
    }
}

/// Clears what operators were told of a reservation.
#[utoipa::path(
    post,
    path = "/internal/v1/reservations/{reservationId}/attention/clear",
    operation_id = "clearAttention",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation, also of one that nobody knows")),
    request_body = Note,
    responses(
        (status = 204, description = "Nothing is left to look at"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND: nothing was told of it", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn clear_attention(
    State(saga): State<Saga>,
    Path(reservation_id): Path<String>,
    Json(body): Json<Note>,
) -> Result<StatusCode, Problem> {
    let id = read_id(&reservation_id)?;
    let note = body.check()?;
    let is_cleared = saga.clear_alerts(&id, &note).await.map_err(Failure::into_problem)?;
    if is_cleared { Ok(StatusCode::NO_CONTENT) } else { Err(Failure::Unknown.into_problem()) }
}

impl Note {
    fn check(self) -> Result<String, Problem> {
        let mut check = Check::new();
        let note = check.text("note", self.note.as_deref(), 1..=LONGEST_NOTE);
        check.finish_with(note)
    }
}

fn read_id(text: &str) -> Result<String, Problem> {
    let id = Uuid::try_parse(text).map_err(|_| Failure::Unknown.into_problem())?;
    Ok(id.to_string())
}
