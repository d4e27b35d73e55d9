//! The travels in the store.
//!
//! Requests that meet wait for each other, always in this order of rows, so that none waits for one
//! that waits for it: the member's calendar, the travel, the last ids. What is read after the wait is
//! therefore what the faster one left.

mod events;
mod plans;
mod regions;
mod travels;

use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::Timestamp;
use service::clock::Clock;
use service::database::Database;
use service::stored::{self, instant, unreadable};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Row, Transaction};

pub(crate) use self::regions::Replaced;
pub(crate) use self::travels::{Filter, NewTravel, Position};
use crate::period::Period;
use crate::refusal::Refusal;

/// The store of this service; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
    clock: Clock,
}

/// Which travel, and whose it must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TravelKey {
    pub(crate) member_id: i64,
    pub(crate) travel_id: i64,
}

/// What ids are counted for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Travel,
    Region,
    Plan,
}

impl Store {
    pub(crate) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    async fn write(&self) -> Result<Writing, sqlx::Error> {
        Ok(Writing { transaction: self.database.write().await?, now: self.clock.now() })
    }
}

/// A transaction that writes, and the time it writes down.
struct Writing {
    transaction: Transaction<'static, Any>,
    now: Timestamp,
}

impl Writing {
    fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    fn now(&self) -> String {
        instant(self.now)
    }

    async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }

    /// Makes others that give a travel of this member its days wait until this is committed.
    async fn lock_calendar(&mut self, member_id: i64) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO calendars (member_id, version) VALUES ($1, 1) \
             ON CONFLICT (member_id) DO UPDATE SET version = calendars.version + 1",
        )
        .bind(member_id)
        .execute(self.connection())
        .await
        .map(drop)
    }

    /// Counts a change of the travel and makes others that change it wait until this is committed;
    /// its days.
    async fn lock_travel(&mut self, key: TravelKey) -> Result<Period, Refusal> {
        let now = self.now();
        let locked = sqlx::query(
            "UPDATE travels SET version = version + 1, updated_at = $3 \
             WHERE travel_id = $1 AND member_id = $2 RETURNING start_date, end_date",
        )
        .bind(key.travel_id)
        .bind(key.member_id)
        .bind(now)
        .fetch_optional(self.connection())
        .await?;
        let row = locked.ok_or(Refusal::NoTravel)?;
        Ok(read_period(&row.try_get::<String, _>(0)?, &row.try_get::<String, _>(1)?)?)
    }

    /// The next `count` ids. Others of this kind wait for them, so this comes late.
    async fn next_ids(
        &mut self,
        kind: Kind,
        count: i64,
    ) -> Result<RangeInclusive<i64>, sqlx::Error> {
        let last: i64 = sqlx::query_scalar(
            "UPDATE last_ids SET last_id = last_id + $1 WHERE kind = $2 RETURNING last_id",
        )
        .bind(count)
        .bind(kind.code())
        .fetch_one(self.connection())
        .await?;
        Ok(last - count + 1..=last)
    }

    async fn next_id(&mut self, kind: Kind) -> Result<i64, sqlx::Error> {
        Ok(*self.next_ids(kind, 1).await?.end())
    }
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Travel => "TRAVEL",
            Self::Region => "REGION",
            Self::Plan => "PLAN",
        }
    }
}

fn read_period(first: &str, last: &str) -> Result<Period, sqlx::Error> {
    let period = Period::new(stored::read(first)?, stored::read(last)?);
    period.ok_or_else(|| unreadable(format!("{first}..{last}")))
}

fn read<T: FromStr>(row: &AnyRow, column: &str) -> Result<T, sqlx::Error> {
    stored::read(&row.try_get::<String, _>(column)?)
}
