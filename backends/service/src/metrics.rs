//! What is counted, and what is counted about every request.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntGauge, Registry, TextEncoder};

/// Bounds in seconds, from an answer out of memory to one at the time limit.
const BOUNDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Registers a metric, and hands it back.
///
/// # Errors
///
/// There is one of that name already.
pub fn register<T: Collector + Clone + 'static>(
    registry: &Registry,
    metric: T,
) -> Result<T, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    duration: HistogramVec,
    in_flight: IntGauge,
}

/// Counts a request as open until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(IntGauge);

impl Metrics {
    /// Registers what is counted here beside what a service counts itself.
    pub(crate) fn new(registry: Registry) -> Result<Self, prometheus::Error> {
        let duration = HistogramOpts::new(
            "http_server_request_duration_seconds",
            "Time from the request's head to the answer's head.",
        );
        let duration =
            HistogramVec::new(duration.buckets(BOUNDS.to_vec()), &["method", "route", "status"])?;
        let duration = register(&registry, duration)?;
        let in_flight =
            IntGauge::new("http_server_requests_in_flight", "Requests without an answer yet.")?;
        let in_flight = register(&registry, in_flight)?;
        Ok(Self { registry, duration, in_flight })
    }

    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// `route` comes from the router's table and the method is one of few: clients name no labels.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        took: Duration,
    ) {
        let labels = [method_label(method), route, status.as_str()];
        self.duration.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// Everything counted, in the Prometheus text format.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn method_label(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "OTHER",
    }
}
