//! `SetRequestHeader=name, value` replaces all lines of a request header by one.
//!
//! | route                       | request             | upstream sees       |
//! |-----------------------------|---------------------|---------------------|
//! | `SetRequestHeader=X-Tag, b` | `/rooms ⏎ X-Tag: a` | `/rooms ⏎ X-Tag: b` |
//! | `SetRequestHeader=X-Tag, b` | `/rooms`            | `/rooms ⏎ X-Tag: b` |

use std::fmt;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_line::{HeaderLine, HeaderLineConfig};
use crate::{Exchange, Failure, Invalid};

/// Replaces all lines of a request header by one.
#[derive(Debug)]
pub(super) struct SetRequestHeader(HeaderLine);

impl FromArguments for SetRequestHeader {
    const NAME: &'static str = "SetRequestHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name", "value"]);
    type Config = HeaderLineConfig;

    fn from_arguments(
        config: HeaderLineConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        HeaderLine::new(&config, settings).map(Self)
    }
}

impl SetRequestHeader {
    fn set(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let (field, value) = self.0.expand(exchange.variables())?;
        exchange.set_header(field, value)
    }
}

impl Filter for SetRequestHeader {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.set(exchange))
    }
}

impl fmt::Display for SetRequestHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SetRequestHeader {} = '{}'", self.0.name(), self.0.value())
    }
}
