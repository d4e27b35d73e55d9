//! Payments, their refunds, and what the payment gateway announced, in the store.

pub(crate) mod attention;
pub(crate) mod due;
pub(crate) mod events;
pub(crate) mod write;

use jiff::Timestamp;
use payment::machine::{Origin, Payment, Reason, Refund, RefundStatus, Status, Verdict};
use service::code::Code;
use service::stored::{instant, read, read_code, unreadable};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, FromRow};
use uuid::Uuid;

/// Every column, in the order of [`PaymentRow`].
const COLUMNS: &str = "payment_id, order_id, order_name, member_id, m_id, payment_key, status, \
    method, currency, total_amount, balance_amount, supplied_amount, vat, tax_free_amount, \
    tax_exemption_amount, requested_at, expires_at, approve_by, approved_at, \
    last_transaction_key, failure_code, failure_message, details, confirm_attempts, \
    last_attempt_at, in_doubt_since, leased_until, lease_owner, last_pg_error_code, \
    stored_result, next_look_at, looks, check_in_date, alert, version, created_at, updated_at";

const REFUND_COLUMNS: &str = "refund_id, payment_id, origin, amount, reason, reason_code, status, \
    n, attempts, next_attempt_at, last_code, note, is_sent, is_answered, is_by_hand, version, \
    created_at, updated_at";

const CANCEL_COLUMNS: &str = "refund_id, cancel_amount, cancel_reason, tax_free_amount, \
    tax_exemption_amount, refundable_amount, canceled_at, transaction_key, receipt_key, \
    cancel_status, cancel_request_id";

/// A payment, and the money that was returned of it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) payment: PaymentRow,
    /// The earliest first.
    pub(crate) cancels: Vec<CancelRow>,
}

/// A payment with everything that a change needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) payment: PaymentRow,
    /// The oldest first.
    pub(crate) refunds: Vec<RefundRow>,
    /// The earliest first.
    pub(crate) cancels: Vec<CancelRow>,
}

/// What is stored of a payment.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
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
    pub(crate) approve_by: Option<String>,
    pub(crate) approved_at: Option<String>,
    pub(crate) last_transaction_key: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) details: String,
    pub(crate) confirm_attempts: i64,
    pub(crate) last_attempt_at: Option<String>,
    pub(crate) in_doubt_since: Option<String>,
    pub(crate) leased_until: Option<String>,
    pub(crate) lease_owner: Option<String>,
    pub(crate) last_pg_error_code: Option<String>,
    pub(crate) stored_result: Option<String>,
    pub(crate) next_look_at: Option<String>,
    pub(crate) looks: i64,
    pub(crate) check_in_date: Option<String>,
    pub(crate) alert: Option<String>,
    pub(crate) version: i64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// What is stored of a refund.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RefundRow {
    pub(crate) refund_id: String,
    pub(crate) payment_id: String,
    pub(crate) origin: String,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) reason_code: String,
    pub(crate) status: String,
    pub(crate) n: i64,
    pub(crate) attempts: i64,
    pub(crate) next_attempt_at: Option<String>,
    pub(crate) last_code: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) is_sent: i64,
    pub(crate) is_answered: i64,
    pub(crate) is_by_hand: i64,
    pub(crate) version: i64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// Money that was returned.
#[derive(Debug, Clone, FromRow)]
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
#[derive(Debug, Clone)]
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
    let found = find_any(pool, key).await?;
    Ok(found.filter(|stored| stored.payment.member_id == member_id))
}

/// Anybody's payment.
pub(crate) async fn find_any(pool: &AnyPool, key: By) -> Result<Option<Stored>, sqlx::Error> {
    let Some(payment) = look_up(pool, &key).await? else { return Ok(None) };
    let cancels =
        if payment.has_moved()? { cancels(pool, &payment.payment_id).await? } else { Vec::new() };
    Ok(Some(Stored { payment, cancels }))
}

/// Everything about a payment. The row with the version is read first: whatever is newer than it is
/// refused with it.
pub(crate) async fn load(
    connection: &mut AnyConnection,
    key: &By,
) -> Result<Option<Record>, sqlx::Error> {
    let Some(payment) = look_up(&mut *connection, key).await? else { return Ok(None) };
    let refunds = refunds(&mut *connection, &payment.payment_id).await?;
    let cancels = if payment.has_moved()? {
        cancels(connection, &payment.payment_id).await?
    } else {
        Vec::new()
    };
    Ok(Some(Record { payment, refunds, cancels }))
}

/// One refund.
pub(crate) async fn find_refund(
    executor: impl Executor<'_, Database = Any>,
    refund_id: Uuid,
) -> Result<Option<RefundRow>, sqlx::Error> {
    // Only column names are composed.
    let text = AssertSqlSafe(format!("SELECT {REFUND_COLUMNS} FROM refunds WHERE refund_id = $1"));
    sqlx::query_as(text).bind(refund_id.to_string()).fetch_optional(executor).await
}

/// Refunds in one state, the oldest first, from behind `after`.
pub(crate) async fn list_refunds(
    pool: &AnyPool,
    status: RefundStatus,
    after: Option<(&str, &str)>,
    limit: i64,
) -> Result<Vec<RefundRow>, sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "SELECT {REFUND_COLUMNS} FROM refunds WHERE status = $1 \
         AND (created_at > $2 OR (created_at = $2 AND refund_id > $3)) \
         ORDER BY created_at, refund_id LIMIT $4"
    ));
    let (created_at, refund_id) = after.unwrap_or_default();
    let found = sqlx::query_as(text).bind(status.code()).bind(created_at.to_owned());
    found.bind(refund_id.to_owned()).bind(limit).fetch_all(pool).await
}

