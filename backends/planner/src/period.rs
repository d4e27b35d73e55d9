//! The days of a travel.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;
use service::check::Check;
use service::date;
use utoipa::ToSchema;

/// A first and a last day; at least one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    first: Date,
    last: Date,
}

/// Where a travel lies in time, by the date in Korea.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Upcoming,
    Ongoing,
    Ended,
}

impl Period {
    /// The days from `first` to `last`, unless they are the wrong way round.
    pub(crate) fn new(first: Date, last: Date) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Reads `startDate` and `endDate`; faults are recorded in `check`.
    pub(crate) fn read(check: &mut Check, start: Option<&str>, end: Option<&str>) -> Option<Self> {
        let start = read_date(check, "startDate", start);
        let end = read_date(check, "endDate", end);
        let (start, end) = start.zip(end)?;
        let period = Self::new(start, end);
        if period.is_none() {
            check.reject("endDate", "must not be before startDate", Some(end.to_string()));
        }
        period
    }

    pub(crate) fn first(self) -> Date {
        self.first
    }

    pub(crate) fn last(self) -> Date {
        self.last
    }

    /// Whether `day` is one of the days.
    pub(crate) fn holds(self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Where the days lie as seen from `today`.
    pub(crate) fn status(self, today: Date) -> Status {
        if today < self.first {
            Status::Upcoming
        } else if today <= self.last {
            Status::Ongoing
        } else {
            Status::Ended
        }
    }

    /// How many days are left until the first one, if it is still to come.
    pub(crate) fn days_left(self, today: Date) -> Option<i32> {
        let days = today.until(self.first).ok()?.get_days();
        (days > 0).then_some(days)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "from {} to {}", self.first, self.last)
    }
}

/// Reads a date that must be given; a fault is recorded in `check`.
pub(crate) fn read_date(check: &mut Check, field: &str, value: Option<&str>) -> Option<Date> {
    let value = check.required(field, value);
    check.parse(field, value, date::EXPECTED, date::parse)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TRAVEL: Period = Period { first: date(2025, 5, 1), last: date(2025, 5, 3) };

    fn read(start: &str, end: &str) -> Result<Option<Period>, String> {
        let mut check = Check::new();
        let period = Period::read(&mut check, Some(start), Some(end));
        check.finish().map(|()| period).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn a_travel_may_last_one_day() {
        let day = date(2025, 5, 1);
        assert_eq!(read("2025-05-01", "2025-05-01"), Ok(Period::new(day, day)));
    }

    #[test]
    fn refuses_days_the_wrong_way_round() {
        let fault = read("2025-05-02", "2025-05-01").unwrap_err();
        assert!(fault.contains("endDate must not be before startDate"), "{fault}");
    }

    #[test]
    fn tells_both_dates_that_are_none() {
        let fault = read("2025-02-29", "tomorrow").unwrap_err();
        let told = "startDate must be a date such as 2025-05-01; \
                    endDate must be a date such as 2025-05-01";
        assert!(fault.contains(told), "{fault}");
    }

    #[test]
    fn is_upcoming_until_its_first_day_and_ended_after_its_last() {
        let seen = |day| (TRAVEL.status(day), TRAVEL.days_left(day));
        assert_eq!(seen(date(2024, 5, 1)), (Status::Upcoming, Some(365)));
        assert_eq!(seen(date(2025, 4, 30)), (Status::Upcoming, Some(1)));
        assert_eq!(seen(date(2025, 5, 1)), (Status::Ongoing, None));
        assert_eq!(seen(date(2025, 5, 3)), (Status::Ongoing, None));
        assert_eq!(seen(date(2025, 5, 4)), (Status::Ended, None));
    }

    #[test]
    fn holds_its_first_and_its_last_day() {
        let days = [(4, 30), (5, 1), (5, 3), (5, 4)].map(|(month, day)| date(2025, month, day));
        assert_eq!(days.map(|day| TRAVEL.holds(day)), [false, true, true, false]);
    }
}
