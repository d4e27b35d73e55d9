//! Lodgings and rooms: what hardly ever changes while the service runs.
//!
//! The catalogue is read from the store once and kept in memory: a search by price has to look at
//! all 30,000 rooms, and only their availability changes. Another one takes its place when operators
//! have the store filled anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use service::database::DatabaseError;
use service::stored::{read, read_code};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use crate::kind::{BedType, LodgingType};

/// Every lodging, in the order of their ids, and the seed they were made from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Catalogue {
    pub(crate) seed: u64,
    pub(crate) lodgings: Vec<Lodging>,
}

/// The catalogue at hand; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shelf(Arc<ArcSwap<Catalogue>>);

/// A thing a customer can book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lodging {
    pub(crate) place_id: i64,
    pub(crate) kind: LodgingType,
    pub(crate) area_code: i64,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) latitude_e6: i64,
    pub(crate) longitude_e6: i64,
    pub(crate) description: String,
    pub(crate) check_in_time: String,
    pub(crate) check_out_time: String,
    pub(crate) amenities: Vec<String>,
    pub(crate) grade: i64,
    pub(crate) is_open: bool,
    pub(crate) rooms: Vec<Room>,
}

/// A bookable unit of one lodging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) id: i64,
    /// Position in the lodging, from 1.
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) bed: BedType,
    pub(crate) capacity: i64,
    pub(crate) max_capacity: i64,
    pub(crate) base_price: i64,
    pub(crate) is_open: bool,
}

impl Room {
    /// Whether so many persons fit in; any room fits when nobody said how many.
    pub(crate) fn takes(&self, guests: Option<i64>) -> bool {
        guests.is_none_or(|guests| self.max_capacity >= guests)
    }
}

impl Shelf {
    /// Puts the store's catalogue up.
    pub(crate) async fn open(pool: &AnyPool) -> Result<Self, DatabaseError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Catalogue::load(pool).await?))))
    }

    /// Puts another one up.
    pub(crate) fn put(&self, catalogue: Catalogue) {
        self.0.store(Arc::new(catalogue));
    }

    /// As it is now.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        self.0.load_full()
    }
}

impl Catalogue {
    /// Reads the whole catalogue.
    pub(crate) async fn load(pool: &AnyPool) -> Result<Self, DatabaseError> {
        let seed: String =
            sqlx::query_scalar("SELECT seed FROM data_set WHERE id = 1").fetch_one(pool).await?;
        let mut rooms: BTreeMap<i64, Vec<Room>> = BTreeMap::new();
        let rows = "SELECT place_id, room_id, room_no, name, bed_type, capacity, max_capacity, \
                    base_price, status FROM rooms ORDER BY room_id";
        for row in sqlx::query(rows).fetch_all(pool).await? {
            rooms.entry(row.try_get(0)?).or_default().push(room(&row)?);
        }
        let rows = "SELECT place_id, type_code, area_code, name, address, latitude_e6, \
                    longitude_e6, description, check_in_time, check_out_time, amenities, grade, \
                    status FROM lodgings ORDER BY place_id";
        let rows = sqlx::query(rows).fetch_all(pool).await?;
        let lodgings = rows.iter().map(|row| lodging(row, &mut rooms));
        Ok(Self { seed: read(&seed)?, lodgings: lodgings.collect::<Result<_, _>>()? })
    }

    /// The lodging with this id.
    pub(crate) fn find(&self, place_id: i64) -> Option<&Lodging> {
        let at = self.lodgings.binary_search_by_key(&place_id, |lodging| lodging.place_id).ok()?;
        self.lodgings.get(at)
    }

    /// The room with this id, and its lodging. Ids of rooms ascend from lodging to lodging.
    pub(crate) fn room(&self, room_id: i64) -> Option<(&Lodging, &Room)> {
        let is_before = |lodging: &Lodging| lodging.rooms.last().is_none_or(|it| it.id < room_id);
        let lodging = self.lodgings.get(self.lodgings.partition_point(is_before))?;
        let room = lodging.rooms.iter().find(|room| room.id == room_id)?;
        Some((lodging, room))
    }
}

fn room(row: &AnyRow) -> Result<Room, sqlx::Error> {
    Ok(Room {
        id: row.try_get(1)?,
        number: row.try_get(2)?,
        name: row.try_get(3)?,
        bed: read_code(&row.try_get::<String, _>(4)?)?,
        capacity: row.try_get(5)?,
        max_capacity: row.try_get(6)?,
        base_price: row.try_get(7)?,
        is_open: row.try_get::<String, _>(8)? == "OPEN",
    })
}

fn lodging(row: &AnyRow, rooms: &mut BTreeMap<i64, Vec<Room>>) -> Result<Lodging, sqlx::Error> {
    let place_id = row.try_get(0)?;
    let amenities: String = row.try_get(10)?;
    Ok(Lodging {
        place_id,
        kind: read_code(&row.try_get::<String, _>(1)?)?,
        area_code: row.try_get(2)?,
        name: row.try_get(3)?,
        address: row.try_get(4)?,
        latitude_e6: row.try_get(5)?,
        longitude_e6: row.try_get(6)?,
        description: row.try_get(7)?,
        check_in_time: row.try_get(8)?,
        check_out_time: row.try_get(9)?,
        amenities: amenities.split(',').map(str::to_owned).collect(),
        grade: row.try_get(11)?,
        is_open: row.try_get::<String, _>(12)? == "OPEN",
        rooms: rooms.remove(&place_id).unwrap_or_default(),
    })
}
