//! `SetResponseHeader=name, value` replaces all lines of a response header by one.
//!
//! A variable that the request does not have fails the request before the upstream is asked.
//!
//! | route                        | upstream answers            | client sees      |
//! |------------------------------|-----------------------------|------------------|
//! | `SetResponseHeader=X-Tag, b` | `200 ⏎ X-Tag: a ⏎ X-Tag: c` | `200 ⏎ X-Tag: b` |
//! | `SetResponseHeader=X-Tag, b` | `404`                       | `404 ⏎ X-Tag: b` |

use std::fmt;

use pingora_http::ResponseHeader;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_line::{HeaderLine, HeaderLineConfig};
use crate::{Exchange, Failure, Invalid, Variables};

/// Replaces all lines of a response header by one.
#[derive(Debug)]
pub(super) struct SetResponseHeader(HeaderLine);

impl FromArguments for SetResponseHeader {
    const NAME: &'static str = "SetResponseHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name", "value"]);
    type Config = HeaderLineConfig;

    fn from_arguments(
        config: HeaderLineConfig,
        settings: &mut UnitSettings<'_>,
    ) -> Result<Self, Invalid> {
        HeaderLine::new(&config, settings).map(Self)
    }
}

impl SetResponseHeader {
    fn set(&self, variables: &Variables, head: &mut ResponseHeader) -> Result<(), Failure> {
        let (field, value) = self.0.expand(variables)?;
        field.set_on_response(head, value)
    }
}

impl Filter for SetResponseHeader {
    fn changes_request(&self) -> bool {
        false
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.0.resolve(exchange.variables()))
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange<'_>,
        head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        Hook::Ready(self.set(exchange.variables(), head))
    }
}

impl fmt::Display for SetResponseHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SetResponseHeader {} = '{}'", self.0.name(), self.0.value())
    }
}
