//! One request on its way through a route, as filters see it.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use pingora_http::RequestHeader;

use crate::auth::{AuthState, Authenticator};
use crate::edits::Edits;
use crate::{BodyLimit, Failure, HeaderField, Variables};

/// How a filter asked the message to be framed upstream.
///
/// Framing headers are not edited in place: the body is read by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FramingEdit {
    /// As the client sent it.
    #[default]
    AsSent,
    /// `Content-Length` was removed: the body goes upstream chunked.
    WithoutLength,
}

/// A request body that a filter asked for ([`crate::Flow::ReadBody`]).
#[derive(Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// All of it; it still goes upstream.
    Whole(Bytes),
    /// It is longer than the filter takes.
    TooLong,
}

/// How long it is: what is in it may be a password.
impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(body) => write!(formatter, "Whole({} bytes)", body.len()),
            Self::TooLong => formatter.write_str("TooLong"),
        }
    }
}

/// What an exchange carries from one phase to the next.
///
/// The caller keeps it beside the request head and lends both to an [`Exchange`] for the length of
/// a phase, so that filters edit the head in place and nothing is copied.
#[derive(Debug)]
pub struct ExchangeState {
    /// What the chosen route's predicates captured.
    pub variables: Variables,
    /// Address of the client, after trusted proxies.
    pub client: Option<IpAddr>,
    /// Whether the client's `Host` goes upstream (`PreserveHostHeader`).
    pub preserve_host: bool,
    /// Whether a `PrefixPath` already acted; it acts once per request.
    pub prefixed: bool,
    /// How the request is framed upstream.
    pub framing: FramingEdit,
    /// The targets that path filters replaced, oldest first; feeds `X-Forwarded-Prefix`.
    pub original_targets: Vec<Uri>,
    /// The body, once a filter asked for it.
    pub body: Option<RequestBody>,
    /// What is known about the login, once somebody asked.
    pub auth: Option<Box<AuthState>>,
    /// Header lines that the answer will have, whoever makes it: the pending response.
    pub pending: Vec<(HeaderField, HeaderValue)>,
    /// How long the request body may be.
    pub body_limit: Option<BodyLimit>,
    /// Why a circuit breaker gave the request to its fallback.
    pub cause: Option<Box<Failure>>,
    /// Whether the request can be sent upstream once more: its body, as far as it was read, is
    /// still there.
    pub is_repeatable: bool,
    /// How many attempts have ended that a `Retry` heard of: all of them on the request's way share
    /// what they may do.
    pub attempts_ended: u32,
    /// Values one filter leaves for another, by type.
    pub attributes: Extensions,
    /// What was done to the head, as far as it may have to be undone.
    pub edits: Edits,
}

impl Default for ExchangeState {
    fn default() -> Self {
        Self {
            variables: Variables::default(),
            client: None,
            preserve_host: false,
            prefixed: false,
            framing: FramingEdit::default(),
            original_targets: Vec::new(),
            body: None,
            auth: None,
            pending: Vec::new(),
            body_limit: None,
            cause: None,
            is_repeatable: true,
            attempts_ended: 0,
            attributes: Extensions::default(),
            edits: Edits::default(),
        }
    }
}

/// A request as it was at some point of its way ([`Exchange::keep`]).
#[derive(Debug, Clone)]
pub struct Kept {
    edits: usize,
    variables: Variables,
    framing: FramingEdit,
    preserve_host: bool,
    prefixed: bool,
    original_targets: usize,
    pending: usize,
    body_limit: Option<BodyLimit>,
}

/// One request as a filter sees it: the head, editable, and what was learnt about it.
#[derive(Debug)]
pub struct Exchange<'a> {
    head: &'a mut RequestHeader,
    state: &'a mut ExchangeState,
    authenticator: Option<&'a Authenticator>,
}

impl<'a> Exchange<'a> {
    /// Lends a request head and its state to a phase.
    pub fn new(head: &'a mut RequestHeader, state: &'a mut ExchangeState) -> Self {
        Self { head, state, authenticator: None }
    }

