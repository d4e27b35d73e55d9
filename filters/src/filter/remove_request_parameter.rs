//! `RemoveRequestParameter=name` drops all parameters of a name from the query.
//!
//! Names compare decoded and with case. The query is written anew even if there is none of that
//! name: all but letters, digits and `-._~` encoded, parameters of one name together. The path
//! stays as it is.
//!
//! | route                        | request              | upstream sees            |
//! |------------------------------|----------------------|--------------------------|
//! | `RemoveRequestParameter=tag` | `/rooms?tag=a&tag`   | `/rooms`                 |
//! | `RemoveRequestParameter=a[]` | `/rooms?a%5B%5D=1&b` | `/rooms?b`               |
//! | `RemoveRequestParameter=tag` | `/rooms?a=x+y&b=1,2` | `/rooms?a=x%20y&b=1%2C2` |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::query::Parameters;
use crate::{Exchange, Failure, Invalid};

/// Drops all parameters of a name from the query.
#[derive(Debug, Deserialize)]
pub(super) struct RemoveRequestParameter {
    /// The name. Without one nothing is dropped and the query is still written anew.
    name: Option<String>,
}

impl FromArguments for RemoveRequestParameter {
    const NAME: &'static str = "RemoveRequestParameter";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name"]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl RemoveRequestParameter {
    fn remove(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let Some(query) = exchange.query() else { return Ok(()) };
        let mut parameters = Parameters::decoded(query);
        if let Some(name) = &self.name {
            parameters.remove(name);
        }
        let query = (!parameters.is_empty()).then(|| parameters.to_encoded());
        exchange.set_query(query.as_deref())
    }
}

impl Filter for RemoveRequestParameter {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.remove(exchange))
    }
}

impl fmt::Display for RemoveRequestParameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "RemoveRequestParameter name = '{name}'"),
            None => formatter.write_str("RemoveRequestParameter name = [null]"),
        }
    }
}
