//! Fills an empty store, once.
//!
//! Everything happens in one transaction that begins by writing the row which says that the store is
//! filled. A process that is killed in the middle leaves an empty store; of two that start at the
//! same time the second waits for the first and then finds the row. Operators can have it filled
//! anew.

use jiff::ToSpan;
use jiff::civil::Date;
use service::clock::Clock;
use service::code::Code;
use service::database::{Database, DatabaseError};
use service::stored;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row};

use crate::catalogue::{Catalogue, Lodging, Room};
use crate::generator;
use crate::random::ALGORITHM;

/// Bound values in one statement; `SQLite` takes 32,766, and longer statements are no faster.
const BINDS: usize = 4_000;

/// What is emptied: first what refers to others, in the order in which those who book take it.
const TABLES: &[&str] = &[
    "reservations",
    "room_nights",
    "reservation_nights",
    "reservations_history",
    "rooms",
    "lodgings",
    "data_set",
];

/// What an empty store is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// How many lodgings, ids from 1.
    pub(crate) lodgings: i64,
    /// For how many nights from today some rooms are closed.
    pub(crate) nights: i32,
}

type Statement<'q> = Query<'q, Any, AnyArguments>;

/// Fills the store unless it has been filled before.
pub(crate) async fn fill_once(
    database: &Database,
    plan: Plan,
    clock: &Clock,
) -> Result<(), DatabaseError> {
    if let Some(stored) = stored_seed(database).await? {
        if stored != plan.seed.to_string() {
            tracing::warn!(
                stored,
                asked = plan.seed,
                "CMS_SEED differs from the store's and is ignored"
            );
        }
        return Ok(());
    }
    let today = clock.today();
    let mut transaction = database.write().await?;
    if mark(&mut transaction, plan, clock, today).await? {
        fill(&mut transaction, plan, today).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Fills the store anew, and tells with what: nothing that was there is left, reservations included.
pub(crate) async fn refill(
    database: &Database,
    plan: Plan,
    clock: &Clock,
) -> Result<Catalogue, sqlx::Error> {
    let today = clock.today();
    let mut transaction = database.write().await?;
    // First of all, so that no batch runs meanwhile.
    sqlx::query("UPDATE batch SET tick = 0").execute(&mut *transaction).await?;
    database.empty(&mut transaction, TABLES).await?;
    mark(&mut transaction, plan, clock, today).await?;
    let catalogue = fill(&mut transaction, plan, today).await?;
    transaction.commit().await?;
    Ok(catalogue)
}

/// Says that the store is filled; whether that is new.
async fn mark(
    connection: &mut AnyConnection,
    plan: Plan,
    clock: &Clock,
    today: Date,
) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query(
        "INSERT INTO data_set (id, seed, generator, first_night, seeded_at) \
         VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(plan.seed.to_string())
    .bind(ALGORITHM)
    .bind(today.to_string())
    .bind(clock.now().to_string())
    .execute(connection)
    .await?;
    Ok(marked.rows_affected() == 1)
}

async fn fill(
    connection: &mut AnyConnection,
    plan: Plan,
    today: Date,
) -> Result<Catalogue, sqlx::Error> {
    let lodgings: Vec<_> =
        (1..=plan.lodgings).filter_map(|id| generator::lodging(plan.seed, id)).collect();
    tracing::info!(lodgings = lodgings.len(), "filling the store");
    write_lodgings(connection, &lodgings).await?;
    write_rooms(connection, &lodgings).await?;
    let nights = write_closed_nights(connection, &lodgings, plan, today).await?;
    tracing::info!(lodgings = lodgings.len(), closed_nights = nights, "the store is filled");
    Ok(Catalogue { seed: plan.seed, lodgings })
}

async fn stored_seed(database: &Database) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("SELECT seed FROM data_set WHERE id = 1");
    row.fetch_optional(database.pool()).await?.map(|row| row.try_get(0)).transpose()
}

async fn write_lodgings(
    connection: &mut AnyConnection,
    lodgings: &[Lodging],
) -> Result<(), sqlx::Error> {
    let columns = "lodgings (place_id, type_code, area_code, name, address, latitude_e6, \
                   longitude_e6, description, check_in_time, check_out_time, amenities, grade, status)";
    insert(connection, columns, 13, lodgings, |statement, lodging| {
        statement
            .bind(lodging.place_id)
            .bind(lodging.kind.facts().code)
            .bind(lodging.area_code)
            .bind(&lodging.name)
            .bind(&lodging.address)
            .bind(lodging.latitude_e6)
            .bind(lodging.longitude_e6)
            .bind(&lodging.description)
            .bind(&lodging.check_in_time)
            .bind(&lodging.check_out_time)
            .bind(lodging.amenities.join(","))
            .bind(lodging.grade)
            .bind(status(lodging.is_open))
    })
    .await
}

async fn write_rooms(
    connection: &mut AnyConnection,
    lodgings: &[Lodging],
) -> Result<(), sqlx::Error> {
    let columns = "rooms (place_id, room_id, room_no, name, bed_type, capacity, max_capacity, \
                   base_price, status)";
    let rooms: Vec<(i64, &Room)> = lodgings
        .iter()
        .flat_map(|lodging| lodging.rooms.iter().map(|room| (lodging.place_id, room)))
        .collect();
    insert(connection, columns, 9, &rooms, |statement, (place_id, room)| {
        statement
            .bind(*place_id)
            .bind(room.id)
            .bind(room.number)
            .bind(&room.name)
            .bind(room.bed.code())
            .bind(room.capacity)
            .bind(room.max_capacity)
            .bind(room.base_price)
            .bind(status(room.is_open))
    })
    .await
}

/// Night by night, which is the order of the key, and so that one night at a time is in memory.
async fn write_closed_nights(
    connection: &mut AnyConnection,
    lodgings: &[Lodging],
    plan: Plan,
    first: Date,
) -> Result<usize, sqlx::Error> {
    let mut written = 0;
    let last = first.saturating_add(plan.nights.days());
    for night in first.series(1.day()).take_while(|night| *night < last) {
        let closed: Vec<i64> = lodgings
            .iter()
            .flat_map(|lodging| lodging.rooms.iter().map(|room| (lodging.place_id, room.id)))
            .filter(|(place_id, room_id)| {
                generator::is_closed_at_first(plan.seed, *place_id, *room_id, night)
            })
            .map(|(_, room_id)| room_id)
            .collect();
        if closed.is_empty() {
            continue;
        }
        // Numbers of ours, not bound ones: a third of the time, and there are 200,000 of them.
        let rooms: Vec<_> = closed.iter().map(|room_id| format!("({room_id})")).collect();
        let text = format!(
            "INSERT INTO room_nights (night, room_id, status, version) \
             SELECT $1, column1, 'CLOSED', 1 FROM (VALUES {}) AS closed",
            rooms.join(", ")
        );
        let statement = sqlx::query(AssertSqlSafe(text)).bind(night.to_string()).persistent(false);
        statement.execute(&mut *connection).await?;
        written += closed.len();
    }
    Ok(written)
}

/// Writes many rows with few statements.
async fn insert<T>(
    connection: &mut AnyConnection,
    columns: &str,
    width: usize,
    rows: &[T],
    bind: impl for<'q> Fn(Statement<'q>, &'q T) -> Statement<'q>,
) -> Result<(), sqlx::Error> {
    for chunk in rows.chunks(BINDS / width) {
        let values = stored::rows(1, width, chunk.len());
        // Table and column names are constants, the rest are placeholders.
        let text = AssertSqlSafe(format!("INSERT INTO {columns} VALUES {values}"));
        let statement = chunk.iter().fold(sqlx::query(text), &bind);
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

fn status(is_open: bool) -> &'static str {
    if is_open { "OPEN" } else { "CLOSED" }
}

#[cfg(test)]
mod tests;
