//! The query parameters of the lodging list.

use jiff::civil::Date;
use service::query::Query;

use crate::area;
use crate::search::{Field, Filter, Sort};
use crate::stay::Stay;

/// What a cursor is bound to: everything but the page.
pub(crate) const FILTER: &[&str] = &[
    "area",
    "type",
    "keyword",
    "checkIn",
    "checkOut",
    "guests",
    "minPrice",
    "maxPrice",
    "availableOnly",
    "sort",
];

const LONGEST_KEYWORD: usize = 50;

/// Reads the filter; faults are recorded in `query`.
pub(crate) fn read(query: &mut Query, today: Date) -> Filter {
    let last_area = area::ALL.last().map_or(0, |area| area.code);
    let area = query.parse("area", format!("an area code from 0 to {last_area}"), |text| {
        text.parse().ok().filter(|code| area::by_code(*code).is_some())
    });
    let kinds = query.codes("type");
    let keyword = query.parse("keyword", "1 to 50 characters", |text| {
        let is_fine = (1..=LONGEST_KEYWORD).contains(&text.chars().count());
        is_fine.then(|| text.to_lowercase())
    });
    let guests = read_guests(query);
    let min_price = read_price(query, "minPrice");
    let max_price = read_price(query, "maxPrice");
    if let (Some(least), Some(most)) = (min_price, max_price)
        && least > most
    {
        query.reject("maxPrice", "must not be below minPrice", Some(most.to_string()));
    }
    let available_only =
        query.parse("availableOnly", "true or false", |text| text.parse().ok()).unwrap_or(false);
    let sort = query.parse(
        "sort",
        "id, price, name or availability, then a comma and asc or desc",
        read_sort,
    );
    Filter {
        area,
        kinds,
        keyword,
        guests,
        min_price,
        max_price,
        available_only,
        stay: Stay::read(query, today),
        sort: sort.unwrap_or(Sort { field: Field::Id, is_descending: true }),
    }
}

/// Reads how many persons a room must take; a fault is recorded in `query`.
pub(crate) fn read_guests(query: &mut Query) -> Option<i64> {
    query.parse("guests", "a whole number from 1 to 20", |text| {
        text.parse().ok().filter(|guests| (1..=20).contains(guests))
    })
}

fn read_price(query: &mut Query, name: &str) -> Option<i64> {
    query.parse(name, "a whole number of KRW, 0 or more", |text| {
        text.parse().ok().filter(|price| *price >= 0)
    })
}

fn read_sort(text: &str) -> Option<Sort> {
    let (field, direction) = text.split_once(',')?;
    let field = match field {
        "id" => Field::Id,
        "price" => Field::Price,
        "name" => Field::Name,
        "availability" => Field::Availability,
        _ => return None,
    };
    let is_descending = match direction {
        "asc" => false,
        "desc" => true,
        _ => return None,
    };
    Some(Sort { field, is_descending })
}
