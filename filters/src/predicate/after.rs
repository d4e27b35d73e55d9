//! `After=datetime` takes requests after a point in time.
//!
//! | predicate                                | request | matches |
//! |------------------------------------------|---------|---------|
//! | `After=1969-12-31T23:59:59.999Z`         | `/`     | `yes`   |
//! | `After=0`                                | `/`     | `no`    |
//! | `After=1970-01-01T01:00Z[Europe/Berlin]` | `/`     | `no`    |
//!
//! The rows are asked at 1970-01-01T00:00:00Z.
//!
//! The point itself is excluded. Times are milliseconds since 1970 or ISO 8601 with an offset; if a
//! region is named too, the offset decides.

use std::fmt;

use serde::Deserialize;

use super::{Incoming, Predicate};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::date_time::DateTime;
use crate::{Failure, Invalid};

/// Asks whether it is later than a point in time.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    /// The point in time.
    datetime: DateTime,
}

impl FromArguments for After {
    const NAME: &'static str = "After";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["datetime"]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl Predicate for After {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        Ok(incoming.now_nanos > self.datetime.nanos())
    }
}

impl fmt::Display for After {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "After: {}", self.datetime)
    }
}
