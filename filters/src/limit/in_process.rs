//! Buckets in the memory of the process.

use std::fmt::{self, Debug};
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::{Bucket, Buckets, Policy, Taken};
use crate::{Hook, MonotonicClock};

/// So many that requests of different keys seldom meet.
const SHARDS: usize = 64;

/// How many buckets a shard fills before it lets the older ones go: what a hash table of 8192 slots
/// takes.
const GENERATION: usize = 7168;

/// How often ended buckets are swept out, in seconds.
const SWEEP_EVERY: u64 = 60;

/// Buckets in the memory of the process: those of Redis, but for the server's clock.
///
/// Each key takes 40 bytes, however long it is, and goes when its bucket would be full again. A
/// client that makes up keys cannot fill the memory: beyond 450,000 keys the ones that nobody used
/// for the longest time are forgotten, and are full if they come back. That is 45 MB at most.
pub struct InProcessBuckets {
    clock: MonotonicClock,
    began: Instant,
    shards: Box<[Mutex<Shard>]>,
    /// Two secrets, so that nobody can make up keys that share a bucket.
    hashers: [RandomState; 2],
}

/// A route and a key.
type Name = (u64, u64);

#[derive(Default)]
struct Shard {
    /// Used since the shard was last full.
    young: FxHashMap<Name, Entry>,
    /// Used before that.
    old: FxHashMap<Name, Entry>,
    next_sweep: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    bucket: Bucket,
    ends_at: u64,
}

impl InProcessBuckets {
    /// No buckets yet; they are filled by `clock`.
    pub fn new(clock: MonotonicClock) -> Self {
        let began = clock();
        Self {
            clock,
            began,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// Takes the tokens of one request.
    pub fn take_now(&self, route: &str, key: &[u8], policy: &Policy) -> Taken {
        let now = (self.clock)().saturating_duration_since(self.began).as_secs();
        let [one, two] = &self.hashers;
        let name = (one.hash_one((route, key)), two.hash_one((route, key)));
        let shards = u64::try_from(self.shards.len()).unwrap_or(1);
        let at = usize::try_from(name.0 % shards).unwrap_or_default();
        let Some(shard) = self.shards.get(at) else {
            return policy.take(None, now).0;
        };
        lock(shard).take(name, policy, now)
    }

    /// How many buckets there are, ended ones included until they are swept out.
    pub fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = lock(shard);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(count).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn take(&mut self, name: Name, policy: &Policy, now: u64) -> Taken {
        let is_live = |entry: &Entry| now < entry.ends_at;
        let young = self.young.get(&name).copied();
        let known = young.or_else(|| self.old.remove(&name)).filter(is_live);
        let (taken, bucket) = policy.take(known.map(|entry| entry.bucket), now);
        let life = policy.life();
        if life > 0 {
            if now >= self.next_sweep {
                self.sweep(now);
            }
            if self.young.len() >= GENERATION && young.is_none() {
                self.old = mem::take(&mut self.young);
            }
            let entry = Entry { bucket, ends_at: now.saturating_add(life) };
            self.young.insert(name, entry);
        }
        taken
    }

    fn sweep(&mut self, now: u64) {
        self.next_sweep = now + SWEEP_EVERY;
        for entries in [&mut self.young, &mut self.old] {
            entries.retain(|_, entry| now < entry.ends_at);
            if entries.capacity() > 4 * entries.len() {
                entries.shrink_to(2 * entries.len());
            }
        }
    }
}

impl Buckets for InProcessBuckets {
    fn take(&self, route: &str, key: &[u8], policy: &Policy) -> Hook<'_, Taken> {
        Hook::Ready(Ok(self.take_now(route, key, policy)))
    }
}

/// How many, not whose.
impl Debug for InProcessBuckets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InProcessBuckets").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn buckets() -> (InProcessBuckets, Arc<AtomicU64>) {
        let millis = Arc::new(AtomicU64::new(0));
        #[expect(clippy::disallowed_methods, reason = "any instant to count from")]
        let began = Instant::now();
        let told = Arc::clone(&millis);
        let clock = move || began + Duration::from_millis(told.load(Ordering::Relaxed));
        (InProcessBuckets::new(Arc::new(clock)), millis)
    }

    fn policy(rate: i32, burst: i64) -> Policy {
        Policy::written(rate, burst, 1).unwrap()
    }

    #[test]
    fn keys_and_routes_have_buckets_of_their_own() {
        let (buckets, _) = buckets();
        let take =
            |route, key: &str| buckets.take_now(route, key.as_bytes(), &policy(1, 1)).allowed;
        assert!(take("a", "bc"));
        assert!(!take("a", "bc"));
        assert!(take("ab", "c"));
        assert!(take("a", ""));
        assert!(take("", "abc"));
    }

    #[test]
    fn made_up_keys_do_not_fill_the_memory() {
        let (buckets, _) = buckets();
        for number in 0_u64..1_200_000 {
            buckets.take_now("r", &number.to_le_bytes(), &policy(1, 1000));
        }
        let most = 2 * SHARDS * GENERATION;
        assert!(buckets.len() > most / 3 && buckets.len() <= most, "{}", buckets.len());
        // One that is in use is not forgotten.
        let mut left = 1000;
        for number in 0_u64..500_000 {
            if number % 1000 == 0 {
                left -= 1;
                let taken = buckets.take_now("r", b"in use", &policy(1, 1000));
                assert_eq!(taken.remaining, left);
            }
            buckets.take_now("s", &number.to_le_bytes(), &policy(1, 1000));
        }
    }

    #[test]
    fn ended_buckets_are_swept_out() {
        let (buckets, millis) = buckets();
        for number in 0_u64..10_000 {
            buckets.take_now("r", &number.to_le_bytes(), &policy(1, 5));
        }
        assert_eq!(buckets.len(), 10_000);
        millis.store(61_000, Ordering::Relaxed);
        for number in 0_u64..2_000 {
            buckets.take_now("s", &number.to_le_bytes(), &policy(1, 5));
        }
        assert_eq!(buckets.len(), 2_000);
        let capacity: usize = buckets.shards.iter().map(|shard| lock(shard).young.capacity()).sum();
        assert!(capacity < 8_000, "{capacity}");
    }

    /// R1.10-limiter-06
    #[test]
    fn as_many_as_the_burst_are_let_through_at_once() {
        let (buckets, _) = buckets();
        let allowed = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..30 {
                scope.spawn(|| {
                    if buckets.take_now("r", b"k", &policy(10, 20)).allowed {
                        allowed.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 20);
    }
}
