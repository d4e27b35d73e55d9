//! What has to be done by now, and how things stand.

use sqlx::{AnyPool, FromRow};

/// A reservation whose time has come.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct DueRow {
    pub(crate) reservation_id: String,
    pub(crate) status: String,
    pub(crate) due_at: String,
}

/// How things stand, for whoever watches.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Reservations in each state that has one.
    pub(crate) states: Vec<(String, i64)>,
    pub(crate) steps_open: i64,
    pub(crate) refunds_open: i64,
    pub(crate) refunds_failed: i64,
    pub(crate) alerts: i64,
}

/// Reservations whose time has come, the longest overdue first.
pub(crate) async fn due(pool: &AnyPool, now: &str, limit: i64) -> Result<Vec<DueRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT reservation_id, status, due_at FROM reservations WHERE due_at <= $1 \
         ORDER BY due_at LIMIT $2",
    )
    .bind(now.to_owned())
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Puts a reservation's time off unless somebody else has; whether nobody had.
pub(crate) async fn put_off(pool: &AnyPool, row: &DueRow, next: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE reservations SET due_at = $3, version = version + 1 \
         WHERE reservation_id = $1 AND due_at = $2",
    )
    .bind(row.reservation_id.clone())
    .bind(row.due_at.clone())
    .bind(next.to_owned())
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts what whoever watches wants to know.
pub(crate) async fn counts(pool: &AnyPool) -> Result<Counts, sqlx::Error> {
    let count = async |text: &'static str| -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(text).fetch_one(pool).await
    };
    Ok(Counts {
        states: sqlx::query_as("SELECT status, COUNT(*) FROM reservations GROUP BY status")
            .fetch_all(pool)
            .await?,
        steps_open: count("SELECT COUNT(*) FROM saga_step WHERE state = 'OPEN'").await?,
        refunds_open: count(
            "SELECT COUNT(*) FROM reservations WHERE refund_status IN ('REQUESTED', 'FAILED')",
        )
        .await?,
        refunds_failed: count("SELECT COUNT(*) FROM reservations WHERE refund_status = 'FAILED'")
            .await?,
        alerts: count("SELECT COUNT(*) FROM alerts WHERE cleared_at IS NULL").await?,
    })
}
