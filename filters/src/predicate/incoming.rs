//! A request as predicates see it, before a route is chosen.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method, header};
use memchr::memchr2;
use percent_encoding::percent_decode_str;
use pingora_http::RequestHeader;

/// A request as predicates see it, with what they may ask beside the head: the peer, the time and
/// the weight groups' choices.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The request head as received.
    pub head: &'a RequestHeader,
    /// Address of the client, after trusted proxies; `None` if unknown. An IPv4-mapped address stays
    /// IPv6, as it does in a forwarded header; a peer's is given as IPv4.
    pub client: Option<IpAddr>,
    /// Nanoseconds since 1970-01-01T00:00:00Z by the wall clock.
    pub now_nanos: i128,
    /// Which route each weight group chose for this request.
    pub choices: &'a Choices,
}

impl<'a> Incoming<'a> {
    /// A request at the epoch, from nowhere, without weight groups.
    pub fn new(head: &'a RequestHeader) -> Self {
        Self { head, client: None, now_nanos: 0, choices: const { &Choices::none() } }
    }

    /// The request method.
    pub fn method(&self) -> &'a Method {
        &self.head.method
    }

    /// The raw path. A target without a path (`OPTIONS *`, `GET http://h`) has the empty one.
    pub fn path(&self) -> RequestPath<'a> {
        let target = self.head.raw_path();
        let path = self.head.uri.path();
        let has_path = target.starts_with(b"/") || path.len() > 1;
        RequestPath(if has_path { path } else { "" })
    }

    /// The raw query without its `?`.
    pub fn query(&self) -> Option<&'a str> {
        self.head.uri.query()
    }

    /// The header lines.
    pub fn headers(&self) -> &'a HeaderMap {
        &self.head.headers
    }

    /// The first `Host` line as sent, or HTTP/2's `:authority`.
    pub fn host(&self) -> Option<&'a str> {
        match self.head.headers.get(header::HOST) {
            Some(value) => value.to_str().ok(),
            None => self.head.uri.authority().map(http::uri::Authority::as_str),
        }
    }
}

/// A raw path: separators and segments, nothing collapsed (`predicates.md` 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPath<'a>(pub &'a str);

impl<'a> RequestPath<'a> {
    /// What takes part in matching of one raw segment: without matrix parameters, percent-decoded.
    /// Escapes that are not UTF-8 decode to U+FFFD. Borrows if there is nothing to decode.
    pub fn segment_value(segment: &'a str) -> Cow<'a, str> {
        if memchr2(b'%', b';', segment.as_bytes()).is_none() {
            return Cow::Borrowed(segment);
        }
        let kept = segment.split_once(';').map_or(segment, |(kept, _)| kept);
        percent_decode_str(kept).decode_utf8_lossy()
    }
}

/// Which route each weight group chose for a request.
#[derive(Debug, Clone, Default)]
pub struct Choices(Vec<(Arc<str>, Option<Arc<str>>)>);

impl Choices {
    /// No weight groups; allocates nothing.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Room for the choices of so many groups.
    pub(crate) fn with_capacity(groups: usize) -> Self {
        Self(Vec::with_capacity(groups))
    }

    /// Adds the choice of a group; `None` if it chose nobody.
    pub fn push(&mut self, group: &Arc<str>, route: Option<&Arc<str>>) {
        self.0.push((Arc::clone(group), route.map(Arc::clone)));
    }

    /// Whether `group` chose the route `id`.
    pub fn chose(&self, group: &str, id: &str) -> bool {
        self.0.iter().any(|(name, route)| &**name == group && route.as_deref() == Some(id))
    }
}
