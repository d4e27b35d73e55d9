//! One instance of a service, what is known about it, and a request that goes there.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tollgate_filters::Scheme;

use super::rota::InstanceState;
use crate::config::{Ejection, InstanceSpec, Timeouts};
use crate::upstream::{Destination, Prepared, Upstream};

/// One instance of a service as the file has it now.
#[derive(Debug)]
pub struct Instance {
    /// What the file or a discovery says about it.
    spec: InstanceSpec,
    /// What is known about it; outlives changes of the file.
    known: Arc<State>,
    ejection: Ejection,
    timeouts: Timeouts,
    /// Where it listens, if HTTP in the clear is spoken, and if TLS is: two ports if it names none.
    upstreams: [Arc<Upstream>; 2],
    /// How to reach it by each scheme, made when it is first asked for.
    destinations: [OnceLock<Arc<Destination>>; 4],
}

/// What tells an instance from others of its service for as long as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InstanceKey(u64);

/// Why an instance is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Who found it out.
    pub cause: DownCause,
    /// In words: for operators, never for clients.
    pub why: String,
}

/// Who found out that an instance is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownCause {
    /// A request could not connect.
    Connect,
    /// An active check failed.
    Check,
}

/// What is known about an instance.
#[derive(Debug)]
pub(super) struct State {
    key: InstanceKey,
    /// When the service was first known; instants are counted from here.
    started: Instant,
    /// Counts what changes the instances that take requests.
    changes: Arc<AtomicU64>,
    in_flight: AtomicU32,
    /// Requests that failed in a row.
    failures: AtomicU32,
    /// Nanoseconds since `started`.
    ejected_until: AtomicU64,
    down: ArcSwapOption<Down>,
}

