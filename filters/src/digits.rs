//! Whole numbers as Java reads them.

/// Reads a number as `Long.parseLong` does: an optional sign, then decimal digits of any script.
pub(crate) fn parse_long(text: &str) -> Option<i64> {
    if text.is_ascii() {
        return text.parse().ok();
    }
    text.chars().map(ascii_digit).collect::<String>().parse().ok()
}

/// The ASCII form of a decimal digit; any other character as it is.
fn ascii_digit(written: char) -> char {
    let value = ZEROS.iter().find_map(|zero| {
        let value = u32::from(written).checked_sub(u32::from(*zero))?;
        char::from_digit(value, 10)
    });
    value.unwrap_or(written)
}

/// The zero of every other script that Java reads; the other nine digits follow it.
const ZEROS: [char; 36] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}',
    '\u{1040}', '\u{1090}', '\u{17e0}', '\u{1810}', '\u{1946}', '\u{19d0}', '\u{1a80}', '\u{1a90}',
    '\u{1b50}', '\u{1bb0}', '\u{1c40}', '\u{1c50}', '\u{a620}', '\u{a8d0}', '\u{a900}', '\u{a9d0}',
    '\u{a9f0}', '\u{aa50}', '\u{abf0}', '\u{ff10}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse_long(text), expected, "{text}");
    }

    #[test]
    fn reads_signs_and_digits_of_any_script() {
        check("+5", Some(5));
        check("-0", Some(0));
        check("٣", Some(3));
        check("-１٢", Some(-12));
        check("9223372036854775807", Some(i64::MAX));
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", "+", "--5", " 5", "1_000", "0x10", "1e3", "9223372036854775808", "½"] {
            check(text, None);
        }
    }
}
