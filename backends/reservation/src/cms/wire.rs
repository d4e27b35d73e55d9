//! What the CMS says, in its own terms; only the members that this service needs.

use serde::Deserialize;

use crate::place;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    payload: Vec<Lodging>,
    page: Page,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    next_cursor: Option<String>,
    total_count: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lodging {
    place_id: i64,
    place_type_code: String,
    place_type_name: String,
    place_name: String,
    area_code: i64,
    area_name: String,
    address: String,
    start_price: Option<i64>,
    availability_room_count: i64,
}

/// One lodging with its rooms.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    #[serde(flatten)]
    lodging: Lodging,
    latitude: f64,
    longitude: f64,
    description: String,
    check_in_time: String,
    check_out_time: String,
    amenities: Vec<String>,
    grade: i64,
    check_in: String,
    check_out: String,
    rooms: Vec<LodgingRoom>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LodgingRoom {
    room_id: i64,
    place_id: i64,
    room_name: String,
    bed_type: String,
    capacity: i64,
    max_capacity: i64,
    available: bool,
    total_amount: i64,
    currency: String,
    nights: Vec<Night>,
}

#[derive(Debug, Deserialize)]
struct Night {
    date: String,
    status: NightStatus,
    price: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NightStatus {
    Open,
    Held,
    Booked,
    /// Or a state this version does not know, which must not be sold either.
    #[serde(other)]
    Closed,
}

impl From<Listed> for place::Found {
    fn from(Listed { payload, page }: Listed) -> Self {
        Self {
            places: payload.into_iter().map(place::PlaceItem::from).collect(),
            next_cursor: page.next_cursor,
            total: page.total_count,
        }
    }
}

impl From<Lodging> for place::PlaceItem {
    fn from(lodging: Lodging) -> Self {
        Self {
            place_id: lodging.place_id,
            place_type_code: lodging.place_type_code,
            place_type_name: lodging.place_type_name,
            place_name: lodging.place_name,
            area_code: lodging.area_code,
            area_name: lodging.area_name,
            address: lodging.address,
            start_price: lodging.start_price,
            availability_room_count: lodging.availability_room_count,
        }
    }
}

impl From<Shown> for (place::PlaceDetail, Vec<place::RoomDetail>) {
    fn from(shown: Shown) -> Self {
        let detail = place::PlaceDetail {
            place: shown.lodging.into(),
            latitude: shown.latitude,
            longitude: shown.longitude,
            description: shown.description,
            check_in_time: shown.check_in_time,
            check_out_time: shown.check_out_time,
            amenities: shown.amenities,
            grade: shown.grade,
            check_in: shown.check_in,
            check_out: shown.check_out,
        };
        (detail, shown.rooms.into_iter().map(place::RoomDetail::from).collect())
    }
}

impl From<LodgingRoom> for place::RoomDetail {
    fn from(room: LodgingRoom) -> Self {
        Self {
            room_id: room.room_id,
            place_id: room.place_id,
            room_name: room.room_name,
            bed_type: room.bed_type,
            capacity: room.capacity,
            max_capacity: room.max_capacity,
            available: room.available,
            total_amount: room.total_amount,
            currency: room.currency,
            nights: room.nights.into_iter().map(place::Night::from).collect(),
        }
    }
}

impl From<Night> for place::Night {
    fn from(Night { date, status, price }: Night) -> Self {
        let status = match status {
            NightStatus::Open => place::NightStatus::Open,
            NightStatus::Held => place::NightStatus::Held,
            NightStatus::Booked => place::NightStatus::Booked,
            NightStatus::Closed => place::NightStatus::Closed,
        };
        Self { date, status, price }
    }
}
