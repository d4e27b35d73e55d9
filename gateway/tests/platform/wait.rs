//! Waiting for something to happen, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use crate::program::PATIENCE;

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = now();
    loop {
        if let Some(value) = ask() {
            return value;
        }
        assert!(begin.elapsed() < PATIENCE, "waited too long for {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[expect(clippy::disallowed_methods, reason = "tests of real processes live in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
