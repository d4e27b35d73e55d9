//! The batch that opens and closes rooms at random, so that the CMS looks like one that lives.
//!
//! A tick draws from streams keyed by the seed and its number. It takes 0.5 % of the rooms and each of
//! their next 30 nights: an open one is closed with p = 0.02, a closed one opened with p = 0.25. With
//! p = 0.01 it closes all rooms of one lodging for one night. What is held or booked it never
//! touches: both statements hold only for the state they were drawn for. Whatever state a night is
//! in, it takes one number from its stream, so that a tick draws the same beside any bookings.
//!
//! Ticks follow each other, and each goes from night to night as those do who book: so they wait for
//! each other and not for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use prometheus::{IntCounterVec, Opts, Registry};
use serde::Serialize;
use service::metrics::register;
use service::problem::Problem;
use service::stored::{placeholders, rows};
use sqlx::{AnyConnection, AssertSqlSafe};
use tokio::time::interval;
use utoipa::ToSchema;

use crate::availability::{self, NightStatus};
use crate::bookings::Bookings;
use crate::catalogue::{Catalogue, Lodging};
use crate::random::{Kind, Stream};
use crate::stay::Stay;

/// One in so many rooms is looked at.
const ROOMS_PER_TICK: usize = 200;
const NIGHTS: i32 = 30;
/// Of a hundred open nights.
const CLOSES: u64 = 2;
/// Of a hundred closed ones.
const OPENS: u64 = 25;

/// The batch; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    bookings: Bookings,
    counter: IntCounterVec,
}

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Its number.
    pub(crate) tick: i64,
    /// Room-nights that were looked at.
    pub(crate) examined: u64,
    /// Those that were closed.
    pub(crate) closed: u64,
    /// Those that were opened.
    pub(crate) opened: u64,
    /// Those that are held or booked.
    pub(crate) skipped: u64,
    /// Holds whose deadline passed.
    pub(crate) expired: u64,
}

/// The room-nights that change, and what is known of them before they do.
#[derive(Debug, Default)]
struct Drawn {
    report: Report,
    nights: BTreeMap<Date, Change>,
}

/// The rooms that change for one night.
#[derive(Debug, Default)]
struct Change {
    open: Vec<i64>,
    close: Vec<i64>,
}

impl Batch {
    pub(crate) fn new(bookings: Bookings, registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = Opts::new("cms_batch_room_nights_total", "Room-nights the batch came by.");
        let counter = register(registry, IntCounterVec::new(opts, &["outcome"])?)?;
        Ok(Self { bookings, counter })
    }

    /// Ticks until it is dropped.
    pub(crate) async fn run(self, every: Duration) {
        let mut ticks = interval(every);
        // The first one comes at once; a start is no reason to change anything.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if let Err(problem) = self.tick(None).await {
                tracing::error!(?problem, "the batch did not run; once more at its next time");
            }
        }
    }

    /// Runs the next tick, or one by its number.
    pub(crate) async fn tick(&self, number: Option<i64>) -> Result<Report, Problem> {
        let expired = self.bookings.sweep().await?;
        let mut transaction = self.bookings.shared.database.write().await?;
        let tick = take_number(&mut transaction, number).await?;
        let catalogue = self.bookings.shelf.catalogue();
        let today = self.bookings.shared.clock.today();
        let Drawn { mut report, nights } = draw(&mut transaction, &catalogue, tick, today).await?;
        for (night, Change { open, close }) in &nights {
            report.opened += set_open(&mut transaction, *night, open).await?;
            report.closed += set_closed(&mut transaction, *night, close).await?;
        }
        transaction.commit().await?;
        report.expired = u64::try_from(expired).unwrap_or(u64::MAX);
        self.tell(report);
        Ok(report)
    }

    fn tell(&self, report: Report) {
        let Report { tick, examined, closed, opened, skipped, expired } = report;
        for (outcome, count) in
            [("examined", examined), ("closed", closed), ("opened", opened), ("skipped", skipped)]
        {
            self.counter.with_label_values(&[outcome]).inc_by(count);
        }
        tracing::info!(tick, examined, closed, opened, skipped, expired, "the batch ran");
    }
}

