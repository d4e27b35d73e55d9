//! `StripPrefix=parts` removes the first segments of the path, one unless written.
//!
//! Segments are as the client sent them: `%2F` separates nothing. Empty ones do not count and are
//! gone from the result.
//!
//! | route           | request         | upstream sees |
//! |-----------------|-----------------|---------------|
//! | `StripPrefix`   | `/api/rooms/7`  | `/rooms/7`    |
//! | `StripPrefix=2` | `/api/rooms/7/` | `/7/`         |
//! | `StripPrefix=9` | `/api/rooms/7/` | `/`           |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Exchange, Failure, Invalid};

/// Removes the first segments of the path.
#[derive(Debug, Deserialize)]
pub(super) struct StripPrefix {
    /// How many segments to remove. Zero or less only removes empty ones.
    #[serde(default = "one")]
    parts: i32,
}

fn one() -> i32 {
    1
}

impl FromArguments for StripPrefix {
    const NAME: &'static str = "StripPrefix";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["parts"]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl StripPrefix {
    fn strip(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let path = exchange.path();
        let parts = usize::try_from(self.parts).unwrap_or(0);
        let mut rest = String::with_capacity(path.len() + 1);
        for segment in path.split('/').filter(|segment| !segment.is_empty()).skip(parts) {
            rest.push('/');
            rest.push_str(segment);
        }
        if rest.is_empty() || path.ends_with('/') {
            rest.push('/');
        }
        exchange.rewrite_path(&rest)
    }
}

impl Filter for StripPrefix {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.strip(exchange))
    }
}

impl fmt::Display for StripPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StripPrefix parts = {}", self.parts)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_invalid;

    #[test]
    fn wants_a_number() {
        check_invalid("StripPrefix=two", "StripPrefix: `parts`: `two` is not a whole number");
    }
}
