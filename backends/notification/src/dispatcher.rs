//! Makes deliveries, each under a lease, and tries again what a provider did not take (8.5).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use messaging::relay::RelayHandle;
use service::clock::{Clock, after};
use service::crash::Crash;
use service::database::Database;
use service::stored::{read, read_code};
use service::timing::{Timing, delay};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::code::Channel;
use crate::contacts::Contacts;
use crate::metrics::Metrics;
use crate::provider::{Letter, Providers, Undelivered};
use crate::store::delivery::{self, DeliveryRow, End};
use crate::template::{Rendered, Templates};

/// How many deliveries are made at once.
const HANDS: usize = 16;
/// How often the store is looked through at least.
const SLOWEST: Duration = Duration::from_millis(250);

/// Whoever delivers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Dispatcher {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) timing: Arc<Timing>,
    pub(crate) templates: Arc<Templates>,
    /// Nobody to be asked for an address when there is none.
    pub(crate) contacts: Option<Contacts>,
    pub(crate) providers: Providers,
    pub(crate) relay: RelayHandle,
    pub(crate) crash: Crash,
    pub(crate) metrics: Metrics,
    /// Told when there is something to deliver.
    pub(crate) work: Arc<Notify>,
}

/// What became of one attempt.
enum Attempt {
    Sent(String, Rendered),
    Skipped(&'static str),
    /// It went wrong, and may go well later or not.
    Failed(Undelivered),
}

impl Dispatcher {
    /// Delivers until it is dropped.
    pub(crate) async fn run(self) {
        let mut ticks = interval(SLOWEST);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut jobs = JoinSet::new();
        let mut is_more = false;
        loop {
            tokio::select! {
                () = self.work.notified() => {}
                _ = ticks.tick() => {}
                // What was left may be done now.
                Some(_) = jobs.join_next() => {
                    if !is_more {
                        continue;
                    }
                }
            }
            let free = HANDS.saturating_sub(jobs.len());
            if free == 0 {
                continue;
            }
            match self.take(free).await {
                Ok(rows) => {
                    is_more = rows.len() == free;
                    for row in rows {
                        jobs.spawn(self.clone().deliver(row));
                    }
                }
                Err(error) => tracing::warn!(%error, "what is to be sent cannot be looked up now"),
            }
        }
    }

    async fn take(&self, most: usize) -> Result<Vec<DeliveryRow>, sqlx::Error> {
        let owner = Uuid::now_v7().to_string();
        let now = self.clock.now();
        let until = after(now, self.timing.step_lease);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        delivery::take_due(self.database.pool(), &owner, (now, until), most).await
    }

    async fn deliver(self, row: DeliveryRow) {
        if let Err(error) = self.try_deliver(&row).await {
            let id = &row.notification_id;
            tracing::warn!(%error, id, "a delivery is left to its lease");
        }
    }

    async fn try_deliver(&self, row: &DeliveryRow) -> Result<(), sqlx::Error> {
        if usize::try_from(row.attempts).unwrap_or(usize::MAX) >= self.most_attempts() {
            return self.fail(row, "every attempt ended with its process").await;
        }
        match self.attempt(row).await? {
            Attempt::Sent(destination, rendered) => {
                let end = End {
                    status: "SENT",
                    destination: Some(&destination),
                    rendered: Some((&rendered.title, &rendered.body)),
                    error: None,
                };
                self.end(row, end).await
            }
            Attempt::Skipped(reason) => {
                let skipped = End {
                    status: "SKIPPED",
                    destination: None,
                    rendered: None,
                    error: Some(reason),
                };
                self.end(row, skipped).await
            }
            Attempt::Failed(Undelivered::Never(error)) => self.fail(row, &error).await,
            Attempt::Failed(Undelivered::Later(error)) => self.again(row, &error, false).await,
            Attempt::Failed(Undelivered::Unknown(error)) => self.again(row, &error, true).await,
        }
    }

    /// Attempts that nobody brought to an end count, too: twice the schedule is enough.
    fn most_attempts(&self) -> usize {
        self.timing.notify_retry.len().saturating_mul(2)
    }

