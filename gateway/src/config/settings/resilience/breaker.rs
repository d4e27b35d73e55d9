//! One circuit breaker of the file.

use std::time::Duration;

use tollgate_filters::breaker::{AfterHalfOpen, BreakerConfig, OpenWait, State, WindowType};
use tollgate_filters::{Invalid, Span, exception};

use super::blocks::{Base, Block, at_least, base, choice, number, put, up_to};
use crate::config::context::{Context, Value};
use crate::config::reader::{Item, Section};
use crate::config::values;

/// What is remembered of a breaker's calls: a byte or a few a call.
const LONGEST_WINDOW: u32 = 1_000_000;

/// Some 50 bytes an event.
const MOST_EVENTS: u32 = 100_000;

/// What a number of the file can be.
const MOST_CALLS: u32 = i32::MAX.unsigned_abs();

const MILLISECOND: Duration = Duration::from_millis(1);

/// What a block says; what it does not say is `None`.
#[derive(Debug, Default)]
pub(super) struct BreakerBlock {
    base: Option<Base>,
    failure_rate_threshold: Option<f32>,
    slow_call_rate_threshold: Option<f32>,
    slow_call_duration_threshold: Option<Duration>,
    window_type: Option<WindowType>,
    window_size: Option<u32>,
    minimum: Option<u32>,
    permitted: Option<u32>,
    half_open_wait: Option<Duration>,
    after_half_open: Option<AfterHalfOpen>,
    open_wait: Option<OpenWait>,
    automatic: Option<bool>,
    initial: Option<State>,
    recorded: Option<Classes>,
    ignored: Option<Classes>,
    lenient: Option<bool>,
    health: Option<bool>,
    may_fail_health: Option<bool>,
    events: Option<usize>,
}

/// Names of Java classes and where they are written.
type Classes = Vec<(String, Span)>;

impl Block for BreakerBlock {
    type Config = BreakerConfig;
    const OWN_NAME_FIRST: bool = true;

    fn read(section: &Section<'_, '_>) -> Self {
        refuse_java_code(section);
        // Java has stack traces.
        section.get("writable-stack-trace-enabled", values::boolean);
        let events = section.get("event-consumer-buffer-size", up_to(MOST_EVENTS));
        let size = up_to(LONGEST_WINDOW);
        Self {
            base: base(section),
            failure_rate_threshold: section.get("failure-rate-threshold", percent),
            slow_call_rate_threshold: section.get("slow-call-rate-threshold", percent),
            slow_call_duration_threshold: section
                .get("slow-call-duration-threshold", at_least(Duration::from_nanos(1))),
            window_type: section.get("sliding-window-type", window_type),
            window_size: section.get("sliding-window-size", &size),
            minimum: section.get("minimum-number-of-calls", up_to(MOST_CALLS)),
            permitted: section.get("permitted-number-of-calls-in-half-open-state", &size),
            half_open_wait: section
                .get("max-wait-duration-in-half-open-state", at_least(Duration::ZERO)),
            after_half_open: section
                .get("transition-to-state-after-wait-duration", after_half_open),
            open_wait: open_wait(section),
            automatic: section
                .get("automatic-transition-from-open-to-half-open-enabled", values::boolean),
            initial: section.get("initial-state", state),
            recorded: classes(section, "record-exceptions"),
            ignored: classes(section, "ignore-exceptions"),
            lenient: section.get("ignore-class-binding-exceptions", values::boolean),
            health: section.get("register-health-indicator", values::boolean),
            may_fail_health: section.get("allow-health-indicator-to-fail", values::boolean),
            events: events.and_then(|events| usize::try_from(events).ok()),
        }
    }

    fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    fn over(&self, inherited: BreakerConfig) -> BreakerConfig {
        let mut config = inherited;
        let into = &mut config;
        put(&mut into.failure_rate_threshold, self.failure_rate_threshold.as_ref());
        put(&mut into.slow_call_rate_threshold, self.slow_call_rate_threshold.as_ref());
        put(&mut into.slow_call_duration_threshold, self.slow_call_duration_threshold.as_ref());
        put(&mut into.sliding_window_type, self.window_type.as_ref());
        put(&mut into.sliding_window_size, self.window_size.as_ref());
        put(&mut into.minimum_number_of_calls, self.minimum.as_ref());
        put(&mut into.permitted_number_of_calls_in_half_open_state, self.permitted.as_ref());
        put(&mut into.max_wait_duration_in_half_open_state, self.half_open_wait.as_ref());
        put(&mut into.transition_to_state_after_wait_duration, self.after_half_open.as_ref());
        put(&mut into.wait_in_open_state, self.open_wait.as_ref());
        put(&mut into.automatic_transition_from_open_to_half_open_enabled, self.automatic.as_ref());
        put(&mut into.initial_state, self.initial.as_ref());
        put(&mut into.record_exceptions, names(self.recorded.as_ref()).as_ref());
        put(&mut into.ignore_exceptions, names(self.ignored.as_ref()).as_ref());
        put(&mut into.ignore_class_binding_exceptions, self.lenient.as_ref());
        put(&mut into.register_health_indicator, self.health.as_ref());
        put(&mut into.allow_health_indicator_to_fail, self.may_fail_health.as_ref());
        put(&mut into.event_consumer_buffer_size, self.events.as_ref());
        config
    }

