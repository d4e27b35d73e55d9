//! A plan: one place to visit on one day of a travel.

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};
use service::check::Check;
use service::problem::Problem;
use utoipa::ToSchema;

use crate::period::read_date;
use crate::travel::visible;

/// Plans of one travel: more than any needs, and few enough for one answer, as a list has no pages.
pub(crate) const MOST_PLANS: usize = 500;
const LONGEST_NAME: usize = 100;
const LONGEST_CATEGORY: usize = 100;
const LONGEST_ADDRESS: usize = 1000;
const LONGEST_TELEPHONE: usize = 50;
const MOST_LONGITUDE: f64 = 180.0;
const MOST_LATITUDE: f64 = 90.0;

/// A plan as it is stored and shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    #[serde(rename = "planId")]
    #[schema(minimum = 1, example = 31)]
    pub(crate) id: i64,
    #[schema(minimum = 1, example = 5)]
    pub(crate) travel_id: i64,
    #[serde(flatten)]
    pub(crate) location: Location,
    #[serde(rename = "planDate", serialize_with = "as_text")]
    #[schema(value_type = String, format = Date)]
    pub(crate) date: Date,
    /// Position on its day, from 1.
    #[serde(rename = "planOrder")]
    #[schema(minimum = 1)]
    pub(crate) order: i64,
}

/// A place to visit.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Location {
    #[serde(rename = "locationName")]
    #[schema(example = "경복궁")]
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) point: Point,
    #[serde(rename = "locationCategory")]
    pub(crate) category: Option<String>,
    #[serde(rename = "locationAddress")]
    pub(crate) address: String,
    #[serde(rename = "locationRoadAddress")]
    pub(crate) road_address: String,
    #[serde(rename = "locationTelephone")]
    pub(crate) telephone: Option<String>,
}

/// A point on Earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Point {
    #[schema(minimum = -180, maximum = 180, example = 126.977)]
    pub(crate) longitude: f64,
    #[schema(minimum = -90, maximum = 90, example = 37.579)]
    pub(crate) latitude: f64,
}

/// What an owner says of a plan, and on which day it is.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) location: Location,
    pub(crate) date: Date,
}

/// A plan as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanBody {
    /// Name of the place, not blank.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 100, example = "경복궁")]
    location_name: Option<String>,
    /// Degrees to the east.
    #[schema(value_type = f64, required = true, minimum = -180, maximum = 180, example = 126.977)]
    longitude: Option<f64>,
    /// Degrees to the north.
    #[schema(value_type = f64, required = true, minimum = -90, maximum = 90, example = 37.579)]
    latitude: Option<f64>,
    #[schema(max_length = 100, example = "관광명소")]
    location_category: Option<String>,
    /// May be empty, as may be the other address: many places have only one.
    #[schema(value_type = String, required = true, max_length = 1000, example = "서울 종로구 세종로 1-1")]
    location_address: Option<String>,
    #[schema(value_type = String, required = true, max_length = 1000, example = "서울 종로구 사직로 161")]
    location_road_address: Option<String>,
    #[schema(max_length = 50, example = "02-3700-3900")]
    location_telephone: Option<String>,
    /// A day of the travel.
    #[schema(value_type = String, required = true, format = Date)]
    plan_date: Option<String>,
}

impl PlanBody {
    /// What can be used of it; every fault at once.
    pub(crate) fn check(self) -> Result<Draft, Problem> {
        let mut check = Check::new();
        let name = check.text("locationName", self.location_name.as_deref(), 1..=LONGEST_NAME);
        let name = name.and_then(|name| visible(&mut check, "locationName", name));
        let point = Point::read(&mut check, self.longitude, self.latitude);
        let category = self.location_category.as_deref();
        let category = check.optional_text("locationCategory", category, 0..=LONGEST_CATEGORY);
        let address = self.location_address.as_deref();
        let address = check.text("locationAddress", address, 0..=LONGEST_ADDRESS);
        let road_address = self.location_road_address.as_deref();
        let road_address = check.text("locationRoadAddress", road_address, 0..=LONGEST_ADDRESS);
        let telephone = self.location_telephone.as_deref();
        let telephone = check.optional_text("locationTelephone", telephone, 0..=LONGEST_TELEPHONE);
        let date = read_date(&mut check, "planDate", self.plan_date.as_deref());
        let draft = || {
            let location = Location {
                name: name?,
                point: point?,
                category,
                address: address?,
                road_address: road_address?,
                telephone,
            };
            Some(Draft { location, date: date? })
        };
        check.finish_with(draft())
    }
}

