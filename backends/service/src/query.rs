//! Query parameters, checked together so that one answer tells all their faults.
//!
//! A parameter this service does not know is ignored, as an unknown JSON member is; one it knows
//! may be given once unless it is a list.

use std::fmt;
use std::ops::RangeInclusive;
use std::str;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::civil::Date;
use percent_encoding::percent_decode;

use crate::code::{Code, codes};
use crate::cursor::Fingerprint;
use crate::date;
use crate::problem::{FieldError, Problem};

/// Page sizes a client may ask for.
const SIZES: RangeInclusive<usize> = 1..=100;
const DEFAULT_SIZE: usize = 20;

/// The query parameters of a request, and what is wrong with those read so far.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// Every value of `name`.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.pairs.iter().filter(|(candidate, _)| candidate == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    /// The one value of `name`.
    pub fn one(&mut self, name: &str) -> Option<String> {
        let values = self.all(name);
        if values.len() > 1 {
            self.reject(name, "must be given once", Some(values.join(", ")));
            return None;
        }
        values.into_iter().next()
    }

    /// The one value of `name` as a `T`; `expected` is what it must be otherwise.
    pub fn parse<T>(
        &mut self,
        name: &str,
        expected: impl fmt::Display,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.one(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.reject(name, format!("must be {expected}"), Some(text));
        }
        value
    }

    /// The one value of `name` as a date.
    pub fn date(&mut self, name: &str) -> Option<Date> {
        self.parse(name, date::EXPECTED, date::parse)
    }

    /// Every value of `name`, each a code.
    pub fn codes<T: Code>(&mut self, name: &str) -> Vec<T> {
        let mut values = Vec::new();
        for code in self.all(name) {
            match T::by_code(&code) {
                Some(value) => values.push(value),
                None => {
                    self.reject(name, format!("must be one of {}", codes::<T>(", ")), Some(code));
                }
            }
        }
        values
    }

    /// `size`: how many values a page may hold, 20 unless told.
    pub fn size(&mut self) -> usize {
        let size = self.parse("size", "a whole number from 1 to 100", |text| {
            text.parse().ok().filter(|size| SIZES.contains(size))
        });
        size.unwrap_or(DEFAULT_SIZE)
    }

    /// Records that `field` cannot be used because it `reason`.
    pub fn reject(&mut self, field: &str, reason: impl Into<String>, rejected: Option<String>) {
        self.errors.push(FieldError { field: field.to_owned(), reason: reason.into(), rejected });
    }

    /// Stands for the values of `names`; what a cursor is bound to.
    pub fn fingerprint(&self, names: &[&str]) -> Fingerprint {
        let known = self.pairs.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Fingerprint::of(known.map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Ends the check: 400 `INVALID_REQUEST` if anything was rejected.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }

    /// Reads the part of a target after `?`.
    pub fn from_text(text: &str) -> Result<Self, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        let pairs = pairs.collect::<Option<_>>().ok_or_else(|| {
            Problem::invalid(vec![FieldError {
                field: "query".to_owned(),
                reason: "must be percent-encoded UTF-8".to_owned(),
                rejected: Some(text.to_owned()),
            }])
        })?;
        Ok(Self { pairs, errors: Vec::new() })
    }
}

/// An id in a path; 400 `INVALID_REQUEST` unless it is a positive whole number.
pub fn id(name: &'static str, text: &str) -> Result<i64, Problem> {
    // The router takes `//` for a path with an empty id, but nothing is served there.
    if text.is_empty() {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    }
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
        Problem::invalid(vec![FieldError {
            field: name.to_owned(),
            reason: "must be a positive whole number".to_owned(),
            rejected: Some(text.to_owned()),
        }])
    })
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_text(parts.uri.query().unwrap_or_default())
    }
}

/// Strict where the usual decoders are lenient: what cannot be decoded was not meant as it arrives.
fn decode(text: &str) -> Option<String> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = rest.get(at + 3..)?;
    }
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::Role;

    fn errors(query: Query) -> String {
        let errors = query.finish().unwrap_err().errors;
        let lines = errors.iter().map(|error| format!("{} {}", error.field, error.reason));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn decodes_names_and_values() {
        let mut query = Query::from_text("keyword=%EC%84%9C%EC%9A%B8+1&&x").unwrap();
        assert_eq!(query.one("keyword").unwrap(), "서울 1");
        assert_eq!(query.one("x").unwrap(), "");
    }

    #[test]
    fn refuses_what_cannot_be_decoded() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%e3%81=1", "a=%00"] {
            assert!(Query::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tells_all_faults() {
        let mut query = Query::from_text("size=0&guests=1&guests=2").unwrap();
        assert_eq!(query.size(), 20);
        assert_eq!(query.one("guests"), None);
        let told = errors(query);
        assert_eq!(told, "size must be a whole number from 1 to 100; guests must be given once");
    }

    #[test]
    fn a_list_of_codes_tells_each_that_is_none() {
        let mut query = Query::from_text("role=ADMIN&role=admin&role=USER&role=&on=1").unwrap();
        assert_eq!(query.codes::<Role>("role"), [Role::Admin, Role::User]);
        assert_eq!(query.date("on"), None);
        let told = "role must be one of USER, ADMIN; role must be one of USER, ADMIN; \
                    on must be a date such as 2025-05-01";
        assert_eq!(errors(query), told);
    }

    #[test]
    fn ids_are_positive_whole_numbers() {
        assert_eq!(id("placeId", "9223372036854775807").unwrap(), i64::MAX);
        for text in ["0", "-1", "1.0", "9223372036854775808", "x"] {
            let problem = id("placeId", text).unwrap_err();
            assert_eq!(problem.detail, "placeId must be a positive whole number", "{text}");
        }
        assert_eq!(id("placeId", "").unwrap_err().code, "NOT_FOUND");
    }

    #[test]
    fn parameters_of_others_do_not_count() {
        let filter = |text| Query::from_text(text).unwrap().fingerprint(&["area"]);
        assert_eq!(filter("area=1&size=5"), filter("x=y&area=1"));
        assert_ne!(filter("area=1"), filter("area=2"));
    }
}
