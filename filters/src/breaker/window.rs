//! The calls a circuit breaker remembers.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::{BreakerConfig, WindowType};

/// What a window holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
    pub(super) slow_failed: u32,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// What tells windows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The last calls.
    Calls(u32),
    /// The calls of the last seconds.
    Seconds(u32),
    /// None at all.
    Nothing,
}

/// Calls, the oldest first.
#[derive(Debug)]
pub(super) struct Window {
    shape: Shape,
    /// With fewer calls there is no rate.
    minimum: u32,
    counts: Counts,
    calls: VecDeque<Call>,
    /// Seconds in which there were calls.
    seconds: VecDeque<(u64, Counts)>,
}

impl Counts {
    fn add(&mut self, call: Call) {
        let Call { failed, slow } = call;
        self.total += 1;
        self.failed += u32::from(failed);
        self.slow += u32::from(slow);
        self.slow_failed += u32::from(failed && slow);
    }

    fn subtract(&mut self, other: Self) {
        self.total -= other.total;
        self.failed -= other.failed;
        self.slow -= other.slow;
        self.slow_failed -= other.slow_failed;
    }
}

impl From<Call> for Counts {
    fn from(call: Call) -> Self {
        let mut counts = Self::default();
        counts.add(call);
        counts
    }
}

impl Shape {
    /// The window of a breaker that is closed.
    pub(super) fn sliding(config: &BreakerConfig) -> Self {
        match config.sliding_window_type {
            WindowType::CountBased => Self::Calls(config.sliding_window_size),
            WindowType::TimeBased => Self::Seconds(config.sliding_window_size),
        }
    }

    /// The window of a breaker that is half open.
    pub(super) fn half_open(config: &BreakerConfig) -> Self {
        Self::Calls(config.permitted_number_of_calls_in_half_open_state)
    }

    fn minimum(self, config: &BreakerConfig) -> u32 {
        match self {
            Self::Calls(size) => config.minimum_number_of_calls.min(size),
            Self::Seconds(_) => config.minimum_number_of_calls,
            Self::Nothing => 0,
        }
    }
}

impl Window {
    pub(super) fn new(shape: Shape, config: &BreakerConfig) -> Self {
        Self {
            shape,
            minimum: shape.minimum(config),
            counts: Counts::default(),
            calls: VecDeque::new(),
            seconds: VecDeque::new(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Goes by another configuration from now on; the calls stay.
    pub(super) fn take(&mut self, config: &BreakerConfig) {
        self.minimum = self.shape.minimum(config);
    }

    /// Remembers a call that ends `now`, and forgets one that is too old for it.
    pub(super) fn record(&mut self, call: Call, now: Duration) {
        match self.shape {
            Shape::Nothing => return,
            Shape::Calls(size) => {
                if self.counts.total >= size
                    && let Some(oldest) = self.calls.pop_front()
                {
                    self.counts.subtract(oldest.into());
                }
                self.calls.push_back(call);
            }
            Shape::Seconds(_) => {
                self.forget(now);
                // A clock that several threads read may seem to step back.
                match self.seconds.back_mut().filter(|(second, _)| *second >= now.as_secs()) {
                    Some((_, counts)) => counts.add(call),
                    None => self.seconds.push_back((now.as_secs(), call.into())),
                }
            }
        }
        self.counts.add(call);
    }

    /// Forgets the seconds that are too long ago.
    fn forget(&mut self, now: Duration) {
        let Shape::Seconds(size) = self.shape else { return };
        let is_past = |second: u64| second.saturating_add(u64::from(size)) <= now.as_secs();
        while let Some((_, counts)) = self.seconds.pop_front_if(|(second, _)| is_past(*second)) {
            self.counts.subtract(counts);
        }
    }

    /// What it holds `now`.
    pub(super) fn counts(&mut self, now: Duration) -> Counts {
        self.forget(now);
        self.counts
    }

    /// How many calls in a hundred failed and were slow; `None` if there are too few calls.
    pub(super) fn rates(&mut self, now: Duration) -> Option<(f32, f32)> {
        let Counts { total, failed, slow, .. } = self.counts(now);
        if total == 0 || total < self.minimum {
            return None;
        }
        Some((rate(failed, total), rate(slow, total)))
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "single, as Resilience4j")]
fn rate(part: u32, total: u32) -> f32 {
    part as f32 * 100.0 / total as f32
}
