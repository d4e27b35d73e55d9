//! `Method=names` takes requests with one of the listed methods.
//!
//! | predicate         | request  | matches |
//! |-------------------|----------|---------|
//! | `Method=GET,POST` | `POST /` | `yes`   |
//! | `Method=GET`      | `HEAD /` | `no`    |
//! | `Method=get`      | `GET /`  | `no`    |
//!
//! Only the eight standard methods can match, in upper case; a `GET` does not imply `HEAD`.

use std::fmt;

use serde::Deserialize;

use super::{Hint, Incoming, MethodSet, Predicate};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Failure, Invalid};

/// Asks for one of the methods.
#[derive(Debug)]
pub(super) struct Method {
    names: Vec<String>,
    set: MethodSet,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// Method names, in upper case.
    #[serde(default)]
    methods: Vec<String>,
}

impl FromArguments for Method {
    const NAME: &'static str = "Method";
    const SHORTCUT: Shortcut = Shortcut::List("methods");
    type Config = Config;

    fn from_arguments(config: Config, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let set = config
            .methods
            .iter()
            .filter_map(|name| http::Method::from_bytes(name.as_bytes()).ok())
            .fold(MethodSet::default(), |set, method| set.with(MethodSet::of(&method)));
        Ok(Self { names: config.methods, set })
    }
}

impl Predicate for Method {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        Ok(self.set.intersects(MethodSet::of(incoming.method())))
    }

    fn hint(&self) -> Hint<'_> {
        Hint::Methods(self.set)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Methods: [{}]", self.names.join(", "))
    }
}
