//! All circuit breakers and bulkheads there have been, by name.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::bulkhead::{Bulkhead, BulkheadConfig};
use super::config::BreakerConfig;
use super::{Breaker, lock};
use crate::MonotonicClock;

/// Circuit breakers and bulkheads by name. They outlive route tables: whoever asks for a name gets
/// the one that is there.
///
/// Locked when tables are put into use and when somebody looks, never by a request.
pub struct Breakers {
    clock: MonotonicClock,
    random: fn() -> f64,
    /// Times count from here.
    origin: Instant,
    by_name: Mutex<BTreeMap<Arc<str>, Arc<Breaker>>>,
    bulkheads: Mutex<BTreeMap<Arc<str>, Arc<Bulkhead>>>,
}

impl Debug for Breakers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Breakers").finish_non_exhaustive()
    }
}

impl Breakers {
    /// None yet. `random` gives numbers in [0, 1), for waits that are randomized.
    pub fn new(clock: MonotonicClock, random: fn() -> f64) -> Self {
        let origin = clock();
        Self { clock, random, origin, by_name: Mutex::default(), bulkheads: Mutex::default() }
    }

    /// The breaker of this name; it is made if there is none.
    ///
    /// One that is there keeps its state, its calls and its events, and goes by `config` from now
    /// on: an open one stays open for as long as it was going to. A window whose type or size is
    /// another now begins anew, and so do the permits of a half-open breaker whose number changed;
    /// the window of an open one stays, for it tells why it opened.
    pub fn get(&self, name: &str, config: &BreakerConfig) -> Arc<Breaker> {
        let mut breakers = lock(&self.by_name);
        if let Some(known) = breakers.get(name) {
            known.take(config);
            return Arc::clone(known);
        }
        let clock = Arc::clone(&self.clock);
        let new = Arc::new(Breaker::new(name.into(), config, clock, self.random, self.origin));
        breakers.insert(name.into(), Arc::clone(&new));
        new
    }

    /// Makes the breakers that a file declares (`instances`), which are seen before their first
    /// request. Those that it does not declare any more are as if routes had made them.
    pub fn declare<'a>(&self, declared: impl IntoIterator<Item = (&'a str, &'a BreakerConfig)>) {
        let declared: BTreeMap<&str, &BreakerConfig> = declared.into_iter().collect();
        for (name, config) in &declared {
            drop(self.get(name, config));
        }
        for breaker in lock(&self.by_name).values() {
            breaker.set_declared(declared.contains_key(breaker.name()));
        }
    }

    /// The breakers that are declared or have had a request, by name.
    pub fn all(&self) -> Vec<Arc<Breaker>> {
        let breakers = lock(&self.by_name);
        breakers.values().filter(|breaker| breaker.is_seen()).map(Arc::clone).collect()
    }

    /// The breaker of this name, if [`Breakers::all`] has it.
    pub fn find(&self, name: &str) -> Option<Arc<Breaker>> {
        lock(&self.by_name).get(name).filter(|breaker| breaker.is_seen()).map(Arc::clone)
    }

    /// The bulkhead of this name; it is made if there is none. One that is there keeps its calls
    /// and goes by `config` from now on.
    pub fn bulkhead(&self, name: &str, config: BulkheadConfig) -> Arc<Bulkhead> {
        let mut bulkheads = lock(&self.bulkheads);
        if let Some(known) = bulkheads.get(name) {
            known.take(config);
            return Arc::clone(known);
        }
        let new = Arc::new(Bulkhead::new(name.into(), config));
        bulkheads.insert(name.into(), Arc::clone(&new));
        new
    }

    /// Makes the bulkheads that a file declares; see [`Breakers::declare`].
    pub fn declare_bulkheads(&self, declared: &BTreeMap<&str, BulkheadConfig>) {
        for (name, config) in declared {
            drop(self.bulkhead(name, *config));
        }
        for bulkhead in lock(&self.bulkheads).values() {
            bulkhead.set_declared(declared.contains_key(&**bulkhead.name()));
        }
    }

    /// The bulkheads that are declared or have had a request, by name.
    pub fn all_bulkheads(&self) -> Vec<Arc<Bulkhead>> {
        let bulkheads = lock(&self.bulkheads);
        bulkheads.values().filter(|bulkhead| bulkhead.is_seen()).map(Arc::clone).collect()
    }
}
