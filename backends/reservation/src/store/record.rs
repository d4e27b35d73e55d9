//! A reservation with everything that a change needs to know.

use ::reservation::machine::{Failure, Reservation};
use jiff::Timestamp;
use jiff::civil::Date;
use service::stored::{placeholders, read, read_code};
use sqlx::{AnyConnection, AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::{COLUMNS, Row};

/// Every column that an owner is not shown, in the order of [`Record`].
const MORE: &str = "member_id, nightly_prices, refund_id, refund_amount, refund_reason, \
    cms_status, cms_reservation_id, payment_key, charged_at, cancel_reason, approve_deadline, \
    confirm_deadline, idempotency_key, request_hash, released_at, create_owner, \
    create_leased_until, due_at, version";

/// What is stored of a reservation.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Record {
    #[sqlx(flatten)]
    pub(crate) shown: Row,
    pub(crate) member_id: i64,
    pub(crate) nightly_prices: String,
    pub(crate) refund_id: Option<String>,
    pub(crate) refund_amount: Option<i64>,
    pub(crate) refund_reason: Option<String>,
    pub(crate) cms_status: String,
    pub(crate) cms_reservation_id: Option<String>,
    pub(crate) payment_key: Option<String>,
    pub(crate) charged_at: Option<String>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) approve_deadline: Option<String>,
    pub(crate) confirm_deadline: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) request_hash: Option<String>,
    pub(crate) released_at: Option<String>,
    pub(crate) create_owner: Option<String>,
    pub(crate) create_leased_until: Option<String>,
    pub(crate) due_at: Option<String>,
    pub(crate) version: i64,
}

impl Record {
    /// Its id, as it is stored.
    pub(crate) fn key(&self) -> &str {
        &self.shown.reservation_id
    }

    /// Its id.
    pub(crate) fn id(&self) -> Result<Uuid, sqlx::Error> {
        read(&self.shown.reservation_id)
    }

    /// The payment, once there is one.
    pub(crate) fn payment_id(&self) -> Result<Option<Uuid>, sqlx::Error> {
        self.shown.payment_id.as_deref().map(read).transpose()
    }

    /// The last refund command.
    pub(crate) fn refund(&self) -> Result<Option<Uuid>, sqlx::Error> {
        self.refund_id.as_deref().map(read).transpose()
    }

    /// When the hold ends.
    pub(crate) fn hold_expires_at(&self) -> Result<Option<Timestamp>, sqlx::Error> {
        self.shown.hold_expires_at.as_deref().map(read).transpose()
    }

    /// Until when the CMS should have fixed the booking.
    pub(crate) fn confirm_deadline(&self) -> Result<Option<Timestamp>, sqlx::Error> {
        self.confirm_deadline.as_deref().map(read).transpose()
    }

    /// The first night.
    pub(crate) fn check_in(&self) -> Result<Date, sqlx::Error> {
        read(&self.shown.check_in_date)
    }

    /// The morning of departure.
    pub(crate) fn check_out(&self) -> Result<Date, sqlx::Error> {
        read(&self.shown.check_out_date)
    }

    /// Whether somebody is making it at this moment.
    pub(crate) fn is_being_made(&self, now: &str) -> bool {
        self.create_leased_until.as_deref().is_some_and(|until| until > now)
    }

    /// What the machine knows of it.
    pub(crate) fn facts(&self) -> Result<Reservation, sqlx::Error> {
        // Only these two are remembered on the way to an end.
        let failure = self.shown.failure_code.as_deref().map(|code| match code {
            "OPERATOR" => Failure::Operator,
            "CMS_APPROVE_FAILED" => Failure::CmsApproveFailed,
            _ => Failure::PaymentRejected,
        });
        Ok(Reservation {
            status: read_code(&self.shown.status)?,
            refund: read_code(&self.shown.refund_status)?,
            is_charged: self.charged_at.is_some(),
            is_cancel_requested: self.shown.cancel_requested_at.is_some(),
            is_released: self.released_at.is_some(),
            cms: read_code(&self.cms_status)?,
            failure,
        })
    }
}

/// A reservation, whoever it belongs to.
pub(crate) async fn load(
    connection: &mut AnyConnection,
    reservation_id: &str,
) -> Result<Option<Record>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {MORE} FROM reservations WHERE reservation_id = $1"
    ));
    sqlx::query_as(text).bind(reservation_id.to_owned()).fetch_optional(connection).await
}

/// The reservation that a create with this key led to.
pub(crate) async fn by_key(
    connection: &mut AnyConnection,
    member_id: i64,
    key: &str,
) -> Result<Option<Record>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {MORE} FROM reservations WHERE member_id = $1 AND idempotency_key = $2"
    ));
    sqlx::query_as(text).bind(member_id).bind(key.to_owned()).fetch_optional(connection).await
}

