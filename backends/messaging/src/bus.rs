//! What everything that sends or receives shares in one process.

use std::sync::Arc;

use service::clock::Clock;
use service::crash::Crash;
use service::timing::Timing;

use crate::broker::Broker;
use crate::health::Health;
use crate::metrics::Metrics;

/// How a process takes part; cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    /// The service, as it calls itself among services.
    pub service: &'static str,
    /// Which of its processes this is; the same whenever it starts.
    pub instance: String,
    /// The log.
    pub broker: Broker,
    /// How long things may take.
    pub timing: Arc<Timing>,
    /// The time.
    pub clock: Clock,
    /// Where the process dies when a test wants it to; `relay.after_publish` is one of its points.
    pub crash: Crash,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether messages flow.
    pub health: Health,
}

impl Bus {
    /// The name of this process as a member and as a relay.
    pub(crate) fn member(&self) -> String {
        format!("{}-{}", self.service, self.instance)
    }
}
