//! `Query=param,regexp` takes requests with a query parameter of which one value matches.
//!
//! | predicate        | request             | matches |
//! |------------------|---------------------|---------|
//! | `Query=foo`      | `/?foo`             | `yes`   |
//! | `Query=foo, ba.` | `/?foo=x&foo=ba%72` | `yes`   |
//! | `Query=foo, .*`  | `/?foo`             | `no`    |
//!
//! Without `regexp` the parameter must be there. Names are compared with case; names and values are
//! decoded, `+` is a blank. A parameter without `=` has no value.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::late_pattern::LatePattern;
use super::{Incoming, Predicate, required};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Failure, Invalid};

/// Asks for a query parameter, with a value if a pattern is given.
#[derive(Debug)]
pub(super) struct Query {
    param: String,
    /// As written; a blank one asks for nothing.
    regexp_text: Option<String>,
    regexp: Option<LatePattern>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// Name of the parameter.
    #[serde(default)]
    param: String,
    /// Pattern for one whole value; without it the parameter needs no value.
    regexp: Option<String>,
    /// Takes Java objects only, so whatever is written here is refused.
    predicate: Option<String>,
}

impl FromArguments for Query {
    const NAME: &'static str = "Query";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["param", "regexp", "predicate"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        required("param", &config.param)?;
        if let Some(text) = config.predicate {
            let message = format!("`predicate` cannot be the text `{text}`");
            return Err(Invalid::argument("predicate", message)
                .with_help("a shortcut cannot hold a comma; write `name:` and `args:` instead"));
        }
        let regexp = config
            .regexp
            .clone()
            .filter(|text| !text.trim().is_empty())
            .map(|text| LatePattern::new("regexp", text, settings))
            .transpose()?;
        Ok(Self { param: config.param, regexp_text: config.regexp, regexp })
    }
}

impl Predicate for Query {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        for (name, value) in parameters(incoming.query().unwrap_or_default()) {
            if decode(name) != self.param {
                continue;
            }
            let Some(regexp) = &self.regexp else { return Ok(true) };
            if let Some(value) = value
                && regexp.is_full_match(&decode(value))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regexp = self.regexp_text.as_deref().unwrap_or("null");
        write!(formatter, "Query: param={} regexp={regexp}", self.param)
    }
}

/// The names and values of a raw query (`predicates.md` 5.16). A leading `=` is dropped.
fn parameters(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let units = query.split('&').map(|unit| unit.trim_start_matches('='));
    units.filter(|unit| !unit.is_empty()).map(|unit| match unit.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (unit, None),
    })
}

/// Form-decodes a name or value; borrows if there is nothing to decode.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8_lossy();
    }
    let blanks = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&blanks).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use crate::testing::check_invalid;

    #[test]
    fn takes_no_third_argument() {
        check_invalid("Query=a,b,c", "Query: `predicate` cannot be the text `c`");
    }

    #[test]
    fn wants_a_name_and_a_pattern_that_compiles() {
        check_invalid("Query=", "Query: `param` is required");
        check_invalid("Query=a,[", "Query: `regexp`: ");
    }
}
