//! Events of the other services: each becomes its deliveries, written down before the offset is
//! committed (NT-05). A slow provider never holds a partition up.

use std::sync::Arc;

use jiff::Timestamp;
use messaging::consumer::{Cause, Handler, Received, Trouble};
use messaging::inbox::{self, RecordError};
use messaging::relay::RelayHandle;
use messaging::topic::Topic;
use service::clock::{Clock, after};
use service::code::Code;
use service::crash::Crash;
use service::database::Database;
use service::timing::{Timing, delay};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::code::{Channel, Kind};
use crate::metrics::Metrics;
use crate::notice::Notice;
use crate::store::delivery::{self, New};
use crate::store::{self, Choice};
use crate::template::Templates;

/// Whoever listens.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) timing: Arc<Timing>,
    pub(crate) crash: Crash,
    pub(crate) templates: Arc<Templates>,
    pub(crate) relay: RelayHandle,
    pub(crate) metrics: Metrics,
    /// Told when there is something to deliver.
    pub(crate) work: Arc<Notify>,
}

impl Handler for Events {
    const GROUP: &'static str = "notification";
    const TOPICS: &'static [Topic] =
        &[Topic::ReservationEvent, Topic::PaymentEvent, Topic::TravelEvent];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        // Most events are told to nobody, and leave no trace.
        let Some(notice) = Notice::of(record)? else { return Ok(()) };
        let id = record.envelope.id;
        let now = self.clock.now();
        let mut transaction = self.database.write().await?;
        match inbox::record(&mut transaction, Self::GROUP, id, &[], now).await {
            Ok(()) => {}
            Err(RecordError::Taken) => {
                record.mark_duplicate();
                return Ok(());
            }
            Err(RecordError::Store(error)) => return Err(error.into()),
        }
        let choices = store::choices(&mut *transaction, notice.member_id).await?;
        let new = self.deliveries(id, &notice, &choices, now);
        let first = after(now, delay(&self.timing.notify_retry, 0));
        delivery::insert(&mut transaction, &new, (now, first)).await?;
        transaction.commit().await?;
        self.relay.wake();
        for new in &new {
            if new.delivered.is_some() {
                self.metrics.attempted(new.channel.code(), "SENT");
            } else {
                self.work.notify_one();
            }
        }
        self.crash.pass("notification.record.before_offset");
        Ok(())
    }

    /// There is nowhere else to leave it: the partition waits.
    async fn hand_over(&self, _: &Received, cause: &Cause) -> Result<(), Trouble> {
        Err(Trouble::Infrastructure(cause.to_string().into()))
    }
}

impl Events {
    /// One delivery for each channel that is on. What the member only reads here is delivered by
    /// being written down.
    fn deliveries<'a>(
        &self,
        source_event_id: Uuid,
        notice: &'a Notice,
        choices: &[Choice],
        now: Timestamp,
    ) -> Vec<New<'a>> {
        let is_late = notice.stale_after.is_some_and(|stale| stale <= now);
        let channels = Channel::ALL.iter().copied();
        let chosen = channels.filter(|channel| is_chosen(choices, notice.kind, *channel));
        let new = chosen.map(|channel| {
            let is_delivered = channel == Channel::InApp && !is_late;
            let delivered = is_delivered.then(|| {
                let worded = self.templates.word(notice.template, channel, &notice.values);
                (worded.title, worded.body)
            });
            New {
                source_event_id,
                kind: notice.kind,
                template: notice.template,
                channel,
                member_id: notice.member_id,
                destination: match channel {
                    Channel::InApp => Some(notice.member_id.to_string()),
                    Channel::Sms => notice.phone.clone(),
                    Channel::Email | Channel::Push | Channel::Webhook => None,
                },
                values: &notice.values,
                stale_after: notice.stale_after,
                delivered,
            }
        });
        new.collect()
    }
}

/// Whether a member gets such notices on a channel.
fn is_chosen(choices: &[Choice], kind: Kind, channel: Channel) -> bool {
    let choice = choices.iter().find(|choice| choice.kind == kind && choice.channel == channel);
    choice.map_or_else(|| channel.is_on_by_default(), |choice| choice.is_on)
}
