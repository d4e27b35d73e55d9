//! Travels: found, made, given other days, deleted.

use jiff::Timestamp;
use jiff::civil::Date;
use messaging::payload::TravelEventKind;
use service::stored::instant;
use sqlx::any::AnyRow;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::{AnyConnection, Row};

use super::regions::{insert_regions, read_region};
use super::{Kind, Store, TravelKey, Writing, read, read_period};
use crate::period::Period;
use crate::refusal::Refusal;
use crate::travel::{Region, Travel};

/// No travel begins later.
const LATEST: &str = "9999-12-31";
const EARLIEST: &str = "0000-01-01";

/// Which travels of a member are listed: those with a day from `from` to `to`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    pub(crate) from: Option<Date>,
    pub(crate) to: Option<Date>,
}

/// The travel after which a list goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) start: Date,
    pub(crate) travel_id: i64,
}

/// A travel that is to be.
#[derive(Debug)]
pub(crate) struct NewTravel {
    pub(crate) name: Option<String>,
    pub(crate) period: Period,
    pub(crate) regions: Vec<String>,
}

impl Store {
    /// At most `limit` travels of a member, those that begin last first.
    pub(crate) async fn list(
        &self,
        member_id: i64,
        filter: Filter,
        after: Option<Position>,
        limit: i64,
    ) -> Result<Vec<Travel>, sqlx::Error> {
        let text = |date: Option<Date>, default: &str| {
            date.map_or_else(|| default.to_owned(), |date| date.to_string())
        };
        // One statement, so that every travel is shown with regions it had at the same time.
        let rows = sqlx::query(
            "SELECT travel.travel_id, travel_name, start_date, end_date, created_at, updated_at, \
             region_id, region_name, region_order \
             FROM (SELECT * FROM travels \
             WHERE member_id = $1 AND end_date >= $2 AND start_date <= $3 \
             AND (start_date < $4 OR (start_date = $4 AND travel_id < $5)) \
             ORDER BY start_date DESC, travel_id DESC LIMIT $6) AS travel \
             LEFT JOIN travel_regions ON travel_regions.travel_id = travel.travel_id \
             ORDER BY start_date DESC, travel.travel_id DESC, region_order",
        )
        .bind(member_id)
        .bind(text(filter.from, EARLIEST))
        .bind(text(filter.to, LATEST))
        .bind(text(after.map(|after| after.start), LATEST))
        .bind(after.map_or(i64::MAX, |after| after.travel_id))
        .bind(limit)
        .fetch_all(self.database.pool())
        .await?;
        collect(&rows)
    }

    pub(crate) async fn find(&self, key: TravelKey) -> Result<Travel, Refusal> {
        load(&mut *self.database.pool().acquire().await?, key).await
    }

    /// How often a travel has changed; whoever writes what it read before asks again with this.
    pub(crate) async fn version(&self, key: TravelKey) -> Result<i64, Refusal> {
        let query = "SELECT version FROM travels WHERE travel_id = $1 AND member_id = $2";
        let version = sqlx::query_scalar(query)
            .bind(key.travel_id)
            .bind(key.member_id)
            .fetch_optional(self.database.pool())
            .await?;
        version.ok_or(Refusal::NoTravel)
    }

    pub(crate) async fn create(&self, member_id: i64, new: NewTravel) -> Result<Travel, Refusal> {
        let mut writing = self.write().await?;
        writing.lock_calendar(member_id).await?;
        if let Err(refusal) = writing.check_free(member_id, new.period, None).await {
            drop(writing);
            let wanted = new.into_travel(self.clock.now());
            return Err(self.tell_refused(refusal, member_id, &wanted).await?);
        }
        let id = writing.next_id(Kind::Travel).await?;
        let now = writing.now();
        sqlx::query(
            "INSERT INTO travels (travel_id, member_id, travel_name, start_date, end_date, \
             version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
        )
        .bind(id)
        .bind(member_id)
        .bind(&new.name)
        .bind(new.period.first().to_string())
        .bind(new.period.last().to_string())
        .bind(now)
        .execute(writing.connection())
        .await
        .map_err(not_created)?;
        let regions = insert_regions(&mut writing, id, new.regions).await.map_err(not_created)?;
        let (created_at, updated_at) = (writing.now, writing.now);
        let NewTravel { name, period, .. } = new;
        let travel = Travel { id, name, period, regions, created_at, updated_at };
        writing.tell(TravelEventKind::Created, member_id, &travel).await?;
        writing.commit().await?;
        Ok(travel)
    }

    /// Gives the travel a name, or takes it away.
    pub(crate) async fn rename(&self, key: TravelKey, name: Option<&str>) -> Result<(), Refusal> {
        let renamed = sqlx::query(
            "UPDATE travels SET travel_name = $3, version = version + 1, updated_at = $4 \
             WHERE travel_id = $1 AND member_id = $2",
        )
        .bind(key.travel_id)
        .bind(key.member_id)
        .bind(name)
        .bind(instant(self.clock.now()))
        .execute(self.database.pool())
        .await?;
        if renamed.rows_affected() == 0 { Err(Refusal::NoTravel) } else { Ok(()) }
    }

