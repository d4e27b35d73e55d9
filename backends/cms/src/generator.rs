//! Makes lodgings, rooms and closed nights out of a seed.
//!
//! Each is a function of the seed and its own id: lodging 1234 is the same whatever is made before
//! it and however many there are. Names are composed from words for nature and directions, the
//! district, the type and a number; any likeness to a business is chance.

use jiff::civil::Date;
use service::code::Code;

use crate::area::{self, Area};
use crate::catalogue::{Lodging, Room};
use crate::kind::{LodgingType, TypeFacts};
use crate::price::day_key;
use crate::random::{Kind, Stream};

/// Seed of the default data set.
pub(crate) const DEFAULT_SEED: u64 = 20_250_303;
/// Rooms of each lodging.
pub(crate) const ROOMS_PER_LODGING: i64 = 10;

const NATURE: &[&str] = &[
    "솔숲",
    "달빛",
    "바람",
    "물결",
    "노을",
    "이슬",
    "들꽃",
    "구름",
    "별빛",
    "은하",
    "단풍",
    "자작나무",
    "갈대",
    "모래",
    "안개",
    "햇살",
    "호수",
    "언덕",
    "바위",
    "샘물",
    "동백",
    "대숲",
    "눈꽃",
    "파도",
];
const DIRECTIONS: &[&str] = &["동쪽", "서쪽", "남쪽", "북쪽", "앞", "뒤", "위", "아래"];
const CHECK_IN: &[&str] = &["14:00", "15:00", "16:00"];
const CHECK_OUT: &[&str] = &["10:00", "11:00", "12:00"];
const AMENITIES: &[&str] = &[
    "WIFI",
    "PARKING",
    "BREAKFAST",
    "KITCHEN",
    "BARBECUE",
    "POOL",
    "SPA",
    "LAUNDRY",
    "PET_FRIENDLY",
    "AIR_CONDITIONING",
    "ELEVATOR",
    "FRONT_DESK_24H",
];
const FEWEST_AMENITIES: i64 = 3;

/// The lodging with this id, its rooms included; `None` unless the id is positive.
pub(crate) fn lodging(seed: u64, place_id: i64) -> Option<Lodging> {
    let key = u64::try_from(place_id).ok().filter(|id| *id > 0)?;
    let area = area::of_place(place_id)?;
    let kind = lodging_type(seed, key);
    let facts = kind.facts();
    let mut draw = Stream::of(seed, Kind::Lodging, key);
    let district = draw.pick(area.districts);
    let name = name(&mut draw, district, facts);
    let base = draw.between(facts.base_thousands.0, facts.base_thousands.1) * 1000;
    let address = address(&mut draw, area, district);
    let description = description(&mut draw, area, district, facts);
    let rooms = (1..=ROOMS_PER_LODGING).map(|no| room(seed, place_id, no, &name, base, facts));
    Some(Lodging {
        place_id,
        kind,
        area_code: area.code,
        rooms: rooms.collect(),
        name,
        address,
        latitude_e6: draw.between(area.latitude_e6.0, area.latitude_e6.1),
        longitude_e6: draw.between(area.longitude_e6.0, area.longitude_e6.1),
        description,
        check_in_time: draw.pick(CHECK_IN).to_owned(),
        check_out_time: draw.pick(CHECK_OUT).to_owned(),
        amenities: amenities(&mut draw),
        grade: draw.between(1, 5),
        is_open: true,
    })
}

/// Whether a room cannot be sold on a night when the data set is new: about 8 % of all nights, and
/// on some nights a whole lodging.
pub(crate) fn is_closed_at_first(seed: u64, place_id: i64, room_id: i64, night: Date) -> bool {
    let draw = |kind, id: i64| Stream::of(seed, kind, id.unsigned_abs()).on(day_key(night));
    draw(Kind::LodgingClosed, place_id).chance(6, 1000)
        || draw(Kind::RoomClosed, room_id).chance(75, 1000)
}

/// Types are dealt like cards, 20 at a time, so that the shares hold exactly and not only on
/// average.
fn lodging_type(seed: u64, place_id: u64) -> LodgingType {
    let position = place_id.saturating_sub(1);
    let mut cards: Vec<_> = LodgingType::ALL
        .iter()
        .flat_map(|kind| std::iter::repeat_n(*kind, kind.facts().share_of_20))
        .collect();
    Stream::of(seed, Kind::LodgingType, position / 20).shuffle(&mut cards);
    let card = usize::try_from(position % 20).ok().and_then(|at| cards.get(at).copied());
    card.unwrap_or(LodgingType::HotelResort)
}

fn name(draw: &mut Stream, district: &str, facts: &TypeFacts) -> String {
    let (nature, direction) = (draw.pick(NATURE), draw.pick(DIRECTIONS));
    let (word, number) = (draw.pick(facts.words), draw.between(1, 99));
    format!("{nature} {direction} {district} {word} {number}")
}

fn address(draw: &mut Stream, area: &Area, district: &str) -> String {
    let (street, number) = (draw.pick(NATURE), draw.between(1, 250));
    format!("{} {district} {street}길 {number}", area.name)
}

fn description(draw: &mut Stream, area: &Area, district: &str, facts: &TypeFacts) -> String {
    let (nature, minutes) = (draw.pick(NATURE), draw.between(2, 25));
    format!("{} {district}의 {}. {nature} 산책로까지 걸어서 {minutes}분.", area.name, facts.name)
}

fn amenities(draw: &mut Stream) -> Vec<String> {
    let mut all = AMENITIES.to_vec();
    draw.shuffle(&mut all);
    all.truncate(usize::try_from(draw.between(FEWEST_AMENITIES, 8)).unwrap_or_default());
    all.sort_unstable();
    all.into_iter().map(str::to_owned).collect()
}

fn room(
    seed: u64,
    place_id: i64,
    room_no: i64,
    lodging: &str,
    base: i64,
    facts: &TypeFacts,
) -> Room {
    let room_id = (place_id - 1) * ROOMS_PER_LODGING + room_no;
    let mut draw = Stream::of(seed, Kind::Room, room_id.unsigned_abs());
    let bed = draw.pick(facts.beds);
    let (fewest, most) = bed.capacities();
    let capacity = draw.between(fewest, most);
    Room {
        id: room_id,
        number: room_no,
        name: format!("{lodging}_{}_{room_no}", bed.name()),
        bed,
        capacity,
        max_capacity: capacity + draw.between(0, 2),
        // Whole hundreds, as prices of nights are.
        base_price: base * draw.between(80, 160) / 100 / 100 * 100,
        is_open: true,
    }
}

#[cfg(test)]
mod tests;
