//! What is counted beside requests and messages (7.9).

use ::reservation::machine::{Decision, Row, Status, Verdict};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, IntGaugeVec, Opts, Registry};
use service::code::Code;
use service::metrics::register;

use crate::store::due::Counts;
use crate::store::record::Record;

/// Sagas end within seconds, or after the hold has run out.
const DURATIONS: &[f64] = &[0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// What whoever watches the service wants to know; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    state: IntGaugeVec,
    duration: Histogram,
    compensated: IntCounter,
    contradictions: IntCounter,
    steps_open: IntGauge,
    refund_open: IntGauge,
    refund_failed: IntGauge,
    attention_open: IntGauge,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            register(registry, IntGauge::new(name, help)?)
        };
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            register(registry, IntCounter::new(name, help)?)
        };
        let state =
            IntGaugeVec::new(Opts::new("saga_state", "Reservations in each state."), &["status"])?;
        let about = "From the request of a reservation to its confirmation or end.";
        let duration = HistogramOpts::new("saga_duration_seconds", about);
        let duration = Histogram::with_opts(duration.buckets(DURATIONS.to_vec()))?;
        Ok(Self {
            state: register(registry, state)?,
            duration: register(registry, duration)?,
            compensated: counter(
                "saga_compensated_total",
                "Paid reservations that were undone because the booking was impossible.",
            )?,
            contradictions: counter(
                "saga_contradiction_total",
                "Results that contradict what is known.",
            )?,
            steps_open: gauge("saga_steps_open", "Calls of the CMS that are still to be made.")?,
            refund_open: gauge("refund_open", "Reservations whose money is still to come back.")?,
            refund_failed: gauge("refund_failed", "Those whose refund was refused so far.")?,
            attention_open: gauge("attention_open", "Alerts that no operator has cleared.")?,
        })
    }

    /// Counts what a change means.
    pub(crate) fn tell(&self, before: &Record, after: &Record, decision: &Decision) {
        if decision.verdict == Verdict::Contradiction {
            self.contradictions.inc();
        }
        if decision.rows.iter().any(|row| matches!(row, Row::T16 | Row::T31)) {
            self.compensated.inc();
        }
        let status = decision.reservation.status;
        let is_new = before.shown.status != after.shown.status;
        let was_confirmed =
            before.payment_key.is_some() && before.shown.status == Status::Confirmed.code();
        let is_over = status.is_terminal() || status == Status::Confirmed;
        if is_new && is_over && !was_confirmed {
            let times = (after.shown.created_at.parse(), after.shown.updated_at.parse());
            if let (Ok(began), Ok(ended)) = times {
                let (began, ended): (jiff::Timestamp, jiff::Timestamp) = (began, ended);
                self.duration.observe(ended.duration_since(began).as_secs_f64());
            }
        }
    }

    /// Shows how things stand.
    pub(crate) fn show(&self, counts: &Counts) {
        for status in Status::ALL {
            let code = status.code();
            let found = counts.states.iter().find(|(name, _)| name == code);
            self.state.with_label_values(&[code]).set(found.map_or(0, |(_, count)| *count));
        }
        self.steps_open.set(counts.steps_open);
        self.refund_open.set(counts.refunds_open);
        self.refund_failed.set(counts.refunds_failed);
        self.attention_open.set(counts.alerts);
    }
}
