//! The regions of a travel.

use service::stored::rows;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Kind, Store, TravelKey, Writing};
use crate::refusal::Refusal;
use crate::travel::Region;

/// What became of the regions a travel had.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// It had none; these are its first.
    Nothing(Vec<Region>),
    /// They gave way to others.
    Others,
}

impl Store {
    /// Gives the travel these regions and no others.
    pub(crate) async fn replace_regions(
        &self,
        key: TravelKey,
        names: Vec<String>,
    ) -> Result<Replaced, Refusal> {
        let mut writing = self.write().await?;
        writing.lock_travel(key).await?;
        let deleted = sqlx::query("DELETE FROM travel_regions WHERE travel_id = $1")
            .bind(key.travel_id)
            .execute(writing.connection())
            .await?;
        let regions = insert_regions(&mut writing, key.travel_id, names).await?;
        writing.commit().await?;
        let had_none = deleted.rows_affected() == 0;
        Ok(if had_none { Replaced::Nothing(regions) } else { Replaced::Others })
    }

    /// Takes a region away; those behind it move up.
    pub(crate) async fn remove_region(
        &self,
        key: TravelKey,
        region_id: i64,
    ) -> Result<(), Refusal> {
        let mut writing = self.write().await?;
        writing.lock_travel(key).await?;
        let deleted: Option<i64> = sqlx::query_scalar(
            "DELETE FROM travel_regions WHERE travel_id = $1 AND region_id = $2 \
             RETURNING region_order",
        )
        .bind(key.travel_id)
        .bind(region_id)
        .fetch_optional(writing.connection())
        .await?;
        let order = deleted.ok_or(Refusal::NoRegion)?;
        let left: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM travel_regions WHERE travel_id = $1")
                .bind(key.travel_id)
                .fetch_one(writing.connection())
                .await?;
        if left == 0 {
            return Err(Refusal::LastRegion);
        }
        sqlx::query(
            "UPDATE travel_regions SET region_order = region_order - 1 \
             WHERE travel_id = $1 AND region_order > $2",
        )
        .bind(key.travel_id)
        .bind(order)
        .execute(writing.connection())
        .await?;
        Ok(writing.commit().await?)
    }
}

/// Adds regions to a travel that has none, in this order.
pub(super) async fn insert_regions(
    writing: &mut Writing,
    travel_id: i64,
    names: Vec<String>,
) -> Result<Vec<Region>, sqlx::Error> {
    let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
    let ids = writing.next_ids(Kind::Region, count).await?;
    let numbered = ids.zip(1..).zip(names);
    let regions: Vec<_> = numbered.map(|((id, order), name)| Region { id, name, order }).collect();
    // Only placeholders are composed.
    let text = AssertSqlSafe(format!(
        "INSERT INTO travel_regions (travel_id, region_id, region_name, region_order) VALUES {}",
        rows(1, 4, regions.len())
    ));
    let statement = regions.iter().fold(sqlx::query(text), |statement, region| {
        statement.bind(travel_id).bind(region.id).bind(&region.name).bind(region.order)
    });
    statement.execute(writing.connection()).await?;
    Ok(regions)
}

pub(super) fn read_region(row: &AnyRow) -> Result<Region, sqlx::Error> {
    Ok(Region {
        id: row.try_get("region_id")?,
        name: row.try_get("region_name")?,
        order: row.try_get("region_order")?,
    })
}
