//! What a service does with a message, and what becomes of one that cannot be handled.

mod received;

use std::error::Error;
use std::future::Future;

pub use self::received::Received;
use crate::topic::Topic;

/// A cause of trouble.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a message was not handled (7.6). A definite refusal is none of these: it is an answer, and
/// the message is handled.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nobody can read it: a dead letter at once.
    #[error("{0}")]
    Permanent(String),
    /// It concerns this message: it is tried again in place, then handed over.
    #[error("the message cannot be handled now")]
    Transient(#[source] Cause),
    /// It concerns every message: the partition waits until it is over.
    #[error("what messages are handled with is out of order")]
    Infrastructure(#[source] Cause),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Infrastructure(error.into())
    }
}

/// What a service does with the messages of some topics.
pub trait Handler: Send + Sync + 'static {
    /// The group: each message is handled by one of its members.
    const GROUP: &'static str;
    /// What it listens to.
    const TOPICS: &'static [Topic];

    /// Handles one message. It may come again, here or at another member; the [inbox](crate::inbox)
    /// tells.
    fn handle(&self, record: &Received) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Leaves a message to a worker, durably, because it could not be handled for a while: a payment
    /// in doubt, a refund, a step of the saga.
    fn hand_over(
        &self,
        record: &Received,
        cause: &Cause,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}
