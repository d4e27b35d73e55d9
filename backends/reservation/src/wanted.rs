//! What a booker asks for: the body of a reservation request.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use service::check::Check;
use service::date;
use service::problem::Problem;
use utoipa::ToSchema;

use crate::stay::{Fault, Stay};

const LONGEST_NAME: usize = 60;
const MOST_GUESTS: i64 = 20;
/// A phone number begins with 0 and has 9 to 11 digits.
const PHONE_LENGTH: std::ops::RangeInclusive<usize> = 9..=11;

/// A reservation that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateReservation {
    #[schema(value_type = i64, required = true, minimum = 1, example = 921)]
    room_id: Option<i64>,
    /// First night, from today to 90 days ahead.
    #[schema(value_type = String, required = true, format = Date)]
    check_in_date: Option<String>,
    /// Day of leaving, 1 to 30 nights later.
    #[schema(value_type = String, required = true, format = Date)]
    check_out_date: Option<String>,
    /// Who books.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 60)]
    client_name: Option<String>,
    #[schema(value_type = String, required = true, pattern = "^0[0-9]{8,10}$", example = "01000000000")]
    client_phone_number: Option<String>,
    /// Who stays; who books when left out.
    #[schema(min_length = 1, max_length = 60)]
    guest_name: Option<String>,
    #[schema(pattern = "^0[0-9]{8,10}$", example = "01000000000")]
    guest_phone_number: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1, maximum = 20)]
    guest_count: Option<i64>,
    /// `KRW`, also when left out.
    #[schema(pattern = "^KRW$", example = "KRW")]
    currency: Option<String>,
    /// What the booker takes it to cost; it is only compared.
    #[schema(minimum = 1, example = 220_000)]
    total_amount: Option<i64>,
}

/// A request that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wanted {
    pub(crate) room_id: i64,
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
    pub(crate) client_name: String,
    pub(crate) client_phone_number: String,
    pub(crate) guest_name: String,
    pub(crate) guest_phone_number: String,
    pub(crate) guest_count: i64,
    pub(crate) total_amount: Option<i64>,
}

impl CreateReservation {
    /// Checks every member at once.
    pub(crate) fn check(self, today: Date) -> Result<Wanted, Problem> {
        let mut check = Check::new();
        let room_id = check.required("roomId", self.room_id);
        let room_id = check.within("roomId", room_id, 1..=i64::MAX);
        let check_in = read_date(&mut check, "checkInDate", self.check_in_date.as_deref());
        let check_out = read_date(&mut check, "checkOutDate", self.check_out_date.as_deref());
        let stay = check_in.zip(check_out).filter(|dates| check_stay(&mut check, *dates, today));
        let client_name = check.text("clientName", self.client_name.as_deref(), 1..=LONGEST_NAME);
        let phone = check.required("clientPhoneNumber", self.client_phone_number.as_deref());
        let client_phone = read_phone(&mut check, "clientPhoneNumber", phone);
        let guest_name = self.guest_name.as_deref();
        let guest_name = check.optional_text("guestName", guest_name, 1..=LONGEST_NAME);
        let guest_phone = self.guest_phone_number.as_deref();
        let guest_phone = read_phone(&mut check, "guestPhoneNumber", guest_phone);
        let guest_count = check.required("guestCount", self.guest_count);
        let guest_count = check.within("guestCount", guest_count, 1..=MOST_GUESTS);
        let total_amount = check.within("totalAmount", self.total_amount, 1..=i64::MAX);
        if let Some(currency) = self.currency.filter(|currency| currency != "KRW") {
            check.reject("currency", "must be KRW", Some(currency));
        }
        let wanted = (|| {
            let (client_name, client_phone_number) = (client_name?, client_phone?);
            let (check_in, check_out) = stay?;
            Some(Wanted {
                room_id: room_id?,
                check_in,
                check_out,
                guest_name: guest_name.unwrap_or_else(|| client_name.clone()),
                guest_phone_number: guest_phone.unwrap_or_else(|| client_phone_number.clone()),
                client_name,
                client_phone_number,
                guest_count: guest_count?,
                total_amount,
            })
        })();
        check.finish_with(wanted)
    }
}

impl Wanted {
    /// Its nights.
    pub(crate) fn stay(&self) -> Stay {
        Stay { check_in: self.check_in, check_out: self.check_out }
    }
}

fn read_date(check: &mut Check, field: &str, value: Option<&str>) -> Option<Date> {
    let value = check.required(field, value);
    check.parse(field, value, date::EXPECTED, date::parse)
}

fn read_phone(check: &mut Check, field: &str, value: Option<&str>) -> Option<String> {
    check.parse(field, value, "a phone number such as 01000000000", |text| {
        let is_number = text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && PHONE_LENGTH.contains(&text.len())).then(|| text.to_owned())
    })
}

fn check_stay(check: &mut Check, (check_in, check_out): (Date, Date), today: Date) -> bool {
    let fault = Stay { check_in, check_out }.fault(today, ["checkInDate", "checkOutDate"]);
    let is_fine = fault.is_none();
    if let Some(Fault { field, reason, rejected }) = fault {
        check.reject(field, reason, Some(rejected.to_string()));
    }
    is_fine
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::{Value, json};

    use super::*;

    fn body() -> Value {
        json!({
            "roomId": 921, "checkInDate": "2025-05-01", "checkOutDate": "2025-05-03",
            "clientName": "김하나", "clientPhoneNumber": "01000000001", "guestCount": 2,
            "currency": "KRW", "totalAmount": 220_000, "unknown": true
        })
    }

    fn read(body: Value) -> Result<Wanted, String> {
        let wanted: CreateReservation = serde_json::from_value(body).unwrap();
        wanted.check(date(2025, 5, 1)).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn whoever_books_stays_unless_told() {
        let wanted = read(body()).unwrap();
        assert_eq!(wanted.guest_name, "김하나");
        assert_eq!(wanted.guest_phone_number, "01000000001");
        assert_eq!(wanted.stay().check_out, date(2025, 5, 3));
        let mut other = body();
        other["guestName"] = json!("이둘");
        other["guestPhoneNumber"] = json!("0212345678");
        assert_eq!(read(other).unwrap().guest_name, "이둘");
    }

    #[test]
    fn every_fault_is_told() {
        for (field, value) in [
            ("roomId", json!(0)),
            ("checkInDate", json!("2025-04-30")),
            ("checkInDate", json!("2025-07-31")),
            ("checkOutDate", json!("2025-05-01")),
            ("checkOutDate", json!("2025-06-01")),
            ("clientName", json!("")),
            ("clientName", json!("x".repeat(61))),
            ("clientPhoneNumber", json!("1000000000")),
            ("clientPhoneNumber", json!("012345678901")),
            ("guestPhoneNumber", json!("010-0000-0000")),
            ("guestCount", json!(21)),
            ("currency", json!("USD")),
            ("totalAmount", json!(0)),
        ] {
            let mut wanted = body();
            wanted[field] = value.clone();
            let problem = read(wanted).unwrap_err();
            assert!(problem.contains(field), "{field} {value}: {problem}");
        }
        let problem = read(json!({})).unwrap_err();
        for field in ["roomId", "checkInDate", "clientName", "clientPhoneNumber", "guestCount"] {
            assert!(problem.contains(field), "{problem}");
        }
    }
}
