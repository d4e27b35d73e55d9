//! Everything one request needs to know, prepared: the route table and, for each route, how to
//! reach its upstream. Immutable; a reload makes a new one and swaps a pointer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, header};
use serde::de::IgnoredAny;
use tollgate_filters::breaker::{Breakers, Resilience};
use tollgate_filters::{
    Answer, HeaderField, JavaPattern, MetadataValue, Parts, Route, RouteTable, Row, Scheme,
    TargetKind, header_value,
};

use crate::admin::AdminToken;
use crate::auth::{AuthError, AuthInUse, AuthParts};
use crate::balance::{Service, Services};
use crate::clock;
use crate::config::{LocalAnswer, Settings};
use crate::proxy::forwarding::Forwarding;
use crate::reload::Environment;
use crate::stores::Stores;
use crate::telemetry::access_log::JsonText;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::timer::RouteTimer;
use crate::upstream::{Destination, Prepared, Upstreams};

/// What outlives a reload, lent to every snapshot.
#[derive(Debug)]
pub struct Shared {
    /// Counters and timers.
    pub metrics: Metrics,
    /// Upstreams by host and port.
    pub upstreams: Upstreams,
    /// Services and their instances by name.
    pub services: Arc<Services>,
    /// Keys and sessions.
    pub auth: AuthParts,
    /// What changes on the admin listener need.
    pub admin_token: AdminToken,
    /// What is kept in stores.
    pub stores: Arc<Stores>,
    /// What filters of all tables share.
    pub parts: Parts,
}

impl Shared {
    /// Nothing yet but where to count, and where secrets come from.
    pub fn new(metrics: Metrics, environment: Environment) -> Self {
        let stores = Arc::new(Stores::new(Arc::new(clock::now)));
        Self {
            parts: stores.parts(fastrand::f64),
            stores,
            metrics,
            upstreams: Upstreams::default(),
            services: Arc::default(),
            admin_token: AdminToken::new(Arc::clone(&environment)),
            auth: AuthParts::new(environment),
        }
    }
}

/// The state of the gateway that one request sees from its beginning to its end.
#[derive(Debug)]
pub struct Snapshot {
    /// The routes and their index.
    pub table: RouteTable<Plan>,
    /// What the file says beside the routes.
    pub settings: Settings,
    /// Login tokens; `None` if there are none.
    pub auth: Option<Arc<AuthInUse>>,
    /// Local answers by their paths.
    pub answers: HashMap<String, Answer>,
    /// Which forwarding headers are written.
    pub forwarding: Forwarding,
    /// Headers dropped from requests and answers beside those the proxy drops.
    pub hop_by_hop: Vec<HeaderName>,
}

/// How a route's requests reach their upstream and what is told of them. Fills one cache line.
#[derive(Debug)]
pub struct Plan {
    /// Where to.
    pub reach: Reach,
    /// How long to wait for the answer's head; `None` waits for ever, zero fails at once
    /// (`global.md` 4.3).
    pub response_timeout: Option<Millis>,
    /// How long to wait for a connection, TLS included.
    pub connect_timeout: Millis,
    /// The route's timer.
    pub timer: Arc<RouteTimer>,
    /// The route's id as the access log writes it.
    pub log_id: JsonText,
    /// Why every request fails, as in the reference gateway.
    pub broken: Option<Broken>,
    /// Whether the upstream is told who sent a request (`metadata.identity`), where there are login
    /// tokens.
    pub tells_identity: bool,
}

const _: () = assert!(size_of::<Plan>() == 64);

/// Where a route's requests go.
#[derive(Debug, Clone)]
pub enum Reach {
    /// The route has no upstream of its own: `forward:`, `no:` and the like.
    Nowhere,
    /// One upstream, shared by the routes that go there in the same way.
    Direct(Arc<Destination>),
    /// An instance of a service, chosen for each attempt.
    Balanced {
        /// The service.
        service: Arc<Service>,
        /// The scheme of `lb:scheme://service`.
        scheme: Option<Scheme>,
    },
}

/// Whole milliseconds in half the room, 49 days at most.
#[derive(Debug, Clone, Copy)]
pub struct Millis(u32);

impl Millis {
    /// Rounded up, as zero has a meaning of its own.
    pub fn of(duration: Duration) -> Self {
        Self(u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX))
    }

    /// Whether it is no time at all.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// As it was, but for what was rounded.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

