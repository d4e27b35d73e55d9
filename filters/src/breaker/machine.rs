//! The state machine of Resilience4j 2.3.0 (`resilience.md` 2.7), told the time with each call.
//!
//! What Resilience4j does by a timer is done here when somebody looks next, dated back to when it
//! was due; nobody can tell the difference.

use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::calls::{Calls, Kind};
use super::config::{AfterHalfOpen, BreakerConfig};
use super::event::{EventKind, Events};
use super::window::{Call, Shape, Window};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    Failure(Option<&'static str>),
    Ignored,
}

/// A state and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { attempts: u32, until: Duration },
    HalfOpen { attempts: u32, permits: u32, since: Duration },
    ForcedOpen { attempts: u32 },
    Disabled,
    MetricsOnly { told_failures: bool, told_slow: bool },
}

/// A breaker without its lock and its clock.
#[derive(Debug)]
pub(super) struct Machine {
    config: Arc<BreakerConfig>,
    phase: Phase,
    /// Counts states, so that a permit of one is not given back to another.
    epoch: u64,
    window: Window,
    /// Calls refused in this state.
    not_permitted: u64,
    pub(super) events: Events,
    pub(super) calls: Calls,
    /// When the configuration was taken over; nothing it asks for was due before.
    taken: Duration,
    random: fn() -> f64,
}

impl Machine {
    pub(super) fn new(config: Arc<BreakerConfig>, random: fn() -> f64, now: Duration) -> Self {
        let mut machine = Self {
            phase: Phase::Closed,
            epoch: 0,
            window: Window::new(Shape::sliding(&config), &config),
            not_permitted: 0,
            events: Events::new(config.event_consumer_buffer_size),
            calls: Calls::default(),
            taken: now,
            random,
            config,
        };
        match machine.config.initial_state {
            State::Closed => {}
            State::HalfOpen => {
                let half_open = machine.half_open(1, now);
                machine.go(half_open, now);
            }
            state @ (State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly) => {
                machine.enter(state, now);
            }
        }
        machine.events = Events::new(machine.config.event_consumer_buffer_size);
        machine
    }

