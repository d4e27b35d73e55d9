//! Payments and their ledger in the store.

use jiff::Timestamp;
use payment::pg::PgStatus;
use service::code::Code;
use service::stored::{instant, read, read_code};
use sqlx::{AnyConnection, AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::error::Told;
use crate::windows::Windows;

/// Every column of [`Row`].
const COLUMNS: &str = "payment_key, order_id, order_name, status, total_amount, balance_amount, \
    tax_free_amount, requested_at, authenticated_at, approved_at, last_transaction_key, \
    failure_code, failure_message";
/// States in which the money of an order was taken.
const PAID: &str = "('DONE', 'CANCELED', 'PARTIAL_CANCELED')";

/// One attempt at paying an order.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Row {
    pub(crate) payment_key: String,
    pub(crate) order_id: String,
    pub(crate) order_name: String,
    pub(crate) status: String,
    pub(crate) total_amount: i64,
    pub(crate) balance_amount: i64,
    pub(crate) tax_free_amount: i64,
    pub(crate) requested_at: String,
    pub(crate) authenticated_at: Option<String>,
    pub(crate) approved_at: Option<String>,
    pub(crate) last_transaction_key: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
}

/// Money that moved.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Movement {
    pub(crate) transaction_key: String,
    pub(crate) payment_key: String,
    pub(crate) order_id: String,
    pub(crate) kind: String,
    pub(crate) amount: i64,
    pub(crate) refundable_amount: i64,
    pub(crate) tax_free_amount: i64,
    pub(crate) reason: Option<String>,
    pub(crate) moved_at: String,
}

/// Money to return.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) amount: i64,
    pub(crate) tax_free_amount: i64,
    pub(crate) reason: String,
}

impl Row {
    /// The state it is in now: time may have run out since something was decided.
    pub(crate) fn status(&self, windows: Windows, now: Timestamp) -> Result<PgStatus, sqlx::Error> {
        let status = read_code(&self.status)?;
        let began = match status {
            PgStatus::Ready => Some(&self.requested_at),
            PgStatus::InProgress => self.authenticated_at.as_ref(),
            PgStatus::WaitingForDeposit
            | PgStatus::Done
            | PgStatus::Canceled
            | PgStatus::PartialCanceled
            | PgStatus::Aborted
            | PgStatus::Expired => None,
        };
        let Some(began) = began else { return Ok(status) };
        let is_over = windows.is_over(status, read(began)?, now);
        Ok(if is_over { PgStatus::Expired } else { status })
    }
}

/// Stores a new attempt.
pub(crate) async fn add(connection: &mut AnyConnection, row: &Row) -> Result<(), sqlx::Error> {
    let added = sqlx::query(
        "INSERT INTO payments (payment_key, order_id, order_name, status, total_amount, \
         balance_amount, tax_free_amount, requested_at, authenticated_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)",
    )
    .bind(&row.payment_key)
    .bind(&row.order_id)
    .bind(&row.order_name)
    .bind(&row.status)
    .bind(row.total_amount)
    .bind(row.balance_amount)
    .bind(row.tax_free_amount)
    .bind(&row.requested_at)
    .bind(&row.authenticated_at);
    added.execute(connection).await.map(drop)
}

/// One attempt.
pub(crate) async fn by_key(
    connection: &mut AnyConnection,
    payment_key: &str,
) -> Result<Option<Row>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!("SELECT {COLUMNS} FROM payments WHERE payment_key = $1"));
    sqlx::query_as(text).bind(payment_key).fetch_optional(connection).await
}

/// One attempt, which nobody else can change before the transaction ends.
pub(crate) async fn lock(
    connection: &mut AnyConnection,
    payment_key: &str,
) -> Result<Option<Row>, sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "UPDATE payments SET version = version + 1 WHERE payment_key = $1 RETURNING {COLUMNS}"
    ));
    sqlx::query_as(text).bind(payment_key).fetch_optional(connection).await
}

/// The attempt at paying an order with which it was paid, or the latest.
pub(crate) async fn by_order(
    connection: &mut AnyConnection,
    order_id: &str,
) -> Result<Option<Row>, sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM payments WHERE order_id = $1 \
         ORDER BY CASE WHEN status IN {PAID} THEN 0 ELSE 1 END, requested_at DESC, \
         payment_key DESC LIMIT 1"
    ));
    sqlx::query_as(text).bind(order_id).fetch_optional(connection).await
}

/// Whether an order was paid, with whatever attempt.
pub(crate) async fn is_paid(
    connection: &mut AnyConnection,
    order_id: &str,
) -> Result<bool, sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "SELECT payment_key FROM payments WHERE order_id = $1 AND status IN {PAID}"
    ));
    let found: Option<(String,)> =
        sqlx::query_as(text).bind(order_id).fetch_optional(connection).await?;
    Ok(found.is_some())
}

