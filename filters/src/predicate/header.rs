//! `Header=header,regexp` takes requests with a header of which one value matches.
//!
//! | predicate          | request          | matches |
//! |--------------------|------------------|---------|
//! | `Header=X-Id, \d+` | `/ ⏎ x-id: 7`    | `yes`   |
//! | `Header=X-Id, \d+` | `/ ⏎ X-Id: a, 7` | `yes`   |
//! | `Header=X-Id, \d+` | `/ ⏎ X-Id: 7a`   | `no`    |
//! | `Header=X-Id`      | `/ ⏎ X-Id: a`    | `yes`   |
//! | `Header=X-Id`      | `/ ⏎ X-Id:`      | `no`    |
//!
//! Without `regexp` the header must have a value. Values are what stands between commas; the line
//! as a whole is never looked at. From the second value of a line on, blanks are gone, inner ones
//! too: `a, c d` has the values `a` and `cd`.

use std::borrow::Cow;
use std::fmt;

use http::header::HOST;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::late_pattern::full_match;
use super::{Incoming, Predicate, required};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::java_regex::JavaPattern;
use crate::{Failure, Invalid, Severity};

/// Asks for a header, with a value if a pattern is given.
#[derive(Debug)]
pub(super) struct Header {
    written: String,
    /// `None` if no request can have a header of this name.
    name: Option<HeaderName>,
    /// As written; a blank one asks for nothing.
    regexp_text: Option<String>,
    regexp: Option<JavaPattern>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// Name of the header.
    #[serde(default)]
    header: String,
    /// Pattern for one whole value; without it any value will do.
    regexp: Option<String>,
}

impl FromArguments for Header {
    const NAME: &'static str = "Header";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["header", "regexp"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        required("header", &config.header)?;
        let name = HeaderName::from_bytes(config.header.as_bytes()).ok();
        if name.is_none() {
            let message = format!("`{}` is not a header name, no request has it", config.header);
            settings.warnings.push((Severity::Warning, Invalid::argument("header", message)));
        }
        let regexp = config
            .regexp
            .as_ref()
            .filter(|text| !text.trim().is_empty())
            .map(|text| JavaPattern::new(text))
            .transpose()
            .map_err(|why| Invalid::argument("regexp", format!("`regexp`: {why}")))?;
        Ok(Self { written: config.header, name, regexp_text: config.regexp, regexp })
    }
}

impl Predicate for Header {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        let Some(name) = &self.name else { return Ok(false) };
        let mut lines = incoming.headers().get_all(name).iter().peekable();
        if lines.peek().is_none() && name == HOST {
            // HTTP/2 says it in `:authority`.
            return incoming.host().map_or(Ok(false), |host| self.matches_line(host));
        }
        for line in lines {
            if self.matches_line(&text(line))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Header {
    fn matches_line(&self, line: &str) -> Result<bool, Failure> {
        let mut values = Values { rest: Some(line), is_first: true };
        let Some(regexp) = &self.regexp else { return Ok(values.next().is_some()) };
        for value in values {
            if full_match(regexp, &value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl fmt::Display for Header {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regexp = self.regexp_text.as_deref().unwrap_or("null");
        write!(formatter, "Header: {} regexp={regexp}", self.written)
    }
}

/// The text of a header line; bytes beyond ASCII are Latin-1, as the reference gateway reads them.
fn text(line: &HeaderValue) -> Cow<'_, str> {
    match line.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => line.as_bytes().iter().copied().map(char::from).collect(),
    }
}

/// The values of one header line (`predicates.md` 5.6), borrowed unless characters are dropped.
struct Values<'a> {
    /// `None` behind the last value.
    rest: Option<&'a str>,
    is_first: bool,
}

impl<'a> Iterator for Values<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        loop {
            let from = self.rest?.trim_start_matches(is_blank);
            let keep_blanks = self.is_first;
            let (value, rest) = match from.strip_prefix('"') {
                Some(quoted) => quoted_value(quoted, keep_blanks),
                None => plain_value(from, keep_blanks),
            };
            self.rest = rest;
            self.is_first = false;
            if !value.is_empty() {
                return Some(value);
            }
        }
    }
}

