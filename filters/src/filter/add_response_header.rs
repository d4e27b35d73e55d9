//! `AddResponseHeader=name, value, override` adds a header line to the response.
//!
//! `override`, true unless written, adds the line whatever is there; it replaces nothing. With
//! `false` the line is added if there is none of that name, or only blank ones.
//!
//! | route                               | upstream answers | client sees                 |
//! |-------------------------------------|------------------|-----------------------------|
//! | `AddResponseHeader=X-Tag, b`        | `200 ⏎ X-Tag: a` | `200 ⏎ X-Tag: a ⏎ X-Tag: b` |
//! | `AddResponseHeader=X-Tag, b, false` | `200 ⏎ X-Tag: a` | `200 ⏎ X-Tag: a`            |
//! | `AddResponseHeader=X-Tag, b, false` | `200`            | `200 ⏎ X-Tag: b`            |

use std::fmt;

use pingora_http::ResponseHeader;
use serde::Deserialize;

use super::{Filter, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_line::{HeaderLine, HeaderLineConfig};
use crate::{Exchange, Failure, Invalid, Variables};

/// Adds a header line to the response.
#[derive(Debug)]
pub(super) struct AddResponseHeader {
    line: HeaderLine,
    always: bool,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The header's name.
    name: String,
    /// Its value, in which `{x}` is a variable of the route.
    value: String,
    /// Whether to add the line if the response has one of that name.
    #[serde(default = "yes")]
    r#override: bool,
}

fn yes() -> bool {
    true
}

impl FromArguments for AddResponseHeader {
    const NAME: &'static str = "AddResponseHeader";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name", "value", "override"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let Config { name, value, r#override: always } = config;
        let line = HeaderLine::new(&HeaderLineConfig { name, value }, settings)?;
        Ok(Self { line, always })
    }
}

impl AddResponseHeader {
    fn add(&self, variables: &Variables, head: &mut ResponseHeader) -> Result<(), Failure> {
        let (field, value) = self.line.expand(variables)?;
        if self.always || field.is_missing_or_blank(&head.headers) {
            field.append_to_response(head, value)?;
        }
        Ok(())
    }
}

impl Filter for AddResponseHeader {
    fn changes_request(&self) -> bool {
        false
    }

    fn on_response<'a>(
        &'a self,
        exchange: &'a mut Exchange<'_>,
        head: &'a mut ResponseHeader,
    ) -> Hook<'a, ()> {
        Hook::Ready(self.add(exchange.variables(), head))
    }
}

impl fmt::Display for AddResponseHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value) = (self.line.name(), self.line.value());
        write!(
            formatter,
            "AddResponseHeader name = '{name}', value = '{value}', override = {}",
            self.always
        )
    }
}
