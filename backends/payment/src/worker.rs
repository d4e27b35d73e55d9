//! What happens without a request: time runs out, payments in doubt are looked into, refunds are
//! tried again, announcements of the payment gateway are followed, payments that are done are looked
//! into once a day.
//!
//! Everything that is to be done stands in the store with the time at which it is due, so another
//! process, or the next one, goes on where this one stopped.

use std::time::Duration;

use serde_json::Value;
use service::clock::after;
use service::hands::Hands;
use service::stored::read;
use service::timing::delay;
use tokio::time::{MissedTickBehavior, interval};

use crate::cashier::{Cashier, Failure};
use crate::store::due::{DueRow, Kind};
use crate::store::{self, By, Record, due, events};

/// How many things are done at once.
const HANDS: usize = 16;
/// How many of one kind are looked up at once: more than can be under way.
const BATCH: i64 = 32;
/// How often the store is looked through at least.
const SLOWEST: Duration = Duration::from_millis(250);
/// How often what is counted is counted anew.
const COUNT: Duration = Duration::from_secs(2);

/// Whoever does what is due.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) cashier: Cashier,
}

impl Worker {
    /// Works until it is dropped.
    pub(crate) async fn run(self) {
        let fastest = delay(&self.cashier.timing.reconcile, 0).min(SLOWEST);
        let mut ticks = interval(fastest.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut counts = interval(COUNT);
        let mut hands = Hands::new(HANDS, self.cashier.timing.attempt_limit());
        let mut is_more = false;
        loop {
            tokio::select! {
                () = self.cashier.work.notified() => {}
                _ = ticks.tick() => {}
                // What it led to has told so; what was left may be done now.
                () = hands.is_free() => {
                    if !is_more {
                        continue;
                    }
                }
                _ = counts.tick() => {
                    match due::counts(self.cashier.database.pool()).await {
                        Ok(counts) => self.cashier.metrics.show(counts),
                        Err(error) => tracing::warn!(%error, "nothing can be counted now"),
                    }
                    continue;
                }
            }
            let cashier = &self.cashier;
            let now = cashier.clock.now();
            match due::due(cashier.database.pool(), now, BATCH, cashier.is_paused()).await {
                Ok(found) => {
                    is_more = false;
                    for job in found {
                        let key = (job.kind().ok(), job.id.clone());
                        is_more |= !hands.take_up(key, carry_out(cashier.clone(), job));
                    }
                }
                Err(error) => tracing::warn!(%error, "what is due cannot be looked up now"),
            }
        }
    }
}

async fn carry_out(cashier: Cashier, job: DueRow) {
    match try_to(&cashier, &job).await {
        Ok(()) => {}
        // Somebody else is at it, or was.
        Err(Failure::Leased | Failure::Raced) => tracing::debug!(?job, "left to others"),
        Err(error) => tracing::warn!(%error, ?job, "not done; once more soon"),
    }
}

async fn try_to(cashier: &Cashier, job: &DueRow) -> Result<(), Failure> {
    match job.kind()? {
        Kind::Expire => cashier.expire(read(&job.id)?).await,
        Kind::Reconcile => cashier.reconcile(read(&job.id)?).await,
        Kind::Look => cashier.look_into(read(&job.id)?).await.map(drop),
        Kind::Refund => cashier.refund(read(&job.id)?, read(&job.more)?).await,
        Kind::Follow => follow(cashier, job).await,
    }
}

/// Looks into what the payment gateway announced.
async fn follow(cashier: &Cashier, event: &DueRow) -> Result<(), Failure> {
    let pool = cashier.database.pool();
    let Some(found) = find(cashier, &event.more).await? else {
        tracing::info!(event = event.id, "it is about no payment of ours");
        return Ok(events::done(pool, &event.id, cashier.clock.now()).await?);
    };
    cashier.crash.pass("payment.webhook.before_query");
    match cashier.look_into_hint(&found).await {
        Ok(true) => Ok(events::done(pool, &event.id, cashier.clock.now()).await?),
        Ok(false) | Err(Failure::Leased | Failure::Raced) => {
            let attempt = usize::try_from(event.attempts).unwrap_or(usize::MAX);
            let until = after(cashier.clock.now(), delay(&cashier.timing.reconcile, attempt));
            Ok(events::put_off(pool, &event.id, until).await?)
        }
        Err(failure) => Err(failure),
    }
}

/// The payment that an announcement is about.
async fn find(cashier: &Cashier, body: &str) -> Result<Option<Record>, Failure> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let data = body.get("data").unwrap_or(&body);
    let member = |name| data.get(name).or_else(|| body.get(name)).and_then(Value::as_str);
    let order = member("orderId").map(|id| By::Order(id.to_owned()));
    let key = member("paymentKey").map(|key| By::PaymentKey(key.to_owned()));
    for by in [order, key].into_iter().flatten() {
        // What cannot be stored cannot have been.
        let is_text = match &by {
            By::Order(text) | By::PaymentKey(text) => !text.contains('\0'),
            By::Id(_) => true,
        };
        if !is_text {
            continue;
        }
        let mut connection = cashier.database.pool().acquire().await?;
        if let Some(record) = store::load(&mut connection, &by).await? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}
