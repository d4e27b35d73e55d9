//! Services and their instances: what `lb://name` leads to (`global.md` 3).
//!
//! A [`Service`] outlives route tables and is known by its name. Its instances change in place: those
//! that stay keep what is known about them, and no route is built anew. A request asks
//! [`Service::choose`] for an instance and tells what became of it; who gets the next request is
//! worked out when something changes, not for each request ([`rota`]). Whether an instance that is
//! down is well again is found out off the request path ([`checks`]), never with a client's request.

mod checks;
mod instance;
mod rota;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tollgate_filters::{RetryBudget, RetryBudgetSettings, Scheme};

use crate::clock;
use crate::config::{Balance, HealthCheck, InstanceSpec, ServiceSettings, Settings, Timeouts};
use crate::upstream::{Prepared, Upstreams};

pub use checks::Checks;
pub use instance::{Chosen, Down, DownCause, Instance, InstanceKey};
pub use rota::InstanceState;

use instance::{State, nanos, needed};

/// How many instances a request tries at most that cannot be connected to.
pub const MOST_INSTANCES: usize = 3;

/// All services, by name. Outlives reloads.
#[derive(Debug, Default)]
pub struct Services {
    /// Locked when routes are loaded and when somebody looks, never by a request.
    known: Mutex<HashMap<String, Arc<Service>>>,
    /// No two instances have the same key, of whatever service.
    keys: Arc<AtomicU64>,
}

impl Services {
    /// The host and port of every instance in a file.
    pub fn needed(settings: &Settings) -> impl Iterator<Item = (String, u16)> {
        settings.services.iter().flat_map(|service| service.instances.iter().flat_map(needed))
    }

    /// Takes over what a file says; services that are gone from it are forgotten here and serve the
    /// requests that still have them. `prepared` has the upstreams of all instances.
    pub fn apply(&self, settings: &Settings, prepared: &Prepared) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, _| settings.services.iter().any(|service| service.name == *name));
        for wanted in &settings.services {
            let service = known.entry(wanted.name.clone()).or_insert_with(|| {
                Arc::new(Service::new(
                    wanted.clone(),
                    settings,
                    clock::now(),
                    Arc::clone(&self.keys),
                ))
            });
            service.budget.set(&settings.retry_budget);
            let policy = Policy::new(wanted.clone(), &settings.timeouts);
            service.install(policy, wanted.instances.clone(), prepared);
        }
    }

    /// The service of a name; one without instances if the file does not have it.
    pub fn get(&self, name: &str, settings: &Settings) -> Arc<Service> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let nothing = ServiceSettings::new(name);
            Arc::new(Service::new(nothing, settings, clock::now(), Arc::clone(&self.keys)))
        };
        Arc::clone(known.entry(name.to_owned()).or_insert_with(new))
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<Service>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<Service>> = known.values().map(Arc::clone).collect();
        all.sort_by(|one, other| one.name().cmp(other.name()));
        all
    }
}

/// A service and its instances.
#[derive(Debug)]
pub struct Service {
    name: String,
    started: Instant,
    /// What clients ask of it, and what retries add.
    budget: RetryBudget,
    /// Counts what changes the instances that take requests.
    changes: Arc<AtomicU64>,
    keys: Arc<AtomicU64>,
    /// Who is next in the rota.
    turn: AtomicUsize,
    /// Held while a view is made.
    making: Mutex<()>,
    view: ArcSwap<View>,
}

/// How a service is balanced and checked.
#[derive(Debug, PartialEq)]
struct Policy {
    settings: ServiceSettings,
    timeouts: Timeouts,
}

impl Policy {
    fn new(mut settings: ServiceSettings, timeouts: &Timeouts) -> Arc<Self> {
        // They may come from elsewhere, and change alone.
        settings.instances = Vec::new();
        Arc::new(Self { settings, timeouts: timeouts.clone() })
    }
}

/// A service as requests see it, until something changes.
#[derive(Debug)]
struct View {
    policy: Arc<Policy>,
    instances: Arc<[Arc<Instance>]>,
    /// Positions of those that take requests, in their order.
    rota: Vec<usize>,
    /// What was known when the view was made.
    changes: u64,
    /// Nanoseconds since the service was first known: then an ejection ends.
    until: u64,
}

/// Why no instance of a service takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoInstance {
    /// It has none, or none with a weight.
    #[error("it has no instance")]
    None,
    /// All of them are down.
    #[error("all instances are down")]
    AllDown,
    /// Those that are left were tried.
    #[error("all instances were tried")]
    AllTried,
}

impl Service {
    fn new(
        settings: ServiceSettings,
        of_file: &Settings,
        started: Instant,
        keys: Arc<AtomicU64>,
    ) -> Self {
        let name = settings.name.clone();
        let view = View {
            policy: Policy::new(settings, &of_file.timeouts),
            instances: Arc::new([]),
            rota: Vec::new(),
            changes: 0,
            until: u64::MAX,
        };
        Self {
            name,
            started,
            budget: RetryBudget::new(&of_file.retry_budget, started),
            changes: Arc::default(),
            keys,
            // As in the reference gateway, so that many gateways do not begin with the same one.
            turn: AtomicUsize::new(fastrand::usize(0..1000)),
            making: Mutex::default(),
            view: ArcSwap::from_pointee(view),
        }
    }

