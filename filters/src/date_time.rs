//! The points in time that `After`, `Before` and `Between` compare with (`predicates.md` 5.4).

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use serde::Deserialize;

use crate::digits::parse_long;

/// A point in time as a route file writes it: milliseconds since 1970, or ISO 8601 with an offset.
///
/// Its text form is the one the reference gateway shows: the local time in the region if one is
/// named, else at the offset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DateTime {
    nanos: i128,
    text: String,
}

impl DateTime {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn nanos(&self) -> i128 {
        self.nanos
    }

    fn new(nanos: i128, zone: &Zone) -> Self {
        let seconds = nanos.div_euclid(NANOS_PER_SECOND) + i128::from(zone.offset);
        let text = format!(
            "{}T{}{}{}",
            Date(seconds.div_euclid(SECONDS_PER_DAY)),
            Time {
                second: seconds.rem_euclid(SECONDS_PER_DAY),
                nanos: nanos.rem_euclid(NANOS_PER_SECOND)
            },
            Offset(zone.offset),
            zone.name.as_ref().map_or(String::new(), |name| format!("[{name}]")),
        );
        Self { nanos, text }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(millis) = parse_long(text) {
            return Some(Self::new(i128::from(millis) * 1_000_000, &Zone::fixed(0)));
        }
        let mut rest = Cursor(text);
        let local = rest.date_and_time()?;
        let offset = rest.offset(&["Z", "z"])?;
        let nanos = local - i128::from(offset) * NANOS_PER_SECOND;
        let zone = match rest.0 {
            "" => Zone::fixed(offset),
            bracketed => Zone::parse(bracketed.strip_prefix('[')?.strip_suffix(']')?, nanos)?,
        };
        Some(Self::new(nanos, &zone))
    }
}

impl TryFrom<String> for DateTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            format!(
                "`{text}` is not a point in time: expected `2017-01-20T17:42:47.789-07:00`, \
                 `2017-01-20T17:42:47Z[Europe/Paris]` or milliseconds since 1970"
            )
        })
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What is left to read.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn literal(&mut self, expected: &[&str]) -> Option<()> {
        self.0 = expected.iter().find_map(|text| self.0.strip_prefix(text))?;
        Some(())
    }

    /// As many ASCII digits as there are, between `least` and `most`, and how many they were.
    fn digits(&mut self, least: usize, most: usize) -> Option<(i64, usize)> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        if count < least {
            return None;
        }
        Some((if digits.is_empty() { 0 } else { digits.parse().ok()? }, count))
    }

    /// Two digits, at most `most`.
    fn pair(&mut self, most: i64) -> Option<i64> {
        self.digits(2, 2).map(|(value, _)| value).filter(|value| *value <= most)
    }

    /// A local time, in nanoseconds since 1970-01-01T00:00 there.
    fn date_and_time(&mut self) -> Option<i128> {
        let year = self.year()?;
        self.literal(&["-"])?;
        let month = self.pair(12)?;
        self.literal(&["-"])?;
        let day = self.pair(31)?;
        let days = days_since_1970(year, month, day)?;
        self.literal(&["T", "t"])?;
        let hour = self.pair(23)?;
        self.literal(&[":"])?;
        let minute = self.pair(59)?;
        let (second, nanos) = self.second()?;
        let seconds =
            i128::from(days) * SECONDS_PER_DAY + i128::from(hour * 3600 + minute * 60 + second);
        Some(seconds * NANOS_PER_SECOND + i128::from(nanos))
    }

    /// A year of four digits; more need a sign, and a `+` needs more.
    fn year(&mut self) -> Option<i64> {
        if self.literal(&["-"]).is_some() {
            let (year, _) = self.digits(4, 10)?;
            return (1..=999_999_999).contains(&year).then_some(-year);
        }
        if self.literal(&["+"]).is_some() {
            let (year, _) = self.digits(5, 10)?;
            return (year <= 999_999_999).then_some(year);
        }
        self.digits(4, 4).map(|(year, _)| year)
    }

    /// `:SS`, `:SS.` and up to nine digits, or nothing: seconds and nanoseconds.
    fn second(&mut self) -> Option<(i64, i64)> {
        if self.literal(&[":"]).is_none() {
            return Some((0, 0));
        }
        let second = self.pair(59)?;
        if self.literal(&["."]).is_none() {
            return Some((second, 0));
        }
        let (fraction, count) = self.digits(0, 9)?;
        let missing = u32::try_from(9 - count).ok()?;
        Some((second, fraction * 10_i64.pow(missing)))
    }

    /// One of the texts for zero, or `±HH`, `±HH:MM`, `±HH:MM:SS`: seconds east of Greenwich.
    fn offset(&mut self, zero: &[&str]) -> Option<i64> {
        if self.literal(zero).is_some() {
            return Some(0);
        }
        let sign = match self.literal(&["+"]) {
            Some(()) => 1,
            None => self.literal(&["-"]).map(|()| -1)?,
        };
        let mut seconds = self.pair(18)? * 3600;
        for unit in [60, 1] {
            if self.literal(&[":"]).is_none() {
                break;
            }
            seconds += self.pair(59)? * unit;
        }
        (seconds <= MAX_OFFSET).then_some(sign * seconds)
    }
}