/// The client has authenticated.
pub(crate) async fn authenticate(
    connection: &mut AnyConnection,
    payment_key: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let changed = sqlx::query(
        "UPDATE payments SET status = $1, authenticated_at = $2 WHERE payment_key = $3",
    );
    let changed = changed.bind(PgStatus::InProgress.code()).bind(instant(now)).bind(payment_key);
    changed.execute(connection).await.map(drop)
}

/// Takes the money of an attempt that is locked.
pub(crate) async fn charge(
    connection: &mut AnyConnection,
    row: &mut Row,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    row.status = PgStatus::Done.code().into();
    row.approved_at = Some(instant(now));
    row.last_transaction_key = Some(transaction_key());
    write(connection, row).await?;
    let charge = Refund {
        amount: row.total_amount,
        tax_free_amount: row.tax_free_amount,
        reason: String::new(),
    };
    enter(connection, "CHARGE", row, &charge, now).await
}

/// Returns money of an attempt that is locked and has as much left.
pub(crate) async fn refund(
    connection: &mut AnyConnection,
    row: &mut Row,
    refund: &Refund,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    row.balance_amount -= refund.amount;
    let is_all = row.balance_amount == 0;
    let status = if is_all { PgStatus::Canceled } else { PgStatus::PartialCanceled };
    row.status = status.code().into();
    row.last_transaction_key = Some(transaction_key());
    write(connection, row).await?;
    enter(connection, "REFUND", row, refund, now).await
}

/// Refuses an attempt that is locked for good.
pub(crate) async fn abort(
    connection: &mut AnyConnection,
    row: &mut Row,
    failure: &Told,
) -> Result<(), sqlx::Error> {
    row.status = PgStatus::Aborted.code().into();
    row.failure_code = Some(failure.code.clone());
    row.failure_message = Some(failure.message.clone());
    write(connection, row).await
}

/// What was returned of an attempt, the earliest first.
pub(crate) async fn refunds(
    connection: &mut AnyConnection,
    payment_key: &str,
) -> Result<Vec<Movement>, sqlx::Error> {
    sqlx::query_as(
        "SELECT transaction_key, payment_key, order_id, kind, amount, refundable_amount, \
         tax_free_amount, reason, moved_at FROM ledger \
         WHERE payment_key = $1 AND kind = 'REFUND' ORDER BY position",
    )
    .bind(payment_key)
    .fetch_all(connection)
    .await
}

/// Every movement of money, or those of one order, the earliest of an order first.
pub(crate) async fn ledger(
    connection: &mut AnyConnection,
    order_id: Option<&str>,
) -> Result<Vec<Movement>, sqlx::Error> {
    sqlx::query_as(
        "SELECT transaction_key, payment_key, order_id, kind, amount, refundable_amount, \
         tax_free_amount, reason, moved_at FROM ledger \
         WHERE $1 = '' OR order_id = $1 ORDER BY order_id, payment_key, position",
    )
    .bind(order_id.unwrap_or_default())
    .fetch_all(connection)
    .await
}

async fn write(connection: &mut AnyConnection, row: &Row) -> Result<(), sqlx::Error> {
    let written = sqlx::query(
        "UPDATE payments SET status = $1, balance_amount = $2, approved_at = $3, \
         last_transaction_key = $4, failure_code = $5, failure_message = $6 \
         WHERE payment_key = $7",
    )
    .bind(&row.status)
    .bind(row.balance_amount)
    .bind(&row.approved_at)
    .bind(&row.last_transaction_key)
    .bind(&row.failure_code)
    .bind(&row.failure_message)
    .bind(&row.payment_key);
    written.execute(connection).await.map(drop)
}

async fn enter(
    connection: &mut AnyConnection,
    kind: &str,
    row: &Row,
    moved: &Refund,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let (position,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) + 1 FROM ledger WHERE payment_key = $1")
            .bind(&row.payment_key)
            .fetch_one(&mut *connection)
            .await?;
    let entered = sqlx::query(
        "INSERT INTO ledger (transaction_key, payment_key, order_id, kind, amount, \
         refundable_amount, tax_free_amount, reason, position, moved_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&row.last_transaction_key)
    .bind(&row.payment_key)
    .bind(&row.order_id)
    .bind(kind)
    .bind(moved.amount)
    .bind(row.balance_amount)
    .bind(moved.tax_free_amount)
    .bind(Some(&moved.reason).filter(|reason| !reason.is_empty()))
    .bind(position)
    .bind(instant(now));
    entered.execute(connection).await.map(drop)
}

fn transaction_key() -> String {
    Uuid::now_v7().simple().to_string()
}
