//! The plans of a travel.

use std::collections::BTreeSet;

use jiff::civil::Date;
use service::stored::{placeholders, rows};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Kind, Store, TravelKey, Writing, read};
use crate::itinerary::{Slot, moved, renumbered};
use crate::period::Period;
use crate::plan::{Draft, Location, MOST_PLANS, Plan, Point};
use crate::refusal::Refusal;

const COLUMNS: &str = "plan_id, travel_id, location_name, longitude, latitude, location_category, \
                       location_address, location_road_address, location_telephone, plan_date, \
                       plan_order";

impl Store {
    /// The plans of a travel, of one day or of all, day by day in their order.
    pub(crate) async fn plans(
        &self,
        key: TravelKey,
        date: Option<Date>,
    ) -> Result<Vec<Plan>, Refusal> {
        self.version(key).await?;
        // Only column names are composed.
        let text = AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM travel_plans \
             WHERE travel_id = $1 AND ($2 = '' OR plan_date = $2) ORDER BY plan_date, plan_order"
        ));
        let rows = sqlx::query(text)
            .bind(key.travel_id)
            .bind(date.map_or_else(String::new, |date| date.to_string()))
            .fetch_all(self.database.pool())
            .await?;
        Ok(rows.iter().map(read_plan).collect::<Result<_, _>>()?)
    }

    pub(crate) async fn plan(&self, key: TravelKey, plan_id: i64) -> Result<Plan, Refusal> {
        self.version(key).await?;
        // Only column names are composed.
        let text = AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM travel_plans WHERE travel_id = $1 AND plan_id = $2"
        ));
        let row = sqlx::query(text)
            .bind(key.travel_id)
            .bind(plan_id)
            .fetch_optional(self.database.pool())
            .await?;
        Ok(read_plan(&row.ok_or(Refusal::NoPlan)?)?)
    }

    /// Adds a plan at the end of its day.
    pub(crate) async fn append_plan(&self, key: TravelKey, draft: Draft) -> Result<Plan, Refusal> {
        let mut writing = self.write().await?;
        let period = writing.lock_travel(key).await?;
        check_within(draft.date, period)?;
        let slots = writing.slots(key).await?;
        if slots.len() >= MOST_PLANS {
            return Err(Refusal::Full);
        }
        let plan = Plan {
            id: writing.next_id(Kind::Plan).await?,
            travel_id: key.travel_id,
            location: draft.location,
            date: draft.date,
            order: next_order(&slots, draft.date),
        };
        writing.insert_plan(&plan).await?;
        writing.commit().await?;
        Ok(plan)
    }

    /// Replaces what a plan says. On another day it comes last.
    pub(crate) async fn edit_plan(
        &self,
        key: TravelKey,
        plan_id: i64,
        draft: Draft,
    ) -> Result<(), Refusal> {
        let mut writing = self.write().await?;
        let period = writing.lock_travel(key).await?;
        let slots = writing.slots(key).await?;
        let plan = slots.iter().find(|slot| slot.id == plan_id).ok_or(Refusal::NoPlan)?;
        check_within(draft.date, period)?;
        let stays = plan.date == draft.date;
        let plan_order = if stays { plan.order } else { next_order(&slots, draft.date) };
        writing.update_plan(plan_id, &draft, plan_order).await?;
        if !stays {
            let others: Vec<_> = slots.into_iter().filter(|slot| slot.id != plan_id).collect();
            writing.renumber(&others).await?;
        }
        Ok(writing.commit().await?)
    }

    /// Deletes all of these plans, or none when one of them is not of this travel.
    pub(crate) async fn delete_plans(
        &self,
        key: TravelKey,
        plan_ids: &BTreeSet<i64>,
    ) -> Result<(), Refusal> {
        let mut writing = self.write().await?;
        writing.lock_travel(key).await?;
        // Only placeholders are composed.
        let text = AssertSqlSafe(format!(
            "DELETE FROM travel_plans WHERE travel_id = $1 AND plan_id IN {}",
            placeholders(2, plan_ids.len())
        ));
        let statement = sqlx::query(text).bind(key.travel_id);
        let statement = plan_ids.iter().fold(statement, |statement, id| statement.bind(*id));
        let deleted = statement.execute(writing.connection()).await?.rows_affected();
        if usize::try_from(deleted).ok() != Some(plan_ids.len()) {
            return Err(Refusal::NoPlan);
        }
        let left = writing.slots(key).await?;
        writing.renumber(&left).await?;
        Ok(writing.commit().await?)
    }

    /// Gives a plan another place on its day; the plans between move over.
    pub(crate) async fn move_plan(
        &self,
        key: TravelKey,
        plan_id: i64,
        plan_order: i64,
    ) -> Result<(), Refusal> {
        let mut writing = self.write().await?;
        writing.lock_travel(key).await?;
        let slots = writing.slots(key).await?;
        let plan = slots.iter().find(|slot| slot.id == plan_id).ok_or(Refusal::NoPlan)?;
        let is_same_day = |slot: &Slot| slot.date == plan.date;
        let day: Vec<_> = slots.iter().copied().filter(is_same_day).collect();
        let day = moved(&day, plan_id, plan_order).ok_or(Refusal::NoSuchPlace(day.len()))?;
        writing.renumber(&day).await?;
        Ok(writing.commit().await?)
    }

    /// Gives the plans of a day the order they come in; how many had another one.
    ///
    /// They were read when the travel had this `version`: if it has changed since, nothing is written.
    pub(crate) async fn reorder_plans(
        &self,
        key: TravelKey,
        version: i64,
        day: &[Slot],
    ) -> Result<u64, Refusal> {
        if renumbered(day).is_empty() {
            return Ok(0);
        }
        let mut writing = self.write().await?;
        let now = writing.now();
        let locked = sqlx::query(
            "UPDATE travels SET version = version + 1, updated_at = $3 \
             WHERE travel_id = $1 AND version = $2 AND member_id = $4",
        )
        .bind(key.travel_id)
        .bind(version)
        .bind(now)
        .bind(key.member_id)
        .execute(writing.connection())
        .await?;
        if locked.rows_affected() == 0 {
            return Err(Refusal::Concurrent);
        }
        let written = writing.renumber(day).await?;
        writing.commit().await?;
        Ok(written)
    }
}

