//! The circuit breaker against a slow and obvious model of it: the model goes through time
//! millisecond by millisecond and counts all calls there ever were whenever it is asked.

#![expect(clippy::tests_outside_test_module, reason = "a test program")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test program")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tollgate_filters::MonotonicClock;
use tollgate_filters::breaker::{
    AfterHalfOpen, Breaker, BreakerConfig, Breakers, EventKind, OpenWait, Permit, State, WindowType,
};

/// What randomized waits draw.
const DRAW: f64 = 0.25;

#[derive(Debug, Clone)]
enum Step {
    Ask,
    /// Ends a call that was permitted, the one at this place among those that are under way.
    End(usize, Ending),
    Wait(u64),
    Go(State),
    OpenFor(u64),
    Reset,
    Configure(BreakerConfig),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Success,
    Failure,
    GivenUp(u64),
    Ignored,
    Unheard,
}

/// A call that was recorded.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// The window it belongs to.
    window: usize,
    at: u64,
    failed: bool,
    slow: bool,
}

/// What a window is, if there is one: by calls, and its size.
type Shape = Option<(bool, u64)>;

#[derive(Debug)]
struct Model {
    config: BreakerConfig,
    now: u64,
    state: State,
    attempts: u32,
    open_until: u64,
    half_open_since: u64,
    permits: u64,
    /// Which permits may be given back.
    generation: usize,
    window: usize,
    shape: Shape,
    records: Vec<Record>,
    refused: u64,
    told: [bool; 2],
    events: Vec<(u64, EventKind)>,
    counted: [(u64, u64); 3],
    refused_ever: u64,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "as Java has it")]
#[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "as Java has it")]
fn wait(config: &BreakerConfig, attempt: u32) -> u64 {
    match config.wait_in_open_state {
        OpenWait::Fixed(wait) => millis(wait),
        OpenWait::Exponential { initial, multiplier, most } => {
            let mut wait = millis(initial);
            for _ in 1..attempt {
                wait = (wait as f64 * multiplier) as u64;
            }
            most.map_or(wait, |most| wait.min(millis(most))).max(1)
        }
        OpenWait::Randomized { mean, factor } => {
            let mean = millis(mean) as f64;
            let (least, most) = (mean - mean * factor, mean + mean * factor);
            ((least + DRAW * (most - least)) as u64).max(1)
        }
    }
}

impl Model {
    fn new(config: BreakerConfig) -> Self {
        let mut model = Self {
            now: 0,
            state: State::Closed,
            attempts: 0,
            open_until: 0,
            half_open_since: 0,
            permits: 0,
            generation: 0,
            window: 0,
            shape: None,
            records: Vec::new(),
            refused: 0,
            told: [false; 2],
            events: Vec::new(),
            counted: [(0, 0); 3],
            refused_ever: 0,
            config,
        };
        model.shape = model.shape_in(State::Closed);
        model
    }

    fn shape_in(&self, state: State) -> Shape {
        let by_calls = self.config.sliding_window_type == WindowType::CountBased;
        match state {
            State::Closed | State::MetricsOnly => {
                Some((by_calls, self.config.sliding_window_size.into()))
            }
            State::HalfOpen => {
                Some((true, self.config.permitted_number_of_calls_in_half_open_state.into()))
            }
            State::Open => self.shape,
            State::ForcedOpen | State::Disabled => None,
        }
    }

    fn tell(&mut self, kind: EventKind) {
        let always = matches!(kind, EventKind::StateTransition { .. } | EventKind::Reset);
        if always || !matches!(self.state, State::ForcedOpen | State::Disabled) {
            self.events.push((self.now, kind));
        }
    }

    fn go(&mut self, to: State, attempts: u32) {
        let from = self.state;
        self.state = to;
        self.attempts = attempts;
        self.generation += 1;
        self.refused = 0;
        self.told = [false; 2];
        if to != State::Open {
            self.window += 1;
        }
        self.shape = self.shape_in(to);
        if to == State::HalfOpen {
            self.permits = self.config.permitted_number_of_calls_in_half_open_state.into();
            self.half_open_since = self.now;
        }
        if to == State::Open {
            self.open_until = self.now + wait(&self.config, attempts);
        }
        if from != to {
            self.tell(EventKind::StateTransition { from, to });
        }
    }

