//! Whose a request is: the keys of rate limits.

use std::fmt::{self, Debug, Write};
use std::net::IpAddr;

use http::{HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use crate::Exchange;
use crate::auth::network_of;
use crate::predicate::{cookies, without_port};
use crate::query::first_value;

/// A request's key, in place unless it is long.
#[derive(Default, PartialEq, Eq)]
pub struct Key(SmallVec<[u8; 64]>);

/// How a request gets its key (`key-resolvers` of the file).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyResolver {
    /// `member`: the id of the member that a login token speaks for. No key without one.
    Member,
    /// `client-address`: the client's address, after trusted proxies. An IPv6 client is its network
    /// of 64 bits: it has all addresses of that to itself.
    ClientAddress,
    /// `header`: the first line of a header.
    Header(HeaderName),
    /// `query`: the first value of a parameter, decoded.
    Query(Box<str>),
    /// `cookie`: the first cookie of a name.
    Cookie(Box<str>),
    /// `path`: the raw path, as the filters before have left it.
    Path,
    /// `host`: the host the client asks for, in lower case and without a port.
    Host,
    /// `route`: the route's id; all requests of the route have one bucket.
    Route,
    /// `composite`: the keys of others, joined. No key if one of them has none.
    Composite {
        /// The others.
        of: Vec<KeyResolver>,
        /// What stands between them. Default `|`.
        separator: Box<str>,
    },
}

/// A key that the reference gateway takes for none.
const EMPTY_KEY: &[u8] = b"____EMPTY_KEY__";

impl KeyResolver {
    /// The key of a request; `None` if it has none. An empty text is a key.
    pub fn resolve(&self, exchange: &Exchange<'_>, route_id: &str) -> Option<Key> {
        let mut key = Key::default();
        let is_there = self.put(exchange, route_id, &mut key);
        (is_there && key.as_bytes() != EMPTY_KEY).then_some(key)
    }

    fn put(&self, exchange: &Exchange<'_>, route_id: &str, key: &mut Key) -> bool {
        let headers = exchange.headers();
        match self {
            Self::Member => exchange.member_id().map(|id| key.show(&id)),
            Self::ClientAddress => exchange.client().map(|client| key.push_client(client)),
            Self::Header(name) => headers.get(name).map(|value| key.push_value(value)),
            Self::Query(name) => {
                let value = exchange.query().and_then(|query| first_value(query, name));
                value.map(|value| key.push(&value))
            }
            Self::Cookie(name) => cookie(exchange, name).map(|value| key.push(value)),
            Self::Path => Some(exchange.path()).map(|path| key.push(path)),
            Self::Host => {
                let host = headers.get(header::HOST);
                host.and_then(|host| host.to_str().ok()).map(|host| key.push_host(host))
            }
            Self::Route => Some(route_id).map(|id| key.push(id)),
            Self::Composite { of, separator } => {
                let mut others = of.iter().enumerate();
                let is_there = others.all(|(at, other)| {
                    if at > 0 {
                        key.push(separator);
                    }
                    other.put(exchange, route_id, key)
                });
                is_there.then_some(())
            }
        }
        .is_some()
    }
}

fn cookie<'e>(exchange: &'e Exchange<'_>, name: &str) -> Option<&'e str> {
    let lines = exchange.headers().get_all(header::COOKIE).iter();
    let mut all = lines.flat_map(|line| cookies(line.as_bytes()));
    all.find(|(known, _)| *known == name).map(|(_, value)| value)
}