impl Writing {
    /// Where the plans of a travel stand, day by day in their order.
    async fn slots(&mut self, key: TravelKey) -> Result<Vec<Slot>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT plan_id, plan_date, plan_order FROM travel_plans WHERE travel_id = $1 \
             ORDER BY plan_date, plan_order",
        )
        .bind(key.travel_id)
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(read_slot).collect()
    }

    /// Writes those orders that change when the plans come like this; how many there are.
    async fn renumber(&mut self, slots: &[Slot]) -> Result<u64, sqlx::Error> {
        let changed = renumbered(slots);
        if changed.is_empty() {
            return Ok(0);
        }
        let now = self.now();
        // Only placeholders are composed. Both dialects name the columns of a list of values so.
        let text = AssertSqlSafe(format!(
            "UPDATE travel_plans SET plan_order = changed.column2, version = version + 1, \
             updated_at = $1 FROM (VALUES {}) AS changed WHERE plan_id = changed.column1",
            rows(2, 2, changed.len())
        ));
        let statement = changed.iter().fold(sqlx::query(text).bind(now), |statement, slot| {
            statement.bind(slot.id).bind(slot.order)
        });
        Ok(statement.execute(self.connection()).await?.rows_affected())
    }

    async fn insert_plan(&mut self, plan: &Plan) -> Result<(), sqlx::Error> {
        let now = self.now();
        // Only column names are composed.
        let text = AssertSqlSafe(format!(
            "INSERT INTO travel_plans ({COLUMNS}, version, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12)"
        ));
        let location = &plan.location;
        sqlx::query(text)
            .bind(plan.id)
            .bind(plan.travel_id)
            .bind(&location.name)
            .bind(location.point.longitude.to_string())
            .bind(location.point.latitude.to_string())
            .bind(&location.category)
            .bind(&location.address)
            .bind(&location.road_address)
            .bind(&location.telephone)
            .bind(plan.date.to_string())
            .bind(plan.order)
            .bind(now)
            .execute(self.connection())
            .await
            .map(drop)
    }

    async fn update_plan(
        &mut self,
        plan_id: i64,
        draft: &Draft,
        plan_order: i64,
    ) -> Result<(), sqlx::Error> {
        let now = self.now();
        let location = &draft.location;
        sqlx::query(
            "UPDATE travel_plans SET location_name = $2, longitude = $3, latitude = $4, \
             location_category = $5, location_address = $6, location_road_address = $7, \
             location_telephone = $8, plan_date = $9, plan_order = $10, version = version + 1, \
             updated_at = $11 WHERE plan_id = $1",
        )
        .bind(plan_id)
        .bind(&location.name)
        .bind(location.point.longitude.to_string())
        .bind(location.point.latitude.to_string())
        .bind(&location.category)
        .bind(&location.address)
        .bind(&location.road_address)
        .bind(&location.telephone)
        .bind(draft.date.to_string())
        .bind(plan_order)
        .bind(now)
        .execute(self.connection())
        .await
        .map(drop)
    }
}

fn check_within(day: Date, period: Period) -> Result<(), Refusal> {
    if period.holds(day) { Ok(()) } else { Err(Refusal::PlanOutOfRange { day, period }) }
}

/// The place behind the last plan of a day.
fn next_order(slots: &[Slot], day: Date) -> i64 {
    let orders = slots.iter().filter(|slot| slot.date == day).map(|slot| slot.order);
    orders.max().unwrap_or_default() + 1
}

fn read_slot(row: &AnyRow) -> Result<Slot, sqlx::Error> {
    Ok(Slot {
        id: row.try_get("plan_id")?,
        date: read(row, "plan_date")?,
        order: row.try_get("plan_order")?,
    })
}

fn read_plan(row: &AnyRow) -> Result<Plan, sqlx::Error> {
    let location = Location {
        name: row.try_get("location_name")?,
        point: Point { longitude: read(row, "longitude")?, latitude: read(row, "latitude")? },
        category: row.try_get("location_category")?,
        address: row.try_get("location_address")?,
        road_address: row.try_get("location_road_address")?,
        telephone: row.try_get("location_telephone")?,
    };
    Ok(Plan {
        id: row.try_get("plan_id")?,
        travel_id: row.try_get("travel_id")?,
        location,
        date: read(row, "plan_date")?,
        order: row.try_get("plan_order")?,
    })
}
