//! What is counted of deliveries, beside requests and messages.

use prometheus::{IntCounterVec, Opts, Registry};
use service::metrics::register;

/// Handles of what is counted; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    attempts: IntCounterVec,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let about = "Attempts at deliveries by how they ended: SENT, RETRY, FAILED or SKIPPED.";
        let attempts = Opts::new("notification_attempts_total", about);
        let attempts = IntCounterVec::new(attempts, &["channel", "outcome"])?;
        Ok(Self { attempts: register(registry, attempts)? })
    }

    /// Counts an attempt.
    pub(crate) fn attempted(&self, channel: &str, outcome: &str) {
        self.attempts.with_label_values(&[channel, outcome]).inc();
    }
}