async fn look_up(
    executor: impl Executor<'_, Database = Any>,
    key: &By,
) -> Result<Option<PaymentRow>, sqlx::Error> {
    let (column, value) = match key {
        By::Id(id) => ("payment_id", id.to_string()),
        By::Order(order_id) => ("order_id", order_id.clone()),
        By::PaymentKey(payment_key) => ("payment_key", payment_key.clone()),
    };
    let text = AssertSqlSafe(format!("SELECT {COLUMNS} FROM payments WHERE {column} = $1"));
    sqlx::query_as(text).bind(value).fetch_optional(executor).await
}

async fn refunds(
    executor: impl Executor<'_, Database = Any>,
    payment_id: &str,
) -> Result<Vec<RefundRow>, sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "SELECT {REFUND_COLUMNS} FROM refunds WHERE payment_id = $1 ORDER BY created_at, refund_id"
    ));
    sqlx::query_as(text).bind(payment_id.to_owned()).fetch_all(executor).await
}

async fn cancels(
    executor: impl Executor<'_, Database = Any>,
    payment_id: &str,
) -> Result<Vec<CancelRow>, sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "SELECT {CANCEL_COLUMNS} FROM cancels WHERE payment_id = $1 ORDER BY position"
    ));
    sqlx::query_as(text).bind(payment_id.to_owned()).fetch_all(executor).await
}

impl Record {
    /// Whether somebody works on it.
    pub(crate) fn is_leased(&self, now: Timestamp) -> bool {
        self.payment.leased_until.as_deref().is_some_and(|until| *until > *instant(now))
    }

    /// What the machine decides by.
    pub(crate) fn facts(&self) -> Result<Payment, sqlx::Error> {
        let row = &self.payment;
        Ok(Payment {
            status: read_code(&row.status)?,
            total: row.total_amount,
            balance: row.balance_amount,
            in_doubt: row.in_doubt_since.is_some(),
            verdict: row.stored_result.as_deref().map(verdict).transpose()?,
            refunds: self.refunds.iter().map(RefundRow::facts).collect::<Result<_, _>>()?,
        })
    }
}

impl PaymentRow {
    /// Whether money may have been taken, so that some of it may have been returned.
    fn has_moved(&self) -> Result<bool, sqlx::Error> {
        Ok(match read_code(&self.status)? {
            Status::Ready | Status::InProgress | Status::Aborted | Status::Expired => false,
            Status::WaitingForDeposit
            | Status::Done
            | Status::PartialCanceled
            | Status::Canceled => true,
        })
    }

    /// Its id.
    pub(crate) fn id(&self) -> Result<Uuid, sqlx::Error> {
        read(&self.payment_id)
    }

    /// Its state.
    pub(crate) fn status(&self) -> Result<Status, sqlx::Error> {
        read_code(&self.status)
    }
}

impl RefundRow {
    fn facts(&self) -> Result<Refund, sqlx::Error> {
        Ok(Refund {
            id: read(&self.refund_id)?,
            origin: read_code::<Origin>(&self.origin)?,
            amount: self.amount,
            status: read_code::<RefundStatus>(&self.status)?,
            n: u32::try_from(self.n).map_err(|_| unreadable(self.n.to_string()))?,
            is_sent: self.is_sent != 0,
            is_answered: self.is_answered != 0,
            is_by_hand: self.is_by_hand != 0,
        })
    }
}

/// The verdict of a stored result, which is the message that told it.
fn verdict(text: &str) -> Result<Verdict, sqlx::Error> {
    let result: serde_json::Value = serde_json::from_str(text).map_err(|_| unreadable(text))?;
    let member = |name| result.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    if member("result") == "APPROVED" {
        return Ok(Verdict::Approved);
    }
    let code = member("code");
    Ok(Verdict::Rejected(
        REASONS.iter().find(|(own, _)| *own == code).map_or(Reason::Refused, |(_, reason)| *reason),
    ))
}

/// Codes of ours; every other one is the payment gateway's.
const REASONS: [(&str, Reason); 7] = [
    ("AMOUNT_MISMATCH", Reason::AmountMismatch),
    ("APPROVAL_DEADLINE_PASSED", Reason::DeadlinePassed),
    ("CANCELLED_BEFORE_CONFIRM", Reason::CancelledBeforeConfirm),
    ("CONFIRM_NOT_DONE", Reason::NotDone),
    ("PAYMENT_EXPIRED", Reason::Expired),
    ("PAYMENT_CANCELLED", Reason::Cancelled),
    ("PAYMENT_KEY_MISMATCH", Reason::KeyMismatch),
];

/// How a reason is written, unless it is the payment gateway's own.
pub(crate) fn reason_code(reason: Reason) -> Option<&'static str> {
    REASONS.iter().find(|(_, own)| *own == reason).map(|(code, _)| *code)
}

/// 0 or 1, as it is stored.
pub(crate) fn flag(is_set: bool) -> i64 {
    i64::from(is_set)
}
