//! Whether the process is stopping.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set once, when a signal asks the process to stop.
#[derive(Debug, Default)]
pub struct Drain(AtomicBool);

impl Drain {
    /// Answers from now on ask their clients to close the connection.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the process is stopping.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
