//! A route's `uri`: where its requests go.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::Invalid;
use crate::address::parse_v4;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// [`Invalid::per_request`] and comes back as [`TargetKind::Fails`] if `strict` is off. Strict
    /// files are also refused for a scheme that nothing routes, except `no`.
    pub fn parse(text: &str, strict: bool) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() {
            return Err(invalid("`uri` is required"));
        }
        let uri = Uri::parse(text)?;
        let kind = uri.kind()?;
        if strict {
            uri.refuse_useless(&kind)?;
        }
        Ok(Self { text: uri.shown(), kind })
    }
}

fn invalid(message: impl Into<String>) -> Invalid {
    Invalid::new("invalid-uri", message)
}

/// A URI in the pieces that matter for a route.
struct Uri<'a> {
    text: &'a str,
    scheme: &'a str,
    /// What stands behind the scheme, without the fragment.
    rest: &'a str,
    authority: Authority<'a>,
    /// As written, without the query.
    path: &'a str,
    /// Offset in `text` behind the authority.
    authority_end: usize,
}

/// What stands between `//` and the path.
#[derive(Default)]
struct Authority<'a> {
    /// `None` if there is no host, or none that Java takes for one.
    host: Option<&'a str>,
    /// The port as a number, however large.
    port: Option<u64>,
    /// Whether it ends in a colon without a port.
    has_open_port: bool,
}

impl<'a> Uri<'a> {
    fn parse(text: &'a str) -> Result<Self, Invalid> {
        let malformed = || invalid(format!("`{text}` is not a URI"));
        let Some((scheme, rest)) = text.split_once(':') else {
            let lead = if text.starts_with('/') { "forward:" } else { "http://" };
            return Err(invalid(format!("`{text}` has no scheme"))
                .with_help(format!("write `{lead}{text}`")));
        };
        if !is_scheme(scheme) {
            return Err(malformed());
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        if rest.is_empty() {
            return Err(malformed());
        }
        let mut uri = Self {
            text,
            scheme,
            rest,
            authority: Authority::default(),
            path: "",
            authority_end: scheme.len() + 1,
        };
        if !rest.starts_with('/') {
            return Ok(uri);
        }
        uri.path = rest;
        if let Some(behind) = rest.strip_prefix("//") {
            let length = behind.find(['/', '?']).unwrap_or(behind.len());
            let (authority, path) = behind.split_at_checked(length).unwrap_or((behind, ""));
            // An empty authority is fine in front of something else.
            if authority.is_empty() && path.is_empty() && !text.contains('#') {
                return Err(malformed());
            }
            uri.authority = Authority::parse(authority).ok_or_else(malformed)?;
            uri.authority_end += 2 + authority.len();
            uri.path = path;
        }
        uri.path = uri.path.split_once('?').map_or(uri.path, |(path, _)| path);
        Ok(uri)
    }

    fn kind(&self) -> Result<TargetKind, Invalid> {
        if self.scheme.eq_ignore_ascii_case("localhost") {
            return Err(invalid(format!("`{}` has no scheme", self.text))
                .with_help(format!("write `http://{}`", self.text)));
        }
        if self.scheme.starts_with("http") && self.authority.host.is_none() && self.path.is_empty()
        {
            return Err(self.without_host());
        }
        Ok(match self.scheme {
            "lb" => self.load_balanced(),
            "forward" if self.path.starts_with('/') => TargetKind::Forward {
                path: utf8_percent_encode(self.path, NOT_IN_PATH).to_string(),
            },
            "forward" => {
                TargetKind::Fails(format!("`{}` has no path: expected `forward:/path`", self.text))
            }
            scheme => Scheme::of(scheme).map_or(TargetKind::Unrouted, |one| self.upstream(one)),
        })
    }

    fn refuse_useless(&self, kind: &TargetKind) -> Result<(), Invalid> {
        match kind {
            TargetKind::Fails(why) => Err(invalid(why).per_request()),
            TargetKind::Unrouted if self.scheme != "no" => {
                Err(invalid(format!("nothing routes the scheme of `{}`", self.text))
                    .with_help("schemes are http, https, ws, wss, lb, forward and no"))
            }
            TargetKind::Unrouted
            | TargetKind::Upstream { .. }
            | TargetKind::Forward { .. }
            | TargetKind::LoadBalanced { .. } => Ok(()),
        }
    }

    fn upstream(&self, scheme: Scheme) -> TargetKind {
        let Some(host) = self.authority.host else {
            return TargetKind::Fails(self.without_host().message);
        };
        let port = self.authority.port.unwrap_or(u64::from(scheme.default_port()));
        match u16::try_from(port) {
            Ok(port @ 1..) => TargetKind::Upstream { scheme, host: plain_host(host), port },
            Ok(0) | Err(_) => TargetKind::Fails(format!("`{port}` is not a port")),
        }
    }

    fn load_balanced(&self) -> TargetKind {
        if let Some(service) = self.authority.host {
            return TargetKind::LoadBalanced { service: service.to_owned(), scheme: None };
        }
        // The prefix form, `lb:scheme://service`.
        let named = Uri::parse(self.rest).ok().filter(|_| !self.rest.starts_with('/'));
        let Some(Uri { scheme, authority: Authority { host: Some(service), .. }, .. }) = named
        else {
            return TargetKind::Fails(format!(
                "`{}` names no service: expected `lb://service`, with letters, digits, `-` and `.`",
                self.text
            ));
        };
        match Scheme::of(scheme) {
            Some(scheme) => {
                TargetKind::LoadBalanced { service: service.to_owned(), scheme: Some(scheme) }
            }
            None => TargetKind::Fails(format!("nothing routes the scheme of `{}`", self.rest)),
        }
    }

    fn without_host(&self) -> Invalid {
        invalid(format!("`{}` has no valid host", self.text))
            .with_help("a host has letters, digits, `-` and `.`, and no `_`")
    }

    /// The text with the default port, where the reference gateway adds one: if the scheme starts
    /// with `http` in lower case, and without user information, which may be a password.
    fn shown(&self) -> String {
        let text = self.with_port();
        let authority =
            self.text.get(..self.authority_end).and_then(|start| start.split_once("//"));
        match authority.and_then(|(_, authority)| authority.rsplit_once('@')) {
            Some((secret, _)) => text.replacen(&format!("//{secret}@"), "//", 1),
            None => text,
        }
    }

    fn with_port(&self) -> String {
        let is_defaulted = self.scheme.starts_with("http")
            && self.authority.host.is_some()
            && self.authority.port.is_none();
        if !is_defaulted {
            return self.text.to_owned();
        }
        let (before, behind) =
            self.text.split_at_checked(self.authority_end).unwrap_or((self.text, ""));
        let port = if self.scheme == "https" { 443 } else { 80 };
        let colon = if self.authority.has_open_port { "" } else { ":" };
        format!("{before}{colon}{port}{behind}")
    }
}

impl<'a> Authority<'a> {
    /// `None` if it cannot stand in a URI at all.
    fn parse(text: &'a str) -> Option<Self> {
        let host_and_port = text.split_once('@').map_or(text, |(_, behind)| behind);
        let (host, port) = match host_and_port.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (host_and_port, None),
        };
        let number = match port {
            None | Some("") => Some(None),
            Some(port) => Some(port)
                .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|port| port.parse().ok())
                .filter(|port| *port <= LARGEST_PORT_TEXT)
                .map(Some),
        };
        match number {
            Some(port_number) if is_host(host) => {
                Some(Self { host: Some(host), port: port_number, has_open_port: port == Some("") })
            }
            // Brackets are for addresses; anything else counts as a name without meaning.
            _ if text.contains(['[', ']']) => None,
            _ => Some(Self::default()),
        }
    }
}