    /// Lends the rules of login tokens too, where there are some.
    #[must_use]
    pub fn with_authenticator(mut self, authenticator: Option<&'a Authenticator>) -> Self {
        self.authenticator = authenticator;
        self
    }

    /// The rules of login tokens.
    ///
    /// # Errors
    ///
    /// The gateway has none: `auth` is not configured.
    pub fn authenticator(&self) -> Result<&'a Authenticator, Failure> {
        let missing = || Failure::Filter("there are no login tokens without `auth`".to_owned());
        self.authenticator.ok_or_else(missing)
    }

    /// What is known about the login of this request.
    pub fn auth_state(&mut self) -> &mut AuthState {
        self.state.auth.get_or_insert_default()
    }

    pub(crate) fn auth_state_if_any(&mut self) -> Option<&mut AuthState> {
        self.state.auth.as_deref_mut()
    }

    /// Remembers the request as it is now. Nothing of the head is copied: what is done to it from
    /// here on is written down.
    pub fn keep(&mut self) -> Kept {
        Kept {
            edits: self.state.edits.mark(),
            variables: self.state.variables.clone(),
            framing: self.state.framing,
            preserve_host: self.state.preserve_host,
            prefixed: self.state.prefixed,
            original_targets: self.state.original_targets.len(),
            pending: self.state.pending.len(),
            body_limit: self.state.body_limit.clone(),
        }
    }

    /// Makes the request what it was: undoes what was done to it since through an exchange.
    pub fn restore(&mut self, kept: &Kept) {
        self.state.edits.undo(self.head, kept.edits);
        self.state.variables.clone_from(&kept.variables);
        self.state.framing = kept.framing;
        self.state.preserve_host = kept.preserve_host;
        self.state.prefixed = kept.prefixed;
        self.state.original_targets.truncate(kept.original_targets);
        self.state.pending.truncate(kept.pending);
        self.state.body_limit.clone_from(&kept.body_limit);
    }

    /// The request method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The raw path, as it would be sent now.
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// The raw query without its `?`, as it would be sent now.
    pub fn query(&self) -> Option<&str> {
        self.head.uri.query()
    }

    /// The request's header lines.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// What the chosen route's predicates captured.
    pub fn variables(&self) -> &Variables {
        &self.state.variables
    }

    /// Address of the client, after trusted proxies.
    pub fn client(&self) -> Option<IpAddr> {
        self.state.client
    }

    /// The id of the member that the request comes from, once that is known.
    pub fn member_id(&self) -> Option<i64> {
        let identity = self.state.auth.as_ref()?.identity()?;
        Some(identity.member_id)
    }

    /// Everything that outlives this phase.
    pub fn state(&mut self) -> &mut ExchangeState {
        self.state
    }

    /// Replaces the raw path and keeps the query byte for byte (`filters.md` 3.1).
    ///
    /// A `?` or `#` inside `path` begins a query or a fragment, as it does in the reference gateway;
    /// the fragment is dropped.
    ///
    /// # Errors
    ///
    /// A path that does not begin with `/`, or with a character no target may have.
    pub fn set_path(&mut self, path: &str) -> Result<(), Failure> {
        if !path.starts_with('/') {
            return Err(Failure::Filter(format!("the new path `{path}` does not begin with `/`")));
        }
        if path == self.path() {
            return Ok(());
        }
        let target = match self.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        self.set_target(&target)
    }

    /// Like [`Exchange::set_path`], and remembers the target it replaced.
    ///
    /// # Errors
    ///
    /// As [`Exchange::set_path`].
    pub fn rewrite_path(&mut self, path: &str) -> Result<(), Failure> {
        let before = self.head.uri.clone();
        self.set_path(path)?;
        self.state.original_targets.push(before);
        Ok(())
    }

    /// Replaces the raw query; `None` drops it with its `?`.
    ///
    /// # Errors
    ///
    /// A character no query may have.
    pub fn set_query(&mut self, query: Option<&str>) -> Result<(), Failure> {
        let target = match query {
            Some(query) => format!("{}?{query}", self.path()),
            None => self.path().to_owned(),
        };
        self.set_target(&target)
    }

    fn set_target(&mut self, target: &str) -> Result<(), Failure> {
        let target = target.split_once('#').map_or(target, |(before, _)| before);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let illegal = |byte: u8| byte <= b' ' || byte >= 0x7F || b"\"<>\\^`{|}".contains(&byte);
        let bad_path = path.bytes().any(|byte| illegal(byte) || matches!(byte, b'[' | b']'));
        if bad_path || query.bytes().any(illegal) || has_bad_escape(target) {
            return Err(Failure::Filter(format!("`{target}` is not a request target")));
        }
        let uri = Uri::builder()
            .path_and_query(target)
            .build()
            .map_err(|_| Failure::Filter(format!("`{target}` is not a request target")))?;
        self.state.edits.on_target(self.head);
        self.head.set_uri(uri);
        Ok(())
    }

    /// Adds a header line to the request.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn append_header(&mut self, name: &HeaderField, value: HeaderValue) -> Result<(), Failure> {
        self.state.edits.on_header(self.head, name.name());
        name.append_to_request(self.head, value)
    }

    /// Replaces all lines of a request header by one.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn set_header(&mut self, name: &HeaderField, value: HeaderValue) -> Result<(), Failure> {
        self.state.edits.on_header(self.head, name.name());
        name.set_on_request(self.head, value)
    }

    /// Adds a header line to the answer, whoever makes it.
    pub fn add_to_answer(&mut self, name: &HeaderField, value: HeaderValue) {
        self.state.pending.push((name.clone(), value));
    }

    /// Drops all lines of a request header.
    ///
    /// Removing `Content-Length` makes the body go upstream chunked; the other fields that frame a
    /// message cannot be removed, the proxy writes them.
    pub fn remove_header(&mut self, name: &HeaderField) {
        if *name.name() == http::header::CONTENT_LENGTH {
            self.state.framing = FramingEdit::WithoutLength;
        } else if !name.is_framing() {
            self.strip_header(name.name());
        }
    }

    /// Drops all lines of a request header that the gateway itself does not let through.
    pub fn strip_header(&mut self, name: &HeaderName) {
        if self.head.headers.contains_key(name) {
            self.state.edits.on_header(self.head, name);
            self.head.remove_header(name);
        }
    }
}

