//! Changes of payments and refunds, each in its caller's transaction.

use service::stored::placeholders;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{COLUMNS, CancelRow, PaymentRow, REFUND_COLUMNS, RefundRow};

/// One step in the life of a payment or a refund.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) seq: i64,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: &'a str,
    pub(crate) cause: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) message_id: Option<&'a str>,
    pub(crate) note: Option<&'a str>,
    pub(crate) at: &'a str,
}

/// Writes a payment down unless its order has one; whether it did.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    row: &PaymentRow,
) -> Result<bool, sqlx::Error> {
    let values = placeholders(1, COLUMNS.split(',').count());
    let text = AssertSqlSafe(format!(
        "INSERT INTO payments ({COLUMNS}) VALUES {values} ON CONFLICT (order_id) DO NOTHING"
    ));
    let row = row.clone();
    let inserted = sqlx::query(text)
        .bind(row.payment_id)
        .bind(row.order_id)
        .bind(row.order_name)
        .bind(row.member_id)
        .bind(row.m_id)
        .bind(row.payment_key)
        .bind(row.status)
        .bind(row.method)
        .bind(row.currency)
        .bind(row.total_amount)
        .bind(row.balance_amount)
        .bind(row.supplied_amount)
        .bind(row.vat)
        .bind(row.tax_free_amount)
        .bind(row.tax_exemption_amount)
        .bind(row.requested_at)
        .bind(row.expires_at)
        .bind(row.approve_by)
        .bind(row.approved_at)
        .bind(row.last_transaction_key)
        .bind(row.failure_code)
        .bind(row.failure_message)
        .bind(row.details)
        .bind(row.confirm_attempts)
        .bind(row.last_attempt_at)
        .bind(row.in_doubt_since)
        .bind(row.leased_until)
        .bind(row.lease_owner)
        .bind(row.last_pg_error_code)
        .bind(row.stored_result)
        .bind(row.next_look_at)
        .bind(row.looks)
        .bind(row.check_in_date)
        .bind(row.alert)
        .bind(row.version)
        .bind(row.created_at)
        .bind(row.updated_at);
    Ok(inserted.execute(connection).await?.rows_affected() == 1)
}

/// Replaces a payment that is still what it was at `version`; whether it was.
pub(crate) async fn update(
    connection: &mut AnyConnection,
    row: &PaymentRow,
    version: i64,
) -> Result<bool, sqlx::Error> {
    let row = row.clone();
    let updated = sqlx::query(
        "UPDATE payments SET payment_key = $3, status = $4, method = $5, balance_amount = $6, \
         approve_by = $7, approved_at = $8, last_transaction_key = $9, failure_code = $10, \
         failure_message = $11, details = $12, confirm_attempts = $13, last_attempt_at = $14, \
         in_doubt_since = $15, leased_until = $16, lease_owner = $17, last_pg_error_code = $18, \
         stored_result = $19, next_look_at = $20, looks = $21, alert = $22, version = $23, \
         updated_at = $24 WHERE payment_id = $1 AND version = $2",
    )
    .bind(row.payment_id)
    .bind(version)
    .bind(row.payment_key)
    .bind(row.status)
    .bind(row.method)
    .bind(row.balance_amount)
    .bind(row.approve_by)
    .bind(row.approved_at)
    .bind(row.last_transaction_key)
    .bind(row.failure_code)
    .bind(row.failure_message)
    .bind(row.details)
    .bind(row.confirm_attempts)
    .bind(row.last_attempt_at)
    .bind(row.in_doubt_since)
    .bind(row.leased_until)
    .bind(row.lease_owner)
    .bind(row.last_pg_error_code)
    .bind(row.stored_result)
    .bind(row.next_look_at)
    .bind(row.looks)
    .bind(row.alert)
    .bind(row.version)
    .bind(row.updated_at);
    Ok(updated.execute(connection).await?.rows_affected() == 1)
}

