//! A travel and the regions it leads to.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use service::check::Check;
use service::clock::stamp;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use crate::period::{Period, Status};

/// Regions that a derived title names; the others are counted.
const NAMED: usize = 3;
const LONGEST_NAME: usize = 60;
const LONGEST_REGION: usize = 100;
/// More than any travel needs, and few enough for one statement.
const MOST_REGIONS: usize = 100;

/// A travel as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Travel {
    pub(crate) id: i64,
    /// Given by the owner; otherwise the title is derived.
    pub(crate) name: Option<String>,
    pub(crate) period: Period,
    /// In their order.
    pub(crate) regions: Vec<Region>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A city or an area that a travel leads to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Region {
    #[serde(rename = "regionId")]
    #[schema(minimum = 1, example = 12)]
    pub(crate) id: i64,
    #[serde(rename = "regionName")]
    #[schema(example = "서울")]
    pub(crate) name: String,
    /// Position among the regions of the travel, from 1.
    #[serde(rename = "regionOrder")]
    #[schema(minimum = 1)]
    pub(crate) order: i64,
}

/// A travel as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TravelDetail {
    #[schema(minimum = 1, example = 5)]
    travel_id: i64,
    /// The name the owner gave, if any.
    travel_name: Option<String>,
    /// That name, or one made from the regions.
    #[schema(example = "서울, 부산, 제주 외 2곳 여행")]
    title: String,
    /// First day.
    #[schema(format = Date)]
    start_date: String,
    /// Last day.
    #[schema(format = Date)]
    end_date: String,
    status: Status,
    /// Days until the first day, as in "D-3"; null unless the travel is upcoming.
    #[schema(minimum = 1, example = 3)]
    d_day: Option<i32>,
    regions: Vec<Region>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl Travel {
    /// What the travel is called.
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| derived_title(&self.regions))
    }

    /// Shows the travel as of `today`.
    pub(crate) fn into_detail(self, today: Date) -> TravelDetail {
        TravelDetail {
            travel_id: self.id,
            title: self.title(),
            travel_name: self.name,
            start_date: self.period.first().to_string(),
            end_date: self.period.last().to_string(),
            status: self.period.status(today),
            d_day: self.period.days_left(today),
            regions: self.regions,
            created_at: stamp(self.created_at),
            updated_at: stamp(self.updated_at),
        }
    }
}

fn derived_title(regions: &[Region]) -> String {
    let names: Vec<&str> = regions.iter().take(NAMED).map(|region| region.name.as_str()).collect();
    let names = names.join(", ");
    match regions.len().saturating_sub(NAMED) {
        _ if names.is_empty() => "여행".to_owned(),
        0 => format!("{names} 여행"),
        more => format!("{names} 외 {more}곳 여행"),
    }
}

/// Reads the name of a travel; an empty one is none. A fault is recorded in `check`.
pub(crate) fn read_name(check: &mut Check, value: Option<&str>) -> Option<String> {
    let value = value.filter(|value| !value.is_empty());
    let name = check.optional_text("travelName", value, 1..=LONGEST_NAME)?;
    visible(check, "travelName", name)
}

/// Reads the names of the regions in their order; faults are recorded in `check`.
pub(crate) fn read_regions(check: &mut Check, names: Option<Vec<String>>) -> Option<Vec<String>> {
    let names = check.required("regionNames", names)?;
    if !(1..=MOST_REGIONS).contains(&names.len()) {
        let reason = format!("must have 1 to {MOST_REGIONS} names");
        check.reject("regionNames", reason, Some(format!("{} names", names.len())));
        return None;
    }
    let names = names.into_iter().enumerate().map(|(at, name)| {
        let field = format!("regionNames[{at}]");
        let name = check.text(&field, Some(&name), 1..=LONGEST_REGION)?;
        visible(check, &field, name)
    });
    // All of them, so that every fault is told.
    let names: Vec<_> = names.collect();
    names.into_iter().collect()
}

/// The names of the regions as a body has them.
pub(crate) fn regions_schema() -> Array {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LONGEST_REGION))
        .description(Some("Not blank"))
        .examples(["서울"]);
    ArrayBuilder::new()
        .items(name)
        .min_items(Some(1))
        .max_items(Some(MOST_REGIONS))
        .description(Some("In the order they are visited"))
        .build()
}

/// A text that shows when it is printed; a fault is recorded in `check`.
pub(crate) fn visible(check: &mut Check, field: &str, text: String) -> Option<String> {
    if text.trim().is_empty() {
        check.reject(field, "must not be blank", Some(text));
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_title(names: &[&str], title: &str) {
        let regions: Vec<_> = (1..)
            .zip(names)
            .map(|(order, name)| Region { id: order, name: (*name).to_owned(), order })
            .collect();
        assert_eq!(derived_title(&regions), title);
    }

    #[test]
    fn a_title_names_three_regions_and_counts_the_others() {
        check_title(&["서울"], "서울 여행");
        check_title(&["서울", "부산", "제주"], "서울, 부산, 제주 여행");
        check_title(&["서울", "부산", "제주", "강릉"], "서울, 부산, 제주 외 1곳 여행");
        check_title(&["서울", "부산", "제주", "강릉", "여수"], "서울, 부산, 제주 외 2곳 여행");
        check_title(&[], "여행");
    }

    #[test]
    fn an_empty_name_is_none_and_a_blank_one_is_refused() {
        let mut check = Check::new();
        assert_eq!(read_name(&mut check, None), None);
        assert_eq!(read_name(&mut check, Some("")), None);
        assert_eq!(read_name(&mut check, Some(" 봄 ")).unwrap(), " 봄 ");
        assert!(check.finish().is_ok());
        let mut check = Check::new();
        assert_eq!(read_name(&mut check, Some("  ")), None);
        assert!(check.finish().is_err());
    }
}
