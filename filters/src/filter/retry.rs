//! `Retry=retries, status, method, …` asks the upstream again when it failed.
//!
//! ```yaml
//! - name: Retry
//!   args:
//!     retries: 3                  # how many attempts may follow the first, 62 at most
//!     methods: GET
//!     series: SERVER_ERROR        # hundreds of statuses; an empty value is none
//!     statuses: TOO_MANY_REQUESTS # more of them, by name; default: none
//!     exceptions:                 # failures, by their Java classes
//!     - java.io.IOException
//!     - org.springframework.cloud.gateway.support.TimeoutException
//!     backoff: { firstBackoff: 10ms, maxBackoff: 50ms, factor: 2, basedOnPreviousValue: false }
//!     jitter: { randomFactor: 0.5 }
//!     timeout: 1s                 # after that no other attempt begins; default: no end
//!     attempt-timeout: 300ms      # for the head of each attempt's answer; ours, default: none
//! ```
//!
//! Values shown without a default are the defaults, but for `backoff`, `jitter` and the last two,
//! which are not there unless written. Waits are written with a unit, or in milliseconds.
//!
//! The filters behind it run for each attempt, on the request as it came here. What counts is the
//! status after their way back. A failure is an instance of a class by itself or by what directly
//! caused it. When no attempt is left, the last answer or failure stands.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings, relaxed_equal};
use crate::duration::{DurationText, iso_text};
use crate::exception::{self, Class};
use crate::retry::{Attempts, Backoff, Policy, Rules, Series};
use crate::status::Status;
use crate::{Exchange, Failure, Invalid, Parts, Severity, status_name};

/// Asks the upstream again.
#[derive(Debug)]
pub(super) struct Retry {
    rules: Arc<Rules>,
    /// The text form, which is seldom asked for.
    shown: Box<str>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// How many attempts may follow the first. Default 3.
    #[serde(default = "three")]
    retries: i32,
    /// Hundreds of statuses. Default `SERVER_ERROR`.
    #[serde(default = "server_error")]
    series: Vec<String>,
    /// Names of statuses. Default: none.
    #[serde(default)]
    statuses: Vec<String>,
    /// Methods. Default `GET`.
    #[serde(default = "get")]
    methods: Vec<String>,
    /// Classes of failures. Default: connections that fail, and timeouts.
    #[serde(default = "connection_failures")]
    exceptions: Vec<String>,
    /// The first wait, and the shortest. Default 5 ms where another of these is written.
    #[serde(rename = "backoff.firstBackoff")]
    first_backoff: Option<String>,
    /// The longest wait. Default: none.
    #[serde(rename = "backoff.maxBackoff")]
    max_backoff: Option<String>,
    /// What a wait is multiplied with for the next. Default 2.
    #[serde(rename = "backoff.factor")]
    factor: Option<i32>,
    /// Whether it is multiplied as it was with its jitter. Default true.
    #[serde(rename = "backoff.basedOnPreviousValue")]
    based_on_previous: Option<bool>,
    /// How far a wait may be off, as a part of it. Default: none.
    #[serde(rename = "jitter.randomFactor")]
    random_factor: Option<String>,
    /// After how long no other attempt begins. Default: never.
    timeout: Option<String>,
    /// How long one attempt may take until its answer's head is there. Default: no end.
    attempt_timeout: Option<String>,
}

fn three() -> i32 {
    3
}

fn server_error() -> Vec<String> {
    vec![Series::ServerError.name().to_owned()]
}

fn get() -> Vec<String> {
    vec![Method::GET.to_string()]
}

fn connection_failures() -> Vec<String> {
    let classes =
        ["java.io.IOException", "org.springframework.cloud.gateway.support.TimeoutException"];
    classes.map(str::to_owned).into()
}

/// With the first and a fail-over in between, an attempt more would be the framework's last.
const MOST_RETRIES: u32 = 62;

