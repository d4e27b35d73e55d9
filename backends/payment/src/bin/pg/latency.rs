//! How long a confirm takes before anything is decided.

use std::time::Duration;

use jiff::SignedDuration;

/// A time between two others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    least: Duration,
    most: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self { least: Duration::from_millis(300), most: Duration::from_millis(800) }
    }
}

impl Latency {
    /// As the seed's own pictures show it between request and result.
    const SLOW: Self = Self { least: Duration::from_secs(6), most: Duration::from_secs(17) };
    const ZERO: Self = Self { least: Duration::ZERO, most: Duration::ZERO };

    /// Reads the name of a profile, or a range.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "default" => Some(Self::default()),
            "slow" => Some(Self::SLOW),
            "zero" => Some(Self::ZERO),
            range => {
                let (least, most) = range.split_once('-')?;
                let (least, most) = (duration(least)?, duration(most)?);
                (least <= most).then_some(Self { least, most })
            }
        }
    }

    /// Waits for a time in between.
    pub(crate) async fn pass(self) {
        let wait = self.least + self.most.saturating_sub(self.least).mul_f64(fastrand::f64());
        if !wait.is_zero() {
            #[expect(clippy::disallowed_methods, reason = "it stands in for something slow")]
            tokio::time::sleep(wait).await;
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let duration: SignedDuration = text.trim().parse().ok()?;
    duration.try_into().ok()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_profile_takes_as_long_as_it_says() {
        for (text, least, most) in [
            ("default", 300, 800),
            ("slow", 6_000, 17_000),
            ("zero", 0, 0),
            ("1s - 2s", 1000, 2000),
        ] {
            for _ in 0..20 {
                let began = Instant::now();
                Latency::parse(text).unwrap().pass().await;
                let took = began.elapsed().as_millis();
                assert!((least..=most + 1).contains(&took), "{text}: {took}");
            }
        }
        assert_eq!(Latency::parse("default"), Some(Latency::default()));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "fast", "1s", "2s-1s", "-", "1s-x"] {
            assert_eq!(Latency::parse(text), None, "{text}");
        }
    }
}
