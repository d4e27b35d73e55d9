//! `Before=datetime` takes requests before a point in time.
//!
//! | predicate                                | request | matches |
//! |------------------------------------------|---------|---------|
//! | `Before=1970-01-01T00:00:00.001Z`        | `/`     | `yes`   |
//! | `Before=0`                               | `/`     | `no`    |
//! | `Before=1969-12-31T23:00-07:00`          | `/`     | `yes`   |
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

/// Asks whether it is earlier than a point in time.
#[derive(Debug, Deserialize)]
pub(super) struct Before {
    /// The point in time.
    datetime: DateTime,
}

impl FromArguments for Before {
    const NAME: &'static str = "Before";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["datetime"]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl Predicate for Before {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        Ok(incoming.now_nanos < self.datetime.nanos())
    }
}

impl fmt::Display for Before {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Before: {}", self.datetime)
    }
}
