//! Which rooms are not open on which nights.
//!
//! Open is the default, so the store holds only the nights that are closed, held or booked.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use service::stored::{placeholders, read};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, Row};
use utoipa::ToSchema;

use crate::stay::Stay;

/// Whether a room can be sold for a night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum NightStatus {
    Open,
    Closed,
    Held,
    Booked,
}

/// The nights of one lodging that are not open, by room and date.
pub(crate) type Exceptions = HashMap<(i64, String), NightStatus>;

/// The rooms that cannot be had for a whole stay, among all there are.
pub(crate) async fn blocked(pool: &AnyPool, stay: Stay) -> Result<HashSet<i64>, sqlx::Error> {
    // Thousands of rooms as one text: rows come one by one, each through a queue.
    let rooms: Option<String> = sqlx::query_scalar(
        "SELECT string_agg(CAST(room_id AS TEXT), ',') FROM \
         (SELECT DISTINCT room_id FROM room_nights \
         WHERE night >= $1 AND night < $2 AND status <> 'OPEN') AS blocked",
    )
    .bind(stay.check_in.to_string())
    .bind(stay.check_out.to_string())
    .fetch_one(pool)
    .await?;
    let rooms = rooms.unwrap_or_default();
    rooms.split(',').filter(|id| !id.is_empty()).map(read).collect()
}

/// The nights on which some of `rooms` are not open.
pub(crate) async fn exceptions(
    executor: impl Executor<'_, Database = Any>,
    stay: Stay,
    rooms: &[i64],
) -> Result<Exceptions, sqlx::Error> {
    if rooms.is_empty() {
        return Ok(Exceptions::new());
    }
    let nights: Vec<_> = stay.nights().map(|night| night.to_string()).collect();
    // A list of nights and not a range, so that the key leads to each room of each night; a range
    // would visit every room. Only placeholders are composed.
    let text = AssertSqlSafe(format!(
        "SELECT room_id, night, status FROM room_nights \
         WHERE night IN {} AND room_id IN {} AND status <> 'OPEN'",
        placeholders(1, nights.len()),
        placeholders(nights.len() + 1, rooms.len())
    ));
    let mut query = sqlx::query(text);
    for night in nights {
        query = query.bind(night);
    }
    for room in rooms {
        query = query.bind(*room);
    }
    query.fetch_all(executor).await?.iter().map(exception).collect()
}

fn exception(row: &AnyRow) -> Result<((i64, String), NightStatus), sqlx::Error> {
    let status: String = row.try_get(2)?;
    let status = match status.as_str() {
        "HELD" => NightStatus::Held,
        "BOOKED" => NightStatus::Booked,
        // What is unknown must not be sold.
        _ => NightStatus::Closed,
    };
    Ok(((row.try_get(0)?, row.try_get(1)?), status))
}
