//! | endpoint                                          | answers                                |
//! |---------------------------------------------------|----------------------------------------|
//! | `POST /v1/reservation`                            | 201 with what is to be paid            |
//! | `POST /v1/reservation/{reservationId}/approve`    | 202 the money is being taken           |
//! | `GET /v1/reservation/{reservationId}/cancellable` | whether it can be cancelled, and why   |
//! | `DELETE /v1/reservation/{reservationId}`          | 202 it is being cancelled, 200 it is   |
//! | `GET /v1/reservation/{reservationId}/history`     | its states, the earliest first         |

use ::reservation::machine::{Cancellable, ReasonNot, Refusal, Status, cancellable};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Serialize;
use service::body::Json;
use service::envelope::One;
use service::problem::{FieldError, Problem, ProblemDocument};
use service::proof::Member;
use service::query::Query;
use service::stored::{read_code, read_instant};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::saga::{ApprovePayment, Changed, Created, Failure, Key, Saga, refund_amount};
use crate::store::history;
use crate::store::record::{self, Record};
use crate::wanted::CreateReservation;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 300;
const LONGEST_REASON: usize = 200;
/// Seconds after which it is worth asking what became of it.
const SOON: &str = "1";

/// Where a reservation stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    #[schema(format = "uuid")]
    reservation_id: String,
    #[schema(value_type = Status)]
    status: String,
}

/// Whether a reservation can be cancelled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancellableView {
    cancellable: bool,
    /// Accepted at once, and done when what is running has ended.
    deferred: bool,
    /// Why it cannot, or only later.
    #[schema(example = "CANCEL_WINDOW_CLOSED")]
    reason: Option<&'static str>,
    /// What comes back, in KRW.
    #[schema(minimum = 0)]
    refund_amount: i64,
}

/// One step in the life of a reservation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransitionView {
    /// Nothing for the first one.
    #[schema(value_type = Option<Status>)]
    from: Option<String>,
    #[schema(value_type = Status)]
    to: String,
    /// Who did it: `BOOKER`, `SYSTEM`, `PAYMENT`, `CMS` or `OPERATOR`.
    actor: String,
    #[schema(format = DateTime)]
    at: String,
}

/// The endpoints of this file.
pub(crate) fn routes(saga: Saga) -> Router {
    Router::new()
        .route("/v1/reservation", post(create))
        .route("/v1/reservation/{reservationId}", delete(cancel))
        .route("/v1/reservation/{reservationId}/approve", post(approve))
        .route("/v1/reservation/{reservationId}/cancellable", get(show_cancellable))
        .route("/v1/reservation/{reservationId}/history", get(show_history))
        .with_state(saga)
}

