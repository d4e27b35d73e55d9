//! What everything that sends or receives shares in one process.

use std::sync::Arc;

use service::app::Shared;
use service::clock::Clock;
use service::crash::Crash;
use service::server::StartError;
use service::timing::Timing;

use crate::broker::{Broker, BrokerError, Settings};
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
    /// Opens the log that `settings` name, for a process of `service`.
    ///
    /// # Errors
    ///
    /// The log cannot be opened, or its metrics are registered already.
    pub async fn open(
        service: &'static str,
        settings: &Settings,
        timing: &Timing,
        crash: &Crash,
        shared: &Shared,
    ) -> Result<Self, StartError> {
        let unusable = |error: BrokerError| {
            StartError::Other("messages cannot flow; check BROKER_URL", error.into())
        };
        Ok(Self {
            service,
            instance: settings.instance.clone(),
            broker: Broker::open(&settings.url, timing, &shared.clock).await.map_err(unusable)?,
            timing: Arc::new(timing.clone()),
            clock: shared.clock.clone(),
            crash: crash.clone(),
            metrics: Metrics::new(&shared.registry)?,
            health: Health::default(),
        })
    }

    /// The name of this process as a member and as a relay.
    pub(crate) fn member(&self) -> String {
        format!("{}-{}", self.service, self.instance)
    }
}
