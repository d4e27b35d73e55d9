//! What has to be done by now, and who owns it.

use jiff::Timestamp;
use service::stored::instant;
use sqlx::AnyPool;

/// How things stand, for whoever watches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) in_doubt: i64,
    pub(crate) refunds_open: i64,
    pub(crate) refunds_failed: i64,
    pub(crate) alerts: i64,
}

/// Payments that nobody paid in time.
pub(crate) async fn expired(
    pool: &AnyPool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let text = "SELECT payment_id FROM payments WHERE status = 'READY' AND expires_at <= $1 \
        ORDER BY expires_at LIMIT $2";
    ids(pool, text, now, limit).await
}

/// Payments in progress that the payment gateway has to be asked about.
pub(crate) async fn in_progress(
    pool: &AnyPool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let text = "SELECT payment_id FROM payments WHERE status = 'IN_PROGRESS' \
        AND next_look_at <= $1 AND (leased_until IS NULL OR leased_until <= $1) \
        ORDER BY next_look_at LIMIT $2";
    ids(pool, text, now, limit).await
}

/// Payments that are done and were not looked into for long.
pub(crate) async fn done(
    pool: &AnyPool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let text = "SELECT payment_id FROM payments WHERE status IN ('DONE', 'PARTIAL_CANCELED') \
        AND next_look_at <= $1 AND (leased_until IS NULL OR leased_until <= $1) \
        ORDER BY next_look_at LIMIT $2";
    ids(pool, text, now, limit).await
}

/// Refunds that are to be tried, each with its payment.
pub(crate) async fn refunds(
    pool: &AnyPool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.payment_id, r.refund_id FROM refunds r \
         JOIN payments p ON p.payment_id = r.payment_id \
         WHERE r.status IN ('REQUESTED', 'REFUSED') AND r.next_attempt_at <= $1 \
         AND p.status IN ('DONE', 'PARTIAL_CANCELED') \
         AND (p.leased_until IS NULL OR p.leased_until <= $1) \
         ORDER BY r.next_attempt_at LIMIT $2",
    )
    .bind(instant(now))
    .bind(limit)
    .fetch_all(pool)
    .await
}

async fn ids(
    pool: &AnyPool,
    text: &'static str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(text).bind(instant(now)).bind(limit).fetch_all(pool).await
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
