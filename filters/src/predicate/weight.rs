//! `Weight=group,weight` takes the route's share of the requests, drawn once for each group.
//!
//! | predicate    | request | matches |
//! |--------------|---------|---------|
//! | `Weight=g,5` | `/`     | `no`    |
//!
//! The draw is made before any route is looked at (`WeightTable`); the row is asked without one.
//! Other predicates do not take part in it: if the chosen route fails on them, the other routes of
//! the group do not step in.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::{Hint, Incoming, Predicate, required};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Failure, Invalid};

/// Asks whether the group's draw fell on this route.
#[derive(Debug)]
pub(super) struct Weight {
    group: String,
    share: i32,
    route: Arc<str>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The routes of one group share its requests.
    #[serde(rename = "weight.group", default)]
    group: String,
    /// Share of the route, relative to the sum of its group.
    #[serde(rename = "weight.weight", default)]
    weight: i32,
}

impl FromArguments for Weight {
    const NAME: &'static str = "Weight";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["weight.group", "weight.weight"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        required("weight.group", &config.group)?;
        if config.weight < 0 {
            let message = format!("`weight.weight`: `{}` is less than 0", config.weight);
            return Err(Invalid::argument("weight.weight", message));
        }
        Ok(Self { group: config.group, share: config.weight, route: settings.route_id.into() })
    }
}

impl Predicate for Weight {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        Ok(incoming.choices.chose(&self.group, &self.route))
    }

    fn hint(&self) -> Hint<'_> {
        Hint::Weight { group: &self.group, weight: self.share }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Weight: {} {}", self.group, self.share)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_invalid;

    #[test]
    fn wants_a_group_and_a_weight() {
        check_invalid("Weight=", "Weight: `weight.group` is required");
        check_invalid("Weight=g,-1", "Weight: `weight.weight`: `-1` is less than 0");
        check_invalid("Weight=g,1.5", "Weight: `weight.weight`: `1.5` is not a whole number");
    }
}
