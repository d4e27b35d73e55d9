//! Lodgings and rooms as clients see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::area;
use crate::availability::{Exceptions, NightStatus};
use crate::catalogue::{Lodging, Room};
use crate::kind::{BedType, LodgingType};
use crate::price::Night;
use crate::search::Offer;
use crate::stay::Stay;

/// Prices are in this currency.
const CURRENCY: &str = "KRW";

/// A lodging in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LodgingItem {
    #[schema(example = 93)]
    place_id: i64,
    place_type_code: LodgingType,
    #[schema(example = "호텔/리조트")]
    place_type_name: &'static str,
    place_name: String,
    area_code: i64,
    #[schema(example = "서울")]
    area_name: &'static str,
    address: String,
    /// Lowest price of the whole stay among the free rooms, in KRW; null when none is free.
    #[schema(example = 68200)]
    start_price: Option<i64>,
    /// Rooms that are free for the whole stay.
    #[schema(example = 7)]
    availability_room_count: usize,
}

/// A lodging with its rooms.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LodgingDetail {
    #[serde(flatten)]
    item: LodgingItem,
    latitude: f64,
    longitude: f64,
    description: String,
    #[schema(example = "15:00")]
    check_in_time: String,
    #[schema(example = "11:00")]
    check_out_time: String,
    #[schema(example = json!(["PARKING", "WIFI"]))]
    amenities: Vec<String>,
    #[schema(minimum = 1, maximum = 5)]
    grade: i64,
    status: Status,
    /// First night of the stay the rooms are shown for.
    #[schema(format = Date)]
    check_in: String,
    /// Day of leaving.
    #[schema(format = Date)]
    check_out: String,
    rooms: Vec<RoomDetail>,
}

/// Whether a lodging can be booked at all.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Open,
    Closed,
}

/// A room and its nights.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomDetail {
    #[schema(example = 921)]
    room_id: i64,
    place_id: i64,
    #[schema(minimum = 1, maximum = 10)]
    room_no: i64,
    room_name: String,
    bed_type: BedType,
    /// Persons it is made for.
    capacity: i64,
    /// Persons it takes at most.
    max_capacity: i64,
    /// Whether every night is open.
    available: bool,
    /// Price of all nights together.
    #[schema(example = 220_000)]
    total_amount: i64,
    #[schema(example = "KRW")]
    currency: &'static str,
    nights: Vec<RoomNight>,
}

/// One night in one room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomNight {
    #[schema(format = Date)]
    date: String,
    status: NightStatus,
    #[schema(example = 110_000)]
    price: i64,
}

impl LodgingItem {
    pub(crate) fn new(lodging: &Lodging, offer: Offer) -> Self {
        Self {
            place_id: lodging.place_id,
            place_type_code: lodging.kind,
            place_type_name: lodging.kind.facts().name,
            place_name: lodging.name.clone(),
            area_code: lodging.area_code,
            area_name: area::by_code(lodging.area_code).map_or("", |area| area.name),
            address: lodging.address.clone(),
            start_price: offer.start_price,
            availability_room_count: offer.free_rooms,
        }
    }
}

impl LodgingDetail {
    /// Shows `rooms` of a lodging.
    pub(crate) fn new(
        seed: u64,
        lodging: &Lodging,
        rooms: &[&Room],
        stay: Stay,
        exceptions: &Exceptions,
    ) -> Self {
        let rooms: Vec<_> = rooms
            .iter()
            .map(|room| RoomDetail::new(seed, lodging, room, stay, exceptions))
            .collect();
        let free = rooms.iter().filter(|room| room.available);
        let offer = Offer {
            start_price: free.clone().map(|room| room.total_amount).min(),
            free_rooms: free.count(),
        };
        Self {
            item: LodgingItem::new(lodging, offer),
            latitude: degrees(lodging.latitude_e6),
            longitude: degrees(lodging.longitude_e6),
            description: lodging.description.clone(),
            check_in_time: lodging.check_in_time.clone(),
            check_out_time: lodging.check_out_time.clone(),
            amenities: lodging.amenities.clone(),
            grade: lodging.grade,
            status: if lodging.is_open { Status::Open } else { Status::Closed },
            check_in: stay.check_in.to_string(),
            check_out: stay.check_out.to_string(),
            rooms,
        }
    }
}

impl RoomDetail {
    fn new(seed: u64, lodging: &Lodging, room: &Room, stay: Stay, exceptions: &Exceptions) -> Self {
        let is_sold = lodging.is_open && room.is_open;
        let nights: Vec<_> = stay
            .nights()
            .map(|night| {
                let date = night.to_string();
                let stored = exceptions.get(&(room.id, date.clone())).copied();
                let default = if is_sold { NightStatus::Open } else { NightStatus::Closed };
                let price = Night::new(night).price(seed, room.id, room.base_price);
                RoomNight { date, status: stored.unwrap_or(default), price }
            })
            .collect();
        Self {
            room_id: room.id,
            place_id: lodging.place_id,
            room_no: room.number,
            room_name: room.name.clone(),
            bed_type: room.bed,
            capacity: room.capacity,
            max_capacity: room.max_capacity,
            available: nights.iter().all(|night| night.status == NightStatus::Open),
            total_amount: nights.iter().map(|night| night.price).sum(),
            currency: CURRENCY,
            nights,
        }
    }
}

fn degrees(millionths: i64) -> f64 {
    f64::from(i32::try_from(millionths).unwrap_or_default()) / 1e6
}
