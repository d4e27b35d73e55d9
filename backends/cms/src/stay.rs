//! The nights somebody wants to stay.

use jiff::ToSpan;
use jiff::civil::Date;
use service::query::Query;

/// The longest stay.
pub(crate) const LONGEST_NIGHTS: i32 = 30;
/// How many days ahead a stay may begin.
pub(crate) const HORIZON_DAYS: i32 = 90;

/// A first night and the day of leaving; at least one night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
}

impl Stay {
    /// Reads `checkIn` and `checkOut`; tonight when both are missing.
    ///
    /// Faults are recorded in `query`, and the stay is then tonight.
    pub(crate) fn read(query: &mut Query, today: Date) -> Self {
        let tonight = Self { check_in: today, check_out: today.saturating_add(1.day()) };
        let check_in = read_date(query, "checkIn");
        let check_out = read_date(query, "checkOut");
        match (check_in, check_out) {
            (Given::Date(_), Given::Nothing) => {
                query.reject("checkOut", "must be given together with checkIn", None);
                tonight
            }
            (Given::Nothing, Given::Date(_)) => {
                query.reject("checkIn", "must be given together with checkOut", None);
                tonight
            }
            (Given::Date(check_in), Given::Date(check_out)) => {
                let stay = Self { check_in, check_out };
                if stay.check(query, today) { stay } else { tonight }
            }
            (Given::Nothing, Given::Nothing) | (Given::Nonsense, _) | (_, Given::Nonsense) => {
                tonight
            }
        }
    }

    /// Every night of the stay.
    pub(crate) fn nights(self) -> impl Iterator<Item = Date> {
        self.check_in.series(1.day()).take_while(move |night| *night < self.check_out)
    }

    fn check(self, query: &mut Query, today: Date) -> bool {
        let Err((field, reason)) = self.check_dates(today) else { return true };
        query.reject(field, reason, Some(self.rejected(field)));
        false
    }

    /// Whether it can be stayed, else which date is wrong and how.
    pub(crate) fn check_dates(self, today: Date) -> Result<(), (&'static str, String)> {
        let last = today.saturating_add(HORIZON_DAYS.days());
        if self.check_in < today || self.check_in > last {
            return Err(("checkIn", format!("must be from {today} to {last}")));
        }
        self.check_length()
    }

    /// The date that one of the checks named.
    pub(crate) fn rejected(self, field: &str) -> String {
        let date = if field == "checkIn" { self.check_in } else { self.check_out };
        date.to_string()
    }

    /// Whether it could be stayed on some day, else which date is wrong and how.
    pub(crate) fn check_length(self) -> Result<(), (&'static str, String)> {
        if self.check_out <= self.check_in {
            return Err(("checkOut", "must be after checkIn".to_owned()));
        }
        if self.check_out > self.check_in.saturating_add(LONGEST_NIGHTS.days()) {
            let reason = format!("must be at most {LONGEST_NIGHTS} nights after checkIn");
            return Err(("checkOut", reason));
        }
        Ok(())
    }
}

enum Given {
    Nothing,
    Nonsense,
    Date(Date),
}

fn read_date(query: &mut Query, name: &str) -> Given {
    if query.all(name).is_empty() {
        return Given::Nothing;
    }
    let date = query.parse(name, "a date such as 2025-05-01", |text| {
        // Only the short form: the parser would also take a time of day along.
        text.parse().ok().filter(|date: &Date| date.to_string() == text)
    });
    date.map_or(Given::Nonsense, Given::Date)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2025, 5, 1);

    fn read(text: &str) -> (Stay, bool) {
        let mut query = Query::from_text(text).unwrap();
        let stay = Stay::read(&mut query, TODAY);
        (stay, query.finish().is_ok())
    }

    #[test]
    fn is_tonight_unless_told() {
        let (stay, is_fine) = read("");
        assert!(is_fine);
        assert_eq!(stay.nights().collect::<Vec<_>>(), [TODAY]);
    }

    #[test]
    fn holds_its_nights_and_not_the_day_of_leaving() {
        let (stay, is_fine) = read("checkIn=2025-05-30&checkOut=2025-06-02");
        assert!(is_fine);
        let nights: Vec<String> = stay.nights().map(|night| night.to_string()).collect();
        assert_eq!(nights, ["2025-05-30", "2025-05-31", "2025-06-01"]);
    }

    #[test]
    fn may_begin_on_the_last_day_and_last_thirty_nights() {
        assert!(read("checkIn=2025-07-30&checkOut=2025-08-29").1);
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
            "checkIn=&checkOut=",
        ] {
            assert!(!read(text).1, "{text}");
        }
    }
}
