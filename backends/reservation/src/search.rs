//! What somebody looks for: the query parameters of the lodging list.

use jiff::civil::Date;
use serde::Serialize;
use service::code::{Code, codes};
use service::query::Query;
use utoipa::ToSchema;

use crate::stay::Stay;

const LAST_AREA: i64 = 16;
const MOST_GUESTS: i64 = 20;
const LONGEST_KEYWORD: usize = 50;

/// A page of which lodgings, in which order.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) area: Option<i64>,
    /// Any when empty.
    pub(crate) types: Vec<PlaceType>,
    pub(crate) keyword: Option<String>,
    /// Tonight unless told.
    pub(crate) stay: Option<Stay>,
    pub(crate) guests: Option<i64>,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
    pub(crate) available_only: bool,
    /// The newest first unless told.
    pub(crate) sort: Option<Sort>,
    pub(crate) size: usize,
    pub(crate) cursor: Option<String>,
}

/// Type of a lodging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PlaceType {
    HotelResort,
    Motel,
    PensionPoolvilla,
    GuesthouseHanok,
    CampingGlamping,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaceSort)]
pub(crate) enum Sort {
    #[serde(rename = "id,desc")]
    Newest,
    #[serde(rename = "price,asc")]
    Cheapest,
    #[serde(rename = "price,desc")]
    Dearest,
    #[serde(rename = "name,asc")]
    Name,
    #[serde(rename = "availability,desc")]
    MostRooms,
}

impl Search {
    /// Reads the parameters; faults are recorded in `query`.
    pub(crate) fn read(query: &mut Query, today: Date) -> Self {
        let area = read_number(query, "area", 0, LAST_AREA);
        let types = query.codes("type");
        let keyword =
            query.parse("keyword", format!("1 to {LONGEST_KEYWORD} characters"), |text| {
                (1..=LONGEST_KEYWORD).contains(&text.chars().count()).then(|| text.to_owned())
            });
        let stay = Stay::read(query, today);
        let guests = read_guests(query);
        let min_price = read_price(query, "minPrice");
        let max_price = read_price(query, "maxPrice");
        if let (Some(least), Some(most)) = (min_price, max_price)
            && least > most
        {
            query.reject("maxPrice", "must not be below minPrice", Some(most.to_string()));
        }
        let available_only =
            query.parse("availableOnly", "true or false", |text| text.parse().ok());
        Self {
            area,
            types,
            keyword,
            stay,
            guests,
            min_price,
            max_price,
            available_only: available_only.unwrap_or(false),
            sort: query.parse("sort", format!("one of {}", codes::<Sort>(" ")), Sort::by_code),
            size: query.size(),
            cursor: query.one("cursor"),
        }
    }
}

/// Reads how many persons a room must take; a fault is recorded in `query`.
pub(crate) fn read_guests(query: &mut Query) -> Option<i64> {
    read_number(query, "guests", 1, MOST_GUESTS)
}

fn read_number(query: &mut Query, name: &str, least: i64, most: i64) -> Option<i64> {
    query.parse(name, format!("a whole number from {least} to {most}"), |text| {
        text.parse().ok().filter(|number| (least..=most).contains(number))
    })
}

fn read_price(query: &mut Query, name: &str) -> Option<i64> {
    query.parse(name, "a whole number of KRW, 0 or more", |text| {
        text.parse().ok().filter(|price| *price >= 0)
    })
}

impl Code for PlaceType {
    const ALL: &'static [Self] = &[
        Self::HotelResort,
        Self::Motel,
        Self::PensionPoolvilla,
        Self::GuesthouseHanok,
        Self::CampingGlamping,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::HotelResort => "HOTEL_RESORT",
            Self::Motel => "MOTEL",
            Self::PensionPoolvilla => "PENSION_POOLVILLA",
            Self::GuesthouseHanok => "GUESTHOUSE_HANOK",
            Self::CampingGlamping => "CAMPING_GLAMPING",
        }
    }
}

impl Code for Sort {
    const ALL: &'static [Self] =
        &[Self::Newest, Self::Cheapest, Self::Dearest, Self::Name, Self::MostRooms];

    fn code(self) -> &'static str {
        match self {
            Self::Newest => "id,desc",
            Self::Cheapest => "price,asc",
            Self::Dearest => "price,desc",
            Self::Name => "name,asc",
            Self::MostRooms => "availability,desc",
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn codes_are_those_of_the_api() {
        check_codes::<PlaceType>();
        check_codes::<Sort>();
    }

    #[test]
    fn reads_every_parameter() {
        let text = "area=16&type=MOTEL&type=HOTEL_RESORT&keyword=%EB%B0%94%EB%8B%A4&guests=20\
                    &checkIn=2025-05-02&checkOut=2025-05-04&minPrice=0&maxPrice=0\
                    &availableOnly=true&sort=price,asc&size=100&cursor=abc";
        let mut query = Query::from_text(text).unwrap();
        let search = Search::read(&mut query, date(2025, 5, 1));
        query.finish().unwrap();
        assert_eq!(search.area, Some(16));
        assert_eq!(search.types, [PlaceType::Motel, PlaceType::HotelResort]);
        assert_eq!(search.keyword.as_deref(), Some("바다"));
        assert_eq!(search.stay.unwrap().check_out, date(2025, 5, 4));
        assert_eq!(
            (search.guests, search.min_price, search.max_price),
            (Some(20), Some(0), Some(0))
        );
        assert!(search.available_only);
        assert_eq!(search.sort, Some(Sort::Cheapest));
        assert_eq!((search.size, search.cursor.as_deref()), (100, Some("abc")));
    }
}
