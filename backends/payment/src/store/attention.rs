//! Payments that somebody should look at.

use jiff::Timestamp;
use service::database::Database;
use service::stored::instant;
use sqlx::{AnyPool, FromRow};
use uuid::Uuid;

/// A payment with an alert.
#[derive(Debug, FromRow)]
pub(crate) struct AlertRow {
    pub(crate) payment_id: String,
    pub(crate) order_id: String,
    pub(crate) alert: String,
    pub(crate) status: String,
    pub(crate) total_amount: i64,
    pub(crate) balance_amount: i64,
    pub(crate) updated_at: String,
}

/// Those that nobody has cleared, the oldest first.
pub(crate) async fn list(pool: &AnyPool, limit: i64) -> Result<Vec<AlertRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT payment_id, order_id, alert, status, total_amount, balance_amount, updated_at \
         FROM payments WHERE alert IS NOT NULL ORDER BY updated_at, payment_id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Clears an alert and keeps what was said about it; whether there was one.
pub(crate) async fn clear(
    database: &Database,
    payment_id: Uuid,
    note: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let id = payment_id.to_string();
    let mut transaction = database.write().await?;
    let cleared: Option<(String, i64)> = sqlx::query_as(
        "UPDATE payments SET alert = NULL, version = version + 1 \
         WHERE payment_id = $1 AND alert IS NOT NULL RETURNING status, version",
    )
    .bind(id.clone())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((status, version)) = cleared else {
        transaction.rollback().await?;
        return Ok(false);
    };
    sqlx::query(
        "INSERT INTO payment_history (payment_id, seq, from_status, to_status, cause, actor, \
         note, at) VALUES ($1, $2, $3, $3, 'CLEARED', 'OPERATOR', $4, $5)",
    )
    .bind(id)
    .bind(version)
    .bind(status)
    .bind(note.to_owned())
    .bind(instant(now))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}
