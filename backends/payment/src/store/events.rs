//! What the payment gateway announced, until it is looked into.

use jiff::Timestamp;
use service::stored::instant;
use sqlx::AnyPool;
use uuid::Uuid;

/// Keeps what the payment gateway announced until it is looked into.
pub(crate) async fn keep(
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

/// It was looked into.
pub(crate) async fn done(
    pool: &AnyPool,
    event_id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE webhook_events SET processed_at = $2 WHERE event_id = $1")
        .bind(event_id.to_owned())
        .bind(instant(now))
        .execute(pool)
        .await
        .map(drop)
}

/// It could not be looked into now.
pub(crate) async fn put_off(
    pool: &AnyPool,
    event_id: &str,
    until: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE webhook_events SET attempts = attempts + 1, next_attempt_at = $2 \
         WHERE event_id = $1",
    )
    .bind(event_id.to_owned())
    .bind(instant(until))
    .execute(pool)
    .await
    .map(drop)
}
