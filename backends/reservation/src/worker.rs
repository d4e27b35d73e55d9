//! What happens without a request: times come, steps are taken again, answers are forgotten.
//!
//! Everything that is to be done stands in the store with the time at which it is due, so another
//! process, or the next one, goes on where this one stopped.

use std::time::Duration;

use service::hands::Hands;
use service::stored::instant;
use service::timing::delay;
use tokio::time::{MissedTickBehavior, interval};

use crate::saga::{Failure, Saga};
use crate::store::due::DueRow;
use crate::store::{answers, due, steps};

/// How many things are done at once.
const HANDS: usize = 16;
/// How many of one kind are looked up at once: more than can be under way.
const BATCH: i64 = 32;
/// How often the store is looked through at least.
const SLOWEST: Duration = Duration::from_millis(250);
/// How often what is counted is counted anew.
const COUNT: Duration = Duration::from_secs(2);
/// How often old answers are forgotten, and how old they are then.
const FORGET: Duration = Duration::from_mins(10);
const ANSWERS_KEPT: Duration = Duration::from_hours(24);

/// Whoever does what is due.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) saga: Saga,
}

/// Something that is due.
#[derive(Debug)]
enum Job {
    Time(DueRow),
    Steps(String),
}

impl Job {
    /// Of what kind it is, and of which reservation.
    fn key(&self) -> (bool, String) {
        match self {
            Self::Time(row) => (false, row.reservation_id.clone()),
            Self::Steps(reservation_id) => (true, reservation_id.clone()),
        }
    }
}

impl Worker {
    /// Works until it is dropped.
    pub(crate) async fn run(self) {
        let fastest = delay(&self.saga.timing.step_retry_later, 0).min(SLOWEST);
        let mut ticks = interval(fastest.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut counts = interval(COUNT);
        let mut forgets = interval(FORGET);
        let mut hands = Hands::new(HANDS, self.saga.timing.attempt_limit());
        let mut is_more = false;
        loop {
            tokio::select! {
                () = self.saga.work.notified() => {}
                _ = ticks.tick() => {}
                // What it led to has told so; what was left may be done now.
                () = hands.is_free() => {
                    if !is_more {
                        continue;
                    }
                }
                _ = counts.tick() => {
                    self.count().await;
                    continue;
                }
                _ = forgets.tick() => {
                    self.forget().await;
                    continue;
                }
            }
            match self.due().await {
                Ok(found) => {
                    is_more = false;
                    for job in found {
                        is_more |= !hands.take_up(job.key(), carry_out(self.saga.clone(), job));
                    }
                }
                Err(error) => tracing::warn!(%error, "what is due cannot be looked up now"),
            }
        }
    }

    async fn due(&self) -> Result<Vec<Job>, sqlx::Error> {
        let pool = self.saga.database.pool();
        let now = instant(self.saga.clock.now());
        let steps = steps::due(pool, &now, BATCH).await?;
        let mut jobs: Vec<_> = steps.into_iter().map(Job::Steps).collect();
        jobs.extend(due::due(pool, &now, BATCH).await?.into_iter().map(Job::Time));
        Ok(jobs)
    }

    async fn count(&self) {
        match due::counts(self.saga.database.pool()).await {
            Ok(counts) => self.saga.metrics.show(&counts),
            Err(error) => tracing::warn!(%error, "nothing can be counted now"),
        }
    }

    async fn forget(&self) {
        let limit = self.saga.clock.now().checked_sub(ANSWERS_KEPT);
        let Ok(limit) = limit else { return };
        if let Err(error) = answers::forget(self.saga.database.pool(), &instant(limit)).await {
            tracing::warn!(%error, "old answers cannot be forgotten now");
        }
    }
}

async fn carry_out(saga: Saga, job: Job) {
    let outcome = match &job {
        Job::Time(row) => saga.come_due(row).await,
        Job::Steps(reservation_id) => saga.carry_out(reservation_id, false).await,
    };
    match outcome {
        Ok(()) => {}
        // Somebody else is at it, or was.
        Err(Failure::Leased | Failure::Raced | Failure::Past) => {
            tracing::debug!(?job, "left to others");
        }
        Err(error) => tracing::warn!(%error, ?job, "not done; once more soon"),
    }
}
