//! Every metric of the gateway, by name, in one place.
//!
//! The request timer has Spring Cloud Gateway's names and tags as Prometheus shows them
//! (`global.md` 10.1); a collector of ours reads it from the routes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use prometheus::{Encoder, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use tollgate_filters::breaker::Breakers;
use tollgate_filters::status_name;

use super::breakers::BreakerCollector;
use super::families::{self, family};
use super::services::ServiceCollector;
use super::timer::{Outcome, RouteTimer};

use crate::balance::Services;
use crate::{clock, config};

/// The gateway's metrics. Handles are made once; a reload adds routes.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    started: Instant,
    timers: Arc<Timers>,
    errors: IntCounterVec,
    reloads: IntCounterVec,
    last_success: prometheus::Gauge,
    restart_required: IntGauge,
    lost_log_lines: IntGauge,
    routes: IntGauge,
    in_flight: IntGauge,
    breakers_shown: Arc<Mutex<config::BreakerMetrics>>,
}

/// What names a route's timer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RouteKey {
    id: Arc<str>,
    uri: String,
}

/// The timers of all routes there have been; they outlive reloads.
#[derive(Debug)]
struct Timers {
    started: Instant,
    settings: Mutex<config::Metrics>,
    /// Locked when routes are loaded and when metrics are read, never by a request.
    by_route: Mutex<HashMap<RouteKey, Arc<RouteTimer>>>,
    seconds: Desc,
}

impl Timers {
    fn new(started: Instant) -> prometheus::Result<Self> {
        let seconds = Desc::new(
            "spring_cloud_gateway_requests_seconds".to_owned(),
            "Time until the answer's head was ready.".to_owned(),
            vec![],
            HashMap::new(),
        )?;
        Ok(Self { started, settings: Mutex::default(), by_route: Mutex::default(), seconds })
    }
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    ///
    /// A name that is registered twice, which is a defect of this file.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |name, help| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let counter = |name, help, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let in_flight = gauge("tollgate_requests_in_flight", "Requests that are being served.")?;
        let routes =
            gauge("spring_cloud_gateway_routes_count", "Number of routes in the route table.")?;
        let restart_required = gauge(
            "tollgate_config_restart_required",
            "Start-only keys that changed in the file and wait for a restart.",
        )?;
        let lost_log_lines =
            gauge("tollgate_access_log_lost_lines", "Access log lines lost to a slow output.")?;
        let errors = counter(
            "tollgate_errors_total",
            "Requests the gateway answered itself because they could not be served.",
            &["routeId", "code"],
        )?;
        let reloads = counter(
            "tollgate_config_reloads_total",
            "Route files read, by what became of them.",
            &["result"],
        )?;
        let last_success = prometheus::Gauge::new(
            "tollgate_config_last_success_timestamp_seconds",
            "When the route table in use was loaded.",
        )?;
        registry.register(Box::new(last_success.clone()))?;
        let started = clock::now();
        let timers = Arc::new(Timers::new(started)?);
        registry.register(Box::new(TimerCollector(Arc::clone(&timers))))?;
        for result in ["applied", "refused"] {
            reloads.with_label_values(&[result]).inc_by(0);
        }
        Ok(Self {
            registry,
            started,
            timers,
            errors,
            reloads,
            last_success,
            restart_required,
            lost_log_lines,
            routes,
            in_flight,
            breakers_shown: Arc::default(),
        })
    }

    /// Shows circuit breakers too.
    ///
    /// # Errors
    ///
    /// As [`Metrics::new`].
    pub fn show_breakers(&self, breakers: Arc<Breakers>) -> prometheus::Result<()> {
        let shown = Arc::clone(&self.breakers_shown);
        self.registry.register(Box::new(BreakerCollector::new(breakers, shown)?))
    }

    /// Shows circuit breakers this way from now on.
    pub fn show_breakers_as(&self, settings: &config::BreakerMetrics) {
        let mut shown = self.breakers_shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone_from(settings);
    }

    /// Shows services too.
    ///
    /// # Errors
    ///
    /// As [`Metrics::new`].
    pub fn show_services(&self, services: Arc<Services>) -> prometheus::Result<()> {
        self.registry.register(Box::new(ServiceCollector::new(services)?))
    }

    /// Time from the start of the process to `now`.
    pub fn uptime(&self, now: Instant) -> Duration {
        now.duration_since(self.started)
    }

    /// The number of requests that are being served.
    pub fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    /// The timer of a route; the same one as long as id and uri are the same.
    pub fn timer(&self, id: &Arc<str>, uri: &str) -> Arc<RouteTimer> {
        let key = RouteKey { id: Arc::clone(id), uri: uri.to_owned() };
        let mut timers = self.timers.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(timers.entry(key).or_default())
    }

    /// Counts a request the gateway could not serve; `route` is empty if none was chosen.
    pub fn failed(&self, route: &str, code: &str) {
        self.errors.with_label_values(&[route, code]).inc();
    }

    /// Counts a route table that is now in use.
    pub fn applied(&self, settings: &config::Metrics, routes: usize, restart_required: usize) {
        self.reloads.with_label_values(&["applied"]).inc();
        self.routes.set(i64::try_from(routes).unwrap_or(i64::MAX));
        self.restart_required.set(i64::try_from(restart_required).unwrap_or(i64::MAX));
        let seconds = Duration::from_nanos(u64::try_from(clock::unix_nanos()).unwrap_or(0));
        self.last_success.set(seconds.as_secs_f64());
        let mut current = self.timers.settings.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone_from(settings);
    }

    /// Counts a route file that changed nothing because it does not validate.
    pub fn refused(&self) {
        self.reloads.with_label_values(&["refused"]).inc();
    }

    /// Tells how many access log lines a slow output has cost.
    pub fn lost_lines(&self, lines: u64) {
        self.lost_log_lines.set(i64::try_from(lines).unwrap_or(i64::MAX));
    }

    /// Everything in the Prometheus text format.
    ///
    /// # Errors
    ///
    /// A family without metrics, which is a defect of this file.
    pub fn text(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Shows the timers as a summary and a gauge of the longest.
#[derive(Debug)]
struct TimerCollector(Arc<Timers>);

impl Collector for TimerCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.seconds]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let settings = self.0.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !settings.enabled {
            return Vec::new();
        }
        let uptime = clock::now().duration_since(self.0.started);
        let mut seconds = Vec::new();
        let mut longest = Vec::new();
        let timers = self.0.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        for (route, timer) in &*timers {
            timer.each(|outcome, series| {
                let labels = labels(route, outcome, &settings.tags);
                let total = series.total().as_secs_f64();
                seconds.push(families::summary(labels.clone(), series.count(), total));
                longest.push(families::gauge(labels, series.longest(uptime).as_secs_f64()));
            });
        }
        let name = format!(
            "{}_requests_seconds",
            settings.prefix.trim_end_matches('.').replace(['.', '-'], "_")
        );
        let most = format!("{name}_max");
        let families = [
            family(name, "Time until the answer's head was ready.", MetricType::SUMMARY, seconds),
            family(most, "The longest time of the last minutes.", MetricType::GAUGE, longest),
        ];
        families.into_iter().filter(|family| !family.get_metric().is_empty()).collect()
    }
}

