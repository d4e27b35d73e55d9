//! Messages that nobody can read: kept with the reason, and sent again once it is gone (7.6).

use std::sync::Arc;

use jiff::Timestamp;
use service::stored::instant;

use crate::broker::{Broker, BrokerError, Placed, Record, Slot};
use crate::envelope::header;
use crate::topic::Topic;

/// Names of the headers that tell of a dead letter.
pub mod dlt {
    /// Why, as a code.
    pub const REASON: &str = "dlt-reason";
    /// Why, for people.
    pub const EXCEPTION: &str = "dlt-exception";
    /// Where it stood.
    pub const ORIGINAL_TOPIC: &str = "dlt-original-topic";
    /// Where it stood.
    pub const ORIGINAL_PARTITION: &str = "dlt-original-partition";
    /// Where it stood.
    pub const ORIGINAL_OFFSET: &str = "dlt-original-offset";
    /// How often it was tried.
    pub const ATTEMPTS: &str = "dlt-attempts";
    /// When it was first tried.
    pub const FIRST_SEEN: &str = "dlt-first-seen";
    /// Who gave it up.
    pub const GROUP: &str = "dlt-group";
}

/// Headers of a dead letter begin so.
const PREFIX: &str = "dlt-";
/// A text of a reason beyond this is cut.
const EXCEPTION_LIMIT: usize = 1000;

/// Why a record is given up.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    pub(crate) attempts: usize,
    pub(crate) first_seen: Timestamp,
    pub(crate) group: &'static str,
}

/// The record that takes a dead letter's place.
pub(crate) fn letter(placed: &Placed, topic: Topic, reason: &Reason) -> Record {
    let text: String = reason.text.chars().take(EXCEPTION_LIMIT).collect();
    let mut record = placed.record.clone();
    record.headers.retain(|(name, _)| !name.starts_with(PREFIX));
    let told = [
        (dlt::REASON, reason.code.to_owned()),
        (dlt::EXCEPTION, text),
        (dlt::ORIGINAL_TOPIC, topic.name().to_owned()),
        (dlt::ORIGINAL_PARTITION, placed.partition.to_string()),
        (dlt::ORIGINAL_OFFSET, placed.offset.to_string()),
        (dlt::ATTEMPTS, reason.attempts.to_string()),
        (dlt::FIRST_SEEN, instant(reason.first_seen)),
        (dlt::GROUP, reason.group.to_owned()),
    ];
    record.headers.extend(told.map(|(name, value)| (name.to_owned(), value)));
    record.topic = topic.dead_letters();
    record
}

/// Dead letters of a topic from an offset on, the oldest first.
pub async fn list(
    broker: &Broker,
    topic: Topic,
    from: i64,
    limit: usize,
) -> Result<Vec<Placed>, BrokerError> {
    broker.read(&slot(topic), from, limit).await
}

/// Sends one dead letter to its topic again, under the message's id, so that the inbox protects
/// against repeats; whether there is such a letter.
pub async fn redrive(
    broker: &Broker,
    topic: Topic,
    offset: i64,
    now: Timestamp,
) -> Result<bool, BrokerError> {
    let letters = broker.read(&slot(topic), offset, 1).await?;
    let Some(letter) = letters.into_iter().find(|letter| letter.offset == offset) else {
        return Ok(false);
    };
    let mut record = letter.record;
    let is_kept = |name: &str| !name.starts_with(PREFIX) && name != header::REDRIVEN_AT;
    record.headers.retain(|(name, _)| is_kept(name));
    record.headers.push((header::REDRIVEN_AT.to_owned(), instant(now)));
    topic.name().clone_into(&mut record.topic);
    broker.publish(vec![record]).await?;
    Ok(true)
}

fn slot(topic: Topic) -> Slot {
    Slot { topic: Arc::from(topic.dead_letters()), partition: 0 }
}