/// Where local time is shown.
struct Zone {
    /// Seconds east of Greenwich.
    offset: i64,
    /// The region's name, unless it is just the offset.
    name: Option<String>,
}

impl Zone {
    const fn fixed(offset: i64) -> Self {
        Self { offset, name: None }
    }

    /// Reads what stands in brackets. `nanos` is the instant, which decides about summer time.
    fn parse(text: &str, nanos: i128) -> Option<Self> {
        if text == "Z" {
            return Some(Self::fixed(0));
        }
        if text.starts_with(['+', '-']) {
            return Self::full_offset(text).map(Self::fixed);
        }
        // `UTC` before `UT`. Other texts that start with `GMT` are no names: Java stops reading
        // behind the three letters.
        for prefix in ["UTC", "UT", "GMT"] {
            let Some(rest) = text.strip_prefix(prefix) else { continue };
            let offset = match rest {
                "" => 0,
                "0" if prefix == "GMT" => {
                    return Some(Self { offset: 0, name: Some(text.to_owned()) });
                }
                _ => Self::full_offset(rest)?,
            };
            let shown = if offset == 0 { String::new() } else { Offset(offset).to_string() };
            return Some(Self { offset, name: Some(format!("{prefix}{shown}")) });
        }
        Self::region(text, nanos)
    }

    /// An offset that fills the text; here the minutes are required.
    fn full_offset(text: &str) -> Option<i64> {
        let mut rest = Cursor(text);
        let offset = rest.offset(&[])?;
        (rest.0.is_empty() && text.contains(':')).then_some(offset)
    }

    /// A region of the time zone database that comes with the program: the machine's own would let
    /// one file load here and be refused there.
    fn region(name: &str, nanos: i128) -> Option<Self> {
        let database = TimeZoneDatabase::bundled();
        let known = database.available().any(|known| known.as_str() == name);
        if !known || UNKNOWN_TO_JAVA.contains(&name) {
            return None;
        }
        let zone = database.get(name).ok()?;
        let end = if nanos < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let instant = Timestamp::from_nanosecond(nanos).unwrap_or(end);
        let offset = i64::from(zone.to_offset(instant).seconds());
        Some(Self { offset, name: Some(name.to_owned()) })
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; `None` if there is no such
/// date.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + day_of_year - DAYS_FROM_MARCH_0_TO_1970)
}

/// A date as days since 1970-01-01.
struct Date(i128);

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 + i128::from(DAYS_FROM_MARCH_0_TO_1970);
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = era * 400 + year_of_era + next;
        let sign = match year {
            ..0 => "-",
            0..10_000 => "",
            10_000.. => "+",
        };
        write!(formatter, "{sign}{:04}-{month:02}-{day:02}", year.abs())
    }
}

/// A time of day.
struct Time {
    /// Seconds since midnight.
    second: i128,
    nanos: i128,
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, second) = (self.second / 60, self.second % 60);
        write!(formatter, "{:02}:{:02}", minutes / 60, minutes % 60)?;
        if second == 0 && self.nanos == 0 {
            return Ok(());
        }
        write!(formatter, ":{second:02}")?;
        match self.nanos {
            0 => Ok(()),
            nanos if nanos % 1_000_000 == 0 => write!(formatter, ".{:03}", nanos / 1_000_000),
            nanos if nanos % 1000 == 0 => write!(formatter, ".{:06}", nanos / 1000),
            nanos => write!(formatter, ".{nanos:09}"),
        }
    }
}

/// Seconds east of Greenwich.
struct Offset(i64);

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("Z");
        }
        let sign = if self.0 < 0 { '-' } else { '+' };
        let seconds = self.0.abs();
        write!(formatter, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        match seconds % 60 {
            0 => Ok(()),
            second => write!(formatter, ":{second:02}"),
        }
    }
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i128 = 86_400;
const DAYS_PER_ERA: i128 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_FROM_MARCH_0_TO_1970: i64 = 719_468;
/// 18 hours, the most Java takes.
const MAX_OFFSET: i64 = 18 * 3600;
/// Names of the time zone database that Java leaves out.
const UNKNOWN_TO_JAVA: [&str; 5] = ["EST", "Factory", "HST", "MST", "ROC"];
