//! Waiting for events, never for time.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = now() + DEADLINE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(now() < end, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' only look at a clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
