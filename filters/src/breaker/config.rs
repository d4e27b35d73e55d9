//! What a circuit breaker goes by.

use std::time::Duration;

use super::State;

/// `resilience4j.circuitbreaker`: what one circuit breaker goes by (`resilience.md` 2.6).
///
/// The fields have the names of the file's keys.
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the file")]
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerConfig {
    /// From how many failed calls in a hundred on it opens, 1 to 100. Default 50.
    pub failure_rate_threshold: f32,
    /// From how many slow calls in a hundred on it opens, 1 to 100. Default 100.
    pub slow_call_rate_threshold: f32,
    /// A call that takes longer is slow. Default 60 s.
    pub slow_call_duration_threshold: Duration,
    /// What the window counts. Default: calls.
    pub sliding_window_type: WindowType,
    /// Length of the window in calls or seconds, from 1. Default 100.
    pub sliding_window_size: u32,
    /// With fewer calls in the window there is no rate. Default 100; a window of calls that is
    /// shorter needs as many as it holds.
    pub minimum_number_of_calls: u32,
    /// How many calls try whether it may close, from 1. Default 10.
    pub permitted_number_of_calls_in_half_open_state: u32,
    /// How long it may be half open; zero, the default, is without a limit.
    pub max_wait_duration_in_half_open_state: Duration,
    /// Where it goes when that has passed. Default: open.
    pub transition_to_state_after_wait_duration: AfterHalfOpen,
    /// How long it stays open, `waitDurationInOpenState` and the keys beside it. Default 60 s.
    pub wait_in_open_state: OpenWait,
    /// Whether it becomes half open without being asked for a call. Default false.
    pub automatic_transition_from_open_to_half_open_enabled: bool,
    /// The state it begins in. Default closed.
    pub initial_state: State,
    /// Java classes that count as failures; none means all. They are matched by the filter.
    pub record_exceptions: Vec<String>,
    /// Java classes that do not count at all. They are matched by the filter.
    pub ignore_exceptions: Vec<String>,
    /// Whether classes that nobody knows are left out without a word. Default false.
    pub ignore_class_binding_exceptions: bool,
    /// Whether the health of the gateway tells its state. Default false.
    pub register_health_indicator: bool,
    /// Whether an open one is `DOWN` there, not `CIRCUIT_OPEN`. Default false.
    pub allow_health_indicator_to_fail: bool,
    /// How many events are kept, from 1. Default 100.
    pub event_consumer_buffer_size: usize,
}

/// `slidingWindowType`: what a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowType {
    /// `COUNT_BASED`: the last calls.
    CountBased,
    /// `TIME_BASED`: the calls of the last seconds.
    TimeBased,
}

/// `transitionToStateAfterWaitDuration`: where a half-open breaker goes that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterHalfOpen {
    /// `OPEN`.
    Open,
    /// `CLOSED`.
    Closed,
}

/// How long a breaker stays open. Everything counts in whole milliseconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OpenWait {
    /// `waitDurationInOpenState`: always the same.
    Fixed(Duration),
    /// `enableExponentialBackoff`: longer each time it opens again without having closed.
    Exponential {
        /// `waitDurationInOpenState`: the first time.
        initial: Duration,
        /// `exponentialBackoffMultiplier`. Default 1.5.
        multiplier: f64,
        /// `exponentialMaxWaitDurationInOpenState`. Default: none.
        most: Option<Duration>,
    },
    /// `enableRandomizedWait`: anything around a mean.
    Randomized {
        /// `waitDurationInOpenState`: the mean.
        mean: Duration,
        /// `randomizedWaitFactor`: how far from it, as a part of it, 0 up to 1. Default 0.5.
        factor: f64,
    },
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_rate_threshold: 50.0,
            slow_call_rate_threshold: 100.0,
            slow_call_duration_threshold: Duration::from_mins(1),
            sliding_window_type: WindowType::CountBased,
            sliding_window_size: 100,
            minimum_number_of_calls: 100,
            permitted_number_of_calls_in_half_open_state: 10,
            max_wait_duration_in_half_open_state: Duration::ZERO,
            transition_to_state_after_wait_duration: AfterHalfOpen::Open,
            wait_in_open_state: OpenWait::Fixed(Duration::from_mins(1)),
            automatic_transition_from_open_to_half_open_enabled: false,
            initial_state: State::Closed,
            record_exceptions: Vec::new(),
            ignore_exceptions: Vec::new(),
            ignore_class_binding_exceptions: false,
            register_health_indicator: false,
            allow_health_indicator_to_fail: false,
            event_consumer_buffer_size: 100,
        }
    }
}

impl OpenWait {
    /// How long the breaker stays open for the `attempt`-th time in a row, from 1. `draw` gives a
    /// random number in [0, 1).
    pub fn after(&self, attempt: u32, draw: impl FnOnce() -> f64) -> Duration {
        match *self {
            Self::Fixed(wait) => whole(wait),
            Self::Exponential { initial, multiplier, most } => {
                let most = most.map_or(f64::MAX, |most| millis(whole(most)));
                from_millis(grown(millis(whole(initial)), multiplier, attempt, most))
            }
            Self::Randomized { mean, factor } => {
                let mean = millis(whole(mean));
                let least = mean * (1.0 - factor);
                from_millis(least + draw() * (2.0 * mean * factor))
            }
        }
    }
}

/// The growth, cut to whole milliseconds at each step.
fn grown(initial: f64, multiplier: f64, attempt: u32, most: f64) -> f64 {
    let mut wait = initial;
    for _ in 1..attempt {
        let next = (wait * multiplier).trunc();
        // From here on it would stay as it is.
        if next >= most || next.to_bits() == wait.to_bits() || wait < 1.0 {
            return next.min(most);
        }
        wait = next;
    }
    wait.min(most)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn whole(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Whole milliseconds, at least one.
fn from_millis(millis: f64) -> Duration {
    let whole = millis.trunc().max(1.0);
    Duration::try_from_secs_f64(whole / 1000.0).map_or(Duration::MAX, |wait| {
        // The division may be off by a nanosecond.
        Duration::from_millis(
            u64::try_from((wait + Duration::from_micros(1)).as_millis()).unwrap_or(u64::MAX),
        )
    })
}
