//! Claims on the nights of a room, in the store.
//!
//! A night without a row is open. A room and a night have one row, so that a night is claimed once
//! whatever happens; each statement takes its rows in the order of their dates, so that stays that
//! overlap wait for each other instead of for ever. The nights of a reservation stand in a table of
//! their own besides, in which no night can be active twice.

use service::stored::rows;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::stay::Stay;

/// Claims every night of a stay for a reservation; how many could be had. One that is another
/// reservation's all the same is a unique violation.
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
    for night in &nights {
        insert = insert.bind(night).bind(room_id).bind("HELD").bind(external_id).bind(1_i64);
    }
    let held = insert.execute(&mut *connection).await?.rows_affected();
    if usize::try_from(held) == Ok(nights.len()) {
        note(connection, external_id, room_id, &nights).await?;
    }
    Ok(held)
}

async fn note(
    connection: &mut AnyConnection,
    external_id: &str,
    room_id: i64,
    nights: &[String],
) -> Result<(), sqlx::Error> {
    let text = AssertSqlSafe(format!(
        "INSERT INTO reservation_nights (external_id, night, room_id, is_active) VALUES {}",
        rows(1, 4, nights.len())
    ));
    let insert = nights.iter().fold(sqlx::query(text), |insert, night| {
        insert.bind(external_id).bind(night).bind(room_id).bind(1_i64)
    });
    insert.execute(connection).await.map(drop)
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
    set(connection, "OPEN", None, (external_id, room_id, stay)).await?;
    sqlx::query(
        "UPDATE reservation_nights SET is_active = 0 WHERE external_id = $1 AND is_active = 1",
    )
    .bind(external_id)
    .execute(connection)
    .await
    .map(drop)
}

/// The rows are there; they are written as if they were not, since an update takes its rows in
/// whatever order it finds them.
async fn set(
    connection: &mut AnyConnection,
    status: &str,
    holder: Option<&str>,
    (external_id, room_id, stay): (&str, i64, Stay),
) -> Result<(), sqlx::Error> {
    let nights: Vec<_> = stay.nights().map(|night| night.to_string()).collect();
    let text = AssertSqlSafe(format!(
        "INSERT INTO room_nights (night, room_id, status, reservation_id, version) VALUES {} \
         ON CONFLICT (night, room_id) DO UPDATE SET status = excluded.status, \
         reservation_id = excluded.reservation_id, version = room_nights.version + 1 \
         WHERE room_nights.reservation_id = ${}",
        rows(1, 5, nights.len()),
        nights.len() * 5 + 1
    ));
    let mut update = sqlx::query(text);
    for night in &nights {
        update = update.bind(night).bind(room_id).bind(status).bind(holder).bind(1_i64);
    }
    update.bind(external_id).execute(connection).await.map(drop)
}