impl FromArguments for Retry {
    const NAME: &'static str = "Retry";
    const SHORTCUT: Shortcut = Shortcut::Fields(&[
        "retries",
        "statuses",
        "methods",
        "backoff.firstBackoff",
        "backoff.maxBackoff",
        "backoff.factor",
        "backoff.basedOnPreviousValue",
        "jitter.randomFactor",
        "timeout",
    ]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let retries = retries(config.retries)?;
        let exceptions = written(&config.exceptions);
        let policy = Policy {
            retries,
            series: each(&config.series, series)?,
            statuses: each(&config.statuses, status)?,
            methods: methods(&config.methods, settings),
            exceptions: classes(&exceptions, settings)?,
            backoff: backoff(&config)?,
            timeout: wait("timeout", config.timeout.as_deref())?,
            attempt_timeout: attempt_timeout(config.attempt_timeout.as_deref())?,
        };
        if written(&config.methods).is_empty() {
            return Err(Invalid::argument("methods", "`methods` is empty")
                .with_help("name the methods that may be sent again, such as `GET`"));
        }
        if policy.series.is_empty() && policy.statuses.is_empty() && exceptions.is_empty() {
            let problem = "`series`, `statuses` and `exceptions` are all empty";
            return Err(Invalid::argument("series", problem)
                .with_help("say what has another try, or leave the filter out"));
        }
        let shown = shown(settings.route_id, &policy, &config, &exceptions).into();
        Ok(Self { rules: Arc::new(Rules { policy, parts: OnceLock::new() }), shown })
    }
}

fn retries(retries: i32) -> Result<u32, Invalid> {
    let count = u32::try_from(retries).ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| {
        Invalid::argument("retries", format!("`retries` is {retries}, which is less than 1"))
            .with_help("write how many attempts may follow the first, or leave the filter out")
    })?;
    if count > MOST_RETRIES {
        let problem = format!("`retries` is {count}, more than {MOST_RETRIES}");
        return Err(Invalid::argument("retries", problem)
            .with_help(format!("{MOST_RETRIES} attempts may follow the first")));
    }
    Ok(count)
}

/// The elements of a list that are not empty.
fn written(texts: &[String]) -> Vec<&str> {
    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect()
}

fn each<T>(texts: &[String], read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Vec<T>, Invalid> {
    written(texts).into_iter().map(read).collect()
}

fn series(text: &str) -> Result<Series, Invalid> {
    let found = Series::ALL.into_iter().find(|series| relaxed_equal(series.name(), text));
    found.ok_or_else(|| {
        let names = Series::ALL.map(Series::name).join(", ");
        Invalid::argument("series", format!("`{text}` is not a series of statuses"))
            .with_help(format!("the series are {names}"))
    })
}

fn status(text: &str) -> Result<u16, Invalid> {
    let code = Status::named(text).and_then(|status| u16::try_from(status.code).ok());
    code.ok_or_else(|| {
        let number = text.parse::<u16>().ok().and_then(status_name);
        let help = number.map_or_else(
            || "write a name such as `BAD_GATEWAY`".to_owned(),
            |name| format!("write `{name}`"),
        );
        Invalid::argument("statuses", format!("`{text}` is not the name of a status"))
            .with_help(help)
    })
}

/// The reference gateway loads any name, so even native files may hold it.
fn methods(texts: &[String], settings: &mut UnitSettings<'_>) -> Vec<Method> {
    let mut methods = Vec::new();
    for text in written(texts) {
        let method = Method::from_bytes(text.as_bytes()).ok();
        let upper = text.to_uppercase();
        if method.is_none() || upper != text {
            let problem = Invalid::argument("methods", format!("`{text}` matches no request"))
                .with_help(format!("write `{upper}`: methods are in upper case"));
            settings.warnings.push((Severity::Warning, problem));
        }
        methods.extend(method);
    }
    methods
}

fn classes(names: &[&str], settings: &mut UnitSettings<'_>) -> Result<Vec<Class>, Invalid> {
    let mut classes = Vec::new();
    for name in names {
        match Class::named(name) {
            Some(class) => classes.push(class),
            None => settings.refuse_or_warn(exception::unknown("exceptions", name))?,
        }
    }
    Ok(classes)
}

/// A wait of Spring's; an empty text is none.
fn wait(field: &'static str, text: Option<&str>) -> Result<Option<Duration>, Invalid> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    match DurationText::parse(text) {
        Some(read) if !read.is_negative || read.length.is_zero() => Ok(Some(read.length)),
        Some(_) => Err(Invalid::argument(field, format!("`{text}` is negative"))
            .with_help("write milliseconds, or `500ms`, `2s`, `PT2S`")),
        None => Err(Invalid::argument(field, format!("`{text}` is not a duration"))
            .with_help("write milliseconds, or `500ms`, `2s`, `PT2S`")),
    }
}

/// The argument is ours, so it has a unit.
fn attempt_timeout(text: Option<&str>) -> Result<Option<Duration>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    let read = DurationText::parse(text)
        .filter(|read| read.has_unit && !read.is_negative && !read.length.is_zero());
    read.map(|read| Some(read.length)).ok_or_else(|| {
        Invalid::argument("attemptTimeout", format!("`{text}` is not a duration above 0"))
            .with_help("write a number with a unit: `300ms`, `2s`")
    })
}

