//! Circuit breakers as Resilience4j 2.3.0 has them (`resilience.md` 2.7), and bulkheads.
//!
//! A [`Breaker`] is known by its name in [`Breakers`], which outlive route tables. A call asks for a
//! [`Permit`] and tells how it ended. What happens by the clock alone (becoming half open, giving
//! up waiting there) is caught up with whenever somebody asks or looks; there is no timer.

mod bulkhead;
mod calls;
mod config;
mod event;
mod machine;
mod registry;
mod settings;
mod window;

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::MonotonicClock;

pub use bulkhead::{Bulkhead, BulkheadConfig, BulkheadPermit};
pub use calls::CallTimer;
pub use config::{AfterHalfOpen, BreakerConfig, OpenWait, WindowType};
pub use event::{Event, EventKind};
pub use registry::Breakers;
pub use settings::{Named, Resilience};

use machine::{Ending, Machine};

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused for a time.
    Open,
    /// A few calls try whether it may close.
    HalfOpen,
    /// Calls are refused until somebody says otherwise.
    ForcedOpen,
    /// Calls pass and nothing is counted, until somebody says otherwise.
    Disabled,
    /// Calls pass and are counted, and it never opens, until somebody says otherwise.
    MetricsOnly,
}

/// A circuit breaker.
pub struct Breaker {
    name: Arc<str>,
    clock: MonotonicClock,
    origin: Instant,
    is_declared: AtomicBool,
    has_been_asked: AtomicBool,
    machine: Mutex<Machine>,
}

/// A call that may go on. It tells how it ended, once; dropped without a word, it never was.
#[derive(Debug)]
pub struct Permit {
    breaker: Arc<Breaker>,
    /// The number of the state that gave it.
    epoch: u64,
    /// Since the registry's origin.
    started: Duration,
    is_over: bool,
}

/// A circuit breaker lets a call not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CircuitBreaker '{name}' is {} and does not permit further calls", state.name())]
pub struct NotPermitted {
    /// The breaker's name.
    pub name: Arc<str>,
    /// Its state.
    pub state: State,
}

/// A state that cannot follow the one there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "CircuitBreaker '{name}' tried an illegal state transition from {} to {}",
    from.name(),
    to.name()
)]
pub struct IllegalTransition {
    /// The breaker's name.
    pub name: Arc<str>,
    /// The state there is.
    pub from: State,
    /// The state that was wanted.
    pub to: State,
}

/// What a circuit breaker tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerStatus {
    /// What it goes by.
    pub config: Arc<BreakerConfig>,
    /// Its state.
    pub state: State,
    /// How many calls in a hundred failed; -1 if there are too few in the window.
    pub failure_rate: f32,
    /// How many calls in a hundred were slow; -1 if there are too few in the window.
    pub slow_call_rate: f32,
    /// Calls in the window.
    pub buffered_calls: u32,
    /// Failed calls in the window.
    pub failed_calls: u32,
    /// Slow calls in the window.
    pub slow_calls: u32,
    /// Calls in the window that were slow and failed.
    pub slow_failed_calls: u32,
    /// Calls refused in this state.
    pub not_permitted_calls: u64,
    /// Calls that ended well, ever.
    pub successful: CallTimer,
    /// Calls that failed, ever.
    pub failed: CallTimer,
    /// Calls that failed in a way that does not count, ever.
    pub ignored: CallTimer,
    /// Calls refused, ever; those that were refused because it was forced open are not told.
    pub not_permitted: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Every state, in the order of Resilience4j.
    pub const ALL: [Self; 6] = [
        Self::Disabled,
        Self::MetricsOnly,
        Self::Closed,
        Self::Open,
        Self::ForcedOpen,
        Self::HalfOpen,
    ];

    /// Its name: `HALF_OPEN`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Open => "OPEN",
            Self::HalfOpen => "HALF_OPEN",
            Self::ForcedOpen => "FORCED_OPEN",
            Self::Disabled => "DISABLED",
            Self::MetricsOnly => "METRICS_ONLY",
        }
    }
}

impl Debug for Breaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Breaker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Breaker {
    fn new(
        name: Arc<str>,
        config: &BreakerConfig,
        clock: MonotonicClock,
        random: fn() -> f64,
        origin: Instant,
    ) -> Self {
        let now = clock().saturating_duration_since(origin);
        let machine = Machine::new(Arc::new(config.clone()), random, now);
        Self {
            name,
            clock,
            origin,
            is_declared: AtomicBool::new(false),
            has_been_asked: AtomicBool::new(false),
            machine: Mutex::new(machine),
        }
    }

    fn now(&self) -> Duration {
        (self.clock)().saturating_duration_since(self.origin)
    }

    fn take(&self, config: &BreakerConfig) {
        let now = self.now();
        let mut machine = lock(&self.machine);
        if **machine.config() != *config {
            machine.take(&Arc::new(config.clone()), now);
        }
    }

