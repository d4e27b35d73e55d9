//! The calls of a circuit breaker since it was made, for metrics.

use std::time::Duration;

/// How often calls ended in one way, and how long they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTimer {
    /// How many.
    pub count: u64,
    /// How long in all.
    pub total: Duration,
    /// How long at most within the last one to two minutes.
    pub longest: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Successful,
    Failed,
    Ignored,
}

/// What has been counted of one kind.
#[derive(Debug, Default)]
struct Series {
    count: u64,
    total: Duration,
    /// The minute of the last call, and the longest of it and of the minute before.
    minute: u64,
    longest: Duration,
    before: Duration,
}

/// All calls since the breaker was made.
#[derive(Debug, Default)]
pub(super) struct Calls {
    successful: Series,
    failed: Series,
    ignored: Series,
    not_permitted: u64,
}

impl Series {
    fn turn(&mut self, now: Duration) {
        let minute = now.as_secs() / 60;
        if minute <= self.minute {
            return;
        }
        let is_next = minute == self.minute + 1;
        self.before = if is_next { self.longest } else { Duration::ZERO };
        self.longest = Duration::ZERO;
        self.minute = minute;
    }

    fn record(&mut self, took: Duration, now: Duration) {
        self.turn(now);
        self.count += 1;
        self.total = self.total.saturating_add(took);
        self.longest = self.longest.max(took);
    }

    fn shown(&mut self, now: Duration) -> CallTimer {
        self.turn(now);
        let Self { count, total, longest, before, .. } = *self;
        CallTimer { count, total, longest: longest.max(before) }
    }
}

impl Calls {
    pub(super) fn record(&mut self, kind: Kind, took: Duration, now: Duration) {
        let series = match kind {
            Kind::Successful => &mut self.successful,
            Kind::Failed => &mut self.failed,
            Kind::Ignored => &mut self.ignored,
        };
        series.record(took, now);
    }

    pub(super) fn refuse(&mut self) {
        self.not_permitted += 1;
    }

    pub(super) fn not_permitted(&self) -> u64 {
        self.not_permitted
    }

    /// Successful, failed and ignored ones.
    pub(super) fn shown(&mut self, now: Duration) -> [CallTimer; 3] {
        [&mut self.successful, &mut self.failed, &mut self.ignored].map(|series| series.shown(now))
    }
}
