//! `SplitMix64`: the one source of everything that looks random in the data set.
//!
//! Every entity draws from a stream of its own, keyed by the seed, the kind of entity and its id, so
//! that it comes out the same whatever is made before it and however many there are. The algorithm
//! is written here and not taken from a crate because the data set must never change with an
//! upgrade.

/// Name of the algorithm, stored with the data set.
pub(crate) const ALGORITHM: &str = "splitmix64/1";

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a stream is for; the numbers are part of the data set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Lodging,
    LodgingType,
    Room,
    Price,
    RoomClosed,
    LodgingClosed,
    Batch,
}

impl Kind {
    fn number(self) -> u64 {
        match self {
            Self::Lodging => 1,
            Self::LodgingType => 2,
            Self::Room => 3,
            Self::Price => 4,
            Self::RoomClosed => 5,
            Self::LodgingClosed => 6,
            Self::Batch => 7,
        }
    }
}

/// A sequence of numbers that depends on its key only.
#[derive(Debug, Clone)]
pub(crate) struct Stream(u64);

impl Stream {
    /// The stream of one entity.
    pub(crate) fn of(seed: u64, kind: Kind, id: u64) -> Self {
        Self(mix(mix(mix(seed) ^ kind.number().wrapping_mul(GOLDEN)) ^ id))
    }

    /// The stream of this entity on one day.
    pub(crate) fn on(&self, day: u64) -> Self {
        Self(mix(self.0 ^ day.wrapping_mul(GOLDEN)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(bound)) >> 64;
        // The product of two 64-bit numbers shifted by 64 fits.
        u64::try_from(scaled).unwrap_or_default()
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1);
        let step = self.below(u64::try_from(width).unwrap_or_default());
        low.saturating_add_unsigned(step)
    }

    /// True in `share` of `of` cases.
    pub(crate) fn chance(&mut self, share: u64, of: u64) -> bool {
        self.below(of) < share
    }

    /// One of `choices`.
    #[expect(clippy::indexing_slicing, reason = "the choices are constants, none of them empty")]
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let bound = u64::try_from(choices.len()).unwrap_or(u64::MAX);
        choices[usize::try_from(self.below(bound)).unwrap_or_default()]
    }

    /// Puts `values` into another order.
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            values.swap(last, usize::try_from(self.below(bound)).unwrap_or_default());
        }
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_sequence() {
        let mut stream = Stream(1_234_567);
        let first: Vec<u64> = (0..5).map(|_| stream.next()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn keys_do_not_collide() {
        let first = |mut stream: Stream| stream.next();
        let room = Stream::of(1, Kind::Room, 7);
        assert_ne!(first(room.clone()), first(Stream::of(1, Kind::Price, 7)));
        assert_ne!(first(room.clone()), first(Stream::of(2, Kind::Room, 7)));
        assert_ne!(first(room.clone()), first(Stream::of(1, Kind::Room, 8)));
        assert_ne!(first(room.on(1)), first(room.on(2)));
    }

    #[test]
    fn stays_within_bounds() {
        let mut stream = Stream::of(1, Kind::Room, 1);
        for _ in 0..1000 {
            assert!((-3..=3).contains(&stream.between(-3, 3)));
        }
        assert_eq!(stream.below(0), 0);
    }
}
