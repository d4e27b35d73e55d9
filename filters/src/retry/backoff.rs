//! How long to wait before another attempt (`resilience.md` 4.3).

use std::time::Duration;

/// How long to wait before another attempt: longer each time, between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// `firstBackoff`: the first wait, and the shortest. Default 5 ms.
    pub first: Duration,
    /// `maxBackoff`: the longest wait. Default: none.
    pub most: Option<Duration>,
    /// `factor`: what a wait is multiplied with for the next. Default 2.
    pub factor: i32,
    /// `basedOnPreviousValue`: whether it is multiplied as it was with its jitter. Default true.
    pub is_based_on_previous: bool,
    /// `jitter.randomFactor`: how far a wait may be off, as a part of it from 0 to 1. Default: none.
    pub jitter: Option<f64>,
}

/// No wait is longer, whatever the file says.
const LONGEST: Duration = Duration::from_hours(24);

impl Backoff {
    /// How long to wait before the `turn`-th attempt after the first, from 1. `previous` is the wait
    /// before that, jitter included, and `draw` gives a random number in [0, 1).
    pub fn wait(
        &self,
        turn: u32,
        previous: Option<Duration>,
        draw: impl FnOnce() -> f64,
    ) -> Duration {
        let most = self.most.map_or(LONGEST, |most| most.min(LONGEST));
        let grown = if self.is_based_on_previous {
            times(previous.unwrap_or_default(), self.factor.into())
        } else {
            let power = i64::from(self.factor).saturating_pow(turn.saturating_sub(1));
            times(self.first, power)
        };
        let wait = grown.unwrap_or(most).max(self.first).min(most);
        match self.jitter {
            Some(factor) => self.jittered(wait, most, factor, draw),
            None => wait,
        }
    }

    /// Whole milliseconds more or less, within the bounds.
    fn jittered(
        &self,
        wait: Duration,
        most: Duration,
        factor: f64,
        draw: impl FnOnce() -> f64,
    ) -> Duration {
        let offset = wait.mul_f64(factor);
        let less = whole(offset.min(wait.saturating_sub(self.first)));
        let more = whole(offset.min(most.saturating_sub(wait)));
        let room = less + more;
        // Rounded, the largest number would reach the end, which is not a part of it.
        let end = room.saturating_sub(Duration::from_nanos(1));
        wait.saturating_sub(less) + whole(room.mul_f64(draw().clamp(0.0, 1.0)).min(end))
    }
}

/// A product; what is less than nothing is nothing, and `None` is too much.
fn times(duration: Duration, factor: i64) -> Option<Duration> {
    let Ok(factor) = u128::try_from(factor) else { return Some(Duration::ZERO) };
    let nanos = duration.as_nanos().checked_mul(factor)?;
    let whole = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(whole, rest))
}

fn whole(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn backoff(first: u32, most: Option<u32>) -> Backoff {
        Backoff {
            first: MILLI * first,
            most: most.map(|most| MILLI * most),
            factor: 2,
            is_based_on_previous: true,
            jitter: None,
        }
    }

    /// The waits before so many attempts, with these random numbers.
    #[track_caller]
    fn check(backoff: &Backoff, draws: &[f64], expected: &[u128]) {
        let mut previous = None;
        let mut waits = Vec::new();
        for (turn, draw) in (1..).zip(draws) {
            let wait = backoff.wait(turn, previous, || *draw);
            previous = Some(wait);
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, expected);
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        check(&backoff(10, Some(50)), &[0.0; 5], &[10, 20, 40, 50, 50]);
        let powers = Backoff { is_based_on_previous: false, factor: 3, ..backoff(10, Some(500)) };
        check(&powers, &[0.0; 5], &[10, 30, 90, 270, 500]);
    }

    #[test]
    fn no_factor_makes_them_shorter_than_the_first() {
        for factor in [1, 0, -1, i32::MIN] {
            check(&Backoff { factor, ..backoff(10, None) }, &[0.0; 3], &[10, 10, 10]);
        }
    }

    #[test]
    fn waits_that_no_number_holds_are_the_longest() {
        let huge = Backoff { factor: i32::MAX, is_based_on_previous: false, ..backoff(1000, None) };
        assert_eq!(huge.wait(62, None, || 0.0), LONGEST);
        assert_eq!(Backoff { most: Some(MILLI), ..huge }.wait(62, None, || 0.0), MILLI);
    }

    #[test]
    fn jitter_stays_within_the_bounds_and_carries_over() {
        let even = Backoff { jitter: Some(0.5), ..backoff(100, Some(250)) };
        // No less than the first: 100 to 150. Then 150 x 2 is cut to 250, less up to 125.
        check(&even, &[0.0, 0.0], &[100, 100]);
        check(&even, &[0.999, 0.999], &[149, 249]);
        check(&even, &[0.5, 0.0], &[125, 125]);
        check(&Backoff { jitter: Some(0.0), ..even }, &[0.9, 0.9], &[100, 200]);
    }
}