    /// The timers of one millisecond.
    fn ring(&mut self) {
        loop {
            let half_open_wait = millis(self.config.max_wait_duration_in_half_open_state);
            let opens_itself = self.config.automatic_transition_from_open_to_half_open_enabled;
            if self.state == State::Open && opens_itself && self.now >= self.open_until {
                self.go(State::HalfOpen, self.attempts);
            } else if self.state == State::HalfOpen
                && half_open_wait > 0
                && self.now >= self.half_open_since + half_open_wait
            {
                match self.config.transition_to_state_after_wait_duration {
                    AfterHalfOpen::Open => self.go(State::Open, self.attempts + 1),
                    AfterHalfOpen::Closed => self.go(State::Closed, 0),
                }
            } else {
                return;
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now += 1;
            self.ring();
        }
    }

    fn ask(&mut self) -> Option<(usize, u64)> {
        if self.state == State::Open && self.now > self.open_until {
            self.go(State::HalfOpen, self.attempts);
        }
        let permitted = match self.state {
            State::Closed | State::Disabled | State::MetricsOnly => true,
            State::Open | State::ForcedOpen => false,
            State::HalfOpen => self.permits > 0,
        };
        if !permitted {
            self.refused += 1;
            self.tell(EventKind::NotPermitted);
            self.refused_ever += u64::from(self.state != State::ForcedOpen);
            return None;
        }
        if self.state == State::HalfOpen {
            self.permits -= 1;
        }
        Some((self.generation, self.now))
    }

    fn end(&mut self, (generation, began): (usize, u64), ending: Ending) {
        let took = match ending {
            Ending::GivenUp(limit) => limit,
            Ending::Success | Ending::Failure | Ending::Ignored | Ending::Unheard => {
                self.now - began
            }
        };
        let duration = Duration::from_millis(took);
        let (place, kind) = match ending {
            Ending::Success => (0, EventKind::Success { took: duration }),
            Ending::Failure | Ending::GivenUp(_) => {
                (1, EventKind::Error { took: duration, reason: None })
            }
            Ending::Ignored | Ending::Unheard => (2, EventKind::IgnoredError { took: duration }),
        };
        if place == 2 && self.state == State::HalfOpen && generation == self.generation {
            self.permits += 1;
        }
        if ending == Ending::Unheard {
            return;
        }
        if !matches!(self.state, State::ForcedOpen | State::Disabled) {
            let (count, total) = &mut self.counted[place];
            *count += 1;
            *total += took;
        }
        self.tell(kind);
        if place == 2 || self.shape.is_none() {
            return;
        }
        self.records.push(Record {
            window: self.window,
            at: self.now,
            failed: place == 1,
            slow: duration > self.config.slow_call_duration_threshold,
        });
        self.judge();
    }

    /// The calls in the window.
    fn calls(&self) -> Vec<Record> {
        let all = self.records.iter().filter(|record| record.window == self.window).copied();
        match self.shape {
            None => Vec::new(),
            Some((true, size)) => {
                let all: Vec<Record> = all.collect();
                let size = usize::try_from(size).unwrap();
                all[all.len().saturating_sub(size)..].to_vec()
            }
            Some((false, size)) => {
                all.filter(|record| record.at / 1000 + size > self.now / 1000).collect()
            }
        }
    }

    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "as Java has it")]
    fn rates(&self) -> (f32, f32) {
        let calls = self.calls();
        let minimum = u64::from(self.config.minimum_number_of_calls);
        let minimum = match self.shape {
            Some((true, size)) => minimum.min(size),
            Some((false, _)) | None => minimum,
        };
        if calls.is_empty() || u64::try_from(calls.len()).unwrap() < minimum {
            return (-1.0, -1.0);
        }
        let rate = |part: fn(&&Record) -> bool| {
            calls.iter().filter(part).count() as f32 * 100.0 / calls.len() as f32
        };
        (rate(|call| call.failed), rate(|call| call.slow))
    }

    fn judge(&mut self) {
        let (failing, slow) = self.rates();
        if failing < 0.0 {
            return;
        }
        let exceeded = [
            failing >= self.config.failure_rate_threshold,
            slow >= self.config.slow_call_rate_threshold,
        ];
        let kinds =
            [EventKind::FailureRateExceeded(failing), EventKind::SlowCallRateExceeded(slow)];
        match (self.state, exceeded.contains(&true)) {
            (State::Closed | State::MetricsOnly, true) => {
                for place in [0, 1] {
                    if exceeded[place] && !self.told[place] {
                        self.told[place] = true;
                        self.tell(kinds[place]);
                    }
                }
                if self.state == State::Closed {
                    self.go(State::Open, 1);
                }
            }
            (State::HalfOpen, true) => self.go(State::Open, self.attempts + 1),
            (State::HalfOpen, false) => self.go(State::Closed, 0),
            _ => {}
        }
    }

    fn enter(&mut self, to: State) -> bool {
        if (self.state, to) == (State::Closed, State::HalfOpen) {
            return false;
        }
        let more = matches!(to, State::Open | State::ForcedOpen);
        let keeps = more || to == State::HalfOpen;
        let attempts = if keeps { self.attempts + u32::from(more) } else { 0 };
        self.go(to, attempts);
        self.ring();
        true
    }

    fn configure(&mut self, config: BreakerConfig) {
        self.config = config;
        let shape = self.shape_in(self.state);
        if shape != self.shape {
            self.shape = shape;
            self.window += 1;
            if self.state == State::HalfOpen {
                self.permits = self.config.permitted_number_of_calls_in_half_open_state.into();
                self.generation += 1;
            }
        }
        self.ring();
    }
}

