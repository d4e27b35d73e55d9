//! `SetPath=template` replaces the path and keeps the query.
//!
//! The template is written decoded: a `%` in it is sent as `%25`.
//!
//! | route          | request        | upstream sees |
//! |----------------|----------------|---------------|
//! | `SetPath=/new` | `/old/1?x=%20` | `/new?x=%20`  |
//! | `SetPath=/a b` | `/old`         | `/a%20b`      |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::template::PathTemplate;
use crate::{Exchange, Failure, Invalid};

/// Replaces the path and keeps the query.
#[derive(Debug)]
pub(super) struct SetPath(PathTemplate);

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The new path, in which `{x}` is a variable of the route.
    template: String,
}

impl FromArguments for SetPath {
    const NAME: &'static str = "SetPath";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["template"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let template = PathTemplate::new("template", &config.template)?;
        template.check("template", settings)?;
        Ok(Self(template))
    }
}

impl SetPath {
    fn set(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let path = self.0.expand(exchange.variables())?;
        exchange.rewrite_path(&path)
    }
}

impl Filter for SetPath {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.set(exchange))
    }
}

impl fmt::Display for SetPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SetPath template = '{}'", self.0.as_str())
    }
}