    /// Later, or never: the schedule has an end, and so has what may have arrived.
    async fn again(
        &self,
        row: &DeliveryRow,
        error: &str,
        is_unknown: bool,
    ) -> Result<(), sqlx::Error> {
        let made = usize::try_from(row.attempts).unwrap_or(usize::MAX).saturating_add(1);
        let is_last = is_unknown && row.unknowns >= most_unknowns(read_code(&row.channel)?);
        if is_last || made >= self.timing.notify_retry.len() {
            return self.fail(row, error).await;
        }
        let wait = delay(&self.timing.notify_retry, made).mul_f64(0.8 + fastrand::f64() * 0.4);
        let next = after(self.clock.now(), wait);
        if delivery::put_off(self.database.pool(), row, (next, is_unknown), error).await? {
            self.metrics.attempted(&row.channel, "RETRY");
        }
        Ok(())
    }

    async fn fail(&self, row: &DeliveryRow, error: &str) -> Result<(), sqlx::Error> {
        let failed =
            End { status: "FAILED", destination: None, rendered: None, error: Some(error) };
        self.end(row, failed).await
    }

    async fn end(&self, row: &DeliveryRow, end: End<'_>) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        if end.status == "SKIPPED" {
            // Nobody is told of it.
            let mut connection = self.database.pool().acquire().await?;
            if delivery::end(&mut connection, row, end, now).await? {
                self.metrics.attempted(&row.channel, end.status);
            }
            return Ok(());
        }
        let mut transaction = self.database.write().await?;
        if !delivery::end(&mut transaction, row, end, now).await? {
            return transaction.rollback().await;
        }
        transaction.commit().await?;
        self.metrics.attempted(&row.channel, end.status);
        self.relay.wake();
        Ok(())
    }

    async fn attempt(&self, row: &DeliveryRow) -> Result<Attempt, sqlx::Error> {
        let channel: Channel = read_code(&row.channel)?;
        if let Some(stale) = row.stale_after.as_deref().map(read::<Timestamp>).transpose()?
            && stale <= self.clock.now()
        {
            return Ok(Attempt::Skipped("it is out of date"));
        }
        if row.unknowns > most_unknowns(channel) {
            let error = "nobody knows whether it has arrived";
            return Ok(Attempt::Failed(Undelivered::Never(error.to_owned())));
        }
        let choice = row.choice.as_deref();
        if !choice.map_or_else(|| channel.is_on_by_default(), |choice| choice == "ON") {
            return Ok(Attempt::Skipped("the member does not want it"));
        }
        let destination = match self.destination(row, channel).await {
            Ok(Some(destination)) => destination,
            Ok(None) => return Ok(Attempt::Skipped("nobody knows where to")),
            Err(error) => return Ok(Attempt::Failed(Undelivered::Later(error))),
        };
        let values = serde_json::from_str(&row.payload).unwrap_or_default();
        let rendered = self.templates.word(&row.template_code, channel, &values);
        if channel == Channel::InApp {
            return Ok(Attempt::Sent(destination, rendered));
        }
        let letter = Letter {
            notification_id: &row.notification_id,
            channel,
            destination: &destination,
            rendered: &rendered,
        };
        if let Err(undelivered) = self.providers.deliver(&letter).await {
            return Ok(Attempt::Failed(undelivered));
        }
        self.crash.pass("notification.send.after_sink");
        Ok(Attempt::Sent(destination, rendered))
    }

    /// Where it goes to; nothing when nobody knows.
    async fn destination(
        &self,
        row: &DeliveryRow,
        channel: Channel,
    ) -> Result<Option<String>, String> {
        match (channel, &self.contacts) {
            (Channel::InApp, _) => Ok(Some(row.member_id.to_string())),
            (Channel::Email, Some(contacts)) => {
                contacts.email(row.member_id).await.map_err(|error| format!("member: {error}"))
            }
            (Channel::Email, None) => Ok(None),
            // A device or an address of a chat room is told by nobody yet.
            (Channel::Sms | Channel::Push | Channel::Webhook, _) => Ok(row.destination.clone()),
        }
    }
}

/// After how many attempts that may have arrived there is another one. Mail has an id that tells
/// repeats apart; a text message is read twice.
fn most_unknowns(channel: Channel) -> i64 {
    match channel {
        Channel::Sms => 1,
        Channel::InApp | Channel::Email | Channel::Push | Channel::Webhook => i64::MAX,
    }
}

#[cfg(test)]
mod tests;