/// Reserves a room.
///
/// The nights are held until `holdExpiresAt`; the payment window is opened with the payment. The
/// price is the lodging's; `totalAmount` is only compared. With an `Idempotency-Key` the same
/// request can be sent again and has the same answer for 24 hours.
#[utoipa::path(
    post,
    path = "/v1/reservation",
    operation_id = "createReservation",
    tag = "reservations",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 300, description = "Names the request, so that it can be sent again")),
    request_body = CreateReservation,
    responses(
        (status = 201, description = "It waits for the payment", body = One<Created>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "ROOM_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "ROOM_NOT_AVAILABLE, PRICE_CHANGED with the price in errors[], RESERVATION_IN_PROGRESS with Retry-After, or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "IDEMPOTENCY_KEY_REUSED", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "CMS_UNAVAILABLE, PAYMENT_UNAVAILABLE, STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(saga): State<Saga>,
    member: Member,
    headers: HeaderMap,
    Json(body): Json<CreateReservation>,
) -> Result<Response, Problem> {
    let wanted = body.check(saga.clock.today())?;
    let key = read_key(&headers)?.map(|name| Key::new(&name, &wanted)).transpose()?;
    let created = saga.create(member.id, &wanted, key.as_ref()).await?;
    let location = format!("/reservation/{}", created.reservation_id);
    let answer = One::new(&saga.clock, created);
    Ok((StatusCode::CREATED, [(LOCATION, location)], answer).into_response())
}

/// Takes the payment that the client has authenticated.
///
/// It is accepted at once; what becomes of it is told by the reservation.
#[utoipa::path(
    post,
    path = "/v1/reservation/{reservationId}/approve",
    operation_id = "approveReservation",
    tag = "reservations",
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    request_body = ApprovePayment,
    responses(
        (status = 202, description = "The money is being taken, or was for this key", body = One<Standing>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "AMOUNT_MISMATCH, PAYMENT_MISMATCH, APPROVAL_IN_PROGRESS, HOLD_EXPIRED, INVALID_STATE or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn approve(
    State(saga): State<Saga>,
    member: Member,
    Path(reservation_id): Path<String>,
    Json(body): Json<ApprovePayment>,
) -> Result<Response, Problem> {
    let record = own(&saga, &member, &reservation_id).await?;
    let payment = body.check()?;
    let changed = saga.approve(record, &payment).await.map_err(Failure::into_problem)?;
    refused(&changed)?;
    Ok(accepted(&saga, &changed.record))
}

/// Tells whether a reservation can be cancelled.
#[utoipa::path(
    get,
    path = "/v1/reservation/{reservationId}/cancellable",
    operation_id = "checkCancellable",
    tag = "reservations",
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    responses(
        (status = 200, description = "Whether, and why not", body = One<CancellableView>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_cancellable(
    State(saga): State<Saga>,
    member: Member,
    Path(reservation_id): Path<String>,
) -> Result<One<CancellableView>, Problem> {
    let record = own(&saga, &member, &reservation_id).await?;
    let is_in_window = saga.clock.today() < record.check_in()?;
    let answer = cancellable(&record.facts()?, is_in_window);
    let (cancellable, deferred, reason) = match answer {
        Cancellable::Free | Cancellable::Refunded => (true, false, None),
        Cancellable::Deferred => (true, true, Some("CANCEL_DEFERRED")),
        Cancellable::Already => (false, false, Some("ALREADY_CANCELLED")),
        Cancellable::No(ReasonNot::InProgress) => (false, false, Some("RESERVATION_IN_PROGRESS")),
        Cancellable::No(ReasonNot::WindowClosed) => (false, false, Some("CANCEL_WINDOW_CLOSED")),
        Cancellable::No(ReasonNot::Over) => (false, false, Some("NOT_CANCELLABLE")),
    };
    let is_paid = cancellable && record.charged_at.is_some();
    let refund_amount = if is_paid { refund_amount(&record) } else { 0 };
    let view = CancellableView { cancellable, deferred, reason, refund_amount };
    Ok(One::new(&saga.clock, view))
}

/// Cancels a reservation.
///
/// Once this is accepted the reservation is never confirmed: room and money come back.
#[utoipa::path(
    delete,
    path = "/v1/reservation/{reservationId}",
    operation_id = "cancelReservation",
    tag = "reservations",
    params(
        ("reservationId" = String, Path, format = "uuid", description = "Id of the reservation"),
        ("reason" = Option<String>, Query, max_length = 200, description = "Why, in the booker's words"),
    ),
    responses(
        (status = 200, description = "It is cancelled", body = One<Standing>),
        (status = 202, description = "It is being cancelled", body = One<Standing>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "NOT_CANCELLABLE, CANCEL_WINDOW_CLOSED, RESERVATION_IN_PROGRESS or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(saga): State<Saga>,
    member: Member,
    Path(reservation_id): Path<String>,
    mut query: Query,
) -> Result<Response, Problem> {
    let expected = format!("1 to {LONGEST_REASON} characters without control characters");
    let reason = query.parse("reason", expected, |text| {
        let fits = (1..=LONGEST_REASON).contains(&text.chars().count());
        (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
    });
    query.finish()?;
    let record = own(&saga, &member, &reservation_id).await?;
    let changed = saga.cancel(record.key(), reason.as_deref()).await;
    let changed = changed.map_err(Failure::into_problem)?;
    refused(&changed)?;
    if changed.record.shown.status == "CANCELLED" {
        return Ok(One::new(&saga.clock, Standing::of(&changed.record)).into_response());
    }
    Ok(accepted(&saga, &changed.record))
}

/// Shows the states a reservation went through.
#[utoipa::path(
    get,
    path = "/v1/reservation/{reservationId}/history",
    operation_id = "showHistory",
    tag = "reservations",
    params(("reservationId" = String, Path, format = "uuid", description = "Id of the reservation")),
    responses(
        (status = 200, description = "The earliest first", body = One<Vec<TransitionView>>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_history(
    State(saga): State<Saga>,
    member: Member,
    Path(reservation_id): Path<String>,
) -> Result<One<Vec<TransitionView>>, Problem> {
    let record = own(&saga, &member, &reservation_id).await?;
    let entries = history::list(saga.database.pool(), record.key()).await?;
    let is_step = |entry: &history::EntryRow| entry.from_status.as_ref() != Some(&entry.to_status);
    let transitions = entries.into_iter().filter(is_step).map(|entry| {
        Ok(TransitionView {
            from: entry.from_status,
            to: entry.to_status,
            actor: entry.actor,
            at: read_instant(&entry.at)?,
        })
    });
    let transitions = transitions.collect::<Result<_, sqlx::Error>>()?;
    Ok(One::new(&saga.clock, transitions))
}

/// One of the member's own reservations; others do not exist for it.
async fn own(saga: &Saga, member: &Member, reservation_id: &str) -> Result<Record, Problem> {
    let not_found = || {
        let detail = format!("you have no reservation {reservation_id}");
        Problem::not_found("RESERVATION_NOT_FOUND", detail)
    };
    let id = Uuid::try_parse(reservation_id).map_err(|_| not_found())?.to_string();
    let mut connection = saga.database.pool().acquire().await?;
    let found = record::load(&mut connection, &id).await?;
    found.filter(|record| record.member_id == member.id).ok_or_else(not_found)
}

fn accepted(saga: &Saga, record: &Record) -> Response {
    let location = format!("/reservation/{}", record.key());
    let headers = [(LOCATION, location), (RETRY_AFTER, SOON.to_owned())];
    let answer = One::new(&saga.clock, Standing::of(record));
    (StatusCode::ACCEPTED, headers, answer).into_response()
}

impl Standing {
    fn of(record: &Record) -> Self {
        let shown = &record.shown;
        Self { reservation_id: shown.reservation_id.clone(), status: shown.status.clone() }
    }
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=LONGEST_KEY).contains(&text.len()));
    let text = text.map(|text| Some(text.to_owned()));
    text.ok_or_else(|| {
        Problem::invalid(vec![FieldError {
            field: "Idempotency-Key".to_owned(),
            reason: format!("must be 1 to {LONGEST_KEY} visible characters"),
            rejected: None,
        }])
    })
}

/// What the booker is told when it cannot have it.
pub(crate) fn refused(changed: &Changed) -> Result<(), Problem> {
    let Some(refusal) = changed.decision.verdict.refusal() else { return Ok(()) };
    let status: Status = read_code(&changed.record.shown.status)?;
    let (code, detail) = match refusal {
        Refusal::AmountMismatch => ("AMOUNT_MISMATCH", "the amount is not the reservation's"),
        Refusal::PaymentMismatch => ("PAYMENT_MISMATCH", "the payment is not the reservation's"),
        Refusal::ApprovalInProgress => {
            ("APPROVAL_IN_PROGRESS", "another payment key is being confirmed")
        }
        Refusal::HoldExpired => ("HOLD_EXPIRED", "the room is not held long enough any more"),
        Refusal::InvalidState => ("INVALID_STATE", "the reservation cannot be paid in this state"),
        Refusal::ReservationInProgress => {
            ("RESERVATION_IN_PROGRESS", "the reservation is still being made")
        }
        Refusal::NotCancellable => ("NOT_CANCELLABLE", "the reservation is over"),
        Refusal::CancelWindowClosed => {
            ("CANCEL_WINDOW_CLOSED", "a stay can be cancelled until the day before check-in")
        }
    };
    let state = service::code::Code::code(status);
    Err(Problem::conflict(code, format!("{detail} (it is {state})")))
}

impl Failure {
    /// What a caller is told.
    pub(crate) fn into_problem(self) -> Problem {
        match self {
            Self::Store(error) => error.into(),
            Self::Unknown => {
                Problem::not_found("RESERVATION_NOT_FOUND", "there is no such reservation")
            }
            Self::Raced | Self::Leased | Self::Taken | Self::Past => Problem::concurrent(),
            Self::Unreadable(_) => Problem::internal(self),
        }
    }
}
