//! Claims on the nights of a room, in the store.
//!
//! A night without a row is open. A room and a night have one row, so that a night is claimed once
//! whatever happens; nights are written in the order of their dates, so that stays that overlap wait
//! for each other instead of for ever.

use service::stored::rows;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::stay::Stay;

/// Claims every night of a stay for a reservation; how many could be had.
pub(crate) async fn hold(
    connection: &mut AnyConnection,
    external_id: &str,
    room_id: i64,
    stay: Stay,
) -> Result<u64, sqlx::Error> {
    let nights: Vec<_> = stay.nights().map(|night| night.to_string()).collect();
    // Only placeholders are composed.
    let text = AssertSqlSafe(format!(
        "INSERT INTO room_nights (night, room_id, status, reservation_id, version) VALUES {} \
         ON CONFLICT (night, room_id) DO UPDATE SET status = 'HELD', \
         reservation_id = excluded.reservation_id, version = room_nights.version + 1 \
         WHERE room_nights.status = 'OPEN'",
        rows(1, 5, nights.len())
    ));
    let mut insert = sqlx::query(text);
    for night in nights {
        insert = insert.bind(night).bind(room_id).bind("HELD").bind(external_id).bind(1_i64);
    }
    Ok(insert.execute(connection).await?.rows_affected())
}

/// Turns the claims of a reservation into bookings.
pub(crate) async fn book(
    connection: &mut AnyConnection,
    external_id: &str,
    room_id: i64,
    stay: Stay,
) -> Result<(), sqlx::Error> {
    set(connection, "BOOKED", Some(external_id), (external_id, room_id, stay)).await
}

/// Lets the nights of a reservation go.
pub(crate) async fn free(
    connection: &mut AnyConnection,
    external_id: &str,
    room_id: i64,
    stay: Stay,
) -> Result<(), sqlx::Error> {
    set(connection, "OPEN", None, (external_id, room_id, stay)).await
}

async fn set(
    connection: &mut AnyConnection,
    status: &str,
    holder: Option<&str>,
    (external_id, room_id, stay): (&str, i64, Stay),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE room_nights SET status = $1, reservation_id = $2, version = version + 1 \
         WHERE room_id = $3 AND night >= $4 AND night < $5 AND reservation_id = $6",
    )
    .bind(status)
    .bind(holder)
    .bind(room_id)
    .bind(stay.check_in.to_string())
    .bind(stay.check_out.to_string())
    .bind(external_id)
    .execute(connection)
    .await
    .map(drop)
}
