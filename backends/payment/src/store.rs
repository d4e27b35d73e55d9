//! Payments, and what the payment gateway announced, in the store.

use jiff::Timestamp;
use service::stored::instant;
use sqlx::{AnyPool, AssertSqlSafe, FromRow};
use uuid::Uuid;

/// Every column that an owner is shown, in the order of [`PaymentRow`].
const COLUMNS: &str = "payment_id, order_id, order_name, member_id, m_id, payment_key, status, \
    method, currency, total_amount, balance_amount, supplied_amount, vat, tax_free_amount, \
    tax_exemption_amount, requested_at, expires_at, approved_at, last_transaction_key, \
    failure_code, failure_message, details";

/// A payment, and the money that was returned of it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) payment: PaymentRow,
    /// The earliest first.
    pub(crate) cancels: Vec<CancelRow>,
}

/// What is stored of a payment and shown to its owner.
#[derive(Debug, FromRow)]
pub(crate) struct PaymentRow {
    pub(crate) payment_id: String,
    pub(crate) order_id: String,
    pub(crate) order_name: String,
    pub(crate) member_id: i64,
    pub(crate) m_id: String,
    pub(crate) payment_key: Option<String>,
    pub(crate) status: String,
    pub(crate) method: Option<String>,
    pub(crate) currency: String,
    pub(crate) total_amount: i64,
    pub(crate) balance_amount: i64,
    pub(crate) supplied_amount: i64,
    pub(crate) vat: i64,
    pub(crate) tax_free_amount: i64,
    pub(crate) tax_exemption_amount: i64,
    pub(crate) requested_at: String,
    pub(crate) expires_at: String,
    pub(crate) approved_at: Option<String>,
    pub(crate) last_transaction_key: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) details: String,
}

/// Money that was returned.
#[derive(Debug, FromRow)]
pub(crate) struct CancelRow {
    pub(crate) refund_id: String,
    pub(crate) cancel_amount: i64,
    pub(crate) cancel_reason: String,
    pub(crate) tax_free_amount: i64,
    pub(crate) tax_exemption_amount: i64,
    pub(crate) refundable_amount: i64,
    pub(crate) canceled_at: String,
    pub(crate) transaction_key: String,
    pub(crate) receipt_key: Option<String>,
    pub(crate) cancel_status: String,
    pub(crate) cancel_request_id: Option<String>,
}

/// What a payment is looked up by.
#[derive(Debug)]
pub(crate) enum By {
    Id(Uuid),
    Order(String),
    PaymentKey(String),
}

/// One of a member's payments.
pub(crate) async fn find(
    pool: &AnyPool,
    member_id: i64,
    key: By,
) -> Result<Option<Stored>, sqlx::Error> {
    let (column, value) = match key {
        By::Id(id) => ("payment_id", id.to_string()),
        By::Order(order_id) => ("order_id", order_id),
        By::PaymentKey(payment_key) => ("payment_key", payment_key),
    };
    // Only column names are composed.
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM payments WHERE {column} = $1 AND member_id = $2"
    ));
    let payment: Option<PaymentRow> =
        sqlx::query_as(text).bind(value).bind(member_id).fetch_optional(pool).await?;
    let Some(payment) = payment else { return Ok(None) };
    let cancels = cancels(pool, &payment.payment_id).await?;
    Ok(Some(Stored { payment, cancels }))
}

async fn cancels(pool: &AnyPool, payment_id: &str) -> Result<Vec<CancelRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT refund_id, cancel_amount, cancel_reason, tax_free_amount, tax_exemption_amount, \
         refundable_amount, canceled_at, transaction_key, receipt_key, cancel_status, \
         cancel_request_id FROM cancels WHERE payment_id = $1 ORDER BY position",
    )
    .bind(payment_id)
    .fetch_all(pool)
    .await
}

/// Keeps what the payment gateway announced until it is looked into.
pub(crate) async fn keep_event(
    pool: &AnyPool,
    event_type: Option<&str>,
    body: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let kept = sqlx::query(
        "INSERT INTO webhook_events (event_id, event_type, body, received_at) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(event_type)
    .bind(body)
    .bind(instant(now));
    kept.execute(pool).await.map(drop)
}