/// Whether a `%` is not followed by two hexadecimal digits.
pub fn has_bad_escape(text: impl AsRef<[u8]>) -> bool {
    let bytes = text.as_ref();
    memchr::memchr_iter(b'%', bytes).any(|at| {
        !matches!(bytes.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::head;

    #[track_caller]
    fn check_path(target: &str, path: &str, expected: Option<&str>) {
        let mut head = head(&format!("GET {target}"));
        let mut state = ExchangeState::default();
        let outcome = Exchange::new(&mut head, &mut state).rewrite_path(path);
        assert_eq!(outcome.is_ok(), expected.is_some(), "{outcome:?}");
        let left = String::from_utf8_lossy(head.raw_path()).into_owned();
        assert_eq!(left, expected.unwrap_or(target));
        let originals: Vec<String> = state.original_targets.iter().map(Uri::to_string).collect();
        let replaced: &[&str] = if expected.is_some() { &[target] } else { &[] };
        assert_eq!(originals, replaced);
    }

    #[test]
    fn a_new_path_keeps_the_query() {
        check_path("/a?x=[1]&&", "/b", Some("/b?x=[1]&&"));
        check_path("/a?", "/b", Some("/b?"));
    }

    #[test]
    fn a_path_that_stays_the_same_is_recorded() {
        check_path("/a?x", "/a", Some("/a?x"));
    }

    #[test]
    fn a_new_path_may_hold_a_query_and_a_fragment() {
        check_path("/a?x", "/b?y", Some("/b?y?x"));
        check_path("/a?x", "/b#y", Some("/b"));
    }

    #[test]
    fn refuses_what_no_target_may_be() {
        for path in ["b", "", "/a b", "/a[1]", "/%2", "/é", "/a|b"] {
            check_path("/a?x", path, None);
        }
    }
}
