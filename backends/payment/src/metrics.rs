//! What is counted beside requests and messages.

use payment::machine::{Alert, Decision, Effect};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use service::metrics::register;

use crate::cashier::alert_code;
use crate::store::due::Counts;

/// What whoever watches the service wants to know; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    in_doubt: IntGauge,
    refund_open: IntGauge,
    refund_failed: IntGauge,
    attention_open: IntGauge,
    contradictions: IntCounter,
    alerts: IntCounterVec,
    /// 1 while the payment gateway does not know the merchant.
    pub(crate) misconfigured: IntGauge,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            register(registry, IntGauge::new(name, help)?)
        };
        let contradictions = IntCounter::new(
            "saga_contradiction_total",
            "Answers of the payment gateway that contradict what is known.",
        )?;
        let alerts = Opts::new("payment_alerts_total", "What an operator has to know, by kind.");
        let alerts = register(registry, IntCounterVec::new(alerts, &["kind"])?)?;
        Ok(Self {
            in_doubt: gauge("payment_in_doubt", "Payments of which nobody knows what became.")?,
            refund_open: gauge("refund_open", "Refunds whose money is still to be returned.")?,
            refund_failed: gauge("refund_failed", "Refunds that the payment gateway refused.")?,
            attention_open: gauge("attention_open", "Payments an operator should look at.")?,
            contradictions: register(registry, contradictions)?,
            alerts,
            misconfigured: gauge(
                "payment_pg_misconfigured",
                "1 while the payment gateway does not know the merchant.",
            )?,
        })
    }

    /// Tells operators of what a change brought up.
    pub(crate) fn tell(&self, decision: &Decision) {
        for effect in &decision.effects {
            let Effect::Alert(alert) = effect else { continue };
            let kind = alert_code(*alert);
            self.alerts.with_label_values(&[kind]).inc();
            if *alert == Alert::Contradiction {
                self.contradictions.inc();
            }
            tracing::error!(kind, "an operator should look at this payment");
        }
    }

    /// Shows how things stand.
    pub(crate) fn show(&self, counts: Counts) {
        self.in_doubt.set(counts.in_doubt);
        self.refund_open.set(counts.refunds_open);
        self.refund_failed.set(counts.refunds_failed);
        self.attention_open.set(counts.alerts);
    }
}
