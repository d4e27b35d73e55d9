//! Circuit breakers and bulkheads under the names that Resilience4j has in Prometheus
//! (`resilience.md` 2.8).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, LabelPair, Metric, MetricFamily, MetricType};
use tollgate_filters::breaker::{Breaker, BreakerStatus, Breakers, Bulkhead, CallTimer, State};

use super::families;
use crate::config::BreakerMetrics;

/// Shows every breaker that is declared or has had a request.
#[derive(Debug)]
pub(super) struct BreakerCollector {
    breakers: Arc<Breakers>,
    shown: Arc<Mutex<BreakerMetrics>>,
    described: Desc,
}

impl BreakerCollector {
    /// Shows these breakers as the file in use wants them.
    ///
    /// # Errors
    ///
    /// A name that is none, which is a defect of this file.
    pub(super) fn new(
        breakers: Arc<Breakers>,
        shown: Arc<Mutex<BreakerMetrics>>,
    ) -> prometheus::Result<Self> {
        let described = Desc::new(
            "resilience4j_circuitbreaker".to_owned(),
            "Circuit breakers and bulkheads.".to_owned(),
            vec![],
            HashMap::new(),
        )?;
        Ok(Self { breakers, shown, described })
    }
}

impl Collector for BreakerCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.described]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut families = Families::default();
        if !shown.enabled {
            return Vec::new();
        }
        for breaker in self.breakers.all() {
            families.add_breaker(&breaker, &shown);
        }
        for bulkhead in self.breakers.all_bulkheads() {
            families.add_bulkhead(&bulkhead, &shown);
        }
        families.0.into_values().collect()
    }
}

/// What tells a breaker or a bulkhead from others.
struct Names<'a> {
    name: &'a str,
    is_declared: bool,
}

impl<'a> Names<'a> {
    /// The labels of all its series. One that the file does not declare is a group of its own.
    fn labels(
        &self,
        shown: &'a BreakerMetrics,
        tags: &'a [(String, String)],
    ) -> Vec<(&'a str, &'a str)> {
        let declared = shown.default_group.as_deref();
        let group = if self.is_declared { declared } else { Some(self.name) };
        let own = [Some(("name", self.name)), group.map(|group| ("group", group))];
        let tags = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.into_iter().flatten().chain(tags).collect()
    }
}

/// Tags as Prometheus takes their names.
fn in_prometheus(tags: &[(String, String)]) -> Vec<(String, String)> {
    tags.iter().map(|(name, value)| (name.replace(['.', '-'], "_"), value.clone())).collect()
}

/// Families by name.
#[derive(Default)]
struct Families(BTreeMap<String, MetricFamily>);

/// Labels without those that all series of a breaker have.
type Own<'a> = &'a [(&'a str, &'a str)];

impl Families {
    fn add_breaker(&mut self, breaker: &Breaker, shown: &BreakerMetrics) {
        let status = breaker.status();
        let names = Names { name: breaker.name(), is_declared: breaker.is_declared() };
        let tags = in_prometheus(&shown.tags);
        let common = names.labels(shown, &tags);
        let kinds = [
            ("successful", status.successful),
            ("failed", status.failed),
            ("ignored", status.ignored),
        ];
        for (kind, calls) in kinds {
            self.add_calls(&common, kind, calls);
        }
        let refused = Some(("kind", "not_permitted"));
        self.count(
            "not_permitted_calls_total",
            NOT_PERMITTED,
            &common,
            refused,
            status.not_permitted,
        );
        for state in State::ALL {
            let word = state.name().to_lowercase();
            let is_in = u8::from(status.state == state);
            self.gauge("state", STATE, &common, &[("state", &word)], is_in.into());
        }
        self.add_window(&common, &status);
    }

