//! The price of one room for one night: a pure function, so it is stored nowhere.
//!
//! | factor      | when                                              | value     |
//! |-------------|---------------------------------------------------|-----------|
//! | day         | Friday, Saturday, the eve of a fixed public holiday | 1.3     |
//! | season      | 15 July – 20 August, 24 December – 1 January      | 1.5       |
//! |             | March and November                                | 0.9       |
//! | jitter      | by room and date                                  | 0.95–1.05 |

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::random::{Kind, Stream};

/// Month and day of the public holidays that fall on the same date every year.
const HOLIDAYS: [(i8, i8); 8] =
    [(1, 1), (3, 1), (5, 5), (6, 6), (8, 15), (10, 3), (10, 9), (12, 25)];

/// What a night costs besides the room: worked out once for all rooms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Night {
    day: u64,
    day_percent: i64,
    season_percent: i64,
}

impl Night {
    pub(crate) fn new(date: Date) -> Self {
        Self {
            day: day_key(date),
            day_percent: if is_dear_day(date) { 130 } else { 100 },
            season_percent: season_percent(date),
        }
    }

    /// What a room with this base price costs, in KRW, to the next 100.
    pub(crate) fn price(self, seed: u64, room_id: i64, base_price: i64) -> i64 {
        let room = u64::try_from(room_id).unwrap_or_default();
        let jitter = Stream::of(seed, Kind::Price, room).on(self.day).between(9_500, 10_500);
        let exact = base_price * self.day_percent * self.season_percent * jitter;
        (exact + 5_000_000_000) / 10_000_000_000 * 100
    }
}

/// A date as a number, for keys.
pub(crate) fn day_key(date: Date) -> u64 {
    let number =
        i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day());
    number.unsigned_abs()
}

fn is_dear_day(date: Date) -> bool {
    let is_eve =
        date.checked_add(1.day()).is_ok_and(|next| HOLIDAYS.contains(&(next.month(), next.day())));
    is_eve || matches!(date.weekday(), Weekday::Friday | Weekday::Saturday)
}

fn season_percent(date: Date) -> i64 {
    match (date.month(), date.day()) {
        (7, 15..) | (8, ..=20) | (12, 24..) | (1, 1) => 150,
        (3 | 11, _) => 90,
        _ => 100,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[track_caller]
    fn check_range(date: Date, low: i64, high: i64) {
        let night = Night::new(date);
        for room_id in 1..2_000 {
            let price = night.price(1, room_id, 100_000);
            assert!((low..=high).contains(&price) && price % 100 == 0, "{date}: {price}");
        }
    }

    #[test]
    fn a_plain_night_costs_the_base_price() {
        check_range(date(2025, 5, 13), 95_000, 105_000);
    }

    #[test]
    fn weekends_and_eves_cost_more() {
        check_range(date(2025, 5, 16), 123_500, 136_500);
        check_range(date(2025, 5, 17), 123_500, 136_500);
        check_range(date(2025, 6, 5), 123_500, 136_500);
        check_range(date(2025, 5, 18), 95_000, 105_000);
    }

    #[test]
    fn seasons_begin_and_end_on_their_days() {
        let seasons = [(7, 14), (7, 15), (8, 20), (8, 21), (12, 23), (12, 24), (1, 1), (1, 2)];
        let percents = seasons.map(|(month, day)| season_percent(date(2025, month, day)));
        assert_eq!(percents, [100, 150, 150, 100, 100, 150, 150, 100]);
        assert_eq!(season_percent(date(2025, 3, 31)), 90);
        assert_eq!(season_percent(date(2025, 11, 1)), 90);
    }

    #[test]
    fn the_same_room_and_night_always_cost_the_same() {
        let night = Night::new(date(2025, 5, 13));
        assert_eq!(night.price(20_250_303, 921, 110_000), night.price(20_250_303, 921, 110_000));
        assert_ne!(night.price(20_250_303, 921, 110_000), night.price(20_250_304, 921, 110_000));
    }
}
