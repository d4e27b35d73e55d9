//! | endpoint                                            | answers                               |
//! |-----------------------------------------------------|---------------------------------------|
//! | `POST /v1/reservations`                             | 201 held; 200 if it was before        |
//! | `GET /v1/reservations/{externalId}`                 | the reservation                       |
//! | `POST /v1/reservations/{externalId}/approve`        | 200 the hold is a booking             |
//! | `POST /v1/reservations/{externalId}/cancel`         | 200 the nights are free               |
//! | `POST /v1/reservations/{externalId}/payment-complete` | 200 the booking is paid             |

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::check::Check;
use service::clock::Clock;
use service::crash::Crash;
use service::envelope::One;
use service::faults::{ExpireHold, Faults, strike};
use service::problem::{Problem, ProblemDocument};
use service::stored::{read_code, read_instant};
use utoipa::ToSchema;

use crate::bookings::{Ask, Booking, Bookings, Done};
use crate::calls::{CallMade, Calls};
use crate::order::{Order, Wanted, is_id};
use cms::hold::{Refusal, Status};

/// Where faults can strike.
pub(crate) const OPERATIONS: &[&str] =
    &["list", "single", "room", "reserve", "look-up", "approve", "cancel", "payment-complete"];

/// What the handlers of this file share.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) bookings: Bookings,
    pub(crate) calls: Calls,
    pub(crate) crash: Crash,
}

/// A hold or a booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationView {
    cms_reservation_id: String,
    external_id: String,
    status: Status,
    /// Empty in a reservation that was cancelled before it came, as the next five.
    room_id: Option<i64>,
    #[schema(format = Date)]
    check_in: Option<String>,
    #[schema(format = Date)]
    check_out: Option<String>,
    guest_count: Option<i64>,
    /// What it costs, in KRW.
    amount: Option<i64>,
    /// Until when the nights are held.
    hold_expires_at: Option<String>,
    paid_at: Option<String>,
    payment_ref: Option<String>,
}

/// Why it is cancelled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cancel {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    reason: Option<String>,
    #[schema(value_type = String, required = true, pattern = "^(CUSTOMER|WITHDRAW|EXPIRED)$")]
    reason_code: Option<String>,
}

/// How it was paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Complete {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    payment_ref: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1)]
    amount: Option<i64>,
    #[schema(value_type = String, required = true, format = DateTime)]
    paid_at: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes(desk: Desk, faults: &Faults) -> Router {
    let strikes = |operation| from_fn_with_state(faults.on(operation), strike);
    Router::new()
        .route("/v1/reservations", post(reserve).layer(strikes("reserve")))
        .route("/v1/reservations/{externalId}", get(look_up).layer(strikes("look-up")))
        .route("/v1/reservations/{externalId}/approve", post(approve).layer(strikes("approve")))
        .route("/v1/reservations/{externalId}/cancel", post(cancel).layer(strikes("cancel")))
        .route(
            "/v1/reservations/{externalId}/payment-complete",
            post(complete).layer(strikes("payment-complete")),
        )
        .with_state(desk)
}

impl Desk {
    fn clock(&self) -> &Clock {
        &self.bookings.shared.clock
    }

    /// Notes the call and passes the point at which the answer is still to be sent.
    fn answer<T>(
        &self,
        operation: &'static str,
        external_id: &str,
        outcome: Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.calls.add(CallMade {
            operation,
            external_id: Some(external_id.to_owned()),
            ok: outcome.is_ok(),
            at: self.clock().stamp(),
        });
        if outcome.is_ok() {
            self.crash.pass("cms.call.before_answer");
        }
        outcome
    }

    fn show(&self, booking: Booking) -> Result<One<ReservationView>, Problem> {
        Ok(One::new(self.clock(), ReservationView::new(booking)?))
    }
}

/// Holds the nights of a room.
///
/// The same external id with the same content gets the same reservation however often it is asked
/// for. The amount is compared with what the stay costs.
#[utoipa::path(
    post,
    path = "/v1/reservations",
    operation_id = "reserve",
    tag = "reservations",
    request_body = Wanted,
    responses(
        (status = 200, description = "It was held before", body = One<ReservationView>),
        (status = 201, description = "It is held", body = One<ReservationView>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "ROOM_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "ROOM_NOT_AVAILABLE, PRICE_CHANGED with the price in errors[], EXTERNAL_ID_CONFLICT, RESERVATION_CANCELLED, HOLD_EXPIRED, or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reserve(
    State(desk): State<Desk>,
    is_over: Option<Extension<ExpireHold>>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let order = Order::read(wanted)?;
    let outcome = desk.bookings.reserve(&order, is_over.is_some()).await;
    let Done { booking, is_new } = desk.answer("reserve", &order.external_id, outcome)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, desk.show(booking)?).into_response())
}