    fn check(&self, config: &BreakerConfig, context: &Context<'_>) {
        if config.ignore_class_binding_exceptions {
            return;
        }
        let lists = [("recordExceptions", &self.recorded), ("ignoreExceptions", &self.ignored)];
        for (field, classes) in lists {
            let unknown = classes.iter().flatten().filter(|(class, _)| !exception::is_known(class));
            for (class, span) in unknown {
                let mut problem = exception::unknown(field, class);
                problem.message = format!("`{field}`: {}", problem.message);
                context.complain(problem.or_at(*span));
            }
        }
    }
}

fn names(classes: Option<&Classes>) -> Option<Vec<String>> {
    classes.map(|classes| classes.iter().map(|(class, _)| class.clone()).collect())
}

/// A part of a hundred calls, 1 to 100.
fn percent(value: &Value<'_>) -> Result<f32, Invalid> {
    let text = value.text();
    let number = text.trim().parse::<f32>().ok();
    number.filter(|number| (1.0..=100.0).contains(number)).ok_or_else(|| {
        Invalid::new("invalid-value", format!("`{text}` is not between 1 and 100"))
            .with_help("write how many calls in a hundred, without a sign: `50`")
    })
}

fn window_type(value: &Value<'_>) -> Result<WindowType, Invalid> {
    let types = [("COUNT_BASED", WindowType::CountBased), ("TIME_BASED", WindowType::TimeBased)];
    choice(value, &types)
}

fn after_half_open(value: &Value<'_>) -> Result<AfterHalfOpen, Invalid> {
    choice(value, &[("OPEN", AfterHalfOpen::Open), ("CLOSED", AfterHalfOpen::Closed)])
}

fn state(value: &Value<'_>) -> Result<State, Invalid> {
    choice(value, &State::ALL.map(|state| (state.name(), state)))
}

fn classes(section: &Section<'_, '_>, name: &'static str) -> Option<Classes> {
    let items = section.list(name)?;
    let class = |item: &Item<'_>| {
        let value = item.value(section.context);
        if value.is_none() {
            let what = format!("`{}` must be a list of class names", section.name_of(name));
            section.context.error(Invalid::new("wrong-type", what).or_at(item.span()));
        }
        value.map(|value| (value.text().trim().to_owned(), value.span))
    };
    Some(items.iter().filter_map(class).collect())
}

/// Names of Java classes with code in them.
fn refuse_java_code(section: &Section<'_, '_>) {
    for name in
        ["record-failure-predicate", "ignore-exception-predicate", "record-result-predicate"]
    {
        if section.item(name).is_some() {
            let message = format!("`{}` names Java code, which cannot run", section.name_of(name));
            let problem = Invalid::new("java-code", message)
                .with_help("name exceptions in `recordExceptions` and `ignoreExceptions`");
            section.context.complain(problem.or_at(section.key_span(name)));
        }
    }
}

/// `waitDurationInOpenState` and the keys that only mean something beside it.
fn open_wait(section: &Section<'_, '_>) -> Option<OpenWait> {
    let wait = section.get("wait-duration-in-open-state", at_least(MILLISECOND));
    let grows = section.get("enable-exponential-backoff", values::boolean);
    let multiplier = section.get("exponential-backoff-multiplier", multiplier);
    let most = section.get("exponential-max-wait-duration-in-open-state", at_least(MILLISECOND));
    let varies = section.get("enable-randomized-wait", values::boolean);
    let factor = section.get("randomized-wait-factor", factor);
    let (grows, varies) = (grows == Some(true), varies == Some(true));
    if grows && varies {
        let message = format!("`{}` has exponential backoff and a randomized wait", section.path);
        let problem = Invalid::new("invalid-value", message)
            .with_help("enable one of `enableExponentialBackoff` and `enableRandomizedWait`");
        section.context.error(problem.or_at(section.key_span("enable-randomized-wait")));
    }
    let Some(wait) = wait else {
        if grows || varies {
            let key = if grows { "enable-exponential-backoff" } else { "enable-randomized-wait" };
            let message = format!("`{}` has no effect", section.name_of(key));
            let problem = Invalid::new("no-effect", message)
                .with_help("write `waitDurationInOpenState` beside it");
            section.context.warn(problem.or_at(section.key_span(key)));
        }
        return None;
    };
    Some(if grows {
        // As Resilience4j has it: without a multiplier the longest wait is not looked at.
        let most = most.filter(|_| multiplier.is_some());
        OpenWait::Exponential { initial: wait, multiplier: multiplier.unwrap_or(1.5), most }
    } else if varies {
        OpenWait::Randomized { mean: wait, factor: factor.unwrap_or(0.5) }
    } else {
        OpenWait::Fixed(wait)
    })
}

fn multiplier(value: &Value<'_>) -> Result<f64, Invalid> {
    let multiplier = number(value)?;
    if multiplier > 0.0 {
        return Ok(multiplier);
    }
    Err(Invalid::new("invalid-value", format!("`{multiplier}` is not more than 0"))
        .with_help("write how many times longer the next wait is: `1.5`"))
}

fn factor(value: &Value<'_>) -> Result<f64, Invalid> {
    let factor = number(value)?;
    if (0.0..1.0).contains(&factor) {
        return Ok(factor);
    }
    Err(Invalid::new("invalid-value", format!("`{factor}` is not from 0 up to 1"))
        .with_help("write a part of the wait: `0.5`"))
}
