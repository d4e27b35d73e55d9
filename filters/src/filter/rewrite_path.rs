//! `RewritePath=regexp, replacement` replaces every match of a Java pattern in the path.
//!
//! The pattern sees the path as the client sent it and may match anywhere, more than once. The
//! replacement is written encoded; `$\{name}` stands for `${name}`. The query stays as it is.
//!
//! | route                                     | request          | upstream sees   |
//! |-------------------------------------------|------------------|-----------------|
//! | `RewritePath=/api/(?<rest>.*), /$\{rest}` | `/api/rooms?x=1` | `/rooms?x=1`    |
//! | `RewritePath=^/v\d+, /latest`             | `/v2/rooms`      | `/latest/rooms` |

use std::fmt;

use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::header_line::require;
use crate::java_regex::{JavaPattern, Replacement};
use crate::{Exchange, Failure, Invalid};

/// Replaces every match of a pattern in the path.
#[derive(Debug)]
pub(super) struct RewritePath {
    pattern: Box<JavaPattern>,
    replacement: Replacement,
    text: String,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// The pattern.
    regexp: String,
    /// What takes the place of each match.
    replacement: String,
}

impl FromArguments for RewritePath {
    const NAME: &'static str = "RewritePath";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["regexp", "replacement"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        require("regexp", config.regexp.trim())?;
        let pattern = JavaPattern::new(&config.regexp)
            .map_err(|problem| Invalid::argument("regexp", problem.to_string()))?;
        let replacement = Replacement::parse_configured(&config.replacement);
        if let Err(problem) = replacement.check(&pattern) {
            settings.refuse_or_warn(Invalid::argument("replacement", problem).per_request())?;
        }
        if let Some(illegal) = config.replacement.chars().find(|next| ILLEGAL.contains(next)) {
            let problem = format!("a path cannot hold `{illegal}`");
            let problem = Invalid::argument("replacement", problem)
                .with_help("write it as an escape, such as `%20` for a blank");
            settings.refuse_or_warn(problem.per_request())?;
        }
        let text = config.replacement.replace("$\\", "$");
        Ok(Self { pattern: Box::new(pattern), replacement, text })
    }
}

/// What stands for itself in a replacement and cannot be in a path.
const ILLEGAL: &[char] = &[' ', '\t', '\n', '\r', '"', '<', '>', '[', ']', '^', '`', '|'];

/// Only characters beyond ASCII are encoded; all else is sent as it was written, or refused.
const NONE: &AsciiSet = &AsciiSet::EMPTY;

impl RewritePath {
    fn rewrite(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        let rewritten = self
            .pattern
            .replace_all(exchange.path(), &self.replacement)
            .map_err(|problem| Failure::Filter(problem.to_string()))?;
        let path = utf8_percent_encode(&rewritten, NONE).to_string();
        exchange.rewrite_path(&path)
    }
}

impl Filter for RewritePath {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::after(self.rewrite(exchange))
    }
}

impl fmt::Display for RewritePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RewritePath {} = '{}'", self.pattern.as_str(), self.text)
    }
}