fn backoff(config: &Config) -> Result<Option<Backoff>, Invalid> {
    let jitter = config.random_factor.as_deref().map(random_factor).transpose()?;
    let is_there = config.first_backoff.is_some()
        || config.max_backoff.is_some()
        || config.factor.is_some()
        || config.based_on_previous.is_some();
    if !is_there {
        return Ok(None);
    }
    let first = wait("backoff.firstBackoff", config.first_backoff.as_deref())?;
    let first = first.unwrap_or(Duration::from_millis(5));
    let most = wait("backoff.maxBackoff", config.max_backoff.as_deref())?;
    if first.is_zero() {
        return Err(Invalid::argument("backoff.firstBackoff", "`firstBackoff` is 0")
            .with_help("write how long the first wait is, or leave `backoff` out"));
    }
    if most.is_some_and(|most| most < first) {
        return Err(Invalid::argument(
            "backoff.maxBackoff",
            "`maxBackoff` is shorter than `firstBackoff`",
        )
        .with_help("write a longer one, or leave it out for waits that go on growing"));
    }
    Ok(Some(Backoff {
        first,
        most,
        factor: config.factor.unwrap_or(2),
        is_based_on_previous: config.based_on_previous.unwrap_or(true),
        jitter,
    }))
}

/// An empty text counts as not given, as for waits.
fn random_factor(text: &str) -> Result<f64, Invalid> {
    if text.trim().is_empty() {
        return Ok(0.5);
    }
    let factor = text.trim().parse::<f64>().ok().filter(|factor| (0.0..=1.0).contains(factor));
    factor.ok_or_else(|| {
        Invalid::argument("jitter.randomFactor", format!("`{text}` is not a number from 0 to 1"))
            .with_help("write which part of a wait it may be off by, such as `0.5`")
    })
}

/// The text form of the reference.
fn shown(route_id: &str, policy: &Policy, config: &Config, exceptions: &[&str]) -> String {
    let list = |items: Vec<String>| {
        if items.is_empty() { "[empty]".to_owned() } else { items.join(", ") }
    };
    let series = list(policy.series.iter().map(Series::to_string).collect());
    let status = |code: &u16| format!("{code} {}", status_name(*code).unwrap_or_default());
    let statuses = list(policy.statuses.iter().map(status).collect());
    let methods = written(&config.methods).join(", ");
    let short = |name: &&str| name.rsplit(['.', '$']).next().unwrap_or_default().to_owned();
    let exceptions = list(exceptions.iter().map(short).collect());
    let time = |time: Option<Duration>| time.map_or_else(|| "[null]".to_owned(), iso_text);
    let backoff = policy.backoff.as_ref().map_or_else(
        || "[null]".to_owned(),
        |backoff| {
            let (first, most) = (iso_text(backoff.first), time(backoff.most));
            let (factor, based) = (backoff.factor, backoff.is_based_on_previous);
            format!(
                "[RetryGatewayFilterFactory.BackoffConfig firstBackoff = {first}, maxBackoff = {most}, factor = {factor}, basedOnPreviousValue = {based}]"
            )
        },
    );
    let jitter = config.random_factor.as_deref().map_or_else(
        || "[null]".to_owned(),
        |text| {
            format!(
                "[RetryGatewayFilterFactory.JitterConfig randomFactor = {}]",
                random_factor(text).unwrap_or_default()
            )
        },
    );
    let attempt =
        policy.attempt_timeout.map(|most| format!(", attemptTimeout = {}", iso_text(most)));
    format!(
        "Retry routeId = '{route_id}', retries = {}, series = list[{series}], \
         statuses = list[{statuses}], methods = list[{methods}], exceptions = list[{exceptions}], \
         backoff = {backoff}, jitter = {jitter}, timeout = {}{}",
        policy.retries,
        time(policy.timeout),
        attempt.unwrap_or_default(),
    )
}

impl Filter for Retry {
    fn changes_request(&self) -> bool {
        false
    }

    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        if !self.rules.policy.methods.contains(exchange.method()) {
            return Hook::Ready(Ok(Flow::Continue));
        }
        if self.rules.parts.get().is_none() {
            let problem = "`Retry` stands in a table that was not put into use";
            return Hook::Ready(Err(Failure::Filter(problem.to_owned())));
        }
        Hook::Ready(Ok(Flow::Around(Box::new(Attempts::begin(&self.rules)))))
    }

    fn prepare(&self, parts: &Parts) {
        // A table that is put into use twice gets the same parts.
        self.rules.parts.get_or_init(|| parts.clone());
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}
