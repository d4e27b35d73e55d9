//! Types of lodging and of bed: codes, names, price ranges.

use serde::Serialize;
use service::code::Code;
use utoipa::ToSchema;

/// Type of a lodging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LodgingType {
    HotelResort,
    Motel,
    PensionPoolvilla,
    GuesthouseHanok,
    CampingGlamping,
}

/// What one sleeps in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum BedType {
    Single,
    Double,
    Twin,
    Queen,
    King,
    Family,
    Ondol,
    Dormitory,
    Site,
    GlampingTent,
    Caravan,
}

/// What a type of lodging has in common.
#[derive(Debug)]
pub(crate) struct TypeFacts {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// How many of 20 lodgings in a row are of this type.
    pub(crate) share_of_20: usize,
    /// Price of a night before any factor, in thousands of KRW.
    pub(crate) base_thousands: (i64, i64),
    pub(crate) beds: &'static [BedType],
    /// The word for it in a lodging's name.
    pub(crate) words: &'static [&'static str],
}

impl LodgingType {
    pub(crate) fn facts(self) -> &'static TypeFacts {
        use BedType::{
            Caravan, Dormitory, Double, Family, GlampingTent, King, Ondol, Queen, Single, Site,
            Twin,
        };
        match self {
            Self::HotelResort => &TypeFacts {
                code: "HOTEL_RESORT",
                name: "호텔/리조트",
                share_of_20: 5,
                base_thousands: (70, 380),
                beds: &[Single, Double, Twin, Queen, King, Family],
                words: &["호텔", "리조트"],
            },
            Self::Motel => &TypeFacts {
                code: "MOTEL",
                name: "모텔",
                share_of_20: 5,
                base_thousands: (35, 90),
                beds: &[Double, Twin],
                words: &["모텔"],
            },
            Self::PensionPoolvilla => &TypeFacts {
                code: "PENSION_POOLVILLA",
                name: "펜션/풀빌라",
                share_of_20: 5,
                base_thousands: (90, 450),
                beds: &[Double, Queen, Family, Ondol],
                words: &["펜션", "풀빌라"],
            },
            Self::GuesthouseHanok => &TypeFacts {
                code: "GUESTHOUSE_HANOK",
                name: "게스트하우스/한옥",
                share_of_20: 3,
                base_thousands: (25, 120),
                beds: &[Single, Dormitory, Ondol],
                words: &["게스트하우스", "한옥"],
            },
            Self::CampingGlamping => &TypeFacts {
                code: "CAMPING_GLAMPING",
                name: "캠핑/글램핑",
                share_of_20: 2,
                base_thousands: (50, 180),
                beds: &[Site, GlampingTent, Caravan],
                words: &["캠핑장", "글램핑"],
            },
        }
    }
}

impl BedType {
    /// Its name in a room's name.
    pub(crate) fn name(self) -> &'static str {
        self.facts().1
    }

    /// Fewest and most persons such a room is made for.
    pub(crate) fn capacities(self) -> (i64, i64) {
        self.facts().2
    }

    fn facts(self) -> (&'static str, &'static str, (i64, i64)) {
        match self {
            Self::Single => ("SINGLE", "싱글", (1, 1)),
            Self::Double => ("DOUBLE", "더블", (2, 2)),
            Self::Twin => ("TWIN", "트윈", (2, 3)),
            Self::Queen => ("QUEEN", "퀸", (2, 3)),
            Self::King => ("KING", "킹", (2, 4)),
            Self::Family => ("FAMILY", "패밀리", (4, 6)),
            Self::Ondol => ("ONDOL", "온돌", (2, 5)),
            Self::Dormitory => ("DORMITORY", "도미토리", (1, 1)),
            Self::Site => ("SITE", "사이트", (2, 6)),
            Self::GlampingTent => ("GLAMPING_TENT", "글램핑텐트", (2, 4)),
            Self::Caravan => ("CARAVAN", "카라반", (2, 5)),
        }
    }
}

impl Code for LodgingType {
    const ALL: &'static [Self] = &[
        Self::HotelResort,
        Self::Motel,
        Self::PensionPoolvilla,
        Self::GuesthouseHanok,
        Self::CampingGlamping,
    ];

    fn code(self) -> &'static str {
        self.facts().code
    }
}

impl Code for BedType {
    const ALL: &'static [Self] = &[
        Self::Single,
        Self::Double,
        Self::Twin,
        Self::Queen,
        Self::King,
        Self::Family,
        Self::Ondol,
        Self::Dormitory,
        Self::Site,
        Self::GlampingTent,
        Self::Caravan,
    ];

    fn code(self) -> &'static str {
        self.facts().0
    }
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn stored_codes_are_those_of_the_api() {
        check_codes::<LodgingType>();
        check_codes::<BedType>();
    }

    #[test]
    fn shares_add_up() {
        assert_eq!(LodgingType::ALL.iter().map(|kind| kind.facts().share_of_20).sum::<usize>(), 20);
    }
}