/// Tells what is known of a reservation.
#[utoipa::path(
    get,
    path = "/v1/reservations/{externalId}",
    operation_id = "lookUp",
    tag = "reservations",
    params(("externalId" = String, Path, description = "The caller's id of it")),
    responses(
        (status = 200, description = "The reservation", body = One<ReservationView>),
        (status = 400, description = "INVALID_REQUEST: the path is not UTF-8", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn look_up(
    State(desk): State<Desk>,
    Path(external_id): Path<String>,
    is_over: Option<Extension<ExpireHold>>,
) -> Result<One<ReservationView>, Problem> {
    let outcome = desk.bookings.find(&external_id, is_over.is_some()).await;
    desk.show(desk.answer("look-up", &external_id, outcome)?)
}

/// Turns a hold into a booking.
#[utoipa::path(
    post,
    path = "/v1/reservations/{externalId}/approve",
    operation_id = "approve",
    tag = "reservations",
    params(("externalId" = String, Path, description = "The caller's id of it")),
    responses(
        (status = 200, description = "It is booked", body = One<ReservationView>),
        (status = 400, description = "INVALID_REQUEST: the path is not UTF-8", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "HOLD_EXPIRED, RESERVATION_CANCELLED or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn approve(
    State(desk): State<Desk>,
    Path(external_id): Path<String>,
    is_over: Option<Extension<ExpireHold>>,
) -> Result<One<ReservationView>, Problem> {
    let outcome = desk.bookings.call(&external_id, &Ask::Approve, is_over.is_some()).await;
    desk.show(desk.answer("approve", &external_id, outcome)?.booking)
}

/// Lets the nights go.
///
/// Cancelling what is not known leaves a tombstone: should that reservation still come, it is
/// refused.
#[utoipa::path(
    post,
    path = "/v1/reservations/{externalId}/cancel",
    operation_id = "cancel",
    tag = "reservations",
    params(("externalId" = String, Path, pattern = "^[A-Za-z0-9_-]{1,64}$", description = "The caller's id of it")),
    request_body = Cancel,
    responses(
        (status = 200, description = "It is cancelled, or had expired", body = One<ReservationView>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND: no id of a reservation", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(desk): State<Desk>,
    Path(external_id): Path<String>,
    is_over: Option<Extension<ExpireHold>>,
    Json(Cancel { reason, reason_code }): Json<Cancel>,
) -> Result<One<ReservationView>, Problem> {
    if !is_id(&external_id) {
        let code = Refusal::Unknown.code();
        return Err(Problem::not_found(code, "there is no such reservation"));
    }
    let mut check = Check::new();
    let reason = check.text("reason", reason.as_deref(), 1..=200);
    let code = check.required("reasonCode", reason_code.as_deref());
    let code = check.parse("reasonCode", code, "CUSTOMER, WITHDRAW or EXPIRED", |text| {
        matches!(text, "CUSTOMER" | "WITHDRAW" | "EXPIRED").then(|| text.to_owned())
    });
    let ask = reason.zip(code).map(|(reason, code)| Ask::Cancel { reason, code });
    let ask = check.finish_with(ask)?;
    let outcome = desk.bookings.call(&external_id, &ask, is_over.is_some()).await;
    desk.show(desk.answer("cancel", &external_id, outcome)?.booking)
}

/// Notes that a booking is paid.
#[utoipa::path(
    post,
    path = "/v1/reservations/{externalId}/payment-complete",
    operation_id = "completePayment",
    tag = "reservations",
    params(("externalId" = String, Path, description = "The caller's id of it")),
    request_body = Complete,
    responses(
        (status = 200, description = "It is paid", body = One<ReservationView>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "NOT_APPROVED, AMOUNT_MISMATCH or CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn complete(
    State(desk): State<Desk>,
    Path(external_id): Path<String>,
    is_over: Option<Extension<ExpireHold>>,
    Json(Complete { payment_ref, amount, paid_at }): Json<Complete>,
) -> Result<One<ReservationView>, Problem> {
    let mut check = Check::new();
    let payment_ref = check.text("paymentRef", payment_ref.as_deref(), 1..=200);
    let amount = check.required("amount", amount);
    let amount = check.within("amount", amount, 1..=i64::MAX);
    let paid_at = check.required("paidAt", paid_at.as_deref());
    let expected = "an instant such as 2025-05-01T10:00:00+09:00";
    let paid_at = check.parse("paidAt", paid_at, expected, |text| text.parse::<Timestamp>().ok());
    let ask =
        || Some(Ask::Complete { payment_ref: payment_ref?, amount: amount?, paid_at: paid_at? });
    let ask = check.finish_with(ask())?;
    let outcome = desk.bookings.call(&external_id, &ask, is_over.is_some()).await;
    // What was written with the change is not in the row that was read before it.
    desk.answer("payment-complete", &external_id, outcome)?;
    desk.show(desk.bookings.find(&external_id, false).await?)
}

impl ReservationView {
    fn new(booking: Booking) -> Result<Self, Problem> {
        let at = |text: Option<String>| text.as_deref().map(read_instant).transpose();
        Ok(Self {
            status: read_code(&booking.status)?,
            cms_reservation_id: booking.cms_reservation_id,
            external_id: booking.external_id,
            room_id: booking.room_id,
            check_in: booking.check_in,
            check_out: booking.check_out,
            guest_count: booking.guest_count,
            amount: booking.amount,
            hold_expires_at: at(booking.hold_expires_at)?,
            paid_at: at(booking.paid_at)?,
            payment_ref: booking.payment_ref,
        })
    }
}