    /// Gives the travel other days.
    pub(crate) async fn reschedule(&self, key: TravelKey, period: Period) -> Result<(), Refusal> {
        let mut writing = self.write().await?;
        writing.lock_calendar(key.member_id).await?;
        writing.lock_travel(key).await?;
        let free = writing.check_free(key.member_id, period, Some(key.travel_id)).await;
        if let Err(refusal) = free {
            let wanted = Travel { period, ..load(writing.connection(), key).await? };
            drop(writing);
            return Err(self.tell_refused(refusal, key.member_id, &wanted).await?);
        }
        writing.check_plans_within(key, period).await?;
        sqlx::query("UPDATE travels SET start_date = $2, end_date = $3 WHERE travel_id = $1")
            .bind(key.travel_id)
            .bind(period.first().to_string())
            .bind(period.last().to_string())
            .execute(writing.connection())
            .await?;
        Ok(writing.commit().await?)
    }

    /// Deletes the travel with its regions and plans.
    pub(crate) async fn delete(&self, key: TravelKey) -> Result<(), Refusal> {
        let deleted = sqlx::query("DELETE FROM travels WHERE travel_id = $1 AND member_id = $2")
            .bind(key.travel_id)
            .bind(key.member_id)
            .execute(self.database.pool())
            .await?;
        if deleted.rows_affected() == 0 { Err(Refusal::NoTravel) } else { Ok(()) }
    }
}

/// A travel with its regions.
pub(super) async fn load(
    connection: &mut AnyConnection,
    key: TravelKey,
) -> Result<Travel, Refusal> {
    let rows = sqlx::query(
        "SELECT travels.travel_id, travel_name, start_date, end_date, created_at, updated_at, \
         region_id, region_name, region_order \
         FROM travels LEFT JOIN travel_regions ON travel_regions.travel_id = travels.travel_id \
         WHERE travels.travel_id = $1 AND member_id = $2 ORDER BY region_order",
    )
    .bind(key.travel_id)
    .bind(key.member_id)
    .fetch_all(connection)
    .await?;
    collect(&rows)?.pop().ok_or(Refusal::NoTravel)
}

impl NewTravel {
    /// What it would have been.
    fn into_travel(self, now: Timestamp) -> Travel {
        let regions = self.regions.into_iter().zip(1..);
        let regions = regions.map(|(name, order)| Region { id: 0, name, order }).collect();
        let (created_at, updated_at) = (now, now);
        Travel { id: 0, name: self.name, period: self.period, regions, created_at, updated_at }
    }
}

impl Writing {
    /// Whether no travel of the member but `except` has a day of `period`.
    async fn check_free(
        &mut self,
        member_id: i64,
        period: Period,
        except: Option<i64>,
    ) -> Result<(), Refusal> {
        let other = sqlx::query(
            "SELECT travel_id, start_date, end_date FROM travels \
             WHERE member_id = $1 AND start_date <= $2 AND end_date >= $3 AND travel_id <> $4 \
             ORDER BY start_date LIMIT 1",
        )
        .bind(member_id)
        .bind(period.last().to_string())
        .bind(period.first().to_string())
        // Ids begin at 1.
        .bind(except.unwrap_or_default())
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = other else { return Ok(()) };
        Err(Refusal::Overlap { travel_id: row.try_get(0)?, period: period_of(&row)? })
    }

    /// Whether all plans of the travel have their day within `period`.
    async fn check_plans_within(&mut self, key: TravelKey, period: Period) -> Result<(), Refusal> {
        let outside = sqlx::query(
            "SELECT plan_date FROM travel_plans \
             WHERE travel_id = $1 AND (plan_date < $2 OR plan_date > $3) \
             ORDER BY plan_date LIMIT 1",
        )
        .bind(key.travel_id)
        .bind(period.first().to_string())
        .bind(period.last().to_string())
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = outside else { return Ok(()) };
        let day = read(&row, "plan_date")?;
        Err(Refusal::PlanOutOfRange { day, period })
    }
}

/// Rows the store refuses are a fault of ours with a name of its own; an outage is not.
fn not_created(error: sqlx::Error) -> Refusal {
    let kind = error.as_database_error().map(DatabaseError::kind);
    match kind {
        None | Some(ErrorKind::Other) => Refusal::Store(error),
        Some(_) => Refusal::NotCreated(error),
    }
}

/// Puts rows of one region each together; those of one travel come one after the other.
fn collect(rows: &[AnyRow]) -> Result<Vec<Travel>, sqlx::Error> {
    let mut travels: Vec<Travel> = Vec::new();
    for row in rows {
        let id = row.try_get("travel_id")?;
        if travels.last().is_none_or(|last| last.id != id) {
            travels.push(read_travel(row, id)?);
        }
        let has_region = row.try_get::<Option<i64>, _>("region_id")?.is_some();
        if let Some(travel) = travels.last_mut().filter(|_| has_region) {
            travel.regions.push(read_region(row)?);
        }
    }
    Ok(travels)
}

fn read_travel(row: &AnyRow, id: i64) -> Result<Travel, sqlx::Error> {
    Ok(Travel {
        id,
        name: row.try_get("travel_name")?,
        period: period_of(row)?,
        regions: Vec::new(),
        created_at: read(row, "created_at")?,
        updated_at: read(row, "updated_at")?,
    })
}

fn period_of(row: &AnyRow) -> Result<Period, sqlx::Error> {
    let date = |column| row.try_get::<String, _>(column);
    read_period(&date("start_date")?, &date("end_date")?)
}
