//! Runs the vectors of the circuit breaker's state machine, `tests/breaker/vectors.yaml`, through the
//! public API with a clock of their own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test program")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use serde::Deserialize;
use tollgate_filters::MonotonicClock;
use tollgate_filters::breaker::{
    AfterHalfOpen, Breaker, BreakerConfig, Breakers, EventKind, OpenWait, Permit, State, WindowType,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    #[expect(dead_code, reason = "read by people")]
    source: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(default)]
    config: Changes,
    #[serde(default)]
    #[expect(dead_code, reason = "read by people")]
    deviates: Option<String>,
    steps: String,
}

/// What differs from the configuration C.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Changes {
    window: Option<String>,
    minimum: Option<u32>,
    failure: Option<f32>,
    slow: Option<f32>,
    exponential: Option<f64>,
    longest: Option<String>,
    half_open_wait: Option<u64>,
    after_half_open: Option<String>,
    #[serde(default)]
    automatic: bool,
}

impl Changes {
    fn config(&self) -> BreakerConfig {
        let (size, unit) =
            self.window.as_deref().unwrap_or("20 s").split_once(' ').expect("a window");
        let by_count = unit == "calls";
        let wait = Duration::from_secs(5);
        BreakerConfig {
            sliding_window_type: if by_count {
                WindowType::CountBased
            } else {
                WindowType::TimeBased
            },
            sliding_window_size: size.parse().unwrap(),
            minimum_number_of_calls: self.minimum.unwrap_or(5),
            failure_rate_threshold: self.failure.unwrap_or(50.0),
            slow_call_rate_threshold: self.slow.unwrap_or(50.0),
            slow_call_duration_threshold: Duration::from_secs(4),
            permitted_number_of_calls_in_half_open_state: 4,
            max_wait_duration_in_half_open_state: Duration::from_millis(
                self.half_open_wait.unwrap_or(1000),
            ),
            transition_to_state_after_wait_duration: match self.after_half_open.as_deref() {
                Some("CLOSED") => AfterHalfOpen::Closed,
                _ => AfterHalfOpen::Open,
            },
            wait_in_open_state: match self.exponential {
                None => OpenWait::Fixed(wait),
                Some(multiplier) => {
                    let most = self.longest.as_deref().map(duration);
                    OpenWait::Exponential { initial: wait, multiplier, most }
                }
            },
            automatic_transition_from_open_to_half_open_enabled: self.automatic,
            ..BreakerConfig::default()
        }
    }
}

/// One breaker and its clock, in milliseconds.
struct Bench {
    breaker: Arc<Breaker>,
    clock: Arc<AtomicU64>,
    kept: Vec<Permit>,
}

/// Long before anything happens, so that calls can have begun in the past.
const BEGIN: u64 = 24 * 3_600_000;

