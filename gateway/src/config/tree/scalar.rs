//! What a plain YAML scalar means: the rules of YAML 1.1 (`predicates.md` 1.6).

use std::borrow::Cow;

/// A scalar with its type.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Typed<'t> {
    /// `~`, `null`, or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Boolean(bool),
    /// A whole number of any size, in decimal digits.
    Integer(Cow<'t, str>),
    /// Any other number.
    Float(f64),
    /// Anything else.
    Text(Cow<'t, str>),
}

impl<'t> Typed<'t> {
    /// Reads a plain scalar.
    pub(in crate::config) fn plain(text: &'t str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
                return Self::Boolean(true);
            }
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
                return Self::Boolean(false);
            }
            _ => {}
        }
        let numeric =
            text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
        if !numeric {
            return Self::Text(Cow::Borrowed(text));
        }
        integer(text)
            .map(Self::Integer)
            .or_else(|| float(text).map(Self::Float))
            .unwrap_or(Self::Text(Cow::Borrowed(text)))
    }

    /// The text that a string property gets.
    pub(in crate::config) fn text(self) -> Cow<'t, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Integer(text) | Self::Text(text) => text,
            Self::Float(number) => Cow::Owned(java_double(number)),
        }
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<Cow<'_, str>> {
    let (negative, written) = split_sign(text);
    let starts = written.starts_with(|c: char| c.is_ascii_digit());
    if !starts {
        return None;
    }
    let is_decimal = written == "0" || !written.starts_with('0');
    if is_decimal && !negative && written.len() == text.len() && all_digits(written, 10) {
        return Some(Cow::Borrowed(text));
    }
    let digits: String = written.chars().filter(|c| *c != '_').collect();
    let magnitude = if let Some(hexadecimal) = digits.strip_prefix("0x") {
        radix(hexadecimal, 16)?
    } else if let Some(binary) = digits.strip_prefix("0b") {
        radix(binary, 2)?
    } else if digits.contains(':') {
        sexagesimal(&digits)?.to_string()
    } else if is_decimal && all_digits(&digits, 10) {
        digits
    } else {
        radix(digits.strip_prefix('0')?, 8)?
    };
    let negative = negative && magnitude != "0";
    Some(Cow::Owned(if negative { format!("-{magnitude}") } else { magnitude }))
}

fn all_digits(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_digit(radix))
}

fn radix(digits: &str, radix: u32) -> Option<String> {
    let fits = all_digits(digits, radix);
    fits.then(|| u128::from_str_radix(digits, radix).ok())?.map(|number| number.to_string())
}

/// `190:20:30`: every group behind the first is below 60.
fn sexagesimal(text: &str) -> Option<u64> {
    let mut groups = text.split(':');
    let first = groups.next().filter(|digits| {
        all_digits(digits, 10) && (digits.len() == 1 || !digits.starts_with('0'))
    })?;
    groups.try_fold(first.parse().ok()?, |sum: u64, group| {
        let value: u64 = group.parse().ok()?;
        let fits = all_digits(group, 10) && group.len() <= 2 && value < 60;
        fits.then_some(())?;
        sum.checked_mul(60)?.checked_add(value)
    })
}

/// `190:20:30.15`: whole groups, of which the last has a fraction.
fn sexagesimal_float(text: &str) -> Option<f64> {
    let (groups, fraction) = text.split_once('.')?;
    let is_fraction = fraction.chars().all(|c| c.is_ascii_digit() || c == '_');
    let whole = sexagesimal(&groups.replace('_', "")).filter(|_| is_fraction)?;
    format!("{whole}.{}", fraction.replace('_', "")).parse().ok()
}

fn float(text: &str) -> Option<f64> {
    let (negative, written) = split_sign(text);
    match written {
        ".inf" | ".Inf" | ".INF" => {
            return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        ".nan" | ".NaN" | ".NAN" if written.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    let starts = written.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    if written.contains(':') {
        return sexagesimal_float(written).map(|number| if negative { -number } else { number });
    }
    let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | 'e' | 'E' | '+' | '-');
    if !starts || !written.chars().all(known) || !written.contains(['.', 'e', 'E']) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Writes a number as Java's `Double.toString` does.
fn java_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{number:?}");
    }
    let scientific = format!("{number:E}");
    match scientific.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(written: &str, expected: &str) {
        assert_eq!(Typed::plain(written).text(), expected, "{written}");
    }

    #[track_caller]
    fn check_unchanged(written: &str) {
        assert_eq!(Typed::plain(written), Typed::Text(Cow::Borrowed(written)));
    }

    #[test]
    fn truth_values_come_in_three_letter_cases() {
        for word in ["on", "On", "ON", "yes", "Yes", "YES", "true", "True", "TRUE"] {
            assert_eq!(Typed::plain(word), Typed::Boolean(true), "{word}");
        }
        check_text("Off", "false");
        check_unchanged("y");
        check_unchanged("n");
        check_unchanged("tRUE");
    }

    #[test]
    fn whole_numbers_come_in_four_bases() {
        check_text("010", "8");
        check_text("007", "7");
        check_text("00", "0");
        check_text("0x1F", "31");
        check_text("0b101", "5");
        check_text("1_000", "1000");
        check_text("+5", "5");
        check_text("-0", "0");
        check_text("-7", "-7");
        check_text("12345678901234567890", "12345678901234567890");
        check_text("5:30", "330");
        check_text("190:20:30", "685230");
        check_unchanged("08");
        check_unchanged("0o10");
        check_unchanged("5:60");
        check_unchanged("1,5");
    }

    #[test]
    fn other_numbers_have_javas_form() {
        check_text("1.10", "1.1");
        check_text("1.", "1.0");
        check_text(".5", "0.5");
        check_text("1_0.5", "10.5");
        check_text("3.0", "3.0");
        check_text("1e3", "1000.0");
        check_text("1:30.5", "90.5");
        check_text("-1:30.", "-90.0");
        check_unchanged("1:60.5");
        check_unchanged("1:30.5e1");
        check_text("1e7", "1.0E7");
        check_text("100000000.0", "1.0E8");
        check_text("0.0001", "1.0E-4");
        check_text("1.5e-4", "1.5E-4");
        check_text("-2.5", "-2.5");
        check_text(".inf", "Infinity");
        check_text("-.inf", "-Infinity");
        check_text(".nan", "NaN");
    }

    #[test]
    fn dates_and_signs_stay_text() {
        for written in ["2020-01-01", "2001-12-14t21:59:43.10-05:00", "=", "-", ".", "+", "1.2.3"] {
            check_unchanged(written);
        }
        check_text("~", "");
        check_text("null", "");
        check_text("", "");
    }
}