    fn set_declared(&self, is_declared: bool) {
        self.is_declared.store(is_declared, Ordering::Relaxed);
    }

    fn is_seen(&self) -> bool {
        self.is_declared() || self.has_been_asked.load(Ordering::Relaxed)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the file declares it (`instances`), not only a route names it.
    pub fn is_declared(&self) -> bool {
        self.is_declared.load(Ordering::Relaxed)
    }

    /// Asks whether a call may go on. The call begins now.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn acquire(self: &Arc<Self>) -> Result<Permit, NotPermitted> {
        if !self.has_been_asked.load(Ordering::Relaxed) {
            self.has_been_asked.store(true, Ordering::Relaxed);
        }
        let started = self.now();
        let mut machine = lock(&self.machine);
        if machine.ask(started) {
            let epoch = machine.epoch();
            drop(machine);
            return Ok(Permit { breaker: Arc::clone(self), epoch, started, is_over: false });
        }
        let state = machine.state();
        drop(machine);
        Err(NotPermitted { name: Arc::clone(&self.name), state })
    }

    /// Its state now.
    pub fn state(&self) -> State {
        let now = self.now();
        let mut machine = lock(&self.machine);
        machine.catch_up(now);
        machine.state()
    }

    /// What it tells of itself now.
    pub fn status(&self) -> BreakerStatus {
        let now = self.now();
        let mut machine = lock(&self.machine);
        machine.catch_up(now);
        let (failure_rate, slow_call_rate) = machine.window().rates(now).unwrap_or((-1.0, -1.0));
        let counts = machine.window().counts(now);
        let [successful, failed, ignored] = machine.calls.shown(now);
        BreakerStatus {
            config: Arc::clone(machine.config()),
            state: machine.state(),
            failure_rate,
            slow_call_rate,
            buffered_calls: counts.total,
            failed_calls: counts.failed,
            slow_calls: counts.slow,
            slow_failed_calls: counts.slow_failed,
            not_permitted_calls: machine.not_permitted(),
            successful,
            failed,
            ignored,
            not_permitted: machine.calls.not_permitted(),
        }
    }

    /// What happened last, the oldest first; `eventConsumerBufferSize` events at most.
    pub fn events(&self) -> Vec<Event> {
        let now = self.now();
        let mut machine = lock(&self.machine);
        machine.catch_up(now);
        let event = |(at, kind)| Event { at: self.origin + at, kind };
        machine.events.all().map(event).collect()
    }

    /// Goes into a state because somebody wants it. The same state again begins anew, without an
    /// event; opening starts the wait that is due then.
    ///
    /// # Errors
    ///
    /// A closed breaker cannot become half open.
    pub fn transition_to(&self, to: State) -> Result<(), IllegalTransition> {
        let now = self.now();
        let mut machine = lock(&self.machine);
        if machine.enter(to, now) {
            return Ok(());
        }
        let from = machine.state();
        drop(machine);
        Err(IllegalTransition { name: Arc::clone(&self.name), from, to })
    }

    /// Opens it for so long, whatever its configuration says.
    pub fn open_for(&self, wait: Duration) {
        let now = self.now();
        lock(&self.machine).open_for(wait, now);
    }

    /// Closes it and forgets its window.
    pub fn reset(&self) {
        let now = self.now();
        lock(&self.machine).reset(now);
    }
}

impl Permit {
    /// The breaker's name.
    pub fn breaker(&self) -> &Arc<str> {
        &self.breaker.name
    }

    /// The call ended well.
    pub fn succeed(self) {
        self.end(Ending::Success, None);
    }

    /// The call failed.
    pub fn fail(self) {
        self.end(Ending::Failure(None), None);
    }

    /// The call failed, and this is the code of its failure ([`crate::Failure::code`]), which is
    /// told with the event.
    pub fn fail_because(self, code: &'static str) {
        self.end(Ending::Failure(Some(code)), None);
    }

    /// The call was given up after `limit`: it failed, and this is how long it took.
    ///
    /// Unlike in Resilience4j, a half-open breaker does not permit another call in its place.
    pub fn fail_after(self, limit: Duration) {
        self.end(Ending::Failure(None), Some(limit));
    }

    /// The call failed in a way that does not count (`ignoreExceptions`): another one may take its
    /// place.
    pub fn ignore(self) {
        self.end(Ending::Ignored, None);
    }

    fn end(mut self, ending: Ending, took: Option<Duration>) {
        self.is_over = true;
        let now = self.breaker.now();
        let took = took.unwrap_or_else(|| now.saturating_sub(self.started));
        lock(&self.breaker.machine).end(ending, took, self.epoch, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_over {
            let now = self.breaker.now();
            lock(&self.breaker.machine).release(self.epoch, now);
        }
    }
}
