//! `PrefixPath=prefix` puts a template in front of the path.
//!
//! It acts once per request: of two, the one that comes first. The prefix is written decoded; what
//! the client sent stays as it is. Where a prefix ends and the path begins there is one slash.
//!
//! | route             | request        | upstream sees        |
//! |-------------------|----------------|----------------------|
//! | `PrefixPath=/v1`  | `/rooms`       | `/v1/rooms`          |
//! | `PrefixPath=/v1/` | `/rooms`       | `/v1/rooms`          |
//! | `PrefixPath=/v 1` | `/a%2Fb//c?x=` | `/v%201/a%2Fb//c?x=` |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::template::PathTemplate;
use crate::{Exchange, Failure, Invalid};

/// Puts a template in front of the path, once per request.
#[derive(Debug)]
pub(super) struct PrefixPath(PathTemplate);

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The prefix, in which `{x}` is a variable of the route.
    prefix: String,
}

impl FromArguments for PrefixPath {
    const NAME: &'static str = "PrefixPath";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["prefix"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let prefix = PathTemplate::new("prefix", &config.prefix)?;
        if !prefix.is_empty() {
            prefix.check("prefix", settings)?;
        }
        Ok(Self(prefix))
    }
}

impl PrefixPath {
    fn put(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        if exchange.state().prefixed {
            return Ok(());
        }
        exchange.state().prefixed = true;
        let prefix = self.0.expand(exchange.variables())?;
        // The reference gateway joins them as they are and lets the doubled slash vanish later,
        // with every other one of the path; here the client's own slashes stay.
        let front = match prefix.strip_suffix('/') {
            Some(shorter) if exchange.path().starts_with('/') => shorter,
            _ => &prefix,
        };
        let path = format!("{front}{}", exchange.path());
        exchange.rewrite_path(&path)
    }
}

impl Filter for PrefixPath {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.put(exchange))
    }
}

impl fmt::Display for PrefixPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrefixPath prefix = '{}'", self.0.as_str())
    }
}
