//! What has to be done by now, and who owns it.

use jiff::Timestamp;
use service::stored::{instant, read_code};
use sqlx::{AnyPool, AssertSqlSafe, FromRow};

/// How things stand, for whoever watches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) in_doubt: i64,
    pub(crate) refunds_open: i64,
    pub(crate) refunds_failed: i64,
    pub(crate) alerts: i64,
}

service::codes! {
    /// What is to be done, the most urgent first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(crate) enum Kind;
    Expire = "EXPIRE", Refund = "REFUND", Reconcile = "RECONCILE", Follow = "FOLLOW", Look = "LOOK",
}

/// Something that is due.
#[derive(Debug, FromRow)]
pub(crate) struct DueRow {
    kind: String,
    /// The payment, or the event that is to be followed.
    pub(crate) id: String,
    /// The refund, or what the event says.
    pub(crate) more: String,
    pub(crate) attempts: i64,
}

impl DueRow {
    pub(crate) fn kind(&self) -> Result<Kind, sqlx::Error> {
        read_code(&self.kind)
    }
}

/// Payments that nobody paid in time.
const EXPIRED: &str = "SELECT * FROM (SELECT 'EXPIRE' AS kind, payment_id AS id, '' AS more, \
    CAST(0 AS BIGINT) AS attempts FROM payments \
    WHERE status = 'READY' AND expires_at <= $1 ORDER BY expires_at LIMIT $2) AS expired";

/// What the payment gateway has to be asked for: refunds that are to be tried, payments in progress,
/// what it announced, and payments that are done and were not looked into for long.
const ASKED_FOR: &str = "\
    SELECT * FROM (SELECT 'REFUND' AS kind, payment_id AS id, refund_id AS more, \
    CAST(0 AS BIGINT) AS attempts FROM refunds \
    WHERE status IN ('REQUESTED', 'REFUSED') AND next_attempt_at <= $1 \
    AND (SELECT COUNT(*) FROM payments p WHERE p.payment_id = refunds.payment_id \
    AND p.status IN ('DONE', 'PARTIAL_CANCELED') \
    AND (p.leased_until IS NULL OR p.leased_until <= $1)) = 1 \
    ORDER BY next_attempt_at LIMIT $2) AS refunding \
    UNION ALL \
    SELECT * FROM (SELECT 'RECONCILE', payment_id, '', CAST(0 AS BIGINT) FROM payments \
    WHERE status = 'IN_PROGRESS' AND next_look_at <= $1 \
    AND (leased_until IS NULL OR leased_until <= $1) ORDER BY next_look_at LIMIT $2) AS open \
    UNION ALL \
    SELECT * FROM (SELECT 'FOLLOW', event_id, body, attempts FROM webhook_events \
    WHERE processed_at IS NULL AND (next_attempt_at IS NULL OR next_attempt_at <= $1) \
    ORDER BY event_id LIMIT $2) AS announced \
    UNION ALL \
    SELECT * FROM (SELECT 'LOOK', payment_id, '', CAST(0 AS BIGINT) FROM payments \
    WHERE status IN ('DONE', 'PARTIAL_CANCELED') AND next_look_at <= $1 \
    AND (leased_until IS NULL OR leased_until <= $1) ORDER BY next_look_at LIMIT $2) AS done";

/// What is due, at most `limit` of each kind; nothing for which the payment gateway has to be asked
/// while that is no use.
pub(crate) async fn due(
    pool: &AnyPool,
    now: Timestamp,
    limit: i64,
    is_paused: bool,
) -> Result<Vec<DueRow>, sqlx::Error> {
    let text =
        if is_paused { EXPIRED.to_owned() } else { format!("{EXPIRED} UNION ALL {ASKED_FOR}") };
    // Both are written above.
    let found = sqlx::query_as(AssertSqlSafe(text)).bind(instant(now)).bind(limit);
    let mut found: Vec<DueRow> = found.fetch_all(pool).await?;
    found.sort_by_key(|row| row.kind().ok());
    Ok(found)
}

/// Takes a payment that nobody owns; whether nobody did.
pub(crate) async fn take(
    pool: &AnyPool,
    payment_id: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query(
        "UPDATE payments SET leased_until = $3, lease_owner = $2, version = version + 1 \
         WHERE payment_id = $1 AND (leased_until IS NULL OR leased_until <= $4)",
    )
    .bind(payment_id.to_owned())
    .bind(owner.to_owned())
    .bind(instant(until))
    .bind(instant(now))
    .execute(pool)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Keeps a payment for its owner while it calls the payment gateway; whether it still is its owner.
pub(crate) async fn renew(
    pool: &AnyPool,
    payment_id: &str,
    owner: &str,
    until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query(
        "UPDATE payments SET leased_until = $3, version = version + 1 \
         WHERE payment_id = $1 AND lease_owner = $2",
    )
    .bind(payment_id.to_owned())
    .bind(owner.to_owned())
    .bind(instant(until))
    .execute(pool)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// The same before a confirm is sent once more, which is written down.
pub(crate) async fn renew_confirm(
    pool: &AnyPool,
    payment_id: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query(
        "UPDATE payments SET leased_until = $3, last_attempt_at = $4, \
         confirm_attempts = confirm_attempts + 1, version = version + 1 \
         WHERE payment_id = $1 AND lease_owner = $2",
    )
    .bind(payment_id.to_owned())
    .bind(owner.to_owned())
    .bind(instant(until))
    .bind(instant(now))
    .execute(pool)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Counts what whoever watches wants to know.
pub(crate) async fn counts(pool: &AnyPool) -> Result<Counts, sqlx::Error> {
    let count = async |text: &'static str| -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(text).fetch_one(pool).await
    };
    Ok(Counts {
        in_doubt: count(
            "SELECT COUNT(*) FROM payments WHERE status = 'IN_PROGRESS' \
             AND in_doubt_since IS NOT NULL",
        )
        .await?,
        refunds_open: count(
            "SELECT COUNT(*) FROM refunds WHERE status IN ('REQUESTED', 'REFUSED')",
        )
        .await?,
        refunds_failed: count("SELECT COUNT(*) FROM refunds WHERE status = 'REFUSED'").await?,
        alerts: count("SELECT COUNT(*) FROM payments WHERE alert IS NOT NULL").await?,
    })
}
