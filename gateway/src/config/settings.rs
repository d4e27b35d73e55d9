//! Everything a file says besides routes.

mod answers;
mod auth;
mod limits;
mod read;
mod resilience;
mod services;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use tollgate_filters::RetryBudgetSettings;
use tollgate_filters::breaker::Resilience;
use tollgate_filters::limit::LimitSettings;

pub use answers::{LocalAnswer, LocalAnswers};
pub(super) use auth::spring_redis;
pub use auth::{Auth, ExemptRequests, MemberService, Store};
pub(super) use read::{gateway, own, spring};
pub use resilience::BreakerMetrics;
pub(super) use resilience::{resilience4j, spring_circuit_breaker};
pub(super) use services::spring_services;
pub use services::{Balance, Ejection, HealthCheck, InstanceSpec, ServiceSettings};

/// Everything a file says besides routes, with the defaults for what it does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where clients connect. Start-only. Default: `0.0.0.0:8000`.
    pub listeners: Vec<Listener>,
    /// Where the admin side listens. Start-only. Default: `127.0.0.1:9000`.
    pub admin: SocketAddr,
    /// Threads that serve requests. Start-only. `None`, the default: one for each core.
    pub workers: Option<NonZeroUsize>,
    /// `shutdown.drain`: how long requests in flight may take at the end. Default 25 s.
    pub drain: Duration,
    /// How long to wait for what `httpclient` does not cover.
    pub timeouts: Timeouts,
    /// How large a request head may be.
    pub limits: Limits,
    /// Where the access log goes. Default: standard output.
    pub access_log: AccessLog,
    /// `access-log.format`: how a line of it looks. Default and only choice: JSON.
    pub access_log_format: AccessLogFormat,
    /// `enabled`: whether any route serves at all. Default true.
    pub enabled: bool,
    /// `fail-on-route-definition-error`: whether one bad route refuses the file. Default true.
    pub fail_on_route_definition_error: bool,
    /// `httpclient`: waits for upstreams.
    pub http_client: HttpClient,
    /// `trusted-proxies`: a Java regular expression for the addresses of proxies in front.
    pub trusted_proxies: Option<String>,
    /// `forwarded`: the header of RFC 7239.
    pub forwarded: Forwarded,
    /// `x-forwarded`: the `X-Forwarded-*` headers.
    pub x_forwarded: XForwarded,
    /// `filter.remove-hop-by-hop.headers`: what never passes the gateway, in lower case.
    pub hop_by_hop: Vec<String>,
    /// `metrics`: the timer of requests.
    pub metrics: Metrics,
    /// `loadbalancer.use404`: whether a service without instances is 404, not 503. Default false.
    pub load_balancer_use_404: bool,
    /// `key-resolvers`, `redis-rate-limiter` and `filter.request-rate-limiter`: rate limits.
    pub rate_limits: LimitSettings,
    /// `stores`: where state is kept that several gateways share. Start-only.
    pub stores: Vec<Store>,
    /// `auth`: login tokens. `None`, the default: no authentication.
    pub auth: Option<Auth>,
    /// `answers`: local answers by their paths, seen only by `forward:`. Default none.
    pub answers: LocalAnswers,
    /// `resilience4j`: circuit breakers, their time limits and bulkheads.
    pub resilience: Resilience,
    /// How circuit breakers are shown in metrics.
    pub breaker_metrics: BreakerMetrics,
    /// `services`: what `lb://name` refers to.
    pub services: Vec<ServiceSettings>,
    /// `retry-budget`: how many retries an upstream may get.
    pub retry_budget: RetryBudgetSettings,
    /// What units are told.
    pub units: Units,
}

/// One place where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// Whether HTTP/2 is spoken too. Default true.
    pub http2: bool,
    /// What is done with odd request targets. Default strict.
    pub target_policy: TargetPolicy,
}

/// `listeners[].target-policy`: what is done with odd request targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetPolicy {
    /// Targets that mean different things to different servers are refused with 400.
    #[default]
    Strict,
    /// They are passed on untouched.
    Pass,
}

/// `timeouts`: what Spring Cloud Gateway's `httpclient` lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// Sending to an upstream stalls. Default 30 s.
    pub write: Duration,
    /// An idle connection to an upstream is kept. Default 50 s.
    pub upstream_idle: Duration,
    /// Silence of event streams, upgrades and gRPC. Default 1 h.
    pub stream_idle: Duration,
    /// Silence of a client in the middle of a request. Default 60 s.
    pub client_read: Duration,
    /// An idle connection of a client is kept. Default 75 s.
    pub client_keep_alive: Duration,
}

/// `limits`: how large a request head may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line. Default 8 KiB.
    pub request_line: usize,
    /// Bytes of all header lines. Default 16 KiB.
    pub request_headers: usize,
    /// Number of header lines. Default 100.
    pub header_count: usize,
}

/// `access-log.output`: where the access log goes, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
    /// Nowhere.
    Off,
}

/// `access-log.format`: how a line of the access log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessLogFormat {
    /// One JSON object a line.
    #[default]
    Json,
}

/// `httpclient`: waits for upstreams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpClient {
    /// `connect-timeout`, in the file as milliseconds. Default 5 s.
    pub connect_timeout: Duration,
    /// `response-timeout`: until the head arrives. Default 60 s; a negative one is `None`: no limit.
    pub response_timeout: Option<Duration>,
}

