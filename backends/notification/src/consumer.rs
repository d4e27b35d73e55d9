//! Events of the other services: each becomes its deliveries, written down before the offset is
//! committed (NT-05). A slow provider never holds a partition up.

use std::sync::Arc;

use messaging::consumer::{Cause, Handler, Received, Trouble};
use messaging::inbox;
use messaging::topic::Topic;
use service::clock::Clock;
use service::code::Code;
use service::crash::Crash;
use service::database::Database;
use tokio::sync::Notify;

use crate::code::{Channel, Kind};
use crate::notice::Notice;
use crate::store::delivery::{self, New};
use crate::store::{self, Choice};

/// Whoever listens.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) crash: Crash,
    /// Told when there is something to deliver.
    pub(crate) work: Arc<Notify>,
}

impl Handler for Events {
    const GROUP: &'static str = "notification";
    const TOPICS: &'static [Topic] =
        &[Topic::ReservationEvent, Topic::PaymentEvent, Topic::TravelEvent];

    async fn handle(&self, record: &Received) -> Result<(), Trouble> {
        let id = record.envelope.id;
        let pool = self.database.pool();
        let mut connection = pool.acquire().await?;
        if inbox::find(&mut connection, Self::GROUP, id).await?.is_some() {
            record.mark_duplicate();
            return Ok(());
        }
        drop(connection);
        let notice = Notice::of(record)?;
        let choices = match &notice {
            Some(notice) => store::choices(pool, notice.member_id).await?,
            None => Vec::new(),
        };
        let now = self.clock.now();
        let mut transaction = self.database.write().await?;
        if let Some(notice) = &notice {
            let values = serde_json::to_string(&notice.values)
                .map_err(|error| Trouble::Permanent(error.to_string()))?;
            for channel in
                Channel::ALL.iter().copied().filter(|channel| is_on(&choices, notice, *channel))
            {
                let new = New {
                    source_event_id: id,
                    kind: notice.kind,
                    template: notice.template,
                    channel,
                    member_id: notice.member_id,
                    destination: notice.phone.as_deref().filter(|_| channel == Channel::Sms),
                    values: &values,
                    stale_after: notice.stale_after,
                };
                delivery::insert(&mut transaction, &new, now).await?;
            }
        }
        inbox::record(&mut transaction, Self::GROUP, id, &[], now).await?;
        transaction.commit().await?;
        self.work.notify_one();
        self.crash.pass("notification.record.before_offset");
        Ok(())
    }

    /// There is nowhere else to leave it: the partition waits.
    async fn hand_over(&self, _: &Received, cause: &Cause) -> Result<(), Trouble> {
        Err(Trouble::Infrastructure(cause.to_string().into()))
    }
}

/// Whether a member gets such notices on a channel.
pub(crate) fn is_chosen(choices: &[Choice], kind: Kind, channel: Channel) -> bool {
    let choice = choices.iter().find(|choice| choice.kind == kind && choice.channel == channel);
    choice.map_or_else(|| channel.is_on_by_default(), |choice| choice.is_on)
}

fn is_on(choices: &[Choice], notice: &Notice, channel: Channel) -> bool {
    is_chosen(choices, notice.kind, channel)
}
