//! Dates as clients write them.

use jiff::civil::Date;

/// What a date must be, to be read after "must be".
pub const EXPECTED: &str = "a date such as 2025-05-01";

/// Reads a date in its short form: the parser would also take a time of day along, another spelling,
/// or a year before 0.
pub fn parse(text: &str) -> Option<Date> {
    let date = text.parse().ok().filter(|date: &Date| date.to_string() == text);
    date.filter(|date| date.year() >= 0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn takes_the_short_form_only() {
        assert_eq!(parse("2025-05-01"), Some(date(2025, 5, 1)));
        assert_eq!(parse("9999-12-31"), Some(date(9999, 12, 31)));
        assert_eq!(parse("0000-01-01"), Some(date(0, 1, 1)));
        for text in [
            "",
            "20250501",
            "2025-5-1",
            "2025-02-30",
            "2025-05-01T10:00",
            "+002025-05-01",
            "-000001-01-01",
            " 2025-05-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