/// Writes a new reservation down.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    record: &Record,
) -> Result<(), sqlx::Error> {
    let columns = format!("{COLUMNS}, {MORE}");
    let values = placeholders(1, columns.split(',').count());
    // Only column names are composed.
    let text = AssertSqlSafe(format!("INSERT INTO reservations ({columns}) VALUES {values}"));
    let record = record.clone();
    let shown = record.shown;
    let inserted = sqlx::query(text)
        .bind(shown.reservation_id)
        .bind(shown.status)
        .bind(shown.refund_status)
        .bind(shown.place_id)
        .bind(shown.place_name)
        .bind(shown.room_id)
        .bind(shown.room_name)
        .bind(shown.check_in_date)
        .bind(shown.check_out_date)
        .bind(shown.guest_count)
        .bind(shown.client_name)
        .bind(shown.client_phone_number)
        .bind(shown.guest_name)
        .bind(shown.guest_phone_number)
        .bind(shown.total_amount)
        .bind(shown.currency)
        .bind(shown.hold_expires_at)
        .bind(shown.cancel_requested_at)
        .bind(shown.failure_code)
        .bind(shown.failure_message)
        .bind(shown.payment_id)
        .bind(shown.payment_status)
        .bind(shown.payment_method)
        .bind(shown.payment_approved_at)
        .bind(shown.created_at)
        .bind(shown.updated_at)
        .bind(record.member_id)
        .bind(record.nightly_prices)
        .bind(record.refund_id)
        .bind(record.refund_amount)
        .bind(record.refund_reason)
        .bind(record.cms_status)
        .bind(record.cms_reservation_id)
        .bind(record.payment_key)
        .bind(record.charged_at)
        .bind(record.cancel_reason)
        .bind(record.approve_deadline)
        .bind(record.confirm_deadline)
        .bind(record.idempotency_key)
        .bind(record.request_hash)
        .bind(record.released_at)
        .bind(record.create_owner)
        .bind(record.create_leased_until)
        .bind(record.due_at)
        .bind(record.version);
    inserted.execute(connection).await.map(drop)
}

/// Replaces a reservation that is still what it was at `record.version`; whether it was.
pub(crate) async fn update(
    connection: &mut AnyConnection,
    record: &Record,
) -> Result<bool, sqlx::Error> {
    let record = record.clone();
    let shown = record.shown;
    let updated = sqlx::query(
        "UPDATE reservations SET status = $3, refund_status = $4, hold_expires_at = $5, \
         cancel_requested_at = $6, failure_code = $7, failure_message = $8, payment_id = $9, \
         payment_status = $10, payment_method = $11, payment_approved_at = $12, updated_at = $13, \
         refund_id = $14, refund_amount = $15, refund_reason = $16, cms_status = $17, \
         cms_reservation_id = $18, payment_key = $19, charged_at = $20, cancel_reason = $21, \
         approve_deadline = $22, confirm_deadline = $23, idempotency_key = $24, \
         released_at = $25, create_owner = $26, create_leased_until = $27, due_at = $28, \
         version = version + 1 WHERE reservation_id = $1 AND version = $2",
    )
    .bind(shown.reservation_id)
    .bind(record.version)
    .bind(shown.status)
    .bind(shown.refund_status)
    .bind(shown.hold_expires_at)
    .bind(shown.cancel_requested_at)
    .bind(shown.failure_code)
    .bind(shown.failure_message)
    .bind(shown.payment_id)
    .bind(shown.payment_status)
    .bind(shown.payment_method)
    .bind(shown.payment_approved_at)
    .bind(shown.updated_at)
    .bind(record.refund_id)
    .bind(record.refund_amount)
    .bind(record.refund_reason)
    .bind(record.cms_status)
    .bind(record.cms_reservation_id)
    .bind(record.payment_key)
    .bind(record.charged_at)
    .bind(record.cancel_reason)
    .bind(record.approve_deadline)
    .bind(record.confirm_deadline)
    .bind(record.idempotency_key)
    .bind(record.released_at)
    .bind(record.create_owner)
    .bind(record.create_leased_until)
    .bind(record.due_at);
    Ok(updated.execute(connection).await?.rows_affected() == 1)
}

/// Takes a create that nobody works on; whether nobody did.
pub(crate) async fn take_create(
    connection: &mut AnyConnection,
    reservation_id: &str,
    owner: &str,
    (now, until): (&str, &str),
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query(
        "UPDATE reservations SET create_owner = $2, create_leased_until = $3, \
         version = version + 1 WHERE reservation_id = $1 AND status = 'REQUESTED' \
         AND (create_leased_until IS NULL OR create_leased_until <= $4)",
    )
    .bind(reservation_id.to_owned())
    .bind(owner.to_owned())
    .bind(until.to_owned())
    .bind(now.to_owned())
    .execute(connection)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Lets go of a create of whose hold nobody knows, so that the next call goes on with it.
pub(crate) async fn leave_create(
    connection: &mut AnyConnection,
    reservation_id: &str,
    owner: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE reservations SET create_owner = NULL, create_leased_until = NULL, \
         cms_status = 'UNKNOWN', version = version + 1 \
         WHERE reservation_id = $1 AND create_owner = $2 AND status = 'REQUESTED'",
    )
    .bind(reservation_id.to_owned())
    .bind(owner.to_owned())
    .execute(connection)
    .await
    .map(drop)
}
