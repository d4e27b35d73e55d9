//! What a relay asks of a service's store.

use jiff::Timestamp;
use service::stored::{instant, placeholders, read};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe};
use uuid::Uuid;

use crate::outbox::Pending;

pub(super) async fn is_anything_pending(
    connection: &mut AnyConnection,
) -> Result<bool, sqlx::Error> {
    let row: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM outbox WHERE published_at IS NULL LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Whether one of these messages is not published; one that is not there any more has been.
pub(super) async fn is_any_pending(pool: &AnyPool, ids: &[Uuid]) -> Result<bool, sqlx::Error> {
    if ids.is_empty() {
        return Ok(false);
    }
    let list = placeholders(1, ids.len());
    let statement = format!(
        "SELECT CAST(1 AS BIGINT) FROM outbox WHERE published_at IS NULL AND id IN {list} LIMIT 1"
    );
    let mut query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.to_string());
    }
    Ok(query.fetch_optional(pool).await?.is_some())
}

/// Marks a batch as published while the lease has this epoch; whether it has.
pub(super) async fn mark(
    connection: &mut AnyConnection,
    batch: &[Pending],
    (now, epoch): (Timestamp, &str),
) -> Result<bool, sqlx::Error> {
    let list = placeholders(3, batch.len());
    let statement = format!(
        "UPDATE outbox SET published_at = $1, attempts = attempts + 1 WHERE id IN {list}
         AND EXISTS (SELECT 1 FROM relay_lease WHERE relay_lease.id = 1 AND epoch = $2)"
    );
    let mut query = sqlx::query(AssertSqlSafe(statement)).bind(instant(now)).bind(epoch);
    for message in batch {
        query = query.bind(message.id.as_str());
    }
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn count_attempt(
    connection: &mut AnyConnection,
    batch: &[Pending],
) -> Result<(), sqlx::Error> {
    let list = placeholders(1, batch.len());
    let statement = format!("UPDATE outbox SET attempts = attempts + 1 WHERE id IN {list}");
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for message in batch {
        query = query.bind(message.id.as_str());
    }
    query.execute(connection).await.map(drop)
}

/// How many messages wait, and since when the oldest does.
pub(super) async fn waiting(pool: &AnyPool) -> Result<(i64, Option<Timestamp>), sqlx::Error> {
    let (count, oldest): (i64, Option<String>) =
        sqlx::query_as("SELECT COUNT(*), MIN(created_at) FROM outbox WHERE published_at IS NULL")
            .fetch_one(pool)
            .await?;
    Ok((count, oldest.as_deref().map(read).transpose()?))
}

/// Deletes what is old: published messages, counters of keys without messages, handled messages.
pub(super) async fn purge(
    pool: &AnyPool,
    published_before: Timestamp,
    handled_before: Timestamp,
) -> Result<(), sqlx::Error> {
    let (published_before, handled_before) = (instant(published_before), instant(handled_before));
    sqlx::query("DELETE FROM outbox WHERE published_at < $1")
        .bind(&published_before)
        .execute(pool)
        .await?;
    // A counter that is used meanwhile has a new date, and stays.
    sqlx::query(
        "DELETE FROM outbox_keys WHERE used_at < $1 AND NOT EXISTS
             (SELECT 1 FROM outbox WHERE outbox.record_key = outbox_keys.record_key)",
    )
    .bind(&published_before)
    .execute(pool)
    .await?;
    sqlx::query("DELETE FROM inbox WHERE created_at < $1")
        .bind(&handled_before)
        .execute(pool)
        .await
        .map(drop)
}