/// Writes a refund as it is now, whether it was there or not.
pub(crate) async fn put_refund(
    connection: &mut AnyConnection,
    row: &RefundRow,
) -> Result<(), sqlx::Error> {
    let values = placeholders(1, REFUND_COLUMNS.split(',').count());
    let text = AssertSqlSafe(format!(
        "INSERT INTO refunds ({REFUND_COLUMNS}) VALUES {values} \
         ON CONFLICT (refund_id) DO UPDATE SET amount = excluded.amount, \
         status = excluded.status, n = excluded.n, attempts = excluded.attempts, \
         next_attempt_at = excluded.next_attempt_at, last_code = excluded.last_code, \
         note = excluded.note, is_sent = excluded.is_sent, is_answered = excluded.is_answered, \
         is_by_hand = excluded.is_by_hand, version = excluded.version, \
         updated_at = excluded.updated_at"
    ));
    let row = row.clone();
    sqlx::query(text)
        .bind(row.refund_id)
        .bind(row.payment_id)
        .bind(row.origin)
        .bind(row.amount)
        .bind(row.reason)
        .bind(row.reason_code)
        .bind(row.status)
        .bind(row.n)
        .bind(row.attempts)
        .bind(row.next_attempt_at)
        .bind(row.last_code)
        .bind(row.note)
        .bind(row.is_sent)
        .bind(row.is_answered)
        .bind(row.is_by_hand)
        .bind(row.version)
        .bind(row.created_at)
        .bind(row.updated_at)
        .execute(connection)
        .await
        .map(drop)
}

/// Writes down that money was returned.
pub(crate) async fn insert_cancel(
    connection: &mut AnyConnection,
    payment_id: &str,
    position: i64,
    row: &CancelRow,
) -> Result<(), sqlx::Error> {
    let row = row.clone();
    sqlx::query(
        "INSERT INTO cancels (payment_id, position, refund_id, cancel_amount, cancel_reason, \
         tax_free_amount, tax_exemption_amount, refundable_amount, canceled_at, transaction_key, \
         receipt_key, cancel_status, cancel_request_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(payment_id.to_owned())
    .bind(position)
    .bind(row.refund_id)
    .bind(row.cancel_amount)
    .bind(row.cancel_reason)
    .bind(row.tax_free_amount)
    .bind(row.tax_exemption_amount)
    .bind(row.refundable_amount)
    .bind(row.canceled_at)
    .bind(row.transaction_key)
    .bind(row.receipt_key)
    .bind(row.cancel_status)
    .bind(row.cancel_request_id)
    .execute(connection)
    .await
    .map(drop)
}

/// Adds a step to the history of a payment.
pub(crate) async fn tell_payment(
    connection: &mut AnyConnection,
    payment_id: &str,
    step: &Step<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO payment_history (payment_id, seq, from_status, to_status, cause, actor, \
         message_id, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(payment_id.to_owned())
    .bind(step.seq)
    .bind(step.from.map(str::to_owned))
    .bind(step.to.to_owned())
    .bind(step.cause.to_owned())
    .bind(step.actor.to_owned())
    .bind(step.message_id.map(str::to_owned))
    .bind(step.at.to_owned())
    .execute(connection)
    .await
    .map(drop)
}

/// Adds a step to the history of a refund.
pub(crate) async fn tell_refund(
    connection: &mut AnyConnection,
    refund_id: &str,
    step: &Step<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO refund_history (refund_id, seq, from_status, to_status, cause, actor, \
         message_id, note, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(refund_id.to_owned())
    .bind(step.seq)
    .bind(step.from.map(str::to_owned))
    .bind(step.to.to_owned())
    .bind(step.cause.to_owned())
    .bind(step.actor.to_owned())
    .bind(step.message_id.map(str::to_owned))
    .bind(step.note.map(str::to_owned))
    .bind(step.at.to_owned())
    .execute(connection)
    .await
    .map(drop)
}