/// A value and what follows its comma.
type Taken<'a> = (Cow<'a, str>, Option<&'a str>);

fn plain_value(from: &str, keep_blanks: bool) -> Taken<'_> {
    let (value, rest) = match from.split_once(',') {
        Some((value, rest)) => (value, Some(rest)),
        None => (from, None),
    };
    let value = value.trim_end_matches(is_blank);
    let value = if value.contains(is_blank) && !keep_blanks {
        Cow::Owned(value.replace(is_blank, ""))
    } else {
        Cow::Borrowed(value)
    };
    (value, rest)
}

/// A value that starts with a quote; `from` is behind it.
fn quoted_value(from: &str, mut keep_blanks: bool) -> Taken<'_> {
    if let Some((value, rest)) = from.split_once('"')
        && !value.is_empty()
        && !value.contains('\\')
        && (rest.is_empty() || rest.starts_with(','))
    {
        return (Cow::Borrowed(value), rest.strip_prefix(','));
    }
    let mut value = String::new();
    let mut is_quoted = true;
    let mut rest = from.chars();
    while let Some(next) = rest.next() {
        match next {
            // A quote that nothing stands in front of opens again: `""` does not close.
            '"' if value.is_empty() => is_quoted = true,
            '"' if is_quoted => {
                is_quoted = false;
                keep_blanks = false;
            }
            '\\' if is_quoted => value.push(rest.next().unwrap_or('\\')),
            ',' if !is_quoted => return (Cow::Owned(value), Some(rest.as_str())),
            _ if is_quoted || !is_blank(next) => value.push(next),
            _ => {}
        }
    }
    let value = if keep_blanks { value.trim_matches(is_blank).to_owned() } else { value };
    (Cow::Owned(value), None)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_invalid, check_match};

    #[track_caller]
    fn check_values(line: &str, expected: &[&str]) {
        let values: Vec<_> = Values { rest: Some(line), is_first: true }.collect();
        assert_eq!(values, expected, "{line}");
    }

    #[test]
    fn splits_at_commas() {
        check_values("a,b , c", &["a", "b", "c"]);
        check_values("", &[]);
        check_values(" , ,", &[]);
    }

    #[test]
    fn keeps_inner_blanks_of_the_first_value_only() {
        check_values(" a b , c d ", &["a b", "cd"]);
        check_values(",a b", &["ab"]);
    }

    #[test]
    fn quotes_protect_commas_and_blanks() {
        check_values(r#""a, b", c"#, &["a, b", "c"]);
        check_values(r#"a, " ""#, &["a", " "]);
        check_values(r#"" ""#, &[" "]);
        check_values(r#""a\"b""#, &["a\"b"]);
        check_values(r#""a" b c"#, &["abc"]);
        check_values(r#""a"b"c"#, &["ab\"c"]);
        check_values(r#"a"b,c""#, &["a\"b", "c\""]);
    }

    #[test]
    fn tolerates_quotes_that_do_not_close() {
        check_values(r#""a, b "#, &["a, b"]);
        check_values(r#"x, "a, b "#, &["x", "a, b "]);
        check_values(r#""",a"#, &[",a"]);
        check_values(r#""""#, &[]);
        check_values(r#""a\"#, &["a\\"]);
    }

    #[test]
    fn reads_bytes_beyond_ascii_as_latin_1() {
        check_match("Header=X-A, \u{c3}\u{a9}", "GET /\nX-A: \u{e9}", true);
    }

    #[test]
    fn wants_a_name_and_a_pattern_that_compiles() {
        check_invalid("Header=", "Header: `header` is required");
        check_invalid("Header=X-A,[", "Header: `regexp`: ");
    }
}
