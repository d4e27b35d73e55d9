//! `SaveSession` makes sure that what changed in the session is in the store before the upstream is
//! asked (`filters.md` 4.21, Spring Cloud Gateway's filter of the same name).
//!
//! Here that is so on every route: the token check waits for the store to take the last use and a
//! renewal before any filter of the route runs. The filter is there so that route files keep
//! working, and takes no arguments.
//!
//! | route         | request         | upstream sees   |
//! |---------------|-----------------|-----------------|
//! | `SaveSession` | `/a ⏎ X-A: 1`   | `/a ⏎ X-A: 1`   |

use std::fmt;

use serde::Deserialize;

use super::Filter;
use crate::Invalid;
use crate::arguments::{FromArguments, Shortcut, UnitSettings};

/// States that the session is saved by now.
#[derive(Debug, Deserialize)]
pub(super) struct SaveSession {}

impl FromArguments for SaveSession {
    const NAME: &'static str = "SaveSession";
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl Filter for SaveSession {}

impl fmt::Display for SaveSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Self::NAME)
    }
}
