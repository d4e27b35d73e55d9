//! The nights somebody wants to stay.

use jiff::ToSpan;
use jiff::civil::Date;
use service::query::Query;

const LONGEST_NIGHTS: i32 = 30;
/// How many days ahead a stay may begin.
const HORIZON_DAYS: i32 = 90;

/// A first night and the day of leaving; at least one night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
}

impl Stay {
    /// Reads `checkIn` and `checkOut`; `None` when both are left out, which means tonight.
    ///
    /// Faults are recorded in `query`.
    pub(crate) fn read(query: &mut Query, today: Date) -> Option<Self> {
        let is_given = |name| !query.all(name).is_empty();
        match (is_given("checkIn"), is_given("checkOut")) {
            (true, false) => query.reject("checkOut", "must be given together with checkIn", None),
            (false, true) => query.reject("checkIn", "must be given together with checkOut", None),
            (true, true) | (false, false) => {}
        }
        let check_in = query.date("checkIn");
        let check_out = query.date("checkOut");
        let stay = Self { check_in: check_in?, check_out: check_out? };
        let fault = stay.fault(today, ["checkIn", "checkOut"]);
        let is_fine = fault.is_none();
        if let Some(Fault { field, reason, rejected }) = fault {
            query.reject(field, reason, Some(rejected.to_string()));
        }
        is_fine.then_some(stay)
    }

    /// Why nobody can book this today; the names are those of the two dates.
    pub(crate) fn fault(self, today: Date, [begin, end]: [&'static str; 2]) -> Option<Fault> {
        let Self { check_in, check_out } = self;
        let last = today.saturating_add(HORIZON_DAYS.days());
        if check_in < today || check_in > last {
            let reason = format!("must be from {today} to {last}");
            Some(Fault { field: begin, reason, rejected: check_in })
        } else if check_out <= check_in {
            let reason = format!("must be after {begin}");
            Some(Fault { field: end, reason, rejected: check_out })
        } else if check_out > check_in.saturating_add(LONGEST_NIGHTS.days()) {
            let reason = format!("must be at most {LONGEST_NIGHTS} nights after {begin}");
            Some(Fault { field: end, reason, rejected: check_out })
        } else {
            None
        }
    }
}

/// What is wrong with one of two dates.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) field: &'static str,
    pub(crate) reason: String,
    pub(crate) rejected: Date,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2025, 5, 1);

    fn read(text: &str) -> (Option<Stay>, bool) {
        let mut query = Query::from_text(text).unwrap();
        let stay = Stay::read(&mut query, TODAY);
        (stay, query.finish().is_ok())
    }

    #[test]
    fn may_be_left_out() {
        assert_eq!(read(""), (None, true));
    }

    #[test]
    fn may_begin_on_the_first_and_last_day_and_last_one_or_thirty_nights() {
        for (check_in, check_out) in [
            (date(2025, 5, 1), date(2025, 5, 2)),
            (date(2025, 5, 1), date(2025, 5, 31)),
            (date(2025, 7, 30), date(2025, 8, 29)),
        ] {
            let text = format!("checkIn={check_in}&checkOut={check_out}");
            assert_eq!(read(&text), (Some(Stay { check_in, check_out }), true), "{text}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_stayed() {
        for text in [
            "checkIn=2025-05-01",
            "checkOut=2025-05-02",
            "checkIn=2025-04-30&checkOut=2025-05-02",
            "checkIn=2025-07-31&checkOut=2025-08-01",
            "checkIn=2025-05-02&checkOut=2025-05-02",
            "checkIn=2025-05-02&checkOut=2025-05-01",
            "checkIn=2025-05-02&checkOut=2025-06-02",
            "checkIn=2025-02-30&checkOut=2025-06-02",
            "checkIn=2025-05-02T10:00&checkOut=2025-05-03",
            "checkIn=20250502&checkOut=2025-05-03",
            "checkIn=2025-05-02&checkIn=2025-05-02&checkOut=2025-05-03",
            "checkIn=&checkOut=",
        ] {
            assert_eq!(read(text), (None, false), "{text}");
        }
    }
}