impl Point {
    fn read(check: &mut Check, longitude: Option<f64>, latitude: Option<f64>) -> Option<Self> {
        let longitude = check.required("longitude", longitude);
        let latitude = check.required("latitude", latitude);
        let longitude = check.within("longitude", longitude, -MOST_LONGITUDE..=MOST_LONGITUDE);
        if let Some((longitude, latitude)) = longitude.zip(latitude)
            && are_swapped(longitude, latitude)
        {
            let reason = format!(
                "must be from -{MOST_LATITUDE} to {MOST_LATITUDE}; it looks as if longitude and \
                 latitude were swapped"
            );
            check.reject("latitude", reason, Some(latitude.to_string()));
            return None;
        }
        let latitude = check.within("latitude", latitude, -MOST_LATITUDE..=MOST_LATITUDE);
        let (longitude, latitude) = longitude.zip(latitude)?;
        Some(Self { longitude, latitude })
    }

    /// The haversine of the angle between two points as seen from the middle of the Earth: it grows
    /// with their distance, from 0 to 1.
    pub(crate) fn haversine(self, other: Self) -> f64 {
        let (here, there) = (self.latitude.to_radians(), other.latitude.to_radians());
        let across = (other.longitude - self.longitude).to_radians();
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        half(there - here) + here.cos() * there.cos() * half(across)
    }
}

/// Whether the numbers are no point, and would be one the other way round.
fn are_swapped(longitude: f64, latitude: f64) -> bool {
    let is_latitude = |value: f64| value.abs() <= MOST_LATITUDE;
    !is_latitude(latitude) && latitude.abs() <= MOST_LONGITUDE && is_latitude(longitude)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn as_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EARTH_RADIUS_KM: f64 = 6371.0;

    #[track_caller]
    fn check_point(longitude: f64, latitude: f64, told: &str) {
        let body = json!({
            "locationName": "a", "longitude": longitude, "latitude": latitude,
            "locationAddress": "", "locationRoadAddress": "", "planDate": "2025-05-01"
        });
        let body: PlanBody = serde_json::from_value(body).unwrap();
        let outcome = body.check().map_or_else(|problem| format!("{problem:?}"), |_| String::new());
        assert_eq!(outcome.is_empty(), told.is_empty(), "{outcome}");
        assert!(outcome.contains(told), "{outcome}");
    }

    #[test]
    fn points_are_on_earth() {
        check_point(180.0, 90.0, "");
        check_point(-180.0, -90.0, "");
        check_point(180.1, 0.0, "longitude must be from -180 to 180");
        check_point(0.0, -90.1, "latitude must be from -90 to 90");
        check_point(200.0, 100.0, "latitude must be from -90 to 90\"");
    }

    #[test]
    fn says_when_a_point_looks_swapped() {
        let told = "latitude must be from -90 to 90; it looks as if longitude and latitude were \
                    swapped";
        check_point(37.579, 126.977, told);
        check_point(-37.8, -144.9, told);
    }

    #[test]
    fn distances_are_those_on_a_sphere() {
        let seoul = Point { longitude: 126.978, latitude: 37.5665 };
        let busan = Point { longitude: 129.0756, latitude: 35.1796 };
        let distance = 2.0 * EARTH_RADIUS_KM * seoul.haversine(busan).sqrt().asin();
        assert!((distance - 325.0).abs() < 1.0, "{distance}");
        let east = Point { longitude: 179.9, latitude: 0.0 };
        let west = Point { longitude: -179.9, latitude: 0.0 };
        let distance = 2.0 * EARTH_RADIUS_KM * east.haversine(west).sqrt().asin();
        assert!((distance - 22.2).abs() < 0.1, "{distance}");
    }
}
