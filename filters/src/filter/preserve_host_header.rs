//! `PreserveHostHeader` sends the request's `Host` upstream, not the upstream's own.
//!
//! It takes no arguments, and its place among the filters does not matter.
//!
//! | route                | request                 | upstream sees           |
//! |----------------------|-------------------------|-------------------------|
//! | `PreserveHostHeader` | `/rooms ⏎ Host: a.test` | `/rooms ⏎ Host: a.test` |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Exchange, Invalid};

/// Sends the request's `Host` upstream.
#[derive(Debug, Deserialize)]
pub(super) struct PreserveHostHeader {}

impl FromArguments for PreserveHostHeader {
    const NAME: &'static str = "PreserveHostHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&[]);
    type Config = Self;

    fn from_arguments(config: Self, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        Ok(config)
    }
}

impl Filter for PreserveHostHeader {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        exchange.state().preserve_host = true;
        Hook::Ready(Ok(Flow::Continue))
    }
}

impl fmt::Display for PreserveHostHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PreserveHostHeader")
    }
}