/// Metadata of a route that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Anything but whole milliseconds.
    #[error("`connect-timeout` is not a whole number of milliseconds")]
    ConnectTimeout,
}

impl Snapshot {
    /// Prepares routes for serving. Names are resolved; one that has no address is a warning, and
    /// its routes answer 502 until it has one.
    ///
    /// # Errors
    ///
    /// Secrets or stores of `auth` that cannot be used.
    pub fn new(
        routes: Vec<Route>,
        settings: Settings,
        shared: &Shared,
    ) -> Result<(Self, Vec<String>), AuthError> {
        shared.stores.declare(&settings.stores);
        let auth = shared.auth.prepare(&settings, &shared.upstreams, &shared.stores)?;
        for route in &routes {
            route.chain.prepare(&shared.parts);
        }
        shared.stores.check()?;
        declare(&settings.resilience, &shared.parts.breakers);
        shared.metrics.show_breakers_as(&settings.breaker_metrics);
        let wanted = routes.iter().filter_map(|route| match &route.target.kind {
            TargetKind::Upstream { host, port, .. } => Some((host.clone(), *port)),
            TargetKind::Forward { .. }
            | TargetKind::LoadBalanced { .. }
            | TargetKind::Unrouted
            | TargetKind::Fails(_) => None,
        });
        let wanted = wanted.chain(Services::needed(&settings));
        let (upstreams, failed) = shared.upstreams.prepare(wanted);
        for upstream in upstreams.values() {
            upstream.budget().set(&settings.retry_budget);
        }
        shared.services.apply(&settings, &upstreams);
        let services = &shared.services;
        let mut destinations =
            Destinations { settings: &settings, services, upstreams, known: HashMap::new() };
        let plans: Vec<Plan> = routes
            .iter()
            .map(|route| Plan::new(route, &mut destinations, &settings, &shared.metrics))
            .collect();
        let rows = plans.into_iter().zip(routes).map(|(plan, route)| Row { plan, route });
        let table = RouteTable::new(rows.collect());
        let warnings = failed
            .into_iter()
            .map(|(host, reason)| format!("`{host}` has no address now: {reason}"))
            .collect();
        let forwarding = Forwarding {
            trusted: settings
                .trusted_proxies
                .as_deref()
                .and_then(|text| JavaPattern::new(text).ok()),
            x_forwarded: settings.x_forwarded.clone(),
            forwarded: settings.forwarded.clone(),
        };
        let hop_by_hop = settings
            .hop_by_hop
            .iter()
            .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
            .filter(|name| {
                !matches!(*name, header::TRANSFER_ENCODING | header::CONNECTION | header::UPGRADE)
            })
            .collect();
        let answers = settings.answers.iter();
        let answers = answers.map(|(path, local)| (path.clone(), local_answer(local))).collect();
        Ok((Self { table, settings, auth, answers, forwarding, hop_by_hop }, warnings))
    }
}

/// A local answer, ready to be sent. Its headers were checked when it was read.
fn local_answer(local: &LocalAnswer) -> Answer {
    let mut answer = Answer::new(local.status);
    answer.body = Bytes::from(local.body.clone());
    let has_type = local.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let is_json = || serde_json::from_str::<IgnoredAny>(&local.body).is_ok();
    let own = local.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fitting = match (has_type || local.body.is_empty(), is_json()) {
        (true, _) => None,
        (false, true) => Some(("Content-Type", "application/json")),
        (false, false) => Some(("Content-Type", "text/plain;charset=UTF-8")),
    };
    for (name, value) in fitting.into_iter().chain(own) {
        if let (Ok(name), Ok(value)) = (HeaderField::new(name), header_value(value)) {
            answer.headers.push((name, value));
        }
    }
    answer
}

/// Makes what the file declares, whether a route uses it or not.
fn declare(resilience: &Resilience, breakers: &Breakers) {
    let declared = resilience.breakers.instances.iter();
    breakers.declare(declared.map(|(name, config)| (name.as_str(), config)));
    let declared = [&resilience.thread_pool_bulkheads, &resilience.bulkheads]
        .into_iter()
        .flat_map(|named| named.instances.keys())
        .filter_map(|name| Some((name.as_str(), resilience.bulkhead(name)?)));
    breakers.declare_bulkheads(&declared.collect());
}

