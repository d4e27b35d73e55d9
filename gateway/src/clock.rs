//! The only place that looks at a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Time that only goes forward, for measuring.
#[expect(clippy::disallowed_methods, reason = "this is the clock the others are told to take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since 1970-01-01T00:00:00Z by the wall clock; negative before it.
#[expect(clippy::disallowed_methods, reason = "this is the clock the others are told to take")]
pub(crate) fn unix_nanos() -> i128 {
    let nanos =
        |duration: std::time::Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z by the wall clock.
pub(crate) fn unix_millis() -> i64 {
    i64::try_from(unix_nanos() / 1_000_000).unwrap_or_default()
}
