//! A message on its way through a handler.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Trouble;
use crate::envelope::Envelope;
use crate::payload::Payload;
use crate::topic::Topic;

/// A message, and where it stood.
#[derive(Debug)]
pub struct Received {
    /// What it says.
    pub envelope: Envelope,
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Whether an operator has sent it again after it was a dead letter.
    pub is_redriven: bool,
    /// Whether it had its effect before.
    pub duplicate: Duplicate,
}

/// Whether a message had its effect before: it did not, unless [`Received::mark_duplicate`] says so.
#[derive(Debug, Default)]
pub struct Duplicate(AtomicBool);

impl Received {
    /// What it says, as its type says it.
    pub fn payload<P: Payload>(&self) -> Result<P, Trouble> {
        let unreadable = |reason: String| Trouble::Permanent(reason);
        let payload = P::deserialize(&self.envelope.payload)
            .map_err(|error| unreadable(format!("the payload cannot be read: {error}")))?;
        let kind = &self.envelope.kind;
        payload.of_kind(kind).ok_or_else(|| unreadable(format!("{kind} is not expected here")))
    }

    /// Says that the message had its effect before, so that it is counted as a duplicate.
    pub fn mark_duplicate(&self) {
        self.duplicate.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        self.duplicate.0.load(Ordering::Relaxed)
    }
}
