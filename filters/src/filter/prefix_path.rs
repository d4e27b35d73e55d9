//! `PrefixPath=prefix` puts a template in front of the path.
//!
//! | route             | request   | upstream sees |
//! |-------------------|-----------|---------------|
//! | `PrefixPath=/v1`  | `/rooms`  | `/v1/rooms`   |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Exchange, Invalid};

/// Puts a template in front of the path, once per request.
#[derive(Debug, Deserialize)]
pub(super) struct PrefixPath {
    /// The template.
    prefix: String,
}

impl FromArguments for PrefixPath {
    const NAME: &'static str = "PrefixPath";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["prefix"]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl Filter for PrefixPath {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        if exchange.state().prefixed {
            return Hook::Ready(Ok(Flow::Continue));
        }
        exchange.state().prefixed = true;
        let path = format!("{}{}", self.prefix, exchange.path());
        Hook::after(exchange.rewrite_path(&path))
    }
}

impl fmt::Display for PrefixPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrefixPath prefix = '{}'", self.prefix)
    }
}
