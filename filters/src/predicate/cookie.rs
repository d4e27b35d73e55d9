//! `Cookie=name,regexp` takes requests with a cookie whose whole value matches.
//!
//! | predicate               | request                          | matches |
//! |-------------------------|----------------------------------|---------|
//! | `Cookie=mycookie, ch.p` | `/ ⏎ Cookie: a=b; mycookie=chip` | `yes`   |
//! | `Cookie=mycookie, ch.p` | `/ ⏎ Cookie: mycookie=chips`     | `no`    |
//! | `Cookie=mycookie, ch.p` | `/ ⏎ Cookie: MyCookie=chip`      | `no`    |
//! | `Cookie=mycookie, ch.p` | `/`                              | `no`    |
//!
//! Names are compared with case. A cookie that breaks RFC 6265, by a blank or a comma for example,
//! is not there; its neighbours are.

use std::fmt;
use std::str;

use http::header::COOKIE;
use serde::Deserialize;

use super::late_pattern::LatePattern;
use super::{Incoming, Predicate, required};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Failure, Invalid};

/// Asks for a cookie with a value.
#[derive(Debug)]
pub(super) struct Cookie {
    name: String,
    regexp: LatePattern,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// Name of the cookie.
    #[serde(default)]
    name: String,
    /// Pattern for the whole value.
    #[serde(default)]
    regexp: String,
}

impl FromArguments for Cookie {
    const NAME: &'static str = "Cookie";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name", "regexp"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        required("name", &config.name)?;
        required("regexp", &config.regexp)?;
        let regexp = LatePattern::new("regexp", config.regexp, settings)?;
        Ok(Self { name: config.name, regexp })
    }
}

impl Predicate for Cookie {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        for line in incoming.headers().get_all(COOKIE) {
            for (name, value) in cookies(line.as_bytes()) {
                if name == self.name && self.regexp.is_full_match(value)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cookie: name={} regexp={}", self.name, self.regexp.as_str())
    }
}

/// The cookies of one header line, as the reference gateway's server reads them
/// (`predicates.md` 5.5).
pub(crate) fn cookies(line: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    const VERSION: &[u8] = b"$Version";
    let is_obsolete =
        line.get(..VERSION.len()).is_some_and(|lead| lead.eq_ignore_ascii_case(VERSION));
    let mut pairs = line.split(|byte| *byte == b';');
    if is_obsolete && line.contains(&b';') {
        pairs.next();
    }
    pairs.filter_map(cookie).filter(move |(name, _)| {
        !(is_obsolete && ["$Path", "$Domain", "$Port"].iter().any(|lead| name.starts_with(lead)))
    })
}

/// One `name=value`, unless something about it is not allowed.
fn cookie(pair: &[u8]) -> Option<(&str, &str)> {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
    let start = pair.iter().position(|byte| !is_separator(byte))?;
    let pair = pair.get(start..)?;
    let equals = memchr::memchr(b'=', pair)?;
    let (name, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
    let value = match value {
        [b'"', inner @ .., b'"'] => inner,
        // A single quote character, at the start, is refused with the other characters.
        _ => value,
    };
    let is_legal = !name.is_empty()
        && name.iter().all(|byte| is_name_byte(*byte))
        && value.iter().all(|byte| is_value_byte(*byte));
    if !is_legal {
        return None;
    }
    Some((str::from_utf8(name).ok()?, str::from_utf8(value).ok()?))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#"()<>@,;:\"/[]?={}"#.contains(&byte)
}

fn is_value_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#"",;\"#.contains(&byte)
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_invalid, check_match};

    #[track_caller]
    fn check(line: &str, expected: bool) {
        check_match("Cookie=c, a", &format!("GET /\nCookie: {line}"), expected);
    }

    #[test]
    fn skips_what_is_no_cookie() {
        check("x; =a; c=a", true);
        check(" ,;\tc=a", true);
        check("c", false);
        check("=a", false);
    }

    #[test]
    fn drops_cookies_with_illegal_characters_only() {
        check("c=a ; d=1", false);
        check("c =a", false);
        check("c= a", false);
        check("x=1,c=a", false);
        check("x=\u{e9}; c=a", true);
        check("x=\"1; c=a", true);
        check("c=\"a", false);
        check("c=a\"", false);
        check("x[=1; c=a", true);
    }

    #[test]
    fn leaves_out_the_attributes_of_old_cookies() {
        check("$Version=1; c=a; $Path=/", true);
        check("$version=1, c=a", false);
        check_match("Cookie=$Path, /", "GET /\nCookie: $Version=1; c=a; $Path=/", false);
        check_match("Cookie=$Path, /", "GET /\nCookie: c=a; $Path=/", true);
        check_match("Cookie=$Version, 1", "GET /\nCookie: $Version=1", true);
        check_match("Cookie=$Version, 1", "GET /\nCookie: $Version=1; c=a", false);
    }

    #[test]
    fn wants_both_arguments() {
        check_invalid("Cookie=", "Cookie: `name` is required");
        check_invalid("Cookie=a", "Cookie: `regexp` is required");
        check_invalid("Cookie=a,[", "Cookie: `regexp`: ");
    }
}
