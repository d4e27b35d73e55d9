//! `AddRequestHeader=name, value` adds a header line to the request.
//!
//! Lines of that name that are there already stay.
//!
//! | route                       | request             | upstream sees                  |
//! |-----------------------------|---------------------|--------------------------------|
//! | `AddRequestHeader=X-Tag, b` | `/rooms`            | `/rooms ⏎ X-Tag: b`            |
//! | `AddRequestHeader=X-Tag, b` | `/rooms ⏎ X-Tag: a` | `/rooms ⏎ X-Tag: a ⏎ X-Tag: b` |

use std::fmt;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_line::{HeaderLine, HeaderLineConfig};
use crate::{Exchange, Failure, Invalid};

/// Adds a header line to the request.
#[derive(Debug)]
pub(super) struct AddRequestHeader(HeaderLine);

impl FromArguments for AddRequestHeader {
    const NAME: &'static str = "AddRequestHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name", "value"]);
    type Config = HeaderLineConfig;

    fn from_arguments(
        config: HeaderLineConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        HeaderLine::new(&config, settings).map(Self)
    }
}

impl AddRequestHeader {
    fn add(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let (field, value) = self.0.expand(exchange.variables())?;
        exchange.append_header(field, value)
    }
}

impl Filter for AddRequestHeader {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.add(exchange))
    }
}

impl fmt::Display for AddRequestHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AddRequestHeader {} = '{}'", self.0.name(), self.0.value())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_invalid;

    #[test]
    fn refuses_a_header_that_frames_the_message() {
        check_invalid("AddRequestHeader=Transfer-Encoding, gzip", "frames the message");
    }

    #[test]
    fn refuses_a_name_that_is_none() {
        check_invalid("AddRequestHeader=X-{v}, 1", "`X-{v}` is not a header name");
    }
}
