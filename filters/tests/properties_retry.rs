//! Waits between attempts are those of a slow and obvious reference.

#![expect(clippy::tests_outside_test_module, reason = "a test program")]

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tollgate_filters::retry::Backoff;

/// A day in milliseconds.
const DAY: i128 = 86_400_000;

/// What a file may say, in whole milliseconds.
#[derive(Debug, Clone, Copy)]
struct Written {
    first: u32,
    most: Option<u32>,
    factor: i32,
    is_based_on_previous: bool,
    /// Hundredths.
    jitter: Option<u8>,
}

fn written() -> impl Strategy<Value = Written> {
    let factor = prop_oneof![Just(0), Just(1), Just(2), -3..8_i32, any::<i32>()];
    let first = prop_oneof![1..200_u32, 1..100_000_000_u32];
    (first, option::of(0..5000_u32), factor, any::<bool>(), option::of(0..=100_u8)).prop_map(
        |(first, above, factor, is_based_on_previous, jitter)| Written {
            first,
            most: above.map(|above| first + above),
            factor,
            is_based_on_previous,
            jitter,
        },
    )
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

impl Written {
    fn backoff(self) -> Backoff {
        Backoff {
            first: millis(self.first),
            most: self.most.map(millis),
            factor: self.factor,
            is_based_on_previous: self.is_based_on_previous,
            jitter: self.jitter.map(|hundredths| f64::from(hundredths) / 100.0),
        }
    }

    /// The bounds of a wait, in milliseconds: from the first up to the second, which it does not
    /// reach unless they are the same.
    fn bounds(self, turn: u32, previous: i128) -> (i128, i128) {
        let first = i128::from(self.first);
        let most = self.most.map_or(DAY, i128::from).min(DAY);
        let factor = i128::from(self.factor);
        let mut wait = if self.is_based_on_previous { previous } else { first };
        let times = if self.is_based_on_previous { 1 } else { turn - 1 };
        for _ in 0..times {
            // Large enough not to matter any more, and never too large to be multiplied.
            wait = (wait * factor).clamp(-DAY * 1_000_000_000, DAY * 1_000_000_000);
        }
        let wait = wait.max(first).min(most);
        let offset = wait * i128::from(self.jitter.unwrap_or(0)) / 100;
        let least = (wait - offset).max(first.min(most));
        (least, (wait + offset).min(most))
    }
}

proptest! {
    #[test]
    fn every_wait_is_within_the_bounds_of_the_reference(
        written in written(),
        draws in vec(0.0..1.0_f64, 1..12),
    ) {
        let backoff = written.backoff();
        let mut previous: Option<Duration> = None;
        for (turn, draw) in (1..).zip(draws) {
            let before = previous.map_or(0, |wait| i128::try_from(wait.as_millis()).unwrap_or_default());
            let (least, most) = written.bounds(turn, before);
            let wait = backoff.wait(turn, previous, || draw);
            let found = i128::try_from(wait.as_millis()).unwrap_or_default();
            prop_assert_eq!(wait.subsec_nanos() % 1_000_000, 0);
            prop_assert!(
                least <= found && (found < most || least == most),
                "turn {turn} after {before}: {found} is not from {least} to {most}"
            );
            previous = Some(wait);
        }
    }

    #[test]
    fn the_smallest_number_gives_the_lower_bound_and_the_largest_the_upper(
        written in written(),
        turn in 1..12_u32,
        before in option::of(0..1_000_000_u32),
    ) {
        let backoff = written.backoff();
        let (least, most) = written.bounds(turn, before.map_or(0, i128::from));
        let wait = |draw: f64| {
            let wait = backoff.wait(turn, before.map(millis), || draw);
            i128::try_from(wait.as_millis()).unwrap_or_default()
        };
        prop_assert_eq!(wait(0.0), least);
        prop_assert_eq!(wait(1.0_f64.next_down()), if least == most { least } else { most - 1 });
    }
}
