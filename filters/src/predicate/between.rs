//! `Between=datetime1,datetime2` takes requests after one point in time and before another.
//!
//! | predicate                             | request | matches |
//! |---------------------------------------|---------|---------|
//! | `Between=-1,1`                        | `/`     | `yes`   |
//! | `Between=0,1`                         | `/`     | `no`    |
//! | `Between=-1,1970-01-01T00:00:00Z`     | `/`     | `no`    |
//!
//! The rows are asked at 1970-01-01T00:00:00Z. Both points are excluded; for the forms of a time see
//! `After`.

use std::fmt;

use serde::Deserialize;

use super::{Incoming, Predicate};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::date_time::DateTime;
use crate::{Failure, Invalid};

/// Asks whether it is later than one point in time and earlier than another.
#[derive(Debug, Deserialize)]
pub(super) struct Between {
    /// The point in time after which requests match.
    datetime1: DateTime,
    /// The point in time before which requests match; later than the first.
    datetime2: DateTime,
}

impl FromArguments for Between {
    const NAME: &'static str = "Between";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["datetime1", "datetime2"]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        if config.datetime1.nanos() >= config.datetime2.nanos() {
            let message = format!("`{}` is not before `{}`", config.datetime1, config.datetime2);
            return Err(Invalid::argument("datetime1", message));
        }
        Ok(config)
    }
}

impl Predicate for Between {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        let now = incoming.now_nanos;
        Ok(now > self.datetime1.nanos() && now < self.datetime2.nanos())
    }
}

impl fmt::Display for Between {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Between: {} and {}", self.datetime1, self.datetime2)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_invalid;

    #[test]
    fn wants_the_earlier_time_first() {
        check_invalid(
            "Between=1,0",
            "Between: `1970-01-01T00:00:00.001Z` is not before `1970-01-01T00:00Z`",
        );
    }

    #[test]
    fn wants_both_times() {
        check_invalid("Between=1", "Between: `datetime2` is required");
    }
}