fn durations(most: u64) -> impl Strategy<Value = Duration> {
    (1..most).prop_map(Duration::from_millis)
}

fn open_waits() -> impl Strategy<Value = OpenWait> {
    let most = proptest::option::of(durations(400));
    prop_oneof![
        durations(200).prop_map(OpenWait::Fixed),
        (durations(100), 1.0..3.0_f64, most).prop_map(|(initial, multiplier, most)| {
            OpenWait::Exponential { initial, multiplier, most }
        }),
        (durations(200), 0.0..1.0_f64)
            .prop_map(|(mean, factor)| OpenWait::Randomized { mean, factor }),
    ]
}

fn configs() -> impl Strategy<Value = BreakerConfig> {
    let window = (any::<bool>(), 1..8_u32, 1..8_u32, 1..6_u32);
    let thresholds = (1.0..100.0_f32, 1.0..100.0_f32, durations(300));
    let half_open = (0..150_u64, any::<bool>(), any::<bool>());
    (window, thresholds, open_waits(), half_open, 1..12_usize).prop_map(
        |((by_calls, size, minimum, permitted), rates, open_wait, half_open, events)| {
            let (failure, slow, slow_from) = rates;
            let (half_open_wait, closes, mut automatic) = half_open;
            // With other numbers drawn, rounds that are skipped would be as long on average only.
            automatic &= !matches!(open_wait, OpenWait::Randomized { .. });
            BreakerConfig {
                sliding_window_type: if by_calls {
                    WindowType::CountBased
                } else {
                    WindowType::TimeBased
                },
                sliding_window_size: size,
                minimum_number_of_calls: minimum,
                permitted_number_of_calls_in_half_open_state: permitted,
                failure_rate_threshold: failure,
                slow_call_rate_threshold: slow,
                slow_call_duration_threshold: slow_from,
                wait_in_open_state: open_wait,
                max_wait_duration_in_half_open_state: Duration::from_millis(
                    half_open_wait.saturating_sub(50),
                ),
                transition_to_state_after_wait_duration: if closes {
                    AfterHalfOpen::Closed
                } else {
                    AfterHalfOpen::Open
                },
                automatic_transition_from_open_to_half_open_enabled: automatic,
                event_consumer_buffer_size: events,
                ..BreakerConfig::default()
            }
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        4 => Just(Ending::Success),
        4 => Just(Ending::Failure),
        1 => (0..400_u64).prop_map(Ending::GivenUp),
        1 => Just(Ending::Ignored),
        1 => Just(Ending::Unheard),
    ];
    prop_oneof![
        12 => Just(Step::Ask),
        12 => (0..6_usize, ending).prop_map(|(place, ending)| Step::End(place, ending)),
        6 => (1..300_u64).prop_map(Step::Wait),
        2 => (300..9000_u64).prop_map(Step::Wait),
        2 => select(&State::ALL).prop_map(Step::Go),
        1 => (1..500_u64).prop_map(Step::OpenFor),
        1 => Just(Step::Reset),
        1 => configs().prop_map(Step::Configure),
    ]
}

struct Real {
    breakers: Breakers,
    clock: Arc<AtomicU64>,
    origin: Instant,
    breaker: Arc<Breaker>,
}

impl Real {
    fn new(config: &BreakerConfig) -> Self {
        #[expect(clippy::disallowed_methods, reason = "where the clock begins does not matter")]
        let origin = Instant::now();
        let clock = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&clock);
        let now: MonotonicClock =
            Arc::new(move || origin + Duration::from_millis(shared.load(Ordering::SeqCst)));
        let breakers = Breakers::new(now, || DRAW);
        let breaker = breakers.get("b", config);
        Self { breakers, clock, origin, breaker }
    }

    /// Whether it shows what the model does.
    fn check(&self, model: &Model) -> Result<(), TestCaseError> {
        let status = self.breaker.status();
        prop_assert_eq!(status.state, model.state);
        prop_assert_eq!((status.failure_rate, status.slow_call_rate), model.rates());
        let calls = model.calls();
        let count = |part: fn(&Record) -> bool| {
            u32::try_from(calls.iter().filter(|call| part(call)).count()).unwrap()
        };
        let window = [
            status.buffered_calls,
            status.failed_calls,
            status.slow_calls,
            status.slow_failed_calls,
        ];
        let expected = [
            count(|_| true),
            count(|call| call.failed),
            count(|call| call.slow),
            count(|call| call.failed && call.slow),
        ];
        prop_assert_eq!(window, expected);
        prop_assert_eq!(status.not_permitted_calls, model.refused);
        prop_assert_eq!(status.not_permitted, model.refused_ever);
        let counted = [status.successful, status.failed, status.ignored]
            .map(|calls| (calls.count, millis(calls.total)));
        prop_assert_eq!(counted, model.counted);
        let events: Vec<(u64, EventKind)> = self
            .breaker
            .events()
            .iter()
            .map(|event| (millis(event.at.duration_since(self.origin)), event.kind))
            .collect();
        let shown = events.len();
        prop_assert!(shown <= model.config.event_consumer_buffer_size);
        prop_assert_eq!(&events[..], &model.events[model.events.len() - shown..]);
        Ok(())
    }
}

