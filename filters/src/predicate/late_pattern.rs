//! A pattern that the reference gateway compiles only when it has a value to look at.

use crate::arguments::UnitSettings;
use crate::java_regex::JavaPattern;
use crate::{Failure, Invalid};

/// A pattern, or why every evaluation of it fails.
#[derive(Debug)]
pub(super) struct LatePattern {
    text: String,
    compiled: Result<JavaPattern, String>,
}

impl LatePattern {
    /// Compiles the argument `field`. Native files are refused if that is impossible; elsewhere it
    /// is a warning, and requests that reach the pattern fail.
    pub(super) fn new(
        field: &'static str,
        text: String,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        let compiled = match JavaPattern::new(&text) {
            Ok(pattern) => Ok(pattern),
            Err(why) => {
                let why = format!("`{field}`: {why}");
                settings.refuse_or_warn(Invalid::argument(field, why.clone()).per_request())?;
                Err(why)
            }
        };
        Ok(Self { text, compiled })
    }

    /// The pattern as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches all of `value`.
    pub(super) fn is_full_match(&self, value: &str) -> Result<bool, Failure> {
        match &self.compiled {
            Ok(pattern) => full_match(pattern, value),
            Err(why) => Err(Failure::Predicate(why.clone())),
        }
    }
}

/// Whether the pattern matches all of `value`; running into the pattern's limit is a failure.
pub(super) fn full_match(pattern: &JavaPattern, value: &str) -> Result<bool, Failure> {
    pattern.is_full_match(value).map_err(|limit| Failure::Predicate(limit.to_string()))
}
