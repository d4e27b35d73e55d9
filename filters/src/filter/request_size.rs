//! `RequestSize` refuses requests whose body is longer than `maxSize`, 5,000,000 bytes unless written.
//!
//! It has no shortcut; write `{ name: RequestSize, args: { maxSize: 5MB } }`. A size is a number of
//! bytes, or has a unit of 1024: `B`, `KB`, `MB`, `GB`, `TB`. What is refused is told in the header
//! `errorMessage`. A body without a declared length is counted on its way, and refused as soon as it
//! is too long.
//!
//! | route         | request                              | client sees                                                                                                                  |
//! |---------------|--------------------------------------|------------------------------------------------------------------------------------------------------------------------------|
//! | `RequestSize` | `POST / ⏎ Content-Length: 6000000`   | `413 ⏎ errorMessage: Request size is larger than permissible limit. Request size is 6.0 MB where permissible limit is 5.0 MB` |

use std::fmt;

use http::header;
use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{BodyLimit, Exchange, Invalid};

/// Refuses bodies that are too long.
#[derive(Debug)]
pub(super) struct RequestSize {
    limit: BodyLimit,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// The longest body, above 0.
    #[serde(default)]
    max_size: Option<String>,
    /// What stands behind `RequestSize=`.
    #[serde(default, rename = "_genkey_0")]
    shortcut: Option<String>,
}

/// 5 MB, as the reference counts them.
const DEFAULT: u64 = 5_000_000;

impl FromArguments for RequestSize {
    const NAME: &'static str = "RequestSize";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["_genkey_0"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        if let Some(written) = config.shortcut {
            let problem = "it has no shortcut: without `args` the limit is 5,000,000 bytes";
            let help = format!("write `{{ name: RequestSize, args: {{ maxSize: {written} }} }}`");
            settings.refuse_or_warn(Invalid::new("no-shortcut", problem).with_help(help))?;
        }
        let most = match config.max_size {
            None => DEFAULT,
            Some(text) => bytes(&text).ok_or_else(|| {
                Invalid::argument("maxSize", format!("`{text}` is not a size above 0"))
                    .with_help("write a number of bytes, or one with B, KB, MB, GB or TB")
            })?,
        };
        let field = settings.shared_headers.field("errorMessage")?;
        Ok(Self { limit: BodyLimit::new(most, field) })
    }
}

impl Filter for RequestSize {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        let length = exchange.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        if let Some(length) = length.filter(|length| *length > self.limit.most()) {
            let failure = self.limit.refuse(exchange.state(), length);
            return Hook::Ready(Ok(Flow::Refuse(Box::new(failure))));
        }
        let limit = &mut exchange.state().body_limit;
        if limit.as_ref().is_none_or(|other| self.limit.most() < other.most()) {
            *limit = Some(self.limit.clone());
        }
        Hook::Ready(Ok(Flow::Continue))
    }
}

impl fmt::Display for RequestSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RequestSize max = {}B", self.limit.most())
    }
}

/// Reads Spring's `DataSize`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|other: char| !other.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit {
        "" | "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    let bytes = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    (bytes > 0 && bytes <= i64::MAX.unsigned_abs()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_of_spring() {
        for (text, size) in [
            ("5", Some(5)),
            ("5B", Some(5)),
            ("2KB", Some(2048)),
            ("5MB", Some(5 << 20)),
            ("1TB", Some(1 << 40)),
            ("0", None),
            ("-1", None),
            ("5mb", None),
            ("5 MB", None),
            ("MB", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }
}
