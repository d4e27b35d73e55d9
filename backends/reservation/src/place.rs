//! Lodgings and rooms as customers see them.

use serde::Serialize;
use utoipa::ToSchema;

/// A lodging in a list.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlaceItem {
    #[schema(example = 93)]
    pub(crate) place_id: i64,
    #[schema(example = "HOTEL_RESORT")]
    pub(crate) place_type_code: String,
    #[schema(example = "호텔/리조트")]
    pub(crate) place_type_name: String,
    pub(crate) place_name: String,
    pub(crate) area_code: i64,
    #[schema(example = "서울")]
    pub(crate) area_name: String,
    pub(crate) address: String,
    /// Lowest price of the whole stay among the free rooms, in KRW; null when none is free.
    #[schema(example = 68200)]
    pub(crate) start_price: Option<i64>,
    /// Rooms that are free for the whole stay.
    #[schema(example = 7)]
    pub(crate) availability_room_count: i64,
}

/// A lodging.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlaceDetail {
    #[serde(flatten)]
    pub(crate) place: PlaceItem,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) description: String,
    #[schema(example = "15:00")]
    pub(crate) check_in_time: String,
    #[schema(example = "11:00")]
    pub(crate) check_out_time: String,
    #[schema(example = json!(["PARKING", "WIFI"]))]
    pub(crate) amenities: Vec<String>,
    pub(crate) grade: i64,
    /// First night of the stay that the price is for.
    #[schema(format = Date)]
    pub(crate) check_in: String,
    /// Day of leaving.
    #[schema(format = Date)]
    pub(crate) check_out: String,
}

/// A room and its nights.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomDetail {
    #[schema(example = 921)]
    pub(crate) room_id: i64,
    pub(crate) place_id: i64,
    pub(crate) room_name: String,
    #[schema(example = "KING")]
    pub(crate) bed_type: String,
    /// Persons it is made for.
    pub(crate) capacity: i64,
    /// Persons it takes at most.
    pub(crate) max_capacity: i64,
    /// Whether every night is open.
    pub(crate) available: bool,
    /// Price of all nights together.
    #[schema(example = 220_000)]
    pub(crate) total_amount: i64,
    #[schema(example = "KRW")]
    pub(crate) currency: String,
    pub(crate) nights: Vec<Night>,
}

/// One night in one room.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Night {
    #[schema(format = Date)]
    pub(crate) date: String,
    pub(crate) status: NightStatus,
    /// In KRW.
    #[schema(example = 110_000)]
    pub(crate) price: i64,
}

/// Whether a room can be had for a night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum NightStatus {
    Open,
    Closed,
    Held,
    Booked,
}

/// A page of what was found.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) places: Vec<PlaceItem>,
    /// Where the next page begins, if there is one.
    pub(crate) next_cursor: Option<String>,
    /// How many there are on all pages, if that is known.
    pub(crate) total: Option<usize>,
}
