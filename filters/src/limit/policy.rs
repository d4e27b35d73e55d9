//! The arithmetic of a token bucket, in whole seconds.

use crate::Invalid;

/// How many requests of one key are let through (`redis-rate-limiter.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    replenish_rate: u32,
    burst_capacity: u64,
    requested_tokens: u32,
}

/// What is kept of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// How many tokens were left.
    pub tokens: u64,
    /// When that was, in seconds from whatever the store counts from.
    pub at: u64,
}

/// What became of a request for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether they were there, and are taken.
    pub allowed: bool,
    /// How many are left; -1 if nobody knows.
    pub remaining: i64,
}

impl Policy {
    /// The most that `burstCapacity` may be, 2^53 - 1: Redis' scripts count in floating point.
    pub const MOST_BURST: u64 = (1 << 53) - 1;

    /// A policy built in code.
    ///
    /// # Errors
    ///
    /// As [`Policy::written`], and a burst below the rate, as the reference gateway's setters have
    /// it.
    pub fn new(rate: i32, burst: i64, requested: i32) -> Result<Self, Invalid> {
        if burst < i64::from(rate) {
            let problem = format!("`{burst}` is less than the replenish rate, {rate}");
            return Err(Invalid::argument(BURST, problem));
        }
        Self::written(rate, burst, requested)
    }

    /// A policy of a file, where a burst below the rate is fine.
    ///
    /// # Errors
    ///
    /// A rate or a cost below 1, a burst below 0 or above [`Policy::MOST_BURST`].
    pub fn written(rate: i32, burst: i64, requested: i32) -> Result<Self, Invalid> {
        let at_least_one = |field, number: i32| {
            let number = u32::try_from(number).ok().filter(|number| *number > 0);
            number.ok_or_else(|| Invalid::argument(field, format!("`{field}` must be at least 1")))
        };
        let replenish_rate = at_least_one(RATE, rate)
            .map_err(|problem| problem.with_help("write how many tokens a second come back"))?;
        let burst_capacity = u64::try_from(burst).ok().filter(|burst| *burst <= Self::MOST_BURST);
        let burst_capacity = burst_capacity.ok_or_else(|| {
            let problem = format!("`{BURST}` must be from 0 to {}", Self::MOST_BURST);
            Invalid::argument(BURST, problem)
        })?;
        let requested_tokens = at_least_one(REQUESTED, requested)?;
        Ok(Self { replenish_rate, burst_capacity, requested_tokens })
    }

    /// `replenishRate`: tokens that come back each second, at least 1.
    pub fn replenish_rate(&self) -> u32 {
        self.replenish_rate
    }

    /// `burstCapacity`: the most tokens there may be. Default 1.
    pub fn burst_capacity(&self) -> u64 {
        self.burst_capacity
    }

    /// `requestedTokens`: what a request costs, at least 1. Default 1.
    pub fn requested_tokens(&self) -> u32 {
        self.requested_tokens
    }

    /// Fills a bucket up to `now`, takes the tokens of one request if they are there, and gives what
    /// is to be kept. No bucket is a full one. A clock that went back fills nothing.
    pub fn take(&self, bucket: Option<Bucket>, now: u64) -> (Taken, Bucket) {
        let filled = match bucket {
            None => self.burst_capacity,
            Some(bucket) => {
                let seconds = now.saturating_sub(bucket.at);
                let fresh = seconds.saturating_mul(self.replenish_rate.into());
                bucket.tokens.saturating_add(fresh).min(self.burst_capacity)
            }
        };
        let left = filled.checked_sub(self.requested_tokens.into());
        let tokens = left.unwrap_or(filled);
        let remaining = i64::try_from(tokens).unwrap_or(i64::MAX);
        (Taken { allowed: left.is_some(), remaining }, Bucket { tokens, at: now })
    }

    /// How many seconds a bucket is kept: twice the time in which it fills. 0 is not at all, and
    /// then every request finds a full one.
    pub fn life(&self) -> u64 {
        2 * self.burst_capacity / u64::from(self.replenish_rate)
    }

    /// After how many seconds `remaining` tokens have become enough for a request more than they
    /// are for now; `None` if they never do.
    pub(crate) fn wait(&self, remaining: u64) -> Option<u64> {
        let cost = u64::from(self.requested_tokens);
        let missing = cost - remaining % cost;
        let is_possible = remaining + missing <= self.burst_capacity;
        is_possible.then(|| missing.div_ceil(self.replenish_rate.into()))
    }
}

/// The numbers of a policy as a file has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrittenLimit {
    /// `replenish-rate`.
    pub replenish_rate: Option<i32>,
    /// `burst-capacity`.
    pub burst_capacity: Option<i64>,
    /// `requested-tokens`.
    pub requested_tokens: Option<i32>,
}

impl WrittenLimit {
    /// The policy; `None` if nothing is written.
    ///
    /// # Errors
    ///
    /// As [`Policy::written`]; a rate that is not written is 0.
    pub fn policy(self) -> Result<Option<Policy>, Invalid> {
        if self == Self::default() {
            return Ok(None);
        }
        Policy::written(
            self.replenish_rate.unwrap_or(0),
            self.burst_capacity.unwrap_or(1),
            self.requested_tokens.unwrap_or(1),
        )
        .map(Some)
    }
}

/// The names of the three in a file.
const RATE: &str = "redis-rate-limiter.replenish-rate";
const BURST: &str = "redis-rate-limiter.burst-capacity";
const REQUESTED: &str = "redis-rate-limiter.requested-tokens";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_wait(policy: (i32, i64, i32), remaining: u64, expected: Option<u64>) {
        let (rate, burst, requested) = policy;
        let policy = Policy::written(rate, burst, requested).unwrap();
        assert_eq!(policy.wait(remaining), expected);
    }

    #[test]
    fn tells_how_long_to_wait_for_one_request_more() {
        check_wait((1, 3, 1), 0, Some(1));
        check_wait((1, 3, 1), 2, Some(1));
        check_wait((1, 3, 1), 3, None);
        check_wait((1, 60, 60), 0, Some(60));
        check_wait((1, 60, 60), 59, Some(1));
        check_wait((10, 20, 3), 0, Some(1));
        check_wait((2, 20, 5), 11, Some(2));
        check_wait((2, 20, 5), 16, Some(2));
        check_wait((2, 20, 7), 14, None);
        check_wait((1, 10, 20), 10, None);
        check_wait((1, 0, 1), 0, None);
    }

    #[test]
    fn a_burst_below_the_rate_is_for_files() {
        assert!(Policy::new(10, 5, 1).is_err());
        assert!(Policy::new(10, i64::MAX, 1).is_err());
        assert!(Policy::new(10, 10, 1).is_ok());
        assert!(Policy::written(10, 5, 1).is_ok());
    }

    #[test]
    fn a_bucket_that_is_not_kept_any_more_would_be_full() {
        for (rate, burst) in [(1, 1), (1, 10), (3, 7), (7, 3), (9, 5), (10, 4), (1 << 20, 1 << 40)]
        {
            let policy = Policy::written(rate, burst, 1).unwrap();
            let empty = Some(Bucket { tokens: 0, at: 0 });
            if policy.life() > 0 {
                let (taken, _) = policy.take(empty, policy.life());
                assert_eq!(taken.remaining, burst - 1, "{rate} {burst}");
            }
        }
    }
}
