//! The request timer of one route, without locks on the request path.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Method;

/// What tells one series of a route's timer from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The status the client got; 0 if there was none.
    pub status: u16,
    /// The method, [`METHODS`] or `OTHER`.
    pub method: &'static str,
    /// The `Path` pattern that fits, if the file asks for it (`metrics.path-tags.enabled`).
    pub path: Option<Arc<str>>,
}

/// The methods that have a series of their own.
const METHODS: [(Method, &str); 8] = [
    (Method::GET, "GET"),
    (Method::HEAD, "HEAD"),
    (Method::POST, "POST"),
    (Method::PUT, "PUT"),
    (Method::PATCH, "PATCH"),
    (Method::DELETE, "DELETE"),
    (Method::OPTIONS, "OPTIONS"),
    (Method::TRACE, "TRACE"),
];

impl Outcome {
    /// Nothing a client makes up becomes a label: methods outside the eight are `OTHER`.
    pub fn new(status: u16, method: &Method) -> Self {
        let known = METHODS.iter().find(|(known, _)| known == method);
        Self { status, method: known.map_or("OTHER", |(_, name)| name), path: None }
    }
}

/// One series: how often, how long in all, how long at most.
#[derive(Debug, Default)]
pub struct Series {
    count: AtomicU64,
    nanos: AtomicU64,
    /// The longest of the current and of the last window, each with the window's number in the
    /// upper bits of its own counter.
    windows: [Window; 2],
}

#[derive(Debug, Default)]
struct Window {
    number: AtomicU64,
    longest: AtomicU64,
}

/// A maximum is forgotten after one to two windows, as the reference gateway's registry does.
const WINDOW: Duration = Duration::from_mins(1);

impl Series {
    fn record(&self, took: Duration, window: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        let Some(slot) = self.windows.get(usize::from(window % 2 == 1)) else { return };
        if slot.number.swap(window, Ordering::Relaxed) == window {
            slot.longest.fetch_max(nanos, Ordering::Relaxed);
        } else {
            slot.longest.store(nanos, Ordering::Relaxed);
        }
    }

    /// How often.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// How long in all.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    /// How long at most within the last one to two minutes before `uptime`.
    pub fn longest(&self, uptime: Duration) -> Duration {
        let window = uptime.as_secs() / WINDOW.as_secs();
        let recent =
            self.windows.iter().filter(|slot| slot.number.load(Ordering::Relaxed) + 1 >= window);
        let nanos = recent.map(|slot| slot.longest.load(Ordering::Relaxed)).max();
        Duration::from_nanos(nanos.unwrap_or_default())
    }
}

type Known = Vec<(Outcome, Arc<Series>)>;

/// All series of one route. New ones are rare, so the list is replaced, not locked.
#[derive(Debug, Default)]
pub struct RouteTimer {
    series: ArcSwap<Known>,
}

impl RouteTimer {
    /// Counts one request that took `took` and ended `uptime` after the start of the process.
    pub fn record(&self, outcome: &Outcome, took: Duration, uptime: Duration) {
        let window = uptime.as_secs() / WINDOW.as_secs();
        let known = self.series.load();
        if let Some((_, series)) = known.iter().find(|(known, _)| known == outcome) {
            return series.record(took, window);
        }
        drop(known);
        self.series.rcu(|known| {
            let mut grown = Known::clone(known);
            if !grown.iter().any(|(known, _)| known == outcome) {
                grown.push((outcome.clone(), Arc::default()));
            }
            grown
        });
        let known = self.series.load();
        if let Some((_, series)) = known.iter().find(|(known, _)| known == outcome) {
            series.record(took, window);
        }
    }

    /// The series seen so far.
    pub fn series(&self) -> Vec<(Outcome, Arc<Series>)> {
        Known::clone(&self.series.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn counts_by_outcome() {
        let timer = RouteTimer::default();
        let fine = Outcome::new(200, &Method::GET);
        timer.record(&fine, SECOND, SECOND);
        timer.record(&fine, 2 * SECOND, SECOND);
        timer.record(&Outcome::new(404, &Method::from_bytes(b"BREW").unwrap()), SECOND, SECOND);
        let series = timer.series();
        assert_eq!(series.len(), 2);
        assert_eq!((series[0].1.count(), series[0].1.total()), (2, 3 * SECOND));
        assert_eq!(series[1].0.method, "OTHER");
    }

    #[test]
    fn forgets_the_longest_after_two_windows() {
        let timer = RouteTimer::default();
        let fine = Outcome::new(200, &Method::GET);
        timer.record(&fine, 5 * SECOND, SECOND);
        timer.record(&fine, 2 * SECOND, 70 * SECOND);
        let longest = |uptime| timer.series()[0].1.longest(uptime);
        assert_eq!(longest(70 * SECOND), 5 * SECOND);
        assert_eq!(longest(130 * SECOND), 2 * SECOND);
        assert_eq!(longest(200 * SECOND), Duration::ZERO);
    }
}
