//! E-mail addresses, as members log in with them.

use std::fmt;

/// What an address must be, to be read after "must be".
pub(crate) const EXPECTED: &str = "an e-mail address such as a@example.com";

const LONGEST: usize = 320;
const LONGEST_NAME: usize = 64;
const LONGEST_LABEL: usize = 63;

/// An e-mail address in lower case. It appears in no log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address of the usual form: ASCII, without quotes, at a host name with a dot.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, host) = text.rsplit_once('@')?;
        let is_name = name.len() <= LONGEST_NAME && name.split('.').all(is_atom);
        let (_, top) = host.rsplit_once('.')?;
        let is_address = top.bytes().all(|byte| byte.is_ascii_digit());
        let is_host = host.split('.').all(is_label) && !is_address;
        let is_fine = text.len() <= LONGEST && is_name && is_host;
        is_fine.then(|| Self(text.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Email(…)")
    }
}

/// RFC 5322, `atext`.
fn is_atom(text: &str) -> bool {
    let is_atext =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_atext)
}

/// A part of a host name (RFC 1123).
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST_LABEL).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_lower_case() {
        for (text, kept) in [
            ("a@example.com", "a@example.com"),
            ("A.B+C@Example.CO.kr", "a.b+c@example.co.kr"),
            ("o'neil@1-2.io", "o'neil@1-2.io"),
        ] {
            assert_eq!(Email::parse(text).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_cannot_be_delivered_to_is_refused() {
        let long_name = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("a@{}.com", "b".repeat(64));
        let long = format!("a@{}com", "b.".repeat(159));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.b",
            "a@b..c",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "a b@c.d",
            "a@b c.d",
            "a@-b.c",
            "a@b-.c",
            "a@1.2",
            "a@b@c.d",
            "ä@b.c",
            "a@b.c\n",
            "\"a\"@b.c",
            "a@[1.2.3.4]",
            &long_name,
            &long_label,
            &long,
        ] {
            assert!(Email::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_output_does_not_tell_it() {
        assert_eq!(format!("{:?}", Email::parse("a@example.com").unwrap()), "Email(…)");
    }
}