impl State {
    pub(super) fn new(key: u64, started: Instant, changes: &Arc<AtomicU64>) -> Self {
        Self {
            key: InstanceKey(key),
            started,
            changes: Arc::clone(changes),
            in_flight: AtomicU32::default(),
            failures: AtomicU32::default(),
            ejected_until: AtomicU64::default(),
            down: ArcSwapOption::empty(),
        }
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether it is not down any more.
    fn set_down(&self, down: Option<Down>) -> bool {
        let was_down = self.down.swap(down.map(Arc::new)).is_some();
        self.changed();
        was_down
    }

    fn failed(&self, ejection: &Ejection, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if ejection.consecutive_failures == 0 || failures < ejection.consecutive_failures {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        let until = nanos(now.saturating_duration_since(self.started) + ejection.time);
        self.ejected_until.store(until, Ordering::Relaxed);
        self.changed();
        true
    }

    fn succeeded(&self) {
        // Most find nothing to do, and leave the line to the others.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }
}

/// Nanoseconds in 64 bits: 584 years.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The upstreams that instances need: host and port.
pub(super) fn needed(spec: &InstanceSpec) -> [(String, u16); 2] {
    let of = |is_tls| (spec.host.clone(), spec.port.unwrap_or(default_port(is_tls)));
    [of(false), of(true)]
}

/// TCP port of a scheme.
const fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

impl Instance {
    /// `None` if one of the upstreams it needs is not among the prepared ones.
    pub(super) fn new(
        spec: InstanceSpec,
        state: Arc<State>,
        ejection: Ejection,
        timeouts: &Timeouts,
        prepared: &Prepared,
    ) -> Option<Self> {
        let [plain, tls] = needed(&spec).map(|key| prepared.get(&key).map(Arc::clone));
        Some(Self {
            spec,
            known: state,
            ejection,
            timeouts: timeouts.clone(),
            upstreams: [plain?, tls?],
            destinations: [const { OnceLock::new() }; 4],
        })
    }

    /// What the file or a discovery says about it.
    pub fn spec(&self) -> &InstanceSpec {
        &self.spec
    }

    /// What is known about it, for the same one in another list.
    pub(super) fn known(&self) -> &Arc<State> {
        &self.known
    }

    /// What tells it from others of its service.
    pub fn key(&self) -> InstanceKey {
        self.known.key
    }

    /// How to reach it: by its own scheme, else by the one of the route (`lb:ws://…`), else by HTTPS
    /// if it is secure, else by HTTP.
    pub fn destination(&self, of_route: Option<Scheme>) -> &Arc<Destination> {
        let by_itself = if self.spec.is_secure { Scheme::Https } else { Scheme::Http };
        let scheme = self.spec.scheme.or(of_route).unwrap_or(by_itself);
        let [http, https, ws, wss] = &self.destinations;
        let [plain, tls] = &self.upstreams;
        let (place, upstream) = match scheme {
            Scheme::Http => (http, plain),
            Scheme::Https => (https, tls),
            Scheme::Ws => (ws, plain),
            Scheme::Wss => (wss, tls),
        };
        let new = || Arc::new(Destination::new(scheme, Arc::clone(upstream), &self.timeouts));
        place.get_or_init(new)
    }

    /// Its address as operators write it.
    pub fn uri(&self) -> String {
        let is_tls = match self.spec.scheme {
            Some(scheme) => matches!(scheme, Scheme::Https | Scheme::Wss),
            None => self.spec.is_secure,
        };
        let (scheme, host) = (if is_tls { "https" } else { "http" }, &self.spec.host);
        let port = self.spec.port.unwrap_or(default_port(is_tls));
        if host.contains(':') {
            format!("{scheme}://[{host}]:{port}")
        } else {
            format!("{scheme}://{host}:{port}")
        }
    }

    /// Requests that are on their way to it.
    pub fn in_flight(&self) -> u32 {
        self.known.in_flight.load(Ordering::Relaxed)
    }

    /// Why it is down; `None` if it is not.
    pub fn down(&self) -> Option<Arc<Down>> {
        self.known.down.load_full()
    }

    /// For how long it gets no requests because it failed too many; `None` if it gets them.
    pub fn ejected_for(&self, now: Instant) -> Option<Duration> {
        let until = Duration::from_nanos(self.known.ejected_until.load(Ordering::Relaxed));
        let passed = now.saturating_duration_since(self.known.started);
        until.checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// What it is good for now.
    pub fn state(&self, now: Instant) -> InstanceState {
        if self.known.down.load().is_some() {
            InstanceState::Down
        } else if self.ejected_for(now).is_some() {
            InstanceState::Ejected
        } else {
            InstanceState::Up
        }
    }

    /// Takes it out until checks succeed.
    pub(super) fn mark_down(&self, down: Down) {
        tracing::warn!(
            instance = self.spec.id,
            uri = self.uri(),
            why = down.why,
            "instance is down"
        );
        self.known.set_down(Some(down));
    }

    /// Lets it take requests again.
    pub(super) fn mark_up(&self) {
        if self.known.set_down(None) {
            tracing::info!(instance = self.spec.id, uri = self.uri(), "instance is up again");
        }
    }

    /// Requests on their way, in relation to the weight.
    pub(super) fn load(&self) -> u64 {
        let weight = u64::from(self.spec.weight.max(1));
        (u64::from(self.in_flight()) + 1) * (1 << 24) / weight
    }

    /// Sends a request there.
    pub(super) fn take(self: Arc<Self>, scheme: Option<Scheme>) -> Chosen {
        self.known.in_flight.fetch_add(1, Ordering::Relaxed);
        Chosen { instance: self, scheme }
    }
}

/// A request that goes to an instance. It counts as in flight until this is dropped.
pub struct Chosen {
    instance: Arc<Instance>,
    scheme: Option<Scheme>,
}

impl Chosen {
    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// What tells the instance from others of its service.
    pub fn key(&self) -> InstanceKey {
        self.instance.key()
    }

    /// How to reach it.
    pub fn destination(&self) -> &Arc<Destination> {
        self.instance.destination(self.scheme)
    }

    /// None of its addresses could be connected to: it gets no requests until a check succeeds. To
    /// be told only of limits and refusals that are the instance's doing; `why` is for operators.
    pub fn connect_failed(&self, why: &str) {
        if self.instance.known.down.load().is_none() {
            let why = why.to_owned();
            self.instance.mark_down(Down { cause: DownCause::Connect, why });
        }
    }

    /// It took the request and did not serve it: the connection broke, or time ran out. Too many in
    /// a row, and it is ejected for a while.
    pub fn failed(&self, now: Instant) {
        if self.instance.known.failed(&self.instance.ejection, now) {
            let spec = &self.instance.spec;
            tracing::warn!(instance = spec.id, host = spec.host, "instance is ejected for a while");
        }
    }

    /// It answered with this status; 502, 503 and 504 count as failed.
    pub fn answered(&self, status: u16, now: Instant) {
        if matches!(status, 502..=504) {
            self.failed(now);
        } else {
            self.instance.known.succeeded();
        }
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.instance.known.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Chosen").field(&self.instance.spec.id).finish()
    }
}
