//! Why a request could not be served: a closed list, each with its status, code and side.

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
    /// A `forward:` led back into itself.
    #[error("forwarded more than {0} times")]
    ForwardLoop(usize),
}

impl Failure {
    /// The status the client gets.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadTarget(_) | Self::BadFraming(_) | Self::BadHost(_) => 400,
            Self::RouteNotFound | Self::NoInstanceNotFound(_) => 404,
            Self::RequestTooLarge => 413,
            Self::UriTooLong => 414,
            Self::HeadersTooLarge => 431,
            Self::Predicate(_) | Self::Filter(_) | Self::ForwardLoop(_) => 500,
            Self::UpstreamRefused(_)
            | Self::UpstreamDns(_)
            | Self::UpstreamTls(_)
            | Self::UpstreamReset(_)
            | Self::UpstreamProtocol(_) => 502,
            Self::NoInstance(_) => 503,
            Self::ConnectTimeout(_) | Self::UpstreamTimeout(_) => 504,
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
            Self::UpstreamTimeout(_) => "UPSTREAM_TIMEOUT",
            Self::NoInstance(_) | Self::NoInstanceNotFound(_) => "NO_INSTANCE",
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
            | Self::RequestTooLarge => "http_request_error",
            Self::Predicate(_) | Self::Filter(_) | Self::ForwardLoop(_) => "proxy_internal_error",
            Self::UpstreamRefused(_) => "connection_refused",
            Self::UpstreamDns(_) => "dns_error",
            Self::UpstreamTls(_) => "tls_protocol_error",
            Self::UpstreamReset(_) => "connection_terminated",
            Self::UpstreamProtocol(_) => "http_protocol_error",
            Self::ConnectTimeout(_) => "connection_timeout",
            Self::UpstreamTimeout(_) => "http_response_timeout",
            Self::NoInstance(_) | Self::NoInstanceNotFound(_) => "destination_unavailable",
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
            | Self::RequestTooLarge => Side::Client,
            Self::Predicate(_) | Self::Filter(_) | Self::ForwardLoop(_) => Side::Gateway,
            Self::UpstreamRefused(_)
            | Self::UpstreamDns(_)
            | Self::UpstreamTls(_)
            | Self::UpstreamReset(_)
            | Self::UpstreamProtocol(_)
            | Self::ConnectTimeout(_)
            | Self::UpstreamTimeout(_)
            | Self::NoInstance(_)
            | Self::NoInstanceNotFound(_) => Side::Upstream,
        }
    }
}