/// `forwarded`: the header of RFC 7239.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarded {
    /// Whether it is written. Default false.
    pub enabled: bool,
    /// `by.enabled`: whether it names the gateway. Default false.
    pub by: bool,
}

/// `x-forwarded`: which headers are written, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XForwarded {
    /// Whether any of them is written. Default true.
    pub enabled: bool,
    /// `X-Forwarded-For`. Default on.
    pub for_: XForwardedHeader,
    /// `X-Forwarded-Host`. Default on.
    pub host: XForwardedHeader,
    /// `X-Forwarded-Port`. Default off.
    pub port: XForwardedHeader,
    /// `X-Forwarded-Proto`. Default on.
    pub proto: XForwardedHeader,
    /// `X-Forwarded-Prefix`. Default off.
    pub prefix: XForwardedHeader,
}

/// One of the `X-Forwarded-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XForwardedHeader {
    /// Whether it is written; if not, one that is there passes.
    pub enabled: bool,
    /// Whether it is added to what a trusted proxy wrote, not put in its place. Default true.
    pub append: bool,
}

/// `metrics`: the timer of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Whether requests are timed. Default true.
    pub enabled: bool,
    /// Start of the names. Default `spring.cloud.gateway`.
    pub prefix: String,
    /// Labels that every series gets.
    pub tags: Vec<(String, String)>,
    /// `path-tags.enabled`: whether the path pattern is a label. Default false.
    pub path_tags: bool,
}

/// What predicates and filters are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// `predicate.host.include-port`. Default true.
    pub host_include_port: bool,
    /// `set-status.original-status-header-name`. Default: none.
    pub original_status_header: Option<String>,
    /// `spring.webflux.base-path`: in front of every `Path` pattern. Default empty.
    pub base_path: String,
    /// Whether a path may have one slash more than its pattern, as Spring Cloud Gateway up to 4.x
    /// has it. True for files that write only `spring.cloud.gateway.*`.
    pub optional_trailing_slash: bool,
    /// Predicates that are switched off, by their kebab-case names.
    pub predicates_off: Vec<String>,
    /// Filters that are switched off, by their kebab-case names.
    pub filters_off: Vec<String>,
}

impl Settings {
    /// The keys that only a restart can change and that differ between both.
    pub fn start_only_changes(&self, other: &Self) -> Vec<&'static str> {
        let differ = [
            ("listeners", self.listeners != other.listeners),
            ("admin", self.admin != other.admin),
            ("workers", self.workers != other.workers),
            ("access-log", self.access_log != other.access_log),
            ("stores", self.stores != other.stores),
            ("auth.store", self.session_store() != other.session_store()),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// The store that keeps sessions; the one there would be, if there is no `auth` yet.
    fn session_store(&self) -> &str {
        self.auth.as_ref().map_or(auth::DEFAULT_STORE, |auth| &auth.store)
    }
}

impl Listener {
    /// A listener at `address`, with HTTP/2 and strict targets.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, http2: true, target_policy: TargetPolicy::Strict }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listeners: vec![Listener::at((Ipv4Addr::UNSPECIFIED, 8000).into())],
            admin: (Ipv4Addr::LOCALHOST, 9000).into(),
            workers: None,
            drain: Duration::from_secs(25),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            access_log: AccessLog::Stdout,
            access_log_format: AccessLogFormat::Json,
            enabled: true,
            fail_on_route_definition_error: true,
            http_client: HttpClient::default(),
            trusted_proxies: None,
            forwarded: Forwarded::default(),
            x_forwarded: XForwarded::default(),
            hop_by_hop: HOP_BY_HOP.iter().map(|name| (*name).to_owned()).collect(),
            metrics: Metrics::default(),
            load_balancer_use_404: false,
            rate_limits: LimitSettings::default(),
            stores: Vec::new(),
            auth: None,
            answers: LocalAnswers::new(),
            resilience: Resilience::none(),
            breaker_metrics: BreakerMetrics::default(),
            services: Vec::new(),
            retry_budget: RetryBudgetSettings::default(),
            units: Units::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            write: Duration::from_secs(30),
            upstream_idle: Duration::from_secs(50),
            stream_idle: Duration::from_hours(1),
            client_read: Duration::from_mins(1),
            client_keep_alive: Duration::from_secs(75),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { request_line: 8 << 10, request_headers: 16 << 10, header_count: 100 }
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            response_timeout: Some(Duration::from_mins(1)),
        }
    }
}

impl Default for XForwarded {
    fn default() -> Self {
        let on = XForwardedHeader { enabled: true, append: true };
        let off = XForwardedHeader { enabled: false, append: true };
        Self { enabled: true, for_: on, host: on, port: off, proto: on, prefix: off }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: true,
            prefix: "spring.cloud.gateway".to_owned(),
            tags: Vec::new(),
            path_tags: false,
        }
    }
}

impl Default for Units {
    fn default() -> Self {
        Self {
            host_include_port: true,
            original_status_header: None,
            base_path: String::new(),
            optional_trailing_slash: false,
            predicates_off: Vec::new(),
            filters_off: Vec::new(),
        }
    }
}

const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "proxy-authorization",
    "proxy-authenticate",
    "x-application-context",
    "upgrade",
];
