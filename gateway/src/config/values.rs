//! What a text in a file means: durations, sizes, numbers, addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tollgate_filters::{DurationText, Invalid};

use super::context::Value;
use super::tree::Typed;

fn invalid(message: String) -> Invalid {
    Invalid::new("invalid-value", message)
}

/// `true` or `false` in Spring's spellings.
pub(super) fn boolean(value: &Value<'_>) -> Result<bool, Invalid> {
    let text = value.text();
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(invalid(format!("`{text}` is not `true` or `false`"))),
    }
}

/// A whole number of 32 bits, in Java's forms when it is text; a fraction of a YAML number is cut.
pub(super) fn int(value: &Value<'_>) -> Result<i32, Invalid> {
    whole(value).and_then(|whole| i32::try_from(whole).ok()).ok_or_else(|| {
        let text = value.text();
        let help = "a whole number between -2147483648 and 2147483647";
        invalid(format!("`{text}` is not a whole number of 32 bits")).with_help(help)
    })
}

/// A whole number of 64 bits.
pub(super) fn long(value: &Value<'_>) -> Result<i64, Invalid> {
    whole(value).ok_or_else(|| invalid(format!("`{}` is not a whole number", value.text())))
}

fn whole(value: &Value<'_>) -> Option<i64> {
    match &value.typed {
        Typed::Integer(digits) => digits.parse::<i64>().ok(),
        Typed::Float(number) => truncated(*number),
        Typed::Text(text) => java_int(text),
        Typed::Null | Typed::Boolean(_) => None,
    }
}

fn truncated(number: f64) -> Option<i64> {
    let whole = number.trunc();
    format!("{whole:.0}").parse().ok()
}

fn java_int(text: &str) -> Option<i64> {
    let written: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (negative, digits) = match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written.strip_prefix('+').unwrap_or(&written)),
    };
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|lead| digits.strip_prefix(lead));
    let (digits, radix) = hexadecimal.map_or((digits, 10), |digits| (digits, 16));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// A whole number from 1.
pub(super) fn positive(value: &Value<'_>) -> Result<usize, Invalid> {
    let number = int(value)?;
    usize::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| invalid(format!("`{number}` is less than 1")))
}

/// A TCP port.
pub(super) fn port(value: &Value<'_>) -> Result<u16, Invalid> {
    let number = int(value)?;
    u16::try_from(number).map_err(|_| invalid(format!("`{number}` is not a port (0 to 65535)")))
}

/// Milliseconds from 1, as a bare number.
pub(super) fn milliseconds(value: &Value<'_>) -> Result<Duration, Invalid> {
    let millis = int(value).ok().and_then(|number| u64::try_from(number).ok());
    millis.filter(|millis| *millis > 0).map(Duration::from_millis).ok_or_else(|| {
        invalid(format!("`{}` is not a number of milliseconds", value.text()))
            .with_help("write milliseconds without a unit: `5000`")
    })
}

/// A duration with a unit: `500ms`, `2s`, `1m`, `PT2S`.
pub(super) fn duration(value: &Value<'_>) -> Result<Duration, Invalid> {
    let text = value.text();
    let help = "write a number with a unit: `500ms`, `2s`, `1m`, `1h`";
    match DurationText::parse(&text) {
        Some(parsed) if !parsed.is_negative && parsed.has_unit && !parsed.length.is_zero() => {
            Ok(parsed.length)
        }
        Some(parsed) if !parsed.has_unit => {
            Err(invalid(format!("`{text}` has no unit")).with_help(help))
        }
        Some(_) => Err(invalid(format!("`{text}` is not longer than nothing")).with_help(help)),
        None => Err(invalid(format!("`{text}` is not a duration")).with_help(help)),
    }
}

/// A duration as Spring reads it: a bare number is milliseconds. A negative one is `None`.
pub(super) fn spring_duration(value: &Value<'_>) -> Result<Option<Duration>, Invalid> {
    let text = value.text();
    match DurationText::parse(&text) {
        Some(parsed) => Ok((!parsed.is_negative).then_some(parsed.length)),
        None => Err(invalid(format!("`{text}` is not a duration"))
            .with_help("write a number of milliseconds, or `500ms`, `2s`, `1m`, `PT2S`")),
    }
}

