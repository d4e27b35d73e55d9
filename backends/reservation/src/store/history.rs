//! What happened to a reservation, and what an operator has to look at.

use sqlx::{AnyConnection, AnyPool, FromRow};
use uuid::Uuid;

/// One thing that happened, in the caller's words.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) to: &'a str,
    pub(crate) cause: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) message_id: Option<String>,
    pub(crate) note: Option<&'a str>,
    pub(crate) at: &'a str,
}

/// One thing that happened.
#[derive(Debug, FromRow)]
pub(crate) struct EntryRow {
    pub(crate) seq: i64,
    pub(crate) from_status: Option<String>,
    pub(crate) to_status: String,
    pub(crate) cause: String,
    pub(crate) actor: String,
    pub(crate) message_id: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) at: String,
}

/// Something an operator has to look at.
#[derive(Debug, FromRow)]
pub(crate) struct AlertRow {
    pub(crate) reservation_id: String,
    pub(crate) kind: String,
    pub(crate) detail: String,
    pub(crate) created_at: String,
}

/// Writes down what happened; whoever does so has changed the reservation in the same transaction.
pub(crate) async fn add(
    connection: &mut AnyConnection,
    reservation_id: &str,
    entry: &Entry<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO reservation_history (reservation_id, seq, from_status, to_status, cause, \
         actor, message_id, note, at) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8 \
         FROM reservation_history WHERE reservation_id = $1",
    )
    .bind(reservation_id.to_owned())
    .bind(entry.from.map(str::to_owned))
    .bind(entry.to.to_owned())
    .bind(entry.cause.to_owned())
    .bind(entry.actor.to_owned())
    .bind(entry.message_id.clone())
    .bind(entry.note.map(str::to_owned))
    .bind(entry.at.to_owned())
    .execute(connection)
    .await
    .map(drop)
}

/// Everything that happened to a reservation, the earliest first.
pub(crate) async fn list(
    pool: &AnyPool,
    reservation_id: &str,
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT seq, from_status, to_status, cause, actor, message_id, note, at \
         FROM reservation_history WHERE reservation_id = $1 ORDER BY seq",
    )
    .bind(reservation_id.to_owned())
    .fetch_all(pool)
    .await
}

/// Tells operators of something, unless they were told already and have not cleared it.
pub(crate) async fn alert(
    connection: &mut AnyConnection,
    reservation_id: &str,
    (kind, detail): (&str, &str),
    now: &str,
) -> Result<bool, sqlx::Error> {
    let open: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM alerts WHERE reservation_id = $1 AND kind = $2 \
         AND cleared_at IS NULL",
    )
    .bind(reservation_id.to_owned())
    .bind(kind.to_owned())
    .fetch_one(&mut *connection)
    .await?;
    if open > 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO alerts (id, reservation_id, kind, detail, created_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(reservation_id.to_owned())
    .bind(kind.to_owned())
    .bind(detail.to_owned())
    .bind(now.to_owned())
    .execute(connection)
    .await?;
    Ok(true)
}

/// What operators were told and have not cleared, of one reservation or of all, the oldest first.
pub(crate) async fn open_alerts(
    pool: &AnyPool,
    reservation_id: Option<&str>,
    limit: i64,
) -> Result<Vec<AlertRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT reservation_id, kind, detail, created_at FROM alerts \
         WHERE cleared_at IS NULL AND reservation_id = COALESCE($1, reservation_id) \
         ORDER BY created_at, id LIMIT $2",
    )
    .bind(reservation_id.map(str::to_owned))
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Clears what operators were told of a reservation; how much it was.
pub(crate) async fn clear_alerts(
    connection: &mut AnyConnection,
    reservation_id: &str,
    note: &str,
    now: &str,
) -> Result<u64, sqlx::Error> {
    let cleared = sqlx::query(
        "UPDATE alerts SET cleared_at = $2, note = $3 \
         WHERE reservation_id = $1 AND cleared_at IS NULL",
    )
    .bind(reservation_id.to_owned())
    .bind(now.to_owned())
    .bind(note.to_owned())
    .execute(connection)
    .await?;
    Ok(cleared.rows_affected())
}