impl Bench {
    fn new(config: &BreakerConfig) -> Self {
        #[expect(clippy::disallowed_methods, reason = "where the clock begins does not matter")]
        let origin = Instant::now();
        let clock = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&clock);
        let now: MonotonicClock =
            Arc::new(move || origin + Duration::from_millis(shared.load(Ordering::SeqCst)));
        let breakers = Breakers::new(now, || 0.5);
        clock.store(BEGIN, Ordering::SeqCst);
        Self { breaker: breakers.get("b", config), clock, kept: Vec::new() }
    }

    /// A call that ends now and has taken so long.
    fn call(&self, took: Duration) -> Result<Permit, String> {
        let took = u64::try_from(took.as_millis()).unwrap();
        self.clock.fetch_sub(took, Ordering::SeqCst);
        let permit = self.breaker.acquire().map_err(|refused| refused.to_string());
        self.clock.fetch_add(took, Ordering::SeqCst);
        permit
    }

    fn step(&mut self, step: &str) -> Result<(), String> {
        if let Some((name, value)) = step.split_once('=') {
            return self.check(name, value);
        }
        if let Some(wait) = step.strip_prefix('+') {
            let millis = u64::try_from(duration(wait).as_millis()).unwrap();
            self.clock.fetch_add(millis, Ordering::SeqCst);
            return Ok(());
        }
        let (word, rest) = step.split_once('(').unwrap_or((step, ""));
        let length = rest.strip_suffix(')').map_or(Duration::ZERO, duration);
        match word {
            "S" => self.call(length)?.succeed(),
            "E" => self.call(length)?.fail(),
            "I" => self.call(length)?.ignore(),
            "D" => drop(self.call(length)?),
            "L" => self.call(Duration::ZERO)?.fail_after(length),
            "T" => {
                let permit = self.call(Duration::ZERO)?;
                self.kept.push(permit);
            }
            "R" => drop(self.kept.pop().expect("one that was taken")),
            "s" => self.kept.pop().expect("one that was taken").succeed(),
            "e" => self.kept.pop().expect("one that was taken").fail(),
            "yes" => self.kept.push(self.call(Duration::ZERO)?),
            "no" => match self.breaker.acquire() {
                Ok(_) => return Err("the call is permitted".to_owned()),
                Err(refused) => {
                    let state = self.breaker.state().name();
                    let text =
                        format!("CircuitBreaker 'b' is {state} and does not permit further calls");
                    assert_eq!(refused.to_string(), text);
                }
            },
            "open" if !rest.is_empty() => self.breaker.open_for(length),
            "reset" => self.breaker.reset(),
            "half-open!" => {
                let error = self.breaker.transition_to(State::HalfOpen).unwrap_err().to_string();
                let expected = "CircuitBreaker 'b' tried an illegal state transition from CLOSED \
                                to HALF_OPEN";
                assert_eq!(error, expected);
            }
            word => {
                let to = match word {
                    "open" => State::Open,
                    "half-open" => State::HalfOpen,
                    "close" => State::Closed,
                    "force-open" => State::ForcedOpen,
                    "disable" => State::Disabled,
                    "metrics-only" => State::MetricsOnly,
                    word => panic!("no step `{word}`"),
                };
                self.breaker.transition_to(to).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let status = self.breaker.status();
        let events = |wanted: fn(&EventKind) -> bool| {
            self.breaker.events().iter().filter(|event| wanted(&event.kind)).count().to_string()
        };
        let found = match name {
            "state" => status.state.name().to_owned(),
            "rate" => status.failure_rate.to_string(),
            "slow" => status.slow_call_rate.to_string(),
            "buffered" => status.buffered_calls.to_string(),
            "failed" => status.failed_calls.to_string(),
            "slow-calls" => status.slow_calls.to_string(),
            "slow-failed" => status.slow_failed_calls.to_string(),
            "refused" => status.not_permitted_calls.to_string(),
            "transitions" => events(|kind| matches!(kind, EventKind::StateTransition { .. })),
            "resets" => events(|kind| matches!(kind, EventKind::Reset)),
            "failure-rate-events" => {
                events(|kind| matches!(kind, EventKind::FailureRateExceeded(_)))
            }
            "slow-rate-events" => events(|kind| matches!(kind, EventKind::SlowCallRateExceeded(_))),
            name => panic!("nothing is called `{name}`"),
        };
        if found == value { Ok(()) } else { Err(format!("{name} is {found}, not {value}")) }
    }
}

fn duration(text: &str) -> Duration {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: u64 = digits.parse().unwrap();
    match text.strip_prefix(digits) {
        Some("ms") => Duration::from_millis(number),
        Some("s") => Duration::from_secs(number),
        Some("h") => Duration::from_secs(3600 * number),
        unit => panic!("no unit {unit:?}"),
    }
}

fn run(case: &Case) -> Result<(), String> {
    let mut bench = Bench::new(&case.config.config());
    for (at, step) in case.steps.split(' ').enumerate() {
        bench.step(step).map_err(|why| format!("step {} `{step}`: {why}", at + 1))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let corpus: Corpus = serde_yaml::from_str(include_str!("vectors.yaml")).unwrap();
    let trial = |case: Case| Trial::test(case.id.clone(), move || run(&case).map_err(Into::into));
    let trials = corpus.cases.into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
