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
use crate::{Failure, Invalid, Severity};

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

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let mut set = MethodSet::default();
        for name in &config.methods {
            let one = http::Method::from_bytes(name.as_bytes())
                .map_or(MethodSet::default(), |method| MethodSet::of(&method));
            if one == MethodSet::default() {
                settings.warnings.push((Severity::Warning, never_matches(name)));
            }
            set = set.with(one);
        }
        Ok(Self { names: config.methods, set })
    }
}

/// The reference gateway loads such a name too, so even native files may hold it.
fn never_matches(name: &str) -> Invalid {
    Invalid::argument("methods", format!("`{name}` matches no request"))
        .with_help("the methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS and TRACE")
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

#[cfg(test)]
mod tests {
    use crate::{Entry, Span, UnitSettings, predicate};

    #[test]
    fn warns_of_a_name_that_matches_nothing() {
        let entry = Entry::predicate_shortcut("Method=GET,get", Span::default()).unwrap();
        let mut settings = UnitSettings::native("test");
        predicate::build(&entry, &mut settings).unwrap();
        let warnings: Vec<&str> =
            settings.warnings.iter().map(|(_, warning)| warning.message.as_str()).collect();
        assert_eq!(warnings, ["Method: `get` matches no request"]);
    }
}
