//! The members of a JSON body, checked together so that one answer tells all their faults.
//!
//! A body is read into a struct of options; what is missing or cannot be used is recorded here, and
//! [`Check::finish`] answers for all of it.

use std::fmt::Display;
use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::problem::{FieldError, Problem};

/// What [`uuid()`] reads.
pub const A_UUID: &str = "a UUID with hyphens";

const UUID_LENGTH: usize = 36;

/// A UUID as it is usually written.
pub fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == UUID_LENGTH)
}

/// What is wrong with the members read so far.
#[derive(Debug, Default)]
#[must_use = "faults are told by `finish`"]
pub struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Starts a check.
    pub fn new() -> Self {
        Self::default()
    }

    /// A text that must be there, as it was sent: its length in characters, without control
    /// characters.
    pub fn text(
        &mut self,
        field: &str,
        value: Option<&str>,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let value = self.required(field, value)?;
        self.optional_text(field, Some(value), length)
    }

    /// A text that may be left out, otherwise as [`Check::text`].
    pub fn optional_text(
        &mut self,
        field: &str,
        value: Option<&str>,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let value = value?;
        if !length.contains(&value.chars().count()) {
            let reason = format!("must have {} to {} characters", length.start(), length.end());
            self.reject(field, reason, Some(value.to_owned()));
            return None;
        }
        if value.chars().any(char::is_control) {
            self.reject(field, "must not have control characters", Some(value.to_owned()));
            return None;
        }
        Some(value.to_owned())
    }

    /// A value that must be there.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.reject(field, "must be given", None);
        }
        value
    }

    /// A text as a `T`; `expected` is what it must be otherwise. Nothing is recorded when it was
    /// left out.
    pub fn parse<T>(
        &mut self,
        field: &str,
        value: Option<&str>,
        expected: impl Display,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = value?;
        let value = parse(text);
        if value.is_none() {
            self.reject(field, format!("must be {expected}"), Some(text.to_owned()));
        }
        value
    }

    /// A value within bounds. Nothing is recorded when it was left out.
    pub fn within<T: PartialOrd + Display>(
        &mut self,
        field: &str,
        value: Option<T>,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let value = value?;
        if range.contains(&value) {
            return Some(value);
        }
        let reason = format!("must be from {} to {}", range.start(), range.end());
        self.reject(field, reason, Some(value.to_string()));
        None
    }

    /// Records that `field` cannot be used because it `reason`. What was sent goes back to the
    /// client unless it is a secret.
    pub fn reject(&mut self, field: &str, reason: impl Into<String>, rejected: Option<String>) {
        self.errors.push(FieldError { field: field.to_owned(), reason: reason.into(), rejected });
    }

    /// Ends the check: 400 `INVALID_REQUEST` if anything was rejected.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }

    /// Ends the check and hands out what was put together from values that could be used: there is
    /// nothing exactly when something was rejected.
    pub fn finish_with<T>(self, value: Option<T>) -> Result<T, Problem> {
        self.finish()?;
        value.ok_or_else(Problem::unexplained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(check: Check) -> String {
        check.finish().map_or_else(|problem| problem.detail, |()| "nothing".to_owned())
    }

    #[test]
    fn hands_out_what_can_be_used() {
        let mut check = Check::new();
        assert_eq!(check.text("name", Some(" 가 "), 1..=3).unwrap(), " 가 ");
        assert_eq!(check.optional_text("nick", None, 1..=3), None);
        assert_eq!(check.within("age", Some(7), 0..=7), Some(7));
        assert_eq!(check.within("age", None, 0..=7), None);
        let parsed = check.parse("day", Some("5"), "a number", |text| text.parse::<i64>().ok());
        assert_eq!(parsed, Some(5));
        assert_eq!(told(check), "nothing");
    }

    #[test]
    fn hands_out_what_was_put_together() {
        assert_eq!(Check::new().finish_with(Some(1)).unwrap(), 1);
        assert_eq!(Check::new().finish_with(None::<i64>).unwrap_err().code, "INTERNAL_ERROR");
        let mut check = Check::new();
        check.reject("age", "must be even", None);
        assert_eq!(check.finish_with(Some(1)).unwrap_err().code, "INVALID_REQUEST");
    }

    #[test]
    fn tells_all_faults() {
        let mut check = Check::new();
        check.text("name", None, 1..=3);
        check.text("nick", Some("가나다라"), 1..=3);
        check.text("memo", Some("a\nb"), 1..=9);
        check.within("age", Some(8), 0..=7);
        check.parse("day", Some("x"), "a number", |text| text.parse::<i64>().ok());
        check.reject("end", "must be after start", None);
        assert_eq!(
            told(check),
            "name must be given; nick must have 1 to 3 characters; \
             memo must not have control characters; age must be from 0 to 7; \
             day must be a number; end must be after start"
        );
    }
}
