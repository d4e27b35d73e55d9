//! The request timer of one route, without locks on the request path.

use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Method;
use prefetch_index::prefetch_index;

/// What tells one series of a route's timer from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The status the client got; 0 if there was none.
    pub status: u16,
    /// The method.
    pub method: MethodLabel,
    /// The `Path` pattern that fits, if the file asks for it (`metrics.path-tags.enabled`).
    pub path: Option<Arc<str>>,
}

/// The name of a standard method, or `OTHER`: nothing a client makes up becomes a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MethodLabel(u8);

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
    /// What a request with this method and status counts for.
    pub fn new(status: u16, method: &Method) -> Self {
        Self { status, method: MethodLabel::of(method), path: None }
    }
}

impl MethodLabel {
    fn of(method: &Method) -> Self {
        let place = METHODS.iter().take_while(|(known, _)| known != method).count();
        Self(u8::try_from(place).unwrap_or(u8::MAX))
    }

    /// The label.
    pub fn name(self) -> &'static str {
        METHODS.get(usize::from(self.0)).map_or("OTHER", |(_, name)| name)
    }
}

/// One series: how often, how long in all, how long at most.
#[derive(Debug, Default)]
pub struct Series {
    count: AtomicU64,
    nanos: AtomicU64,
    /// The longest of the current and of the last window.
    longest: [AtomicU64; 2],
    /// The numbers of these windows.
    windows: [AtomicU32; 2],
}

/// A maximum is forgotten after one to two windows, as the reference gateway's registry does.
const WINDOW: Duration = Duration::from_mins(1);

fn window(uptime: Duration) -> u32 {
    u32::try_from(uptime.as_secs() / WINDOW.as_secs()).unwrap_or(u32::MAX)
}

impl Series {
    fn record(&self, took: Duration, window: u32) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        let slot = usize::from(window % 2 == 1);
        let (Some(number), Some(longest)) = (self.windows.get(slot), self.longest.get(slot)) else {
            return;
        };
        if number.swap(window, Ordering::Relaxed) == window {
            longest.fetch_max(nanos, Ordering::Relaxed);
        } else {
            longest.store(nanos, Ordering::Relaxed);
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
        let current = window(uptime);
        let nanos = self
            .windows
            .iter()
            .zip(&self.longest)
            .filter(|(number, _)| number.load(Ordering::Relaxed).saturating_add(1) >= current)
            .map(|(_, longest)| longest.load(Ordering::Relaxed))
            .max();
        Duration::from_nanos(nanos.unwrap_or_default())
    }
}

type Known = Vec<(Outcome, Arc<Series>)>;

/// All series of one route. New ones are rare, so the list is replaced, not locked.
///
/// Most routes have one series. It lies in place and fills a cache line, for that is what a request
/// to one of many routes waits for.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct RouteTimer {
    first: OnceLock<First>,
    others: ArcSwap<Known>,
}

const _: () = assert!(size_of::<RouteTimer>() == 64);

/// The first series without a path.
#[derive(Debug)]
struct First {
    series: Series,
    status: u16,
    method: MethodLabel,
}

impl First {
    fn outcome(&self) -> Outcome {
        Outcome { status: self.status, method: self.method, path: None }
    }
}

impl RouteTimer {
    /// Counts one request that took `took` and ended `uptime` after the start of the process.
    pub fn record(&self, outcome: &Outcome, took: Duration, uptime: Duration) {
        let window = window(uptime);
        let &Outcome { status, method, .. } = outcome;
        if outcome.path.is_none() {
            let first = || First { series: Series::default(), status, method };
            let first = self.first.get_or_init(first);
            if first.status == status && first.method == method {
                return first.series.record(took, window);
            }
        }
        let recorded = |known: &Known| {
            let series = known.iter().find(|(known, _)| known == outcome);
            series.map(|(_, series)| series.record(took, window)).is_some()
        };
        if recorded(&self.others.load()) {
            return;
        }
        self.others.rcu(|known| {
            let mut grown = Known::clone(known);
            if !grown.iter().any(|(known, _)| known == outcome) {
                grown.push((outcome.clone(), Arc::default()));
            }
            grown
        });
        recorded(&self.others.load());
    }

    /// Begins to fetch the timer from memory, for whoever records soon.
    pub fn fetch(&self) {
        prefetch_index(slice::from_ref(self), 0);
    }

    /// Shows each series seen so far.
    pub fn each(&self, mut show: impl FnMut(&Outcome, &Series)) {
        if let Some(first) = self.first.get() {
            show(&first.outcome(), &first.series);
        }
        for (outcome, series) in &**self.others.load() {
            show(outcome, series);
        }
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
        let with_path = Outcome { path: Some(Arc::from("/a/**")), ..fine };
        timer.record(&with_path, 4 * SECOND, SECOND);
        timer.record(&with_path, 4 * SECOND, SECOND);
        let mut series = Vec::new();
        timer.each(|outcome, one| {
            let Outcome { status, path, .. } = outcome.clone();
            series.push((status, outcome.method.name(), path, one.count(), one.total()));
        });
        let path = with_path.path;
        let expected = [
            (200, "GET", None, 2, 3 * SECOND),
            (404, "OTHER", None, 1, SECOND),
            (200, "GET", path, 2, 8 * SECOND),
        ];
        assert_eq!(series, expected);
    }

    #[test]
    fn forgets_the_longest_after_two_windows() {
        let timer = RouteTimer::default();
        let fine = Outcome::new(200, &Method::GET);
        timer.record(&fine, 5 * SECOND, SECOND);
        timer.record(&fine, 2 * SECOND, 70 * SECOND);
        let longest = |uptime| {
            let mut longest = Vec::new();
            timer.each(|_, series| longest.push(series.longest(uptime)));
            longest[0]
        };
        assert_eq!(longest(70 * SECOND), 5 * SECOND);
        assert_eq!(longest(130 * SECOND), 2 * SECOND);
        assert_eq!(longest(200 * SECOND), Duration::ZERO);
    }
}
