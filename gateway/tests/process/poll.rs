//! Waiting for something to happen, with a deadline.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::now;

/// How long anything may take that should be quick.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn until<T, F>(what: &str, mut ask: F) -> impl Future<Output = T>
where
    F: AsyncFnMut() -> Option<T>,
{
    let place = std::panic::Location::caller();
    async move {
        let begin = now();
        let mut ticks = interval(Duration::from_millis(1));
        loop {
            if let Some(value) = ask().await {
                return value;
            }
            assert!(begin.elapsed() < SOON, "{place}: waited too long for {what}");
            ticks.tick().await;
        }
    }
}

/// Bounds a wait for one thing.
#[track_caller]
pub(crate) fn soon<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        let Ok(value) = timeout(SOON, future).await else {
            panic!("{place}: waited too long for {what}");
        };
        value
    }
}
