//! The time, lent to whoever needs it so that a test can set it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone, offset};
use jiff::{SignedDuration, Timestamp, Zoned};

/// Korea has had this offset, and no daylight saving, since 1988.
const KOREA: Offset = offset(9);

/// Tells the time; cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that stands still.
    pub fn fixed(at: Timestamp) -> Self {
        Self(Arc::new(move || at))
    }

    /// A clock that tells what it is told.
    pub fn telling(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The machine's clock, and what sets it wrong: for tests of what happens then.
    pub fn shiftable() -> (Self, Shift) {
        let shift = Shift::default();
        let milliseconds = Arc::clone(&shift.0);
        let clock = Self::telling(move || {
            let by = SignedDuration::from_millis(milliseconds.load(Ordering::Relaxed));
            Timestamp::now().saturating_add(by).unwrap_or(Timestamp::MAX)
        });
        (clock, shift)
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The calendar date in Korea.
    pub fn today(&self) -> Date {
        in_korea(self.now()).date()
    }

    /// The present instant as it appears in answers: RFC 3339 with `+09:00`.
    pub fn stamp(&self) -> String {
        stamp(self.now())
    }
}

/// By how much a clock is wrong, in milliseconds; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shift(Arc<AtomicI64>);

impl Shift {
    /// Sets the clock ahead, or back.
    pub fn set(&self, by: SignedDuration) {
        let milliseconds = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.store(milliseconds, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({})", self.stamp())
    }
}

/// The instant `wait` after `at`, or the last one there is.
pub fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The instant `wait` before `at`, or the first one there is.
pub fn before(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_sub(wait).unwrap_or(Timestamp::MIN)
}

/// An instant as it appears in answers: RFC 3339 with `+09:00` and milliseconds.
pub fn stamp(at: Timestamp) -> String {
    in_korea(at).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

fn in_korea(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::fixed(KOREA))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_korea() {
        let late = Clock::fixed("2025-05-01T14:59:59.999Z".parse().unwrap());
        let midnight = Clock::fixed("2025-05-01T15:00:00Z".parse().unwrap());
        assert_eq!(late.today().to_string(), "2025-05-01");
        assert_eq!(midnight.today().to_string(), "2025-05-02");
    }

    #[test]
    fn a_clock_can_be_set_wrong() {
        let (clock, shift) = Clock::shiftable();
        shift.set(SignedDuration::from_hours(2));
        let ahead = clock.now().duration_since(Timestamp::now());
        assert!((7190..=7200).contains(&ahead.as_secs()), "{ahead}");
    }

    #[test]
    fn stamps_carry_the_offset() {
        let clock = Clock::fixed("2025-05-01T01:00:00Z".parse().unwrap());
        assert_eq!(clock.stamp(), "2025-05-01T10:00:00.000+09:00");
    }
}
