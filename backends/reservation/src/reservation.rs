//! Reservations as their owner sees them.

use jiff::civil::Date;
use serde::Serialize;
use service::problem::Problem;
use service::stored::{read, read_code, read_instant};
use utoipa::ToSchema;

use crate::store::Row;
use ::reservation::machine::{RefundStatus, Status};

/// A reservation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationDetail {
    #[schema(format = "uuid")]
    reservation_id: String,
    status: Status,
    refund_status: RefundStatus,
    #[schema(example = 93)]
    place_id: i64,
    place_name: String,
    #[schema(example = 921)]
    room_id: i64,
    room_name: String,
    /// First night.
    #[schema(format = Date)]
    check_in_date: String,
    /// Day of leaving.
    #[schema(format = Date)]
    check_out_date: String,
    #[schema(minimum = 1)]
    nights: i32,
    guest_count: i64,
    /// Who booked.
    client: Person,
    /// Who stays.
    guest: Person,
    /// Price of all nights together.
    #[schema(example = 220_000)]
    total_amount: i64,
    #[schema(example = "KRW")]
    currency: String,
    /// Until when the room is held for a customer who has not paid.
    #[schema(format = DateTime)]
    hold_expires_at: Option<String>,
    /// When a cancellation was accepted.
    #[schema(format = DateTime)]
    cancel_requested_at: Option<String>,
    /// Why it came to nothing.
    failure: Option<Failure>,
    /// What is known of the payment, once there is one.
    payment: Option<PaymentSummary>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Somebody to ask for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    name: String,
    #[schema(example = "01000000000")]
    phone_number: String,
}

/// Why a reservation came to nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failure {
    #[schema(example = "ROOM_NOT_AVAILABLE")]
    code: String,
    message: String,
}

/// What is known of a payment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentSummary {
    #[schema(format = "uuid")]
    payment_id: String,
    #[schema(example = "DONE")]
    status: Option<String>,
    #[schema(example = "카드")]
    method: Option<String>,
    #[schema(format = DateTime)]
    approved_at: Option<String>,
}

impl ReservationDetail {
    /// Shows what is stored; 500 when it cannot be read.
    pub(crate) fn new(row: Row) -> Result<Self, Problem> {
        let check_in: Date = read(&row.check_in_date)?;
        let nights = check_in.until(read::<Date>(&row.check_out_date)?);
        let payment_approved_at = read_optional(row.payment_approved_at.as_deref())?;
        Ok(Self {
            status: read_code(&row.status)?,
            refund_status: read_code(&row.refund_status)?,
            nights: nights.map_err(Problem::internal)?.get_days(),
            hold_expires_at: read_optional(row.hold_expires_at.as_deref())?,
            cancel_requested_at: read_optional(row.cancel_requested_at.as_deref())?,
            created_at: read_instant(&row.created_at)?,
            updated_at: read_instant(&row.updated_at)?,
            client: Person { name: row.client_name, phone_number: row.client_phone_number },
            guest: Person { name: row.guest_name, phone_number: row.guest_phone_number },
            failure: row
                .failure_code
                .map(|code| Failure { code, message: row.failure_message.unwrap_or_default() }),
            payment: row.payment_id.map(|payment_id| PaymentSummary {
                payment_id,
                status: row.payment_status,
                method: row.payment_method,
                approved_at: payment_approved_at,
            }),
            reservation_id: row.reservation_id,
            place_id: row.place_id,
            place_name: row.place_name,
            room_id: row.room_id,
            room_name: row.room_name,
            check_in_date: row.check_in_date,
            check_out_date: row.check_out_date,
            guest_count: row.guest_count,
            total_amount: row.total_amount,
            currency: row.currency,
        })
    }
}

fn read_optional(text: Option<&str>) -> Result<Option<String>, sqlx::Error> {
    text.map(read_instant).transpose()
}