/// The labels of one series, sorted by name.
fn labels(route: &RouteKey, outcome: &Outcome, tags: &[(String, String)]) -> Vec<LabelPair> {
    let code = outcome.status;
    let has_status = code != 0;
    let mut pairs = vec![
        ("httpMethod".to_owned(), outcome.method.name().to_owned()),
        ("httpStatusCode".to_owned(), if has_status { code.to_string() } else { "NA".to_owned() }),
        ("outcome".to_owned(), outcome_name(code).to_owned()),
        ("routeId".to_owned(), (*route.id).to_owned()),
        ("routeUri".to_owned(), route.uri.clone()),
        ("status".to_owned(), status_label(code)),
    ];
    pairs.extend(outcome.path.iter().map(|path| ("path".to_owned(), (**path).to_owned())));
    pairs.extend(tags.iter().map(|(name, value)| (name.replace('.', "_"), value.clone())));
    pairs.sort();
    families::labels(pairs)
}

/// `CUSTOM` for a status outside the standard ones, as the reference gateway has it.
fn outcome_name(code: u16) -> &'static str {
    match code / 100 {
        _ if status_name(code).is_none() => "CUSTOM",
        1 => "INFORMATIONAL",
        2 => "SUCCESSFUL",
        3 => "REDIRECTION",
        4 => "CLIENT_ERROR",
        _ => "SERVER_ERROR",
    }
}

/// The symbolic name of a status: `NOT_FOUND`; the number if it has none.
fn status_label(code: u16) -> String {
    match status_name(code) {
        Some(name) => name.to_owned(),
        None if code == 0 => "CUSTOM".to_owned(),
        None => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn shows_the_timer_as_the_reference_gateway_does() {
        let metrics = Metrics::new().unwrap();
        let timer = metrics.timer(&"r1".into(), "http://h:80");
        timer.record(&Outcome::new(200, &Method::GET), Duration::from_millis(60), Duration::ZERO);
        timer.record(&Outcome::new(432, &Method::GET), Duration::from_millis(1), Duration::ZERO);
        let text = metrics.text().unwrap();
        let expected = "spring_cloud_gateway_requests_seconds_count{httpMethod=\"GET\",\
            httpStatusCode=\"200\",outcome=\"SUCCESSFUL\",routeId=\"r1\",\
            routeUri=\"http://h:80\",status=\"OK\"} 1";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("# TYPE spring_cloud_gateway_requests_seconds summary"), "{text}");
        assert!(text.contains("# TYPE spring_cloud_gateway_requests_seconds_max gauge"), "{text}");
        assert!(text.contains("httpStatusCode=\"432\",outcome=\"CUSTOM\""), "{text}");
    }

    #[test]
    fn names_statuses_as_the_reference_gateway_does() {
        for (code, name) in [
            (404, "NOT_FOUND"),
            (429, "TOO_MANY_REQUESTS"),
            (413, "CONTENT_TOO_LARGE"),
            (418, "I_AM_A_TEAPOT"),
            (432, "432"),
            (0, "CUSTOM"),
        ] {
            assert_eq!(status_label(code), name);
        }
    }
}