/// What a tick changes. It is read where it is written: whoever has the store for writing must not
/// wait for another connection.
async fn draw(
    connection: &mut AnyConnection,
    catalogue: &Catalogue,
    tick: i64,
    today: Date,
) -> Result<Drawn, sqlx::Error> {
    let mut stream = Stream::of(catalogue.seed, Kind::Batch, tick.unsigned_abs());
    let chosen = choose(&mut stream, catalogue);
    let stay = Stay { check_in: today, check_out: today.saturating_add(NIGHTS.days()) };
    let known = availability::exceptions(connection, stay, &chosen).await?;
    let mut drawn = Drawn { report: Report { tick, ..Report::default() }, ..Drawn::default() };
    for room in chosen {
        for night in stay.nights() {
            let number = stream.below(100);
            drawn.report.examined += 1;
            let status = known.get(&(room, night.to_string())).copied();
            match status.unwrap_or(NightStatus::Open) {
                NightStatus::Open if number < CLOSES => {
                    drawn.nights.entry(night).or_default().close.push(room);
                }
                NightStatus::Closed if number < OPENS => {
                    drawn.nights.entry(night).or_default().open.push(room);
                }
                NightStatus::Held | NightStatus::Booked => drawn.report.skipped += 1,
                NightStatus::Open | NightStatus::Closed => {}
            }
        }
    }
    if stream.chance(1, 100) {
        let lodgings: Vec<&Lodging> = catalogue.lodgings.iter().collect();
        let ahead = stream.between(0, i64::from(NIGHTS) - 1);
        let night = today.saturating_add(ahead.days());
        let rooms = stream.pick(&lodgings).rooms.iter().map(|room| room.id);
        drawn.nights.entry(night).or_default().close.extend(rooms);
    }
    Ok(drawn)
}

/// One in [`ROOMS_PER_TICK`] rooms, none of them twice.
fn choose(stream: &mut Stream, catalogue: &Catalogue) -> Vec<i64> {
    let all: Vec<i64> =
        catalogue.lodgings.iter().flat_map(|it| it.rooms.iter().map(|room| room.id)).collect();
    let wanted = (all.len() / ROOMS_PER_TICK).max(1).min(all.len());
    let mut chosen = BTreeSet::new();
    while chosen.len() < wanted {
        chosen.insert(stream.pick(&all));
    }
    chosen.into_iter().collect()
}

/// Waits until nobody else opens and closes rooms; nobody begins to before the transaction ends.
pub(crate) async fn take_turn(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    take_number(connection, Some(0)).await.map(drop)
}

/// The number of this tick; one that was not told is the next. Until the transaction ends no other
/// tick begins.
async fn take_number(
    connection: &mut AnyConnection,
    told: Option<i64>,
) -> Result<i64, sqlx::Error> {
    let step = i64::from(told.is_none());
    let next = sqlx::query_scalar("UPDATE batch SET tick = tick + $1 WHERE id = 1 RETURNING tick");
    let next = next.bind(step).fetch_one(connection).await?;
    Ok(told.unwrap_or(next))
}

/// Closes rooms for a night, if they are open; how many.
pub(crate) async fn set_closed(
    connection: &mut AnyConnection,
    night: Date,
    room_ids: &[i64],
) -> Result<u64, sqlx::Error> {
    if room_ids.is_empty() {
        return Ok(0);
    }
    let mut room_ids = room_ids.to_vec();
    room_ids.sort_unstable();
    room_ids.dedup();
    // Only placeholders are composed.
    let text = AssertSqlSafe(format!(
        "INSERT INTO room_nights (night, room_id, status, version) VALUES {} \
         ON CONFLICT (night, room_id) DO UPDATE SET status = 'CLOSED', \
         version = room_nights.version + 1 WHERE room_nights.status = 'OPEN'",
        rows(1, 4, room_ids.len())
    ));
    let mut insert = sqlx::query(text);
    for room in room_ids {
        insert = insert.bind(night.to_string()).bind(room).bind("CLOSED").bind(1_i64);
    }
    Ok(insert.execute(connection).await?.rows_affected())
}

/// Opens rooms for a night, if they are closed; how many.
pub(crate) async fn set_open(
    connection: &mut AnyConnection,
    night: Date,
    room_ids: &[i64],
) -> Result<u64, sqlx::Error> {
    if room_ids.is_empty() {
        return Ok(0);
    }
    let text = AssertSqlSafe(format!(
        "UPDATE room_nights SET status = 'OPEN', version = version + 1 \
         WHERE night = $1 AND status = 'CLOSED' AND room_id IN {}",
        placeholders(2, room_ids.len())
    ));
    let update = sqlx::query(text).bind(night.to_string());
    let update = room_ids.iter().fold(update, |update, room| update.bind(*room));
    Ok(update.execute(connection).await?.rows_affected())
}

#[cfg(test)]
mod tests;
