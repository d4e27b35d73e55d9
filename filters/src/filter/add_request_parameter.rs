//! `AddRequestParameter=name, value` adds a parameter to the query.
//!
//! The query is written anew, parameters of one name together. What a query may not hold is
//! encoded, and so is every `%`, unless the target is encoded already: then the value must be, too,
//! else the request fails. The path stays as it is.
//!
//! | route                          | request          | upstream sees        |
//! |--------------------------------|------------------|----------------------|
//! | `AddRequestParameter=sort, up` | `/rooms`         | `/rooms?sort=up`     |
//! | `AddRequestParameter=a, 3`     | `/rooms?a=1&b=2` | `/rooms?a=1&a=3&b=2` |
//! | `AddRequestParameter=q, a b`   | `/rooms`         | `/rooms?q=a%20b`     |

use std::fmt;

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_line::require;
use crate::query::{Parameters, escape_query, is_fully_encoded, is_legal_query};
use crate::template::ValueTemplate;
use crate::{Exchange, Failure, Invalid};

/// Adds a parameter to the query.
#[derive(Debug)]
pub(super) struct AddRequestParameter {
    name: String,
    value: ValueTemplate,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The parameter's name.
    name: String,
    /// Its value, in which `{x}` is a variable of the route.
    value: String,
}

impl FromArguments for AddRequestParameter {
    const NAME: &'static str = "AddRequestParameter";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name", "value"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        require("name", &config.name)?;
        require("value", &config.value)?;
        let value = ValueTemplate::new(&config.value);
        value.check("value", settings)?;
        Ok(Self { name: config.name, value })
    }
}

impl AddRequestParameter {
    fn add(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let earlier = exchange.state().attributes.remove::<Foreign>();
        let value = self.value.expand(exchange.variables())?;
        let before = match &earlier {
            Some(earlier) if exchange.query() == Some(&earlier.sent) => &earlier.text,
            _ => exchange.query().unwrap_or_default(),
        };
        let seam = if before.is_empty() || before.ends_with('&') { "" } else { "&" };
        let longer = format!("{before}{seam}{}={value}", self.name);
        let query = Parameters::raw(&longer).to_raw();
        if !is_fully_encoded(exchange.path(), Some(before)) {
            let sent = escape_query(&query);
            exchange.set_query(Some(&sent))?;
            if let Some(foreign) = Foreign::new(query, sent) {
                exchange.state().attributes.insert(foreign);
            }
            return Ok(());
        }
        if !is_legal_query(&query) {
            let problem = format!("`{}={value}` is not encoded as the target is", self.name);
            return Err(Failure::Filter(problem));
        }
        exchange.set_query(Some(&query))
    }
}

/// A query with characters outside ASCII, which do not make it an encoded one for the next filter.
#[derive(Debug, Clone)]
struct Foreign {
    text: String,
    sent: String,
}

impl Foreign {
    /// `None` if the two differ in anything else, or not at all.
    fn new(text: String, sent: String) -> Option<Self> {
        let ascii: String = text.chars().filter(char::is_ascii).collect();
        let is_foreign = ascii.len() < text.len() && escape_query(&ascii) == ascii;
        is_foreign.then_some(Self { text, sent })
    }
}

impl Filter for AddRequestParameter {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.add(exchange))
    }
}

impl fmt::Display for AddRequestParameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AddRequestParameter {} = '{}'", self.name, self.value.as_str())
    }
}
