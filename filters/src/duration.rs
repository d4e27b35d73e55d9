//! Durations as Spring reads them, and as Java writes them.

use std::time::Duration;

/// A duration as a file writes it: `500ms`, `2s`, `PT2S`, or a bare number of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText {
    /// How long, without the sign.
    pub length: Duration,
    /// Whether it has a minus sign.
    pub is_negative: bool,
    /// Whether a unit is written.
    pub has_unit: bool,
}

impl DurationText {
    /// Reads a duration; blanks around it do not matter. `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest.starts_with(['P', 'p']) {
            return Some(Self { length: iso(rest)?, is_negative, has_unit: true });
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let length = match unit.to_ascii_lowercase().as_str() {
            "" | "ms" => Duration::from_millis(number),
            "ns" => Duration::from_nanos(number),
            "us" => Duration::from_micros(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        Some(Self { length, is_negative, has_unit: !unit.is_empty() })
    }
}

/// `P1DT2H3M4.5S`, without signs inside.
fn iso(text: &str) -> Option<Duration> {
    let upper = text.to_ascii_uppercase();
    let (days, times) = match upper.strip_prefix('P')?.split_once('T') {
        Some((days, times)) => (days, Some(times)),
        None => (upper.strip_prefix('P')?, None),
    };
    let mut total = fields(days, &[('D', 86_400)])?;
    if let Some(times) = times.filter(|times| !times.is_empty()) {
        total = total.checked_add(fields(times, &[('H', 3600), ('M', 60), ('S', 1)])?)?;
    } else if days.is_empty() {
        return None;
    }
    Some(total)
}

fn fields(text: &str, units: &[(char, u64)]) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for (unit, seconds) in units {
        let Some((number, behind)) = rest.split_once(*unit) else { continue };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !numeric(fraction) || fraction.len() > 9 {
            return None;
        }
        if *unit != 'S' && !fraction.is_empty() {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
        total = total.checked_add(Duration::new(whole.checked_mul(*seconds)?, nanos))?;
        rest = behind;
    }
    rest.is_empty().then_some(total)
}

/// The text form of `java.time.Duration`: `PT1M30S`, `PT0.2S`, `PT0S`.
pub fn iso_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let unit = |number: u64, unit: char| match number {
        0 => String::new(),
        number => format!("{number}{unit}"),
    };
    let nanos = format!("{:09}", duration.subsec_nanos());
    let rest = match nanos.trim_end_matches('0') {
        "" if duration.is_zero() => "0S".to_owned(),
        "" => unit(seconds, 'S'),
        fraction => format!("{seconds}.{fraction}S"),
    };
    format!("PT{}{}{rest}", unit(hours, 'H'), unit(minutes, 'M'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u64, bool, bool)>) {
        let read = DurationText::parse(text);
        let expected = expected.map(|(millis, is_negative, has_unit)| DurationText {
            length: Duration::from_millis(millis),
            is_negative,
            has_unit,
        });
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn reads_springs_forms() {
        check("5", Some((5, false, false)));
        check(" +5S ", Some((5000, false, true)));
        check("-5ms", Some((5, true, true)));
        check("pt1m0.5s", Some((60_500, false, true)));
        for text in ["", "ms", "5 s", "5 weeks", "PT", "P1Y", "PT1.5M"] {
            check(text, None);
        }
    }

    #[test]
    fn writes_javas_form() {
        for (millis, text) in [
            (0, "PT0S"),
            (5, "PT0.005S"),
            (200, "PT0.2S"),
            (3000, "PT3S"),
            (60_000, "PT1M"),
            (90_000, "PT1M30S"),
            (3_600_500, "PT1H0.5S"),
            (90_000_000, "PT25H"),
        ] {
            assert_eq!(iso_text(Duration::from_millis(millis)), text);
        }
    }
}