    fn add_window(&mut self, common: Own<'_>, status: &BreakerStatus) {
        let slow_successful = status.slow_calls.saturating_sub(status.slow_failed_calls);
        let successful = status.buffered_calls.saturating_sub(status.failed_calls);
        for (name, help, kind, value) in [
            ("buffered_calls", BUFFERED, "failed", status.failed_calls),
            ("buffered_calls", BUFFERED, "successful", successful),
            ("slow_calls", SLOW, "failed", status.slow_failed_calls),
            ("slow_calls", SLOW, "successful", slow_successful),
        ] {
            self.gauge(name, help, common, &[("kind", kind)], value.into());
        }
        self.gauge("failure_rate", FAILURE_RATE, common, &[], status.failure_rate.into());
        self.gauge("slow_call_rate", SLOW_RATE, common, &[], status.slow_call_rate.into());
    }

    fn add_calls(&mut self, common: Own<'_>, kind: &str, calls: CallTimer) {
        let labels = labels(common, &[("kind", kind)]);
        let metric = families::summary(labels, calls.count, calls.total.as_secs_f64());
        self.family("calls_seconds", CALLS, MetricType::SUMMARY).mut_metric().push(metric);
        let longest = Duration::as_secs_f64(&calls.longest);
        self.gauge("calls_seconds_max", LONGEST, common, &[("kind", kind)], longest);
    }

    fn add_bulkhead(&mut self, bulkhead: &Bulkhead, shown: &BreakerMetrics) {
        let names = Names { name: bulkhead.name(), is_declared: bulkhead.is_declared() };
        let tags = in_prometheus(&shown.bulkhead_tags);
        let common = names.labels(shown, &tags);
        let number = |calls: usize| f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
        for (name, help, value) in [
            ("available_concurrent_calls", AVAILABLE, bulkhead.available_concurrent_calls()),
            ("max_allowed_concurrent_calls", ALLOWED, bulkhead.max_concurrent_calls()),
        ] {
            let name = format!("resilience4j_bulkhead_{name}");
            let metric = families::gauge(labels(&common, &[]), number(value));
            self.named(name, help, MetricType::GAUGE).mut_metric().push(metric);
        }
    }

    fn count(
        &mut self,
        name: &str,
        help: &str,
        common: Own<'_>,
        own: Option<(&str, &str)>,
        value: u64,
    ) {
        let mut counter = Counter::default();
        #[expect(
            clippy::as_conversions,
            clippy::cast_precision_loss,
            reason = "as Prometheus has it"
        )]
        counter.set_value(value as f64);
        let mut metric = Metric::from_label(labels(common, own.as_slice()));
        metric.set_counter(counter);
        self.family(name, help, MetricType::COUNTER).mut_metric().push(metric);
    }

    fn gauge(&mut self, name: &str, help: &str, common: Own<'_>, own: Own<'_>, value: f64) {
        let metric = families::gauge(labels(common, own), value);
        self.family(name, help, MetricType::GAUGE).mut_metric().push(metric);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> &mut MetricFamily {
        self.named(format!("resilience4j_circuitbreaker_{name}"), help, kind)
    }

    fn named(&mut self, name: String, help: &str, kind: MetricType) -> &mut MetricFamily {
        let place = self.0.entry(name.clone());
        place.or_insert_with(|| families::family(name, help, kind, Vec::new()))
    }
}

const CALLS: &str = "Calls by how they ended.";
const LONGEST: &str = "The longest call of the last minutes.";
const NOT_PERMITTED: &str = "Calls that were refused.";
const STATE: &str = "1 for the state that the breaker is in.";
const BUFFERED: &str = "Calls in the window.";
const SLOW: &str = "Slow calls in the window.";
const FAILURE_RATE: &str = "Failed calls in a hundred; -1 if there are too few.";
const SLOW_RATE: &str = "Slow calls in a hundred; -1 if there are too few.";
const AVAILABLE: &str = "How many more calls may be under way.";
const ALLOWED: &str = "How many calls may be under way.";

/// Labels sorted by name.
fn labels(common: Own<'_>, own: Own<'_>) -> Vec<LabelPair> {
    let mut pairs: Vec<(&str, &str)> = common.iter().chain(own).copied().collect();
    pairs.sort_unstable();
    families::labels(pairs)
}
