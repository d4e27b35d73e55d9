//! Why a request could not be served: a closed list, each with its status, code and side.

use std::sync::Arc;

use crate::auth::TokenProblem;

/// Whose fault a failure is; logs, metrics and retries all ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client sent something that cannot be served.
    Client,
    /// The gateway's configuration, or the gateway itself.
    Gateway,
    /// The upstream did not do its part.
    Upstream,
}

/// Why a request could not be served.
///
/// The client sees [`Failure::code`] and [`Failure::status`], never the text form, which may
/// hold addresses and text from the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No route takes the request.
    #[error("no route matches")]
    RouteNotFound,
    /// The request target is not one the gateway passes on.
    #[error("bad request target: {0}")]
    BadTarget(&'static str),
    /// The message's length is ambiguous.
    #[error("bad framing: {0}")]
    BadFraming(&'static str),
    /// The `Host` header is missing or malformed.
    #[error("bad host: {0}")]
    BadHost(&'static str),
    /// The request line is longer than the listener takes.
    #[error("request line too long")]
    UriTooLong,
    /// The header block is larger than the listener takes.
    #[error("request headers too large")]
    HeadersTooLarge,
    /// The request body is larger than the route takes.
    #[error("request body too large")]
    RequestTooLarge,
    /// A predicate could not be evaluated and no other route matched.
    #[error("predicate failed: {0}")]
    Predicate(String),
    /// A filter could not do its work.
    #[error("filter failed: {0}")]
    Filter(String),
    /// The upstream refused the connection.
    #[error("connection refused: {0}")]
    UpstreamRefused(String),
    /// The upstream's name has no address.
    #[error("no address: {0}")]
    UpstreamDns(String),
    /// The TLS handshake with the upstream failed.
    #[error("tls failed: {0}")]
    UpstreamTls(String),
    /// The upstream closed the connection before it had answered.
    #[error("connection terminated: {0}")]
    UpstreamReset(String),
    /// The upstream's answer is not HTTP.
    #[error("protocol error: {0}")]
    UpstreamProtocol(String),
    /// The connection to the upstream was not made in time.
    #[error("connect timeout: {0}")]
    ConnectTimeout(String),
    /// The upstream did not answer in time.
    #[error("response timeout: {0}")]
    UpstreamTimeout(String),
    /// A load-balanced service has no instance to send to.
    #[error("no instance for `{0}`")]
    NoInstance(String),
    /// Like [`Failure::NoInstance`], where the file asks for 404 (`loadbalancer.use404`).
    #[error("no instance for `{0}`")]
    NoInstanceNotFound(String),
    /// The request needs a token and has none.
    #[error("token missing: {0}")]
    TokenMissing(&'static str),
    /// The request has a token that is not one of ours.
    #[error("token invalid: {0}")]
    TokenInvalid(TokenProblem),
    /// The session of the token has ended.
    #[error("no session for the token")]
    SessionExpired,
    /// The token was denied, or its session revoked.
    #[error("the session was revoked")]
    SessionRevoked,
    /// The token has expired and cannot be renewed any more.
    #[error("the session cannot be renewed any more")]
    RefreshExpired,
    /// A token was used again after it had been replaced.
    #[error("a replaced token was used again, its session is revoked")]
    TokenReused,
    /// The member may not use tokens.
    #[error("the member is not active")]
    MemberInactive,
    /// The request speaks for another member.
    #[error("`memberId` is another member's")]
    MemberMismatch,
    /// The session store does not answer.
    #[error("session store: {0}")]
    StoreUnavailable(String),
    /// The member service does not answer.
    #[error("member service: {0}")]
    MemberUnavailable(String),
    /// Too many logins failed; how many seconds to wait at most.
    #[error("too many failed logins")]
    LoginThrottled(u64),
    /// A login that cannot be one.
    #[error("bad login: {0}")]
    BadLogin(&'static str),
    /// A body that is not JSON.
    #[error("malformed JSON")]
    MalformedJson,
    /// A circuit breaker lets nothing pass: its name and state.
    #[error("CircuitBreaker '{0}' is {1} and does not permit further calls")]
    CircuitOpen(Arc<str>, &'static str),
    /// The time limit of a circuit breaker has passed, in milliseconds.
    #[error(
        "Did not observe any item or terminal signal within {0}ms in 'circuitBreaker' (and no fallback has been configured)"
    )]
    TimeLimit(u128),
    /// The upstream answered with a status that counts as a failure (`CircuitBreaker`).
    #[error("the upstream answered {0}, which counts as a failure")]
    UpstreamStatus(u16),
    /// As many calls as may be at a time are under way: the bulkhead's name.
    #[error("Bulkhead '{0}' is full and does not permit further calls")]
    BulkheadFull(Arc<str>),
    /// The time for retries is over; what the last attempt failed with.
    #[error("no time for another attempt: {0}")]
    RetryExhausted(Box<Failure>),
    /// Too many requests of one key: the status, and after how many seconds there is room.
    #[error("too many requests")]
    RateLimited {
        /// What the client gets; 429 unless the route says otherwise.
        status: u16,
        /// When to come back; `None` if that would not help.
        retry_after: Option<u64>,
    },
    /// A request that no limit can be kept for, because it has no key: the status.
    #[error("the request has no key for its rate limit")]
    NoRateLimitKey(u16),
    /// The store of rate limits does not answer, and the route is closed then.
    #[error("rate limit store: {0}")]
    LimiterUnavailable(String),
    /// A `forward:` led back into itself.
    #[error("forwarded more than {0} times")]
    ForwardLoop(usize),
}

impl Failure {
    /// The status the client gets.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadTarget(_)
            | Self::BadFraming(_)
            | Self::BadHost(_)
            | Self::BadLogin(_)
            | Self::MalformedJson => 400,
            Self::TokenMissing(_)
            | Self::TokenInvalid(_)
            | Self::SessionExpired
            | Self::SessionRevoked
            | Self::RefreshExpired
            | Self::TokenReused => 401,
            Self::MemberInactive | Self::MemberMismatch => 403,
            Self::RateLimited { status, .. } | Self::NoRateLimitKey(status) => *status,
            Self::RouteNotFound | Self::NoInstanceNotFound(_) => 404,
            Self::RequestTooLarge => 413,
            Self::UriTooLong => 414,
            Self::LoginThrottled(_) => 429,
            Self::HeadersTooLarge => 431,
            Self::Predicate(_)
            | Self::Filter(_)
            | Self::ForwardLoop(_)
            | Self::UpstreamStatus(_)
            | Self::RetryExhausted(_) => 500,
            Self::UpstreamRefused(_)
            | Self::UpstreamDns(_)
            | Self::UpstreamTls(_)
            | Self::UpstreamReset(_)
            | Self::UpstreamProtocol(_) => 502,
            Self::NoInstance(_)
            | Self::StoreUnavailable(_)
            | Self::MemberUnavailable(_)
            | Self::CircuitOpen(..)
            | Self::BulkheadFull(_)
            | Self::LimiterUnavailable(_) => 503,
            Self::ConnectTimeout(_) | Self::UpstreamTimeout(_) | Self::TimeLimit(_) => 504,
        }
    }

    /// The stable reason: in the body, the access log and the error counter.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RouteNotFound => "ROUTE_NOT_FOUND",
            Self::BadTarget(_) => "BAD_TARGET",
            Self::BadFraming(_) => "BAD_FRAMING",
            Self::BadHost(_) => "BAD_HOST",
            Self::UriTooLong => "URI_TOO_LONG",
            Self::HeadersTooLarge => "HEADERS_TOO_LARGE",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::Predicate(_) => "PREDICATE_FAILED",
            Self::Filter(_) | Self::ForwardLoop(_) => "FILTER_FAILED",
            Self::UpstreamRefused(_) => "UPSTREAM_REFUSED",
            Self::UpstreamDns(_) => "UPSTREAM_DNS",
            Self::UpstreamTls(_) => "UPSTREAM_TLS",
            Self::UpstreamReset(_) => "UPSTREAM_RESET",
            Self::UpstreamProtocol(_) => "UPSTREAM_PROTOCOL",
            Self::ConnectTimeout(_) => "CONNECT_TIMEOUT",
            Self::UpstreamTimeout(_) | Self::TimeLimit(_) => "UPSTREAM_TIMEOUT",
            Self::NoInstance(_) | Self::NoInstanceNotFound(_) => "NO_INSTANCE",
            Self::TokenMissing(_) => "AUTH_TOKEN_MISSING",
            Self::TokenInvalid(_) => "AUTH_TOKEN_INVALID",
            Self::SessionExpired => "AUTH_SESSION_EXPIRED",
            Self::SessionRevoked => "AUTH_SESSION_REVOKED",
            Self::RefreshExpired => "AUTH_REFRESH_EXPIRED",
            Self::TokenReused => "AUTH_TOKEN_REUSED",
            Self::MemberInactive => "MEMBER_INACTIVE",
            Self::MemberMismatch => "MEMBER_MISMATCH",
            Self::StoreUnavailable(_) => "AUTH_STORE_UNAVAILABLE",
            Self::MemberUnavailable(_) => "MEMBER_UNAVAILABLE",
            Self::LoginThrottled(_) => "LOGIN_THROTTLED",
            Self::BadLogin(_) => "INVALID_REQUEST",
            Self::MalformedJson => "MALFORMED_JSON",
            Self::CircuitOpen(..) => "CIRCUIT_OPEN",
            Self::UpstreamStatus(_) => "UPSTREAM_STATUS",
            Self::BulkheadFull(_) => "BULKHEAD_FULL",
            Self::RetryExhausted(_) => "RETRY_EXHAUSTED",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::NoRateLimitKey(_) => "RATE_LIMIT_KEY_MISSING",
            Self::LimiterUnavailable(_) => "RATE_LIMIT_STORE_UNAVAILABLE",
        }
    }

    /// The `error` parameter of the `Proxy-Status` header (RFC 9209).
    pub fn proxy_status(&self) -> &'static str {
        match self {
            Self::RouteNotFound => "destination_not_found",
            Self::BadTarget(_)
            | Self::BadFraming(_)
            | Self::BadHost(_)
            | Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::RequestTooLarge
            | Self::BadLogin(_)
            | Self::MalformedJson => "http_request_error",
            Self::TokenMissing(_)
            | Self::TokenInvalid(_)
            | Self::SessionExpired
            | Self::SessionRevoked
            | Self::RefreshExpired
            | Self::TokenReused
            | Self::MemberInactive
            | Self::MemberMismatch
            | Self::LoginThrottled(_)
            | Self::RateLimited { .. }
            | Self::NoRateLimitKey(_) => "http_request_denied",
            Self::Predicate(_)
            | Self::Filter(_)
            | Self::ForwardLoop(_)
            | Self::StoreUnavailable(_)
            | Self::MemberUnavailable(_)
            | Self::LimiterUnavailable(_) => "proxy_internal_error",
            Self::UpstreamRefused(_) => "connection_refused",
            Self::UpstreamDns(_) => "dns_error",
            Self::UpstreamTls(_) => "tls_protocol_error",
            Self::UpstreamReset(_) => "connection_terminated",
            Self::UpstreamProtocol(_) => "http_protocol_error",
            Self::ConnectTimeout(_) => "connection_timeout",
            Self::UpstreamTimeout(_) | Self::TimeLimit(_) => "http_response_timeout",
            Self::NoInstance(_)
            | Self::NoInstanceNotFound(_)
            | Self::CircuitOpen(..)
            | Self::BulkheadFull(_)
            | Self::UpstreamStatus(_)
            | Self::RetryExhausted(_) => "destination_unavailable",
        }
    }

    /// Whose fault it is.
    pub fn side(&self) -> Side {
        match self {
            Self::RouteNotFound
            | Self::BadTarget(_)
            | Self::BadFraming(_)
            | Self::BadHost(_)
            | Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::RequestTooLarge
            | Self::TokenMissing(_)
            | Self::TokenInvalid(_)
            | Self::SessionExpired
            | Self::SessionRevoked
            | Self::RefreshExpired
            | Self::TokenReused
            | Self::MemberInactive
            | Self::MemberMismatch
            | Self::LoginThrottled(_)
            | Self::BadLogin(_)
            | Self::MalformedJson
            | Self::RateLimited { .. }
            | Self::NoRateLimitKey(_) => Side::Client,
            Self::Predicate(_) | Self::Filter(_) | Self::ForwardLoop(_) => Side::Gateway,
            Self::UpstreamRefused(_)
            | Self::UpstreamDns(_)
            | Self::UpstreamTls(_)
            | Self::UpstreamReset(_)
            | Self::UpstreamProtocol(_)
            | Self::ConnectTimeout(_)
            | Self::UpstreamTimeout(_)
            | Self::NoInstance(_)
            | Self::NoInstanceNotFound(_)
            | Self::StoreUnavailable(_)
            | Self::MemberUnavailable(_)
            | Self::CircuitOpen(..)
            | Self::TimeLimit(_)
            | Self::UpstreamStatus(_)
            | Self::BulkheadFull(_)
            | Self::RetryExhausted(_)
            | Self::LimiterUnavailable(_) => Side::Upstream,
        }
    }
}
