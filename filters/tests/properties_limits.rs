//! Buckets in the process give what the script of the reference gateway gives, whatever is asked in
//! whatever order.
#![cfg(test)]
#![expect(clippy::as_conversions, reason = "the script counts in floating point")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the same")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tollgate_filters::MonotonicClock;
use tollgate_filters::limit::{InProcessBuckets, Policy, Taken};

/// The script, line by line (`resilience.md` 1.7), on a store whose keys end by themselves.
#[derive(Default)]
struct Script {
    keys: HashMap<String, (f64, f64)>,
}

impl Script {
    fn get(&self, key: &str, now: f64) -> Option<f64> {
        self.keys.get(key).filter(|(_, ends_at)| now < *ends_at).map(|(value, _)| *value)
    }

    fn run(&mut self, name: &str, policy: &Policy, now: f64) -> Taken {
        let (rate, capacity) = (f64::from(policy.replenish_rate()), policy.burst_capacity() as f64);
        let requested = f64::from(policy.requested_tokens());
        let (tokens, timestamp) = (format!("{name}.tokens"), format!("{name}.timestamp"));
        let fill_time = capacity / rate;
        let ttl = (2.0 * fill_time).floor();
        let last = self.get(&tokens, now).unwrap_or(capacity);
        let then = self.get(&timestamp, now).unwrap_or(0.0);
        let delta = (now - then).max(0.0);
        let filled = capacity.min(last + delta * rate);
        let allowed = filled >= requested;
        let new = if allowed { filled - requested } else { filled };
        if ttl > 0.0 {
            self.keys.insert(tokens, (new, now + ttl));
            self.keys.insert(timestamp, (now, now + ttl));
        }
        Taken { allowed, remaining: new as i64 }
    }
}

fn policies() -> impl Strategy<Value = Vec<(i32, i64, i32)>> {
    let rate = prop_oneof![1..4, 1..50, Just(i32::MAX)];
    let burst = prop_oneof![0..4_i64, 0..100_i64, Just(1 << 40)];
    let cost = prop_oneof![Just(1), 1..4, 1..60];
    prop::collection::vec((rate, burst, cost), 1..4)
}

/// Milliseconds before, the route, the key, and which policy.
type Call = (u64, usize, usize, prop::sample::Index);

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let pause = prop_oneof![6 => Just(0_u64), 3 => 0..1500_u64, 1 => 0..200_000_u64];
    prop::collection::vec((pause, 0..2_usize, 0..3_usize, any::<prop::sample::Index>()), 1..120)
}

proptest! {
    #[test]
    fn buckets_in_the_process_are_those_of_the_script(policies in policies(), calls in calls()) {
        let millis = Arc::new(AtomicU64::new(0));
        #[expect(clippy::disallowed_methods, reason = "any instant to count from")]
        let began = Instant::now();
        let told = Arc::clone(&millis);
        let clock: MonotonicClock =
            Arc::new(move || began + Duration::from_millis(told.load(Ordering::Relaxed)));
        let buckets = InProcessBuckets::new(clock);
        let mut script = Script::default();
        for (pause, route, key, which) in calls {
            let now = millis.fetch_add(pause, Ordering::Relaxed) + pause;
            let (rate, burst, cost) = *which.get(&policies);
            let policy = Policy::written(rate, burst, cost).unwrap();
            let (route, key) = (["a", "b"][route], ["", "k", "k|k"][key]);
            let expected = script.run(&format!("{{{route}.{key}}}"), &policy, (now / 1000) as f64);
            let taken = buckets.take_now(route, key.as_bytes(), &policy);
            prop_assert_eq!(taken, expected, "{:?} at {} ms", policy, now);
        }
    }
}
