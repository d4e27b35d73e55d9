//! `RemoteAddr=sources` takes requests from the listed addresses and networks.
//!
//! | predicate                   | request | matches |
//! |-----------------------------|---------|---------|
//! | `RemoteAddr=192.168.1.1/24` | `/`     | `no`    |
//!
//! The row is asked without a client address, which is in no network. An address without a prefix
//! gets `/32`, an IPv6 address too. Host names are not resolved.

use std::fmt;

use ipnet::IpNet;
use serde::Deserialize;

use super::{Incoming, Predicate};
use crate::address::parse_network;
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::{Failure, Invalid};

/// Asks for a client in one of the networks.
#[derive(Debug)]
pub(super) struct RemoteAddr {
    sources: Vec<String>,
    networks: Vec<IpNet>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// Addresses, each with a prefix length or without.
    #[serde(default)]
    sources: Vec<String>,
}

impl FromArguments for RemoteAddr {
    const NAME: &'static str = "RemoteAddr";
    const SHORTCUT: Shortcut = Shortcut::List("sources");
    type Config = Config;

    fn from_arguments(config: Config, _: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        if config.sources.is_empty() {
            return Err(Invalid::new("missing-argument", "`sources` is required"));
        }
        let networks = config
            .sources
            .iter()
            .map(|source| {
                parse_network(source).ok_or_else(|| {
                    Invalid::argument("sources", format!("`{source}` is not an address or CIDR"))
                        .with_help("write host names as addresses: they are not resolved here")
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { sources: config.sources, networks })
    }
}

impl Predicate for RemoteAddr {
    fn matches(&self, incoming: &Incoming<'_>) -> Result<bool, Failure> {
        let Some(client) = incoming.client else { return Ok(false) };
        Ok(self.networks.iter().any(|network| network.contains(&client)))
    }
}

impl fmt::Display for RemoteAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemoteAddrs: [{}]", self.sources.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_invalid;

    #[test]
    fn wants_addresses() {
        check_invalid("RemoteAddr=", "RemoteAddr: `sources` is required");
        check_invalid("RemoteAddr=proxy.test", "`proxy.test` is not an address or CIDR");
    }
}
