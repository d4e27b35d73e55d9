//! What filters need of the process they run in.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Instant;

use crate::breaker::Breakers;
use crate::limit::{BucketStores, InProcessBuckets};

/// Gives the time, which only goes forward.
pub type MonotonicClock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What a filter is given when the table it stands in is put into use ([`crate::Filter::prepare`]).
///
/// The things in here outlive tables: a filter of the next table gets the same ones.
#[derive(Clone)]
pub struct Parts {
    /// The time.
    pub clock: MonotonicClock,
    /// Random numbers in [0, 1).
    pub random: fn() -> f64,
    /// Circuit breakers and bulkheads by name.
    pub breakers: Arc<Breakers>,
    /// Where rate limits are counted.
    pub buckets: BucketStores,
}

impl Parts {
    /// Parts of their own, with everything that counts in the process.
    pub fn in_process(clock: MonotonicClock, random: fn() -> f64) -> Self {
        Self {
            breakers: Arc::new(Breakers::new(Arc::clone(&clock), random)),
            buckets: BucketStores::only(Arc::new(InProcessBuckets::new(Arc::clone(&clock)))),
            clock,
            random,
        }
    }
}

impl Debug for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parts").finish_non_exhaustive()
    }
}