fn go_through(config: BreakerConfig, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let real = Real::new(&config);
    let mut model = Model::new(config);
    let mut under_way: Vec<(Permit, (usize, u64))> = Vec::new();
    for step in steps {
        match step {
            Step::Ask => match (real.breaker.acquire(), model.ask()) {
                (Ok(permit), Some(known)) => under_way.push((permit, known)),
                (Err(refused), None) => prop_assert_eq!(refused.state, model.state),
                (found, expected) => prop_assert!(false, "{:?}, not {:?}", found, expected),
            },
            Step::End(place, ending) => {
                if under_way.is_empty() {
                    continue;
                }
                let (permit, known) = under_way.remove(place % under_way.len());
                match ending {
                    Ending::Success => permit.succeed(),
                    Ending::Failure => permit.fail(),
                    Ending::GivenUp(limit) => permit.fail_after(Duration::from_millis(limit)),
                    Ending::Ignored => permit.ignore(),
                    Ending::Unheard => drop(permit),
                }
                model.end(known, ending);
            }
            Step::Wait(millis) => {
                real.clock.fetch_add(millis, Ordering::SeqCst);
                model.wait(millis);
            }
            Step::Go(state) => {
                prop_assert_eq!(real.breaker.transition_to(state).is_ok(), model.enter(state));
            }
            Step::OpenFor(millis) => {
                real.breaker.open_for(Duration::from_millis(millis));
                model.go(State::Open, model.attempts);
                model.open_until = model.now + millis;
            }
            Step::Reset => {
                real.breaker.reset();
                model.go(State::Closed, 0);
                model.tell(EventKind::Reset);
            }
            Step::Configure(config) => {
                drop(real.breakers.get("b", &config));
                model.configure(config);
            }
        }
        real.check(&model)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    // Every state, both kinds of windows, slow calls, reloads, and nobody looking for a while.
    #[test]
    fn the_breaker_is_its_model(config in configs(), steps in vec(steps(), 1..80)) {
        go_through(config, steps)?;
    }
}

/// A breaker that goes round by itself for so long that it does not go through every round.
#[test]
fn rounds_that_nobody_can_see_are_skipped() {
    for events in [1, 7, 100] {
        for open_wait in [
            OpenWait::Fixed(Duration::from_millis(3)),
            OpenWait::Exponential {
                initial: Duration::from_millis(1),
                multiplier: 1.7,
                most: Some(Duration::from_millis(40)),
            },
        ] {
            let config = BreakerConfig {
                automatic_transition_from_open_to_half_open_enabled: true,
                max_wait_duration_in_half_open_state: Duration::from_millis(2),
                wait_in_open_state: open_wait,
                event_consumer_buffer_size: events,
                ..BreakerConfig::default()
            };
            let waits = [1, 5, 1000, 12_345, 2, 3, 4, 20_000];
            let steps = waits.into_iter().flat_map(|millis| [Step::Wait(millis), Step::Ask]);
            let steps = [Step::Go(State::Open)].into_iter().chain(steps).collect();
            go_through(config, steps).unwrap();
        }
    }
}