impl Scheme {
    /// `http` and `https` in any case, `ws` and `wss` in lower case.
    fn of(text: &str) -> Option<Self> {
        match text {
            "ws" => Some(Self::Ws),
            "wss" => Some(Self::Wss),
            _ if text.eq_ignore_ascii_case("http") => Some(Self::Http),
            _ if text.eq_ignore_ascii_case("https") => Some(Self::Https),
            _ => None,
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::Ws => 80,
            Self::Https | Self::Wss => 443,
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether Java takes the text for a host: an address, or labels of letters, digits and inner `-`
/// of which the last of several starts with a letter.
fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_name = match name.rsplit_once('.') {
        Some((_, last)) => last.starts_with(|first: char| first.is_ascii_alphabetic()),
        None => true,
    };
    dotted_v4(text).is_some() || (name.split('.').all(is_label) && last_is_name)
}

/// Four decimal numbers. Leading zeros make no octal of them, which a resolver might think.
fn dotted_v4(text: &str) -> Option<Ipv4Addr> {
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    if dots == 3 { parse_v4(text) } else { None }
}

/// A host as one connects to it.
fn plain_host(host: &str) -> String {
    match dotted_v4(host) {
        Some(address) => address.to_string(),
        None => host.trim_start_matches('[').trim_end_matches(']').to_owned(),
    }
}

/// Java's largest `int`; a longer port makes the authority meaningless.
const LARGEST_PORT_TEXT: u64 = 2_147_483_647;

/// What cannot stand in a path; escapes stay.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