/// A size with a unit, 1024-based: `16KB`.
pub(super) fn size(value: &Value<'_>) -> Result<usize, Invalid> {
    let text = value.text();
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let parsed = trimmed.split_at_checked(digits).and_then(|(number, unit)| {
        let shift = match unit {
            "B" => 0,
            "KB" => 10,
            "MB" => 20,
            "GB" => 30,
            _ => return None,
        };
        number.parse::<usize>().ok()?.checked_mul(1 << shift)
    });
    parsed.filter(|size| *size > 0).ok_or_else(|| {
        invalid(format!("`{text}` is not a size"))
            .with_help("write a number with a unit: `512B`, `16KB`, `5MB`")
    })
}

/// An address to listen on.
pub(super) fn socket(value: &Value<'_>) -> Result<SocketAddr, Invalid> {
    let text = value.text();
    let written = text.trim();
    let local = written.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    local
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .or_else(|| written.parse().ok())
        .ok_or_else(|| {
            invalid(format!("`{text}` is not an address to listen on"))
                .with_help("write an IP address and a port: `0.0.0.0:8000`, `[::1]:8000`")
        })
}

/// An IP address.
pub(super) fn ip(value: &Value<'_>) -> Result<IpAddr, Invalid> {
    let text = value.text();
    if text.trim() == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.trim().parse().map_err(|_| invalid(format!("`{text}` is not an IP address")))
}

#[cfg(test)]
mod tests {
    use tollgate_filters::Span;

    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value {
            typed: Typed::plain(text),
            span: Span::default(),
            offset: None,
            unresolved: Vec::new(),
        }
    }

    #[track_caller]
    fn check_duration(written: &str, millis: Option<u64>) {
        assert_eq!(duration(&text(written)).ok(), millis.map(Duration::from_millis), "{written}");
    }

    #[test]
    fn our_durations_have_a_unit() {
        check_duration("500ms", Some(500));
        check_duration("2s", Some(2000));
        check_duration("1m", Some(60_000));
        check_duration("30d", Some(2_592_000_000));
        check_duration("PT2S", Some(2000));
        check_duration("PT0.3S", Some(300));
        check_duration("PT1M30S", Some(90_000));
        check_duration("P1DT1H", Some(90_000_000));
        check_duration("2", None);
        check_duration("0s", None);
        check_duration("-2s", None);
        check_duration("2 weeks", None);
        check_duration("PT", None);
        check_duration("99999999999999999999s", None);
        check_duration("99999999999999999d", None);
    }

    #[test]
    fn springs_durations_may_be_bare() {
        let read = |written| spring_duration(&text(written)).ok();
        assert_eq!(read("300"), Some(Some(Duration::from_millis(300))));
        assert_eq!(read("5s"), Some(Some(Duration::from_secs(5))));
        assert_eq!(read("-1"), Some(None));
        assert_eq!(read("soon"), None);
    }

    #[track_caller]
    fn check_int(written: &str, expected: Option<i32>) {
        assert_eq!(int(&text(written)).ok(), expected, "{written}");
    }

    #[test]
    fn whole_numbers_come_in_javas_forms() {
        check_int("010", Some(8));
        check_int("1.10", Some(1));
        check_int("-2.9", Some(-2));
        check_int("#A", Some(10));
        check_int("5:30", Some(330));
        check_int("2147483648", None);
        check_int("1e10", None);
        check_int("yes", None);
        check_int(".nan", None);
        check_int("", None);
    }

    #[test]
    fn sizes_count_in_1024() {
        assert_eq!(size(&text("16KB")).ok(), Some(16_384));
        assert_eq!(size(&text("5MB")).ok(), Some(5 << 20));
        assert!(size(&text("16kb")).is_err());
        assert!(size(&text("16")).is_err());
        assert!(size(&text("0B")).is_err());
    }

    #[test]
    fn addresses_have_a_port() {
        assert!(socket(&text("localhost:8000")).is_ok());
        assert!(socket(&text("[::]:8000")).is_ok());
        assert!(socket(&text("0.0.0.0")).is_err());
    }
}
