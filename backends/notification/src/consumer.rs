//! Events of the other services: each becomes its deliveries, written down before the offset is
//! committed (NT-05). A slow provider never holds a partition up.

use std::sync::Arc;

use jiff::Timestamp;
use messaging::consumer::{Cause, Handler, Received, Trouble};
use messaging::inbox::{self, RecordError};
use messaging::topic::Topic;
use service::clock::Clock;
use service::code::Code;
use service::crash::Crash;
use service::database::Database;
use sqlx::AnyConnection;
use tokio::sync::Notify;
use uuid::Uuid;

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
        write_down(&mut transaction, id, &notice, &choices, now).await?;
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

/// One delivery for each channel that is on.
async fn write_down(
    connection: &mut AnyConnection,
    source_event_id: Uuid,
    notice: &Notice,
    choices: &[Choice],
    now: Timestamp,
) -> Result<(), Trouble> {
    let values = serde_json::to_string(&notice.values)
        .map_err(|error| Trouble::Permanent(error.to_string()))?;
    let channels = Channel::ALL.iter().copied();
    for channel in channels.filter(|channel| is_chosen(choices, notice.kind, *channel)) {
        let new = New {
            source_event_id,
            kind: notice.kind,
            template: notice.template,
            channel,
            member_id: notice.member_id,
            destination: notice.phone.as_deref().filter(|_| channel == Channel::Sms),
            values: &values,
            stale_after: notice.stale_after,
        };
        delivery::insert(connection, &new, now).await?;
    }
    Ok(())
}

/// Whether a member gets such notices on a channel.
fn is_chosen(choices: &[Choice], kind: Kind, channel: Channel) -> bool {
    let choice = choices.iter().find(|choice| choice.kind == kind && choice.channel == channel);
    choice.map_or_else(|| channel.is_on_by_default(), |choice| choice.is_on)
}
