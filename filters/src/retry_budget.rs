//! How many retries an upstream may get: a share of what clients ask of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many retries are allowed: `retries < max(ratio × first attempts, floor)` over the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudgetSettings {
    /// `ratio`: retries for each first attempt, 0 to 10. Default 0.2.
    pub ratio: f64,
    /// `floor`: so many retries are allowed however few first attempts there are. Default 100.
    pub floor: u32,
    /// `window`: whole seconds that count, up to [`RetryBudget::LONGEST_WINDOW`]. Default 10 s.
    pub window: Duration,
}

impl Default for RetryBudgetSettings {
    fn default() -> Self {
        Self { ratio: 0.2, floor: 100, window: Duration::from_secs(10) }
    }
}

/// Counts first attempts and retries of one upstream, so that retries cannot multiply an outage.
///
/// Counts stand in buckets of a second; a window of ten seconds is the second that runs and the nine
/// before it. Nothing is locked. An upstream that nobody retries takes no room.
#[derive(Debug)]
pub struct RetryBudget {
    started: Instant,
    ratio: AtomicU64,
    floor: AtomicU32,
    window: AtomicU32,
    buckets: OnceLock<Box<[AtomicU64]>>,
}

/// More than the longest window, so that a bucket is taken again only when nobody reads it.
const BUCKETS: u64 = 64;

/// A bucket in one number: its second, first attempts, retries.
const RETRY_BITS: u32 = 18;
const FIRST_BITS: u32 = 22;
const MOST_RETRIES: u64 = (1 << RETRY_BITS) - 1;
const MOST_FIRST: u64 = (1 << FIRST_BITS) - 1;
const ONE_RETRY: u64 = 1;
const ONE_FIRST: u64 = 1 << RETRY_BITS;
const SECOND_SHIFT: u32 = RETRY_BITS + FIRST_BITS;
const MOST_SECOND: u64 = u64::MAX >> SECOND_SHIFT;

impl RetryBudget {
    /// The longest window.
    pub const LONGEST_WINDOW: Duration = Duration::from_mins(1);

    /// A budget of which nothing is used.
    pub fn new(settings: &RetryBudgetSettings, started: Instant) -> Self {
        let budget = Self {
            started,
            ratio: AtomicU64::default(),
            floor: AtomicU32::default(),
            window: AtomicU32::default(),
            buckets: OnceLock::new(),
        };
        budget.set(settings);
        budget
    }

    /// Has other settings from now on; what was counted stays.
    pub fn set(&self, settings: &RetryBudgetSettings) {
        self.ratio.store(settings.ratio.to_bits(), Ordering::Relaxed);
        self.floor.store(settings.floor, Ordering::Relaxed);
        let window = settings.window.clamp(Duration::from_secs(1), Self::LONGEST_WINDOW);
        self.window.store(u32::try_from(window.as_secs()).unwrap_or(1), Ordering::Relaxed);
    }

    /// Counts a request that is sent to the upstream for the first time.
    pub fn first_attempt(&self, now: Instant) {
        self.count(self.second(now), ONE_FIRST);
    }

    /// Whether the upstream may be asked once more for the same request; counts it if so.
    pub fn may_retry(&self, now: Instant) -> bool {
        let second = self.second(now);
        // Counted first, so that of many who ask at a time none gets more than there is.
        if !self.count(second, ONE_RETRY) {
            return false;
        }
        let (first, retries) = self.counted(second);
        let before = retries.saturating_sub(1);
        let floor = f64::from(self.floor.load(Ordering::Relaxed));
        let share = f64::from_bits(self.ratio.load(Ordering::Relaxed)) * float(first);
        let allowed = float(before) < share.max(floor);
        if !allowed {
            self.take_back(second);
        }
        allowed
    }

    /// First attempts and retries in the window that ends now.
    pub fn in_window(&self, now: Instant) -> (u64, u64) {
        self.counted(self.second(now))
    }

    /// From 1: a bucket that was never used has the second 0.
    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_secs() % MOST_SECOND + 1
    }

    fn buckets(&self) -> &[AtomicU64] {
        self.buckets.get_or_init(|| (0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }

    fn bucket(&self, second: u64) -> Option<&AtomicU64> {
        self.buckets().get(usize::try_from(second % BUCKETS).ok()?)
    }

    /// False if the bucket is full.
    fn count(&self, second: u64, one: u64) -> bool {
        let Some(bucket) = self.bucket(second) else { return false };
        let empty = second << SECOND_SHIFT;
        let added = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            let known = if known >> SECOND_SHIFT == second { known } else { empty };
            let (first, retries) = parts(known);
            let is_full =
                if one == ONE_FIRST { first == MOST_FIRST } else { retries == MOST_RETRIES };
            (!is_full).then_some(known + one)
        });
        added.is_ok()
    }

    fn take_back(&self, second: u64) {
        let Some(bucket) = self.bucket(second) else { return };
        // Nothing to do where the bucket has been taken for another second meanwhile.
        let _bucket = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            let is_there = known >> SECOND_SHIFT == second && parts(known).1 > 0;
            is_there.then(|| known - ONE_RETRY)
        });
    }

    fn counted(&self, second: u64) -> (u64, u64) {
        let window = u64::from(self.window.load(Ordering::Relaxed));
        let oldest = second.saturating_sub(window - 1);
        let mut sums = (0, 0);
        for (wanted, bucket) in (oldest..=second).filter_map(|at| Some((at, self.bucket(at)?))) {
            let known = bucket.load(Ordering::Relaxed);
            if known >> SECOND_SHIFT == wanted {
                let (first, retries) = parts(known);
                sums = (sums.0 + first, sums.1 + retries);
            }
        }
        sums
    }
}

