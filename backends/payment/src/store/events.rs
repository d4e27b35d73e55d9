//! What the payment gateway announced, until it is looked into.

use jiff::Timestamp;
use service::stored::instant;
use sqlx::{AnyPool, FromRow};
use uuid::Uuid;

/// An event that nobody has looked into.
#[derive(Debug, FromRow)]
pub(crate) struct EventRow {
    pub(crate) event_id: String,
    pub(crate) body: String,
    pub(crate) attempts: i64,
}

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

/// Events that are due, the oldest first.
pub(crate) async fn due(
    pool: &AnyPool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT event_id, body, attempts FROM webhook_events WHERE processed_at IS NULL \
         AND (next_attempt_at IS NULL OR next_attempt_at <= $1) ORDER BY event_id LIMIT $2",
    )
    .bind(instant(now))
    .bind(limit)
    .fetch_all(pool)
    .await
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