/// The destinations of a snapshot, made when they are first asked for.
struct Destinations<'a> {
    settings: &'a Settings,
    services: &'a Services,
    upstreams: Prepared,
    known: HashMap<(Scheme, &'a str, u16), Arc<Destination>>,
}

impl<'a> Destinations<'a> {
    fn reach(&mut self, route: &'a Route) -> Reach {
        match &route.target.kind {
            TargetKind::Upstream { scheme, host, port } => {
                self.direct(*scheme, host, *port).map_or(Reach::Nowhere, Reach::Direct)
            }
            TargetKind::LoadBalanced { service, scheme } => Reach::Balanced {
                service: self.services.get(service, self.settings),
                scheme: *scheme,
            },
            TargetKind::Forward { .. } | TargetKind::Unrouted | TargetKind::Fails(_) => {
                Reach::Nowhere
            }
        }
    }

    fn direct(&mut self, scheme: Scheme, host: &'a str, port: u16) -> Option<Arc<Destination>> {
        let key = (scheme, host, port);
        if let Some(known) = self.known.get(&key) {
            return Some(Arc::clone(known));
        }
        let upstream = Arc::clone(self.upstreams.get(&(host.to_owned(), port))?);
        let new = Arc::new(Destination::new(scheme, upstream, &self.settings.timeouts));
        self.known.insert(key, Arc::clone(&new));
        Some(new)
    }
}

impl Plan {
    fn new<'a>(
        route: &'a Route,
        destinations: &mut Destinations<'a>,
        settings: &Settings,
        metrics: &Metrics,
    ) -> Self {
        let (connect_timeout, broken) = match connect_timeout(route) {
            Ok(own) => (own, None),
            Err(reason) => (None, Some(reason)),
        };
        let connect_timeout = connect_timeout.unwrap_or(settings.http_client.connect_timeout);
        Self {
            reach: destinations.reach(route),
            response_timeout: response_timeout(route, settings).map(Millis::of),
            connect_timeout: Millis::of(connect_timeout),
            timer: metrics.timer(&route.id, &route.target.text),
            log_id: JsonText::new(&route.id),
            broken,
            tells_identity: tells_identity(route),
        }
    }
}

fn metadata<'r>(route: &'r Route, key: &str) -> Option<&'r MetadataValue> {
    route.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// `metadata.connect-timeout`: whole milliseconds. Anything else fails every request
/// (`predicates.md` 2.9).
fn connect_timeout(route: &Route) -> Result<Option<Duration>, Broken> {
    let broken = Broken::ConnectTimeout;
    let millis = match metadata(route, "connect-timeout") {
        None => return Ok(None),
        Some(MetadataValue::Integer(millis)) => *millis,
        Some(MetadataValue::Text(text)) => text.parse().map_err(|_| broken)?,
        Some(
            MetadataValue::Null
            | MetadataValue::Boolean(_)
            | MetadataValue::Float(_)
            | MetadataValue::List(_)
            | MetadataValue::Map(_),
        ) => return Err(broken),
    };
    let millis = u64::try_from(millis).map_err(|_| broken)?;
    Ok(Some(Duration::from_millis(millis)))
}

/// `metadata.identity`: true unless it says false.
fn tells_identity(route: &Route) -> bool {
    match metadata(route, "identity") {
        Some(MetadataValue::Boolean(tells)) => *tells,
        Some(MetadataValue::Text(text)) => !text.eq_ignore_ascii_case("false"),
        Some(
            MetadataValue::Null
            | MetadataValue::Integer(_)
            | MetadataValue::Float(_)
            | MetadataValue::List(_)
            | MetadataValue::Map(_),
        )
        | None => true,
    }
}

/// `metadata.response-timeout`: milliseconds; a negative number waits for ever, other text is
/// ignored (`predicates.md` 2.9).
fn response_timeout(route: &Route, settings: &Settings) -> Option<Duration> {
    let millis = match metadata(route, "response-timeout") {
        Some(MetadataValue::Integer(millis)) => Some(*millis),
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "saturates")]
        Some(MetadataValue::Float(millis)) => Some(*millis as i64),
        Some(MetadataValue::Text(text)) => text.parse().ok(),
        Some(
            MetadataValue::Null
            | MetadataValue::Boolean(_)
            | MetadataValue::List(_)
            | MetadataValue::Map(_),
        )
        | None => None,
    };
    match millis {
        None => settings.http_client.response_timeout,
        Some(millis) => u64::try_from(millis).ok().map(Duration::from_millis),
    }
}