fn parts(bucket: u64) -> (u64, u64) {
    ((bucket >> RETRY_BITS) & MOST_FIRST, bucket & MOST_RETRIES)
}

/// At most 64 full buckets, which is exact.
fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        Instant::now()
    }

    /// Keeps every attempt and counts them all each time.
    struct Reference {
        started: Instant,
        settings: RetryBudgetSettings,
        first: Vec<u64>,
        retries: Vec<u64>,
    }

    impl Reference {
        fn second(&self, now: Instant) -> u64 {
            (now - self.started).as_secs()
        }

        fn first_attempt(&mut self, now: Instant) {
            self.first.push(self.second(now));
        }

        fn may_retry(&mut self, now: Instant) -> bool {
            let now = self.second(now);
            let window = self.settings.window.as_secs();
            let recent = |all: &[u64]| all.iter().filter(|at| *at + window > now).count();
            #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a test")]
            let (first, retries) = (recent(&self.first) as f64, recent(&self.retries) as f64);
            let allowed =
                retries < (self.settings.ratio * first).max(f64::from(self.settings.floor));
            if allowed {
                self.retries.push(now);
            }
            allowed
        }
    }

    proptest! {
        #[test]
        fn allows_what_a_list_of_all_attempts_allows(
            ratio in 0.0..2.0f64,
            floor in 0u32..20,
            window in 1u32..=60,
            steps in prop::collection::vec((0u64..3000, any::<bool>(), 1usize..30), 1..120),
        ) {
            let started = start();
            let settings = RetryBudgetSettings { ratio, floor, window: SECOND * window };
            let budget = RetryBudget::new(&settings, started);
            let mut reference =
                Reference { started, settings, first: Vec::new(), retries: Vec::new() };
            let mut now = started;
            for (wait, is_retry, times) in steps {
                now += Duration::from_millis(wait);
                for _ in 0..times {
                    if is_retry {
                        prop_assert_eq!(budget.may_retry(now), reference.may_retry(now));
                    } else {
                        budget.first_attempt(now);
                        reference.first_attempt(now);
                    }
                }
            }
        }
    }

    #[test]
    fn a_brownout_at_200_requests_a_second_is_amplified_by_a_fifth_at_most() {
        let started = start();
        let budget = RetryBudget::new(&RetryBudgetSettings::default(), started);
        let (mut first, mut retries) = (0u32, 0u32);
        for tick in 0..60 * 200 {
            let now = started + Duration::from_millis(5) * tick;
            budget.first_attempt(now);
            first += 1;
            // Every attempt fails, and each request is retried three times if it may.
            for _ in 0..3 {
                if !budget.may_retry(now) {
                    break;
                }
                retries += 1;
            }
        }
        let amplification = f64::from(first + retries) / f64::from(first);
        assert!(amplification <= 1.2, "{amplification}");
        assert!(amplification > 1.19, "{amplification}: the budget is there to be used");
    }

    #[test]
    fn few_requests_have_the_floor() {
        let now = start();
        let budget = RetryBudget::new(&RetryBudgetSettings::default(), now);
        assert_eq!((0..200).filter(|_| budget.may_retry(now)).count(), 100);
        let later = now + 10 * SECOND;
        assert!(budget.may_retry(later), "the window has passed");
        assert_eq!(budget.in_window(later), (0, 1));
    }

    #[test]
    fn other_settings_hold_at_once_and_keep_what_was_counted() {
        let now = start();
        let budget = RetryBudget::new(&RetryBudgetSettings::default(), now);
        assert!((0..50).all(|_| budget.may_retry(now)));
        budget.set(&RetryBudgetSettings { floor: 51, ..RetryBudgetSettings::default() });
        assert!(budget.may_retry(now));
        assert!(!budget.may_retry(now));
    }

    #[test]
    fn many_who_ask_at_a_time_get_no_more_than_there_is() {
        let now = start();
        let budget = Arc::new(RetryBudget::new(&RetryBudgetSettings::default(), now));
        let allowed = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if budget.may_retry(now) {
                            allowed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(allowed.load(Ordering::Relaxed), 100);
    }
}
