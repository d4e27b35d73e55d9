//! Errors with what is behind them.

use std::error::Error;
use std::iter;

/// A text about an error, and behind it the error's causes, the nearest first: `text: cause: cause`.
#[must_use]
pub fn with_causes(text: String, error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(text, |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("level {level}")]
    struct Level {
        level: u32,
        source: Option<Box<Level>>,
    }

    #[test]
    fn every_cause_is_told_the_nearest_first() {
        let nested = |level, source| Level { level, source };
        let deepest = Box::new(nested(3, None));
        let error = nested(1, Some(Box::new(nested(2, Some(deepest)))));
        assert_eq!(with_causes("it failed".to_owned(), &error), "it failed: level 2: level 3");
        assert_eq!(with_causes("it failed".to_owned(), &nested(1, None)), "it failed");
    }
}
