use jiff::civil::date;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;
use crate::price::Night;

const SAMPLE_NIGHT: Date = date(2025, 7, 18);

fn all(seed: u64) -> Vec<Lodging> {
    (1..=area::LODGINGS).map(|id| lodging(seed, id).unwrap()).collect()
}

/// One line a lodging, its rooms with the price and the state of one night.
fn export(seed: u64) -> String {
    let night = Night::new(SAMPLE_NIGHT);
    let lines = all(seed).into_iter().map(|lodging| {
        let rooms: Vec<_> = lodging
            .rooms
            .iter()
            .map(|room| {
                json!([
                    room.id,
                    room.number,
                    room.name,
                    room.bed.code(),
                    room.capacity,
                    room.max_capacity,
                    room.base_price,
                    night.price(seed, room.id, room.base_price),
                    is_closed_at_first(seed, lodging.place_id, room.id, SAMPLE_NIGHT)
                ])
            })
            .collect();
        let line = json!([
            lodging.place_id,
            lodging.kind.facts().code,
            lodging.area_code,
            lodging.name,
            lodging.address,
            lodging.latitude_e6,
            lodging.longitude_e6,
            lodging.description,
            lodging.check_in_time,
            lodging.check_out_time,
            lodging.amenities,
            lodging.grade,
            rooms
        ]);
        format!("{line}\n")
    });
    lines.collect()
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A-21 CM-07 CM-08 CM-09
#[test]
fn a_21_the_seed_decides_every_byte() {
    let once = export(DEFAULT_SEED);
    assert_eq!(checksum(&once), checksum(&export(DEFAULT_SEED)));
    assert_ne!(checksum(&once), checksum(&export(DEFAULT_SEED + 1)));
    assert_eq!(checksum(&once), "a6dfd6ba13fd68d450c49602eec29fbec655370c3a0751ca79c4c0ad45fdb7d9");
    assert_eq!(once.lines().count(), 3_000);
    let rooms = all(DEFAULT_SEED).iter().map(|lodging| lodging.rooms.len()).sum::<usize>();
    assert_eq!(rooms, 30_000);
}

/// CM-09
#[test]
fn cm_09_a_lodging_does_not_depend_on_others() {
    let alone = lodging(DEFAULT_SEED, 1234).unwrap();
    let mut backwards: Vec<_> =
        (1..=2000).rev().map(|id| lodging(DEFAULT_SEED, id).unwrap()).collect();
    backwards.retain(|lodging| lodging.place_id == 1234);
    assert_eq!(backwards, [alone]);
}

#[test]
fn ids_are_positive() {
    assert_eq!(lodging(DEFAULT_SEED, 0), None);
    assert_eq!(lodging(DEFAULT_SEED, -1), None);
}

#[test]
fn areas_and_types_have_their_shares() {
    let lodgings = all(DEFAULT_SEED);
    for area in area::ALL {
        let here = lodgings.iter().filter(|lodging| lodging.area_code == area.code);
        assert_eq!(i64::try_from(here.count()).unwrap(), area.lodgings, "{}", area.name);
    }
    for kind in LodgingType::ALL {
        let such = lodgings.iter().filter(|lodging| lodging.kind == *kind).count();
        assert_eq!(such, 3000 / 20 * kind.facts().share_of_20, "{kind:?}");
    }
}

#[test]
fn rooms_follow_the_rules_of_their_type() {
    for lodging in all(DEFAULT_SEED) {
        let facts = lodging.kind.facts();
        let (low, high) = facts.base_thousands;
        assert_eq!(lodging.rooms.len(), 10);
        for room in &lodging.rooms {
            assert!(facts.beds.contains(&room.bed), "{room:?}");
            assert!((low * 800..=high * 1600).contains(&room.base_price), "{room:?}");
            assert!((1..=6).contains(&room.capacity), "{room:?}");
            assert!(room.max_capacity >= room.capacity, "{room:?}");
            let name = format!("{}_{}_{}", lodging.name, room.bed.name(), room.number);
            assert_eq!(room.name, name);
        }
    }
}

#[test]
fn lodgings_lie_in_their_area() {
    for lodging in all(DEFAULT_SEED) {
        let area = area::by_code(lodging.area_code).unwrap();
        assert!((area.latitude_e6.0..=area.latitude_e6.1).contains(&lodging.latitude_e6));
        assert!((area.longitude_e6.0..=area.longitude_e6.1).contains(&lodging.longitude_e6));
        assert!(area.districts.iter().any(|district| lodging.name.contains(district)));
        assert!(lodging.address.starts_with(area.name));
    }
}

#[test]
fn about_eight_in_a_hundred_nights_are_closed_and_some_lodgings_whole() {
    let mut closed = 0;
    let mut whole = 0;
    for place_id in 1..=area::LODGINGS {
        let rooms = (place_id - 1) * 10 + 1..=place_id * 10;
        let here = rooms
            .filter(|room| is_closed_at_first(DEFAULT_SEED, place_id, *room, SAMPLE_NIGHT))
            .count();
        closed += here;
        whole += usize::from(here == 10);
    }
    assert!((2_250..=2_550).contains(&closed), "{closed} of 30000");
    assert!((5..=40).contains(&whole), "{whole} of 3000");
}
