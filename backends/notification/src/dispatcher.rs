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
use crate::sink::{Letter, Sink};
use crate::store::delivery::{self, DeliveryRow, End};
use crate::template::{Locale, Rendered, Templates, plain};

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
    pub(crate) sink: Sink,
    pub(crate) relay: RelayHandle,
    pub(crate) crash: Crash,
    /// Told when there is something to deliver.
    pub(crate) work: Arc<Notify>,
}

/// What became of one attempt.
enum Attempt {
    Sent(String, Rendered),
    Skipped(&'static str),
    /// It may go well later.
    Again(String),
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
            let error = Some("every attempt ended with its process");
            let failed = End { status: "FAILED", destination: None, rendered: None, error };
            return self.end(row, failed).await;
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
            Attempt::Again(error) => self.again(row, &error).await,
        }
    }

    /// Attempts that nobody brought to an end count, too: twice the schedule is enough.
    fn most_attempts(&self) -> usize {
        self.timing.notify_retry.len().saturating_mul(2)
    }

    /// Later, or never: the schedule has an end.
    async fn again(&self, row: &DeliveryRow, error: &str) -> Result<(), sqlx::Error> {
        let made = usize::try_from(row.attempts).unwrap_or(usize::MAX).saturating_add(1);
        if made >= self.timing.notify_retry.len() {
            let failed =
                End { status: "FAILED", destination: None, rendered: None, error: Some(error) };
            return self.end(row, failed).await;
        }
        let wait = delay(&self.timing.notify_retry, made).mul_f64(0.8 + fastrand::f64() * 0.4);
        let next = after(self.clock.now(), wait);
        delivery::put_off(
            self.database.pool(),
            &row.notification_id,
            &row.lease_owner,
            (next, error),
        )
        .await
    }

    async fn end(&self, row: &DeliveryRow, end: End<'_>) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut transaction = self.database.write().await?;
        if !delivery::end(&mut transaction, row, end, now).await? {
            return transaction.rollback().await;
        }
        transaction.commit().await?;
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
        let choice = row.choice.as_deref();
        if !choice.map_or_else(|| channel.is_on_by_default(), |choice| choice == "ON") {
            return Ok(Attempt::Skipped("the member does not want it"));
        }
        let destination = match self.destination(row, channel).await {
            Ok(Some(destination)) => destination,
            Ok(None) => return Ok(Attempt::Skipped("nobody knows where to")),
            Err(error) => return Ok(Attempt::Again(error)),
        };
        let rendered = self.word(row, channel);
        if channel == Channel::InApp {
            return Ok(Attempt::Sent(destination, rendered));
        }
        let letter = Letter {
            notification_id: &row.notification_id,
            channel,
            destination: &destination,
            rendered: &rendered,
        };
        if let Err(error) = self.sink.take(&letter).await {
            return Ok(Attempt::Again(format!("{}: {error}", self.sink.path().display())));
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

    fn word(&self, row: &DeliveryRow, channel: Channel) -> Rendered {
        let values = serde_json::from_str(&row.payload).unwrap_or_default();
        let code = &row.template_code;
        self.templates.render(code, Locale::Korean, channel, &values).unwrap_or_else(|error| {
            let version = self.templates.version();
            tracing::error!(%error, version, "a notice goes out in plain words");
            plain(code)
        })
    }
}

#[cfg(test)]
mod tests;
