//! What messages say: one struct for each schema of payloads.

mod event;
mod saga;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::event::{
    NotificationEvent, NotificationEventKind, PaymentEvent, PaymentEventKind, ReservationEvent,
    ReservationEventKind, TravelEvent, TravelEventKind,
};
pub use self::saga::{
    CancelOutcome, ConfirmOutcome, Failure, PaymentCancelRequested, PaymentCancelResult,
    PaymentConfirmRequested, PaymentConfirmResult, RefundReason,
};
use crate::topic::Topic;

/// What a message says.
pub trait Payload: Serialize + DeserializeOwned {
    /// Where it is published.
    const TOPIC: Topic;

    /// The version of its schema.
    const VERSION: u32 = 1;

    /// Its type, as in the envelope.
    fn kind(&self) -> &'static str;

    /// This payload, read out of an envelope of this type; nothing when it has another one.
    fn of_kind(self, kind: &str) -> Option<Self>;
}
