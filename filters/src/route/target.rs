//! A route's `uri`: where its requests go.

use std::fmt;

use crate::Invalid;

/// A route's `uri`, checked.
///
/// Its text form is the one in metrics and on the admin listener: as written, with the default port
/// added (`http://h:80`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What metrics and the admin listener show.
    pub text: String,
    /// What the gateway does with it.
    pub kind: TargetKind,
}

/// What a [`Target`] asks the gateway to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// Proxy to a host.
    Upstream {
        /// How to speak to it.
        scheme: Scheme,
        /// Host name or address literal, IPv6 without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Dispatch inside the gateway to another path (`forward:/path`).
    Forward {
        /// The path that replaces the request's.
        path: String,
    },
    /// Proxy to an instance of a service (`lb://service`).
    LoadBalanced {
        /// The service's name, case kept.
        service: String,
        /// The scheme of the `lb:scheme://service` form.
        scheme: Option<Scheme>,
    },
    /// No filter routes the scheme (`no://op`): the answer is what filters made, else 200.
    Unrouted,
    /// The reference gateway loads it and fails every request; only in Spring files.
    Fails(String),
}

/// How to speak to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// WebSocket in the clear; a request that asks for no upgrade is refused.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Target {
    /// Checks a route's `uri` by the rules of `predicates.md` 2.5 and 7.4.
    ///
    /// # Errors
    ///
    /// What the reference gateway refuses; a target that fails on every request is marked with
    /// [`Invalid::per_request`] and comes back as [`TargetKind::Fails`] if `strict` is off.
    pub fn parse(_text: &str, _strict: bool) -> Result<Self, Invalid> {
        Err(Invalid::new("invalid-uri", "not yet"))
    }
}
