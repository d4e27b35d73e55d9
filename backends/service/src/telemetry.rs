//! Logs: one JSON object a line, on standard error.

use std::io;

use tracing_subscriber::EnvFilter;

/// Starts to write what `filter` lets through (`info`, `cms=debug,sqlx=warn`, …).
///
/// Does nothing when the process already writes logs, so that tests may call it too.
pub fn start(filter: &str) {
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr);
    if logs.try_init().is_err() {
        tracing::debug!("logs were already being written");
    }
}
