//! Which breaker, time limit and bulkhead goes by what.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bulkhead::BulkheadConfig;
use super::config::BreakerConfig;

/// Configurations of one kind: `resilience4j.<kind>.{configs,instances}`, all inheritance done.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    /// `configs`: what instances and others go by that are not declared.
    pub configs: BTreeMap<String, T>,
    /// `instances`.
    pub instances: BTreeMap<String, T>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T> Named<T> {
    const fn none() -> Self {
        Self { configs: BTreeMap::new(), instances: BTreeMap::new() }
    }

    /// The same names for something else.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Named<U> {
        let change = |(name, one): (String, T)| (name, change(one));
        Named {
            configs: self.configs.into_iter().map(change).collect(),
            instances: self.instances.into_iter().map(change).collect(),
        }
    }

    /// What `id` goes by: its instance, the configuration of the same name, the one that is called
    /// `default`; `None` if there is none of them.
    pub fn of(&self, id: &str) -> Option<&T> {
        let instance = self.instances.get(id);
        instance.or_else(|| self.configs.get(id)).or_else(|| self.configs.get("default"))
    }
}

/// `resilience4j` and `spring.cloud.circuitbreaker.resilience4j`: what circuit breakers, their time
/// limits and their bulkheads go by (`resilience.md` 2.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Resilience {
    /// `circuitbreaker`.
    pub breakers: Named<BreakerConfig>,
    /// `timelimiter`: `timeoutDuration`.
    pub time_limits: Named<Duration>,
    /// `bulkhead`.
    pub bulkheads: Named<BulkheadConfig>,
    /// `thread-pool-bulkhead`.
    pub thread_pool_bulkheads: Named<BulkheadConfig>,
    /// `disable-time-limiter`. Default false.
    pub time_limiter_disabled: bool,
    /// `disable-time-limiter-map`: beats `time_limiter_disabled`.
    pub time_limiter_disabled_of: BTreeMap<String, bool>,
}

/// How long a call may take if nobody says otherwise.
const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(1);

impl Default for Resilience {
    fn default() -> Self {
        Self::none()
    }
}

impl Resilience {
    /// What a file says that says nothing.
    pub const fn none() -> Self {
        Self {
            breakers: Named::none(),
            time_limits: Named::none(),
            bulkheads: Named::none(),
            thread_pool_bulkheads: Named::none(),
            time_limiter_disabled: false,
            time_limiter_disabled_of: BTreeMap::new(),
        }
    }

    /// What the breaker `id` goes by, and whether it is declared (`instances`).
    pub fn breaker(&self, id: &str) -> (BreakerConfig, bool) {
        let config = self.breakers.of(id).cloned().unwrap_or_default();
        (config, self.breakers.instances.contains_key(id))
    }

    /// How long a call through the breaker `id` may take; `None` if that is switched off. Default
    /// 1 s.
    pub fn time_limit(&self, id: &str) -> Option<Duration> {
        let switched = self.time_limiter_disabled_of.get(id).copied();
        if switched.unwrap_or(self.time_limiter_disabled) {
            return None;
        }
        Some(self.time_limits.of(id).copied().unwrap_or(DEFAULT_TIME_LIMIT))
    }

    /// How many calls through the breaker `id` may be under way at a time; `None`, the default, is
    /// without a limit. `bulkhead` beats `thread-pool-bulkhead`.
    pub fn bulkhead(&self, id: &str) -> Option<BulkheadConfig> {
        self.bulkheads.of(id).or_else(|| self.thread_pool_bulkheads.of(id)).copied()
    }
}
