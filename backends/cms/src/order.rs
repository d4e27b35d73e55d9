//! What another system wants to have held, as it writes it.

use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::check::Check;
use service::date;
use service::problem::Problem;
use utoipa::ToSchema;

use crate::stay::Stay;

/// The longest hold that can be asked for.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_mins(30);
const LONGEST_ID: usize = 64;

/// A request to hold nights.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    /// The caller's id of it; the same id asks for the same reservation.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    external_id: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1)]
    room_id: Option<i64>,
    /// First night, from today to 90 days ahead.
    #[schema(value_type = String, required = true, format = Date)]
    check_in: Option<String>,
    /// Day of leaving, 1 to 30 nights later.
    #[schema(value_type = String, required = true, format = Date)]
    check_out: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1, maximum = 20)]
    guest_count: Option<i64>,
    /// What the caller takes it to cost, in KRW; it is only compared.
    #[schema(value_type = i64, required = true, minimum = 1)]
    amount: Option<i64>,
    client: Option<Person>,
    guest: Option<Person>,
    /// How long to hold it (15 minutes).
    #[schema(minimum = 1, maximum = 1800)]
    hold_seconds: Option<i64>,
}

/// Who books, or stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Person {
    #[schema(max_length = 60)]
    name: Option<String>,
    #[schema(max_length = 20)]
    phone_number: Option<String>,
}

/// A request that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) external_id: String,
    pub(crate) room_id: i64,
    pub(crate) stay: Stay,
    pub(crate) guest_count: i64,
    pub(crate) amount: i64,
    pub(crate) client: Person,
    pub(crate) guest: Person,
    pub(crate) hold: Option<Duration>,
}

impl Order {
    /// Who books and who stays, as it is stored.
    pub(crate) fn people(&self) -> String {
        json!({ "client": self.client, "guest": self.guest }).to_string()
    }

    /// Whether its first night lies in the time that can be booked. What has been held may be asked
    /// for again on a later day.
    pub(crate) fn check_horizon(&self, today: Date) -> Result<(), Problem> {
        let mut check = Check::new();
        if let Err((field, reason)) = self.stay.check_dates(today) {
            check.reject(field, reason, Some(self.stay.rejected(field)));
        }
        check.finish()
    }

    /// Checks every member at once, as far as that does not depend on the day.
    pub(crate) fn read(wanted: Wanted) -> Result<Self, Problem> {
        let mut check = Check::new();
        let external_id = read_id(&mut check, wanted.external_id.as_deref());
        let room_id = check.required("roomId", wanted.room_id);
        let room_id = check.within("roomId", room_id, 1..=i64::MAX);
        let stay = read_stay(&mut check, &wanted);
        let guest_count = check.required("guestCount", wanted.guest_count);
        let guest_count = check.within("guestCount", guest_count, 1..=20);
        let amount = check.required("amount", wanted.amount);
        let amount = check.within("amount", amount, 1..=i64::MAX);
        let most = i64::try_from(LONGEST_HOLD.as_secs()).unwrap_or(i64::MAX);
        let hold = check.within("holdSeconds", wanted.hold_seconds, 1..=most);
        let client = read_person(&mut check, "client", wanted.client);
        let guest = read_person(&mut check, "guest", wanted.guest);
        let order = || {
            Some(Self {
                external_id: external_id?,
                room_id: room_id?,
                stay: stay?,
                guest_count: guest_count?,
                amount: amount?,
                client,
                guest,
                hold: hold.and_then(|seconds| seconds.try_into().ok()).map(Duration::from_secs),
            })
        };
        check.finish_with(order())
    }
}

/// An id of another system that can be kept.
pub(crate) fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_plain)
}

fn read_id(check: &mut Check, text: Option<&str>) -> Option<String> {
    let text = check.required("externalId", text);
    check.parse("externalId", text, "1 to 64 letters, digits, hyphens or underscores", |text| {
        is_id(text).then(|| text.to_owned())
    })
}

fn read_stay(check: &mut Check, wanted: &Wanted) -> Option<Stay> {
    let mut read = |name, text: Option<&str>| {
        let text = check.required(name, text);
        check.parse(name, text, date::EXPECTED, date::parse)
    };
    let check_in = read("checkIn", wanted.check_in.as_deref());
    let check_out = read("checkOut", wanted.check_out.as_deref());
    let stay = Stay { check_in: check_in?, check_out: check_out? };
    let Err((field, reason)) = stay.check_length() else { return Some(stay) };
    check.reject(field, reason, Some(stay.rejected(field)));
    None
}

fn read_person(check: &mut Check, name: &str, person: Option<Person>) -> Person {
    let person = person.unwrap_or_default();
    check.optional_text(&format!("{name}.name"), person.name.as_deref(), 0..=60);
    check.optional_text(&format!("{name}.phoneNumber"), person.phone_number.as_deref(), 0..=20);
    person
}