    pub(super) fn config(&self) -> &Arc<BreakerConfig> {
        &self.config
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn not_permitted(&self) -> u64 {
        self.not_permitted
    }

    pub(super) fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::ForcedOpen { .. } => State::ForcedOpen,
            Phase::Disabled => State::Disabled,
            Phase::MetricsOnly { .. } => State::MetricsOnly,
        }
    }

    fn attempts(&self) -> u32 {
        match self.phase {
            Phase::Open { attempts, .. }
            | Phase::HalfOpen { attempts, .. }
            | Phase::ForcedOpen { attempts } => attempts,
            Phase::Closed | Phase::Disabled | Phase::MetricsOnly { .. } => 0,
        }
    }

    fn tell(&mut self, at: Duration, kind: EventKind) {
        if kind.is_told_in(self.state()) {
            self.events.push(at, kind);
        }
    }

    /// Asks for a permission.
    pub(super) fn ask(&mut self, now: Duration) -> bool {
        self.catch_up(now);
        if let Phase::Open { attempts, until } = self.phase
            && now > until
        {
            let half_open = self.half_open(attempts, now);
            self.go(half_open, now);
        }
        let permitted = match &mut self.phase {
            Phase::Closed | Phase::Disabled | Phase::MetricsOnly { .. } => true,
            Phase::Open { .. } | Phase::ForcedOpen { .. } => false,
            Phase::HalfOpen { permits, .. } => {
                let some = *permits > 0;
                *permits = permits.saturating_sub(1);
                some
            }
        };
        if !permitted {
            self.not_permitted += 1;
            if EventKind::NotPermitted.is_told_in(self.state()) {
                self.calls.refuse();
                self.events.push(now, EventKind::NotPermitted);
            }
        }
        permitted
    }

    /// Takes back a permission of the state with this number; one of an earlier state is void.
    pub(super) fn release(&mut self, epoch: u64, now: Duration) {
        self.catch_up(now);
        if let Phase::HalfOpen { permits, .. } = &mut self.phase
            && epoch == self.epoch
        {
            *permits = permits.saturating_add(1);
        }
    }

    /// Records how a call ended, in the state that there is now.
    pub(super) fn end(&mut self, ending: Ending, took: Duration, epoch: u64, now: Duration) {
        self.catch_up(now);
        let (kind, event) = match ending {
            Ending::Success => (Kind::Successful, EventKind::Success { took }),
            Ending::Failure(reason) => (Kind::Failed, EventKind::Error { took, reason }),
            Ending::Ignored => {
                self.release(epoch, now);
                (Kind::Ignored, EventKind::IgnoredError { took })
            }
        };
        if event.is_told_in(self.state()) {
            self.calls.record(kind, took, now);
            self.events.push(now, event);
        }
        let failed = match ending {
            Ending::Ignored => return,
            Ending::Success => false,
            Ending::Failure(_) => true,
        };
        let slow = took > self.config.slow_call_duration_threshold;
        self.window.record(Call { failed, slow }, now);
        self.judge(now);
    }

    /// Goes where the rates lead.
    fn judge(&mut self, now: Duration) {
        let (failing, slow) = match self.phase {
            Phase::Closed | Phase::HalfOpen { .. } | Phase::MetricsOnly { .. } => {
                let Some(rates) = self.window.rates(now) else { return };
                rates
            }
            Phase::Open { .. } | Phase::ForcedOpen { .. } | Phase::Disabled => return,
        };
        let too_many_fail = failing >= self.config.failure_rate_threshold;
        let too_many_slow = slow >= self.config.slow_call_rate_threshold;
        let exceeded = too_many_fail || too_many_slow;
        match &mut self.phase {
            Phase::Closed if exceeded => {
                if too_many_fail {
                    self.tell(now, EventKind::FailureRateExceeded(failing));
                }
                if too_many_slow {
                    self.tell(now, EventKind::SlowCallRateExceeded(slow));
                }
                self.open(1, now);
            }
            Phase::HalfOpen { attempts, .. } if exceeded => {
                let attempts = attempts.saturating_add(1);
                self.open(attempts, now);
            }
            Phase::HalfOpen { .. } => self.go(Phase::Closed, now),
            Phase::MetricsOnly { told_failures, told_slow } => {
                let tell_failures = too_many_fail && !*told_failures;
                let tell_slow = too_many_slow && !*told_slow;
                *told_failures |= too_many_fail;
                *told_slow |= too_many_slow;
                if tell_failures {
                    self.tell(now, EventKind::FailureRateExceeded(failing));
                }
                if tell_slow {
                    self.tell(now, EventKind::SlowCallRateExceeded(slow));
                }
            }
            Phase::Closed | Phase::Open { .. } | Phase::ForcedOpen { .. } | Phase::Disabled => {}
        }
    }

    /// Does what was due by the clock before `now`.
    pub(super) fn catch_up(&mut self, now: Duration) {
        loop {
            let Some(due) = self.due().filter(|due| *due <= now) else { return };
            match self.phase {
                Phase::Open { attempts, .. } => {
                    let attempts = self.skip_rounds(attempts, due, now);
                    let due = self.due().unwrap_or(due);
                    let half_open = self.half_open(attempts, due);
                    self.go(half_open, due);
                }
                Phase::HalfOpen { attempts, .. } => {
                    match self.config.transition_to_state_after_wait_duration {
                        AfterHalfOpen::Open => self.open(attempts.saturating_add(1), due),
                        AfterHalfOpen::Closed => self.go(Phase::Closed, due),
                    }
                }
                Phase::Closed
                | Phase::ForcedOpen { .. }
                | Phase::Disabled
                | Phase::MetricsOnly { .. } => return,
            }
        }
    }

    /// When the clock alone changes the state.
    fn due(&self) -> Option<Duration> {
        let due = match self.phase {
            Phase::Open { until, .. }
                if self.config.automatic_transition_from_open_to_half_open_enabled =>
            {
                until
            }
            Phase::HalfOpen { since, .. } => since.checked_add(self.half_open_wait()?)?,
            Phase::Closed
            | Phase::Open { .. }
            | Phase::ForcedOpen { .. }
            | Phase::Disabled
            | Phase::MetricsOnly { .. } => return None,
        };
        Some(due.max(self.taken))
    }

    /// `maxWaitDurationInHalfOpenState` in whole milliseconds, if there is one.
    fn half_open_wait(&self) -> Option<Duration> {
        let millis = self.config.max_wait_duration_in_half_open_state.as_millis();
        u64::try_from(millis).ok().filter(|millis| *millis > 0).map(Duration::from_millis)
    }

    /// A breaker that nobody calls goes round between open and half open. Only the rounds that its
    /// events can still tell of are gone through; gives how often it has opened then.
    fn skip_rounds(&mut self, attempts: u32, due: Duration, now: Duration) -> u32 {
        let AfterHalfOpen::Open = self.config.transition_to_state_after_wait_duration else {
            return attempts;
        };
        let Some(half_open) = self.half_open_wait() else { return attempts };
        let wait = |attempt| self.config.wait_in_open_state.after(attempt, || 0.5);
        if wait(attempts.saturating_add(1)) != wait(attempts.saturating_add(2)) {
            return attempts;
        }
        let round = wait(attempts.saturating_add(1)).saturating_add(half_open).as_nanos();
        let rounds = now.saturating_sub(due).as_nanos() / round.max(1);
        let told = u128::try_from(self.events.most()).unwrap_or(u128::MAX);
        let skipped = rounds.saturating_sub(told);
        if skipped == 0 {
            return attempts;
        }
        let nanos = u64::try_from(skipped.saturating_mul(round)).unwrap_or(u64::MAX);
        let attempts = attempts.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX));
        let until = due.saturating_add(Duration::from_nanos(nanos));
        self.phase = Phase::Open { attempts, until };
        attempts
    }

    fn half_open(&self, attempts: u32, now: Duration) -> Phase {
        let permits = self.config.permitted_number_of_calls_in_half_open_state;
        Phase::HalfOpen { attempts, permits, since: now }
    }

    fn open(&mut self, attempts: u32, now: Duration) {
        let wait = self.config.wait_in_open_state.after(attempts, self.random);
        self.go(Phase::Open { attempts, until: now.saturating_add(wait) }, now);
    }

    /// Stays open for so long, which does not count as having opened once more.
    pub(super) fn open_for(&mut self, wait: Duration, now: Duration) {
        self.catch_up(now);
        let attempts = self.attempts();
        self.go(Phase::Open { attempts, until: now.saturating_add(wait) }, now);
    }

    /// Goes into a state because somebody wants it. False if that cannot be.
    pub(super) fn enter(&mut self, state: State, now: Duration) -> bool {
        self.catch_up(now);
        let attempts = self.attempts();
        match state {
            State::Closed => self.go(Phase::Closed, now),
            State::Open => self.open(attempts.saturating_add(1), now),
            State::HalfOpen if self.phase == Phase::Closed => return false,
            State::HalfOpen => {
                let half_open = self.half_open(attempts, now);
                self.go(half_open, now);
            }
            State::ForcedOpen => {
                self.go(Phase::ForcedOpen { attempts: attempts.saturating_add(1) }, now);
            }
            State::Disabled => self.go(Phase::Disabled, now),
            State::MetricsOnly => {
                self.go(Phase::MetricsOnly { told_failures: false, told_slow: false }, now);
            }
        }
        true
    }

    /// Closes and forgets the calls.
    pub(super) fn reset(&mut self, now: Duration) {
        self.catch_up(now);
        self.go(Phase::Closed, now);
        self.tell(now, EventKind::Reset);
    }

    fn go(&mut self, phase: Phase, now: Duration) {
        let from = self.state();
        self.phase = phase;
        self.epoch += 1;
        self.not_permitted = 0;
        let shape = match phase {
            // It shows why it opened.
            Phase::Open { .. } => None,
            Phase::Closed | Phase::MetricsOnly { .. } => Some(Shape::sliding(&self.config)),
            Phase::HalfOpen { .. } => Some(Shape::half_open(&self.config)),
            Phase::ForcedOpen { .. } | Phase::Disabled => Some(Shape::Nothing),
        };
        if let Some(shape) = shape {
            self.window = Window::new(shape, &self.config);
        }
        let to = self.state();
        if from != to {
            self.tell(now, EventKind::StateTransition { from, to });
        }
    }

    /// Goes by another configuration from now on, in the state it is in.
    pub(super) fn take(&mut self, config: &Arc<BreakerConfig>, now: Duration) {
        self.catch_up(now);
        self.config = Arc::clone(config);
        self.taken = now;
        self.events.resize(config.event_consumer_buffer_size);
        let shape = match self.phase {
            Phase::Closed | Phase::MetricsOnly { .. } => Shape::sliding(config),
            Phase::HalfOpen { .. } => Shape::half_open(config),
            Phase::Open { .. } | Phase::ForcedOpen { .. } | Phase::Disabled => self.window.shape(),
        };
        if shape == self.window.shape() {
            self.window.take(config);
            return;
        }
        self.window = Window::new(shape, config);
        if let Phase::HalfOpen { permits, .. } = &mut self.phase {
            *permits = config.permitted_number_of_calls_in_half_open_state;
            // Permits of before are not given back on top of these.
            self.epoch += 1;
        }
    }
}