    /// Its name, case kept.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How instances are chosen.
    pub fn balance(&self) -> Balance {
        self.view.load().policy.settings.balance
    }

    /// What asks its instances whether they are well.
    pub fn health(&self) -> Option<HealthCheck> {
        self.view.load().policy.settings.health.clone()
    }

    /// Its instances, down or not.
    pub fn instances(&self) -> Arc<[Arc<Instance>]> {
        Arc::clone(&self.view.load().instances)
    }

    /// What clients ask of it, and what retries may add.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// How often a request may be sent again from now on.
    pub fn set_budget(&self, settings: &RetryBudgetSettings) {
        self.budget.set(settings);
    }

    /// Has these instances from now on. Those that it had (same scheme, host, port and id) keep what
    /// is known about them; requests that are under way end where they are. Resolves new names,
    /// which may take two seconds; names without an address are given back with the reason.
    ///
    /// This is where a discovery hands over what it found.
    pub fn set_instances(
        &self,
        specs: Vec<InstanceSpec>,
        upstreams: &Upstreams,
    ) -> Vec<(String, String)> {
        let (prepared, failed) = upstreams.prepare(specs.iter().flat_map(needed));
        let policy = Arc::clone(&self.view.load().policy);
        self.install(policy, specs, &prepared);
        failed
    }

    fn install(&self, policy: Arc<Policy>, specs: Vec<InstanceSpec>, prepared: &Prepared) {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.view.load_full();
        let is_same_policy = before.policy == policy;
        let instances: Arc<[Arc<Instance>]> = specs
            .into_iter()
            .filter_map(|spec| {
                let known = before.instances.iter().find(|known| is_same(known.spec(), &spec));
                if let Some(known) = known
                    && is_same_policy
                    && *known.spec() == spec
                {
                    return Some(Arc::clone(known));
                }
                let state = known.map_or_else(
                    || {
                        let key = self.keys.fetch_add(1, Ordering::Relaxed);
                        Arc::new(State::new(key, self.started, &self.changes))
                    },
                    |known| Arc::clone(known.known()),
                );
                let ejection = policy.settings.ejection;
                Instance::new(spec, state, ejection, &policy.timeouts, prepared).map(Arc::new)
            })
            .collect();
        self.view.store(Arc::new(self.make(policy, instances, clock::now())));
    }

    /// The instance that gets the next request, none of those that were tried; `of_route` is the
    /// scheme of `lb:scheme://…`.
    ///
    /// # Errors
    ///
    /// There is none: with nothing tried the request is [`tollgate_filters::Failure::NoInstance`],
    /// else it failed for the reason that the last one did.
    pub fn choose(
        &self,
        of_route: Option<Scheme>,
        tried: &[InstanceKey],
        now: Instant,
    ) -> Result<Chosen, NoInstance> {
        let mut view = self.view.load();
        let is_current = view.changes == self.changes.load(Ordering::Acquire)
            && nanos(now.saturating_duration_since(self.started)) < view.until;
        if !is_current {
            drop(view);
            self.refresh(now);
            view = self.view.load();
        }
        let View { policy, instances, rota, .. } = &**view;
        let may = |position: usize| {
            instances.get(position).is_some_and(|instance| !tried.contains(&instance.key()))
        };
        let position = match policy.settings.balance {
            Balance::RoundRobin => rota::next(rota, self.next_turn(rota.len()), may),
            Balance::LeastRequests => {
                let load =
                    |position: usize| instances.get(position).map(|instance| instance.load());
                rota::lesser_of_two(rota, |below| fastrand::usize(..below), may, load)
            }
        };
        let chosen = position.and_then(|position| instances.get(position));
        match chosen {
            Some(instance) => Ok(Arc::clone(instance).take(of_route)),
            None if !rota.is_empty() => Err(NoInstance::AllTried),
            None if instances.iter().any(|instance| instance.spec().weight > 0) => {
                Err(NoInstance::AllDown)
            }
            None => Err(NoInstance::None),
        }
    }

    /// With one instance the turn stays where it is, as in the reference gateway.
    fn next_turn(&self, rota: usize) -> usize {
        if rota < 2 { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) }
    }

    /// Works out anew who takes requests.
    fn refresh(&self, now: Instant) {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.view.load();
        let view = self.make(Arc::clone(&before.policy), Arc::clone(&before.instances), now);
        self.view.store(Arc::new(view));
    }

    fn make(&self, policy: Arc<Policy>, instances: Arc<[Arc<Instance>]>, now: Instant) -> View {
        // Read first: what changes meanwhile is seen by the next request.
        let changes = self.changes.load(Ordering::Acquire);
        let conditions: Vec<_> = instances
            .iter()
            .map(|instance| (instance.spec().weight, instance.state(now)))
            .collect();
        let rota = rota::rota(&conditions, policy.settings.ejection.panic_below);
        let passed = now.saturating_duration_since(self.started);
        let ends = instances.iter().filter_map(|instance| instance.ejected_for(now));
        let until = ends.min().map_or(u64::MAX, |left| nanos(passed + left));
        View { policy, instances, rota, changes, until }
    }
}

/// Whether two specs are of the same instance.
fn is_same(one: &InstanceSpec, other: &InstanceSpec) -> bool {
    let what = |spec: &InstanceSpec| (spec.scheme, spec.is_secure, spec.port);
    what(one) == what(other) && one.host == other.host && one.id == other.id
}

#[cfg(test)]
mod tests;