impl Key {
    /// The key as stores keep it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn show(&mut self, shown: &impl fmt::Display) {
        // Writing to a key cannot fail.
        let _written = write!(self, "{shown}");
    }

    fn push_client(&mut self, client: IpAddr) {
        match client {
            IpAddr::V4(_) => self.show(&client),
            IpAddr::V6(_) => {
                self.show(&network_of(client));
                self.push("/64");
            }
        }
    }

    /// A value's bytes are the characters of Latin-1, as in the reference gateway.
    fn push_value(&mut self, value: &HeaderValue) {
        match value.to_str() {
            Ok(text) => self.push(text),
            Err(_) => {
                for byte in value.as_bytes() {
                    self.show(&char::from(*byte));
                }
            }
        }
    }

    fn push_host(&mut self, host: &str) {
        let start = self.0.len();
        self.push(without_port(host));
        if let Some(host) = self.0.get_mut(start..) {
            host.make_ascii_lowercase();
        }
    }
}

impl Write for Key {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

/// Not what it is: it may be a person.
impl Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExchangeState;
    use crate::testing::head;

    #[track_caller]
    fn check(resolver: &KeyResolver, request: &str, client: Option<&str>, expected: Option<&str>) {
        let mut head = head(request);
        let client = client.map(|text| text.parse().unwrap());
        let mut state = ExchangeState { client, ..ExchangeState::default() };
        let exchange = Exchange::new(&mut head, &mut state);
        let key = resolver.resolve(&exchange, "route");
        let text = key.as_ref().map(|key| str::from_utf8(key.as_bytes()).unwrap());
        assert_eq!(text, expected, "{request}");
    }

    #[test]
    fn the_address_of_a_client() {
        let resolver = KeyResolver::ClientAddress;
        check(&resolver, "GET /", Some("192.0.2.7"), Some("192.0.2.7"));
        check(&resolver, "GET /", Some("2001:db8:1:2:3::4"), Some("2001:db8:1:2::/64"));
        check(&resolver, "GET /", None, None);
    }

    #[test]
    fn a_header() {
        let resolver = KeyResolver::Header(HeaderName::from_static("x-tenant"));
        check(&resolver, "GET /\nX-Tenant: a\nX-Tenant: b", None, Some("a"));
        check(&resolver, "GET /\nX-Tenant:", None, Some(""));
        check(&resolver, "GET /", None, None);
        check(&resolver, "GET /\nX-Tenant: ____EMPTY_KEY__", None, None);
        let mut head = head("GET /");
        head.append_header("X-Tenant", HeaderValue::from_bytes(b"\xe9").unwrap()).unwrap();
        let mut state = ExchangeState::default();
        let key = resolver.resolve(&Exchange::new(&mut head, &mut state), "route").unwrap();
        assert_eq!(key.as_bytes(), "é".as_bytes());
    }

    #[test]
    fn a_parameter() {
        let resolver = KeyResolver::Query("user".into());
        check(&resolver, "GET /?x=1&user=a%20b&user=c", None, Some("a b"));
        check(&resolver, "GET /?user=", None, Some(""));
        check(&resolver, "GET /?user", None, None);
        check(&resolver, "GET /?users=a", None, None);
        check(&resolver, "GET /", None, None);
    }

    #[test]
    fn a_cookie() {
        let resolver = KeyResolver::Cookie("id".into());
        check(&resolver, "GET /\nCookie: a=1; id=7; id=8", None, Some("7"));
        check(&resolver, "GET /\nCookie: a=1", None, None);
    }

    #[test]
    fn what_is_asked_for() {
        check(&KeyResolver::Path, "GET /a%20b?x", None, Some("/a%20b"));
        check(&KeyResolver::Host, "GET /\nHost: Example.ORG:8000", None, Some("example.org"));
        check(&KeyResolver::Host, "GET /\nHost: [2001:DB8::1]:80", None, Some("[2001:db8::1]"));
        check(&KeyResolver::Host, "GET /", None, None);
        check(&KeyResolver::Route, "GET /", None, Some("route"));
    }

    #[test]
    fn several_together() {
        let header = KeyResolver::Header(HeaderName::from_static("x-tenant"));
        let of = vec![header, KeyResolver::Path];
        let resolver = KeyResolver::Composite { of, separator: "|".into() };
        check(&resolver, "GET /a\nX-Tenant: t", None, Some("t|/a"));
        check(&resolver, "GET /a", None, None);
    }
}
