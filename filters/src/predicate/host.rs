//! `Host=patterns` takes requests whose host fits one of the patterns.
//!
//! | predicate             | request                | matches |
//! |-----------------------|------------------------|---------|
//! | `Host=**.a.org,b.org` | `/ ⏎ Host: b.org`      | `yes`   |
//! | `Host=**.a.org`       | `/ ⏎ Host: a.org`      | `yes`   |
//! | `Host=**.a.org`       | `/ ⏎ Host: x.y.a.org`  | `yes`   |
//! | `Host=*.a.org`        | `/ ⏎ Host: x.y.a.org`  | `no`    |
//! | `Host=a.org`          | `/ ⏎ Host: a.org:8080` | `no`    |
//! | `Host=a.org:{port}`   | `/ ⏎ Host: a.org:8080` | `yes`   |
//! | `Host=a.org`          | `/ ⏎ Host: A.org`      | `no`    |
//! | `Host=**`             | `/`                    | `no`    |
//!
//! The language is that of [`crate::host_pattern`]. Names are compared as sent, in their case and,
//! unless the file says `predicate.host.include-port: false`, with the port.

use std::fmt;

use serde::Deserialize;

use super::{Hint, Incoming, Piece, Predicate, Shape};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::host_pattern::HostPattern;
use crate::{Failure, Invalid, Variables};

/// Asks for a host that fits one of the patterns.
#[derive(Debug)]
pub(super) struct Host {
    patterns: Vec<HostPattern>,
    shapes: Vec<Shape>,
    include_port: bool,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// Host patterns; the first that fits counts.
    #[serde(default)]
    patterns: Vec<String>,
}

impl FromArguments for Host {
    const NAME: &'static str = "Host";
    const SHORTCUT: Shortcut = Shortcut::List("patterns");
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let patterns: Vec<_> =
            config.patterns.iter().map(|text| HostPattern::parse(text)).collect();
        for problem in patterns.iter().filter_map(HostPattern::problem) {
            settings.refuse_or_warn(Invalid::argument("patterns", problem).per_request())?;
        }
        let include_port = settings.host_include_port;
        let shapes = patterns.iter().map(|pattern| shape(pattern, include_port)).collect();
        Ok(Self { patterns, shapes, include_port })
    }
}

/// The index looks at the host as sent: a port that does not count is part of its last label.
fn shape(pattern: &HostPattern, include_port: bool) -> Shape {
    let mut shape = pattern.shape();
    if let (Some(last), false) = (shape.pieces.first_mut(), include_port) {
        *last = Piece::Any;
    }
    shape
}

impl Host {
    fn host<'a>(&self, incoming: &Incoming<'a>) -> Option<&'a str> {
        let host = incoming.host()?;
        Some(if self.include_port { host } else { without_port(host) })
    }

    fn first_match(&self, host: &str) -> Result<Option<&HostPattern>, Failure> {
        for pattern in &self.patterns {
            if pattern.matches(host)? {
                return Ok(Some(pattern));
            }
        }
        Ok(None)
    }
}

/// Cuts at the last colon; the colons of an address in brackets do not count.
pub(crate) fn without_port(host: &str) -> &str {
    let address = host.starts_with('[').then(|| host.rfind(']')).flatten().unwrap_or_default();
    match host.rfind(':') {
        Some(colon) if colon > address => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

impl Predicate for Host {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        let Some(host) = self.host(incoming) else { return Ok(false) };
        Ok(self.first_match(host)?.is_some())
    }

    fn capture(&self, incoming: &Incoming<'_>, into: &mut Variables) -> Result<(), Failure> {
        let Some(host) = self.host(incoming) else { return Ok(()) };
        match self.first_match(host)? {
            Some(pattern) => pattern.capture(host, into),
            None => Ok(()),
        }
    }

    fn variables(&self) -> Vec<&str> {
        self.patterns.iter().flat_map(HostPattern::variables).collect()
    }

    fn hint(&self) -> Hint<'_> {
        Hint::Hosts(&self.shapes)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.patterns.iter().map(HostPattern::as_str).collect();
        write!(formatter, "Hosts: [{}]", patterns.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_invalid, check_match, head};
    use crate::{Entry, Span, predicate};

    #[test]
    fn the_first_host_line_counts() {
        check_match("Host=a.org", "GET /\nHost: a.org\nHost: b.org", true);
        check_match("Host=b.org", "GET /\nHost: a.org\nHost: b.org", false);
    }

    #[test]
    fn shows_itself_as_the_reference_gateway_does() {
        let entry = Entry::predicate_shortcut("Host=a.org, **.b", Span::default()).unwrap();
        let host = predicate::build(&entry, &mut UnitSettings::spring("test")).unwrap();
        assert_eq!(host.to_string(), "Hosts: [a.org, **.b]");
    }

    #[test]
    fn a_broken_regex_fails_the_request_that_gets_there() {
        check_invalid("Host={a:[}.org", "Host: the regex of a variable in `{a:[}.org`: `[`");
        check_invalid(
            "Host={a:(b)}.org",
            "Host: a variable's regex in `{a:(b)}.org` has a capture",
        );
        let entry = Entry::predicate_shortcut("Host={a:[}.org", Span::default()).unwrap();
        let mut settings = UnitSettings::spring("test");
        let host = predicate::build(&entry, &mut settings).unwrap();
        assert_eq!(settings.warnings.len(), 1);
        let head = head("GET /\nHost: b.org");
        assert!(host.matches(&Incoming::new(&head)).is_err());
    }

    #[test]
    fn cuts_the_port_off_names_and_addresses() {
        for (host, expected) in [
            ("a.org:80", "a.org"),
            ("a.org", "a.org"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("1.2.3.4:80", "1.2.3.4"),
        ] {
            assert_eq!(without_port(host), expected);
        }
    }

    #[test]
    fn without_ports_the_index_leaves_the_last_label_open() {
        let pattern = HostPattern::parse("**.a.org");
        assert_eq!(shape(&pattern, true).pieces.first(), Some(&Piece::Literal("org".to_owned())));
        assert_eq!(shape(&pattern, false).pieces.first(), Some(&Piece::Any));
    }
}
