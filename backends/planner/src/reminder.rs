//! Tells members on the day before that their travel begins: from nine in the morning in Korea, once
//! for each travel, also after a restart.

use std::time::Duration;

use jiff::ToSpan;
use jiff::tz::{Offset, TimeZone};
use service::clock::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::store::Store;

/// How often it is looked for travels that begin tomorrow.
const EVERY: Duration = Duration::from_secs(30);
/// The hour at which it begins.
const HOUR: i8 = 9;

/// Whoever tells.
#[derive(Debug)]
pub(crate) struct Reminder {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
}

impl Reminder {
    /// Tells until it is dropped.
    pub(crate) async fn run(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(refusal) = self.remind().await {
                tracing::warn!(?refusal, "nobody can be told of a travel now");
            }
        }
    }

    /// Tells of every travel that begins tomorrow, once it is time; of how many.
    pub(crate) async fn remind(&self) -> Result<usize, crate::refusal::Refusal> {
        let korea = TimeZone::fixed(Offset::constant(9));
        if self.clock.now().to_zoned(korea).hour() < HOUR {
            return Ok(0);
        }
        let tomorrow = self.clock.today().saturating_add(1.day());
        let mut told = 0;
        loop {
            match self.store.tell_starting(tomorrow).await? {
                0 => return Ok(told),
                more => told += more,
            }
        }
    }
}

#[cfg(test)]
mod tests;
