//! What may be said about a handful of paired measurements.

use std::fmt;

/// A median and the interval it lies in with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The median of what was measured.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// How often the sample is drawn again.
const RESAMPLES: usize = 10_000;

impl Estimate {
    /// The median of `sample`, and its interval by the percentile bootstrap. The same sample gives
    /// the same interval.
    pub fn of(sample: &[f64]) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let drawn = sample.iter().filter_map(|_| random.choice(sample).copied());
                median(&drawn.collect::<Vec<f64>>())
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let at = |position: usize| medians.get(position).copied().unwrap_or(f64::NAN);
        Self { median: median(sample), low: at(RESAMPLES / 40), high: at(RESAMPLES * 39 / 40) }
    }

    /// Whether the whole interval lies above `bound`: the one case in which a comparison fails.
    pub fn is_above(&self, bound: f64) -> bool {
        self.low > bound
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3} [{:.3}, {:.3}]", self.median, self.low, self.high)
    }
}

/// The middle of a sample; not a number if it is empty.
pub fn median(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |position: usize| sorted.get(position).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// The value that `percent` of a sorted sample do not exceed; nothing if it is empty.
pub fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn an_outlier_does_not_fail_a_comparison() {
        let estimate = Estimate::of(&[1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 9.0]);
        assert!(!estimate.is_above(1.05), "{estimate}");
        assert!(Estimate::of(&[1.2; 7]).is_above(1.15));
        assert!(!Estimate::of(&[1.1; 7]).is_above(1.15));
    }
}
