//! What a service does with a message, and what becomes of one that cannot be handled.

pub(crate) mod lanes;
mod received;
mod worker;

use std::error::Error;
use std::future::{Future, pending};
use std::sync::Arc;

use service::server::StartError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::lanes::Work;
pub use self::received::{Duplicate, Received};
use self::worker::Worker;
use crate::broker::Joining;
use crate::bus::Bus;
use crate::topic::Topic;
use crate::validation::SchemaError;

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

impl From<SchemaError> for StartError {
    fn from(error: SchemaError) -> Self {
        Self::Other("the schemas of messages cannot be used", error.into())
    }
}

/// A member of a handler's group: one record after the other in each partition, partitions side by
/// side (C4).
#[derive(Debug)]
pub struct Consumer<H> {
    bus: Bus,
    worker: Arc<Worker<H>>,
}

impl<H: Handler> Consumer<H> {
    /// A member that has not joined yet.
    pub fn new(bus: &Bus, handler: H) -> Result<Self, SchemaError> {
        let worker = Arc::new(Worker::new(bus.clone(), handler)?);
        Ok(Self { bus: bus.clone(), worker })
    }

    /// Works until it is dropped. Records in flight are then left uncommitted, to come again.
    pub async fn run(self) {
        self.run_until(pending()).await;
    }

    /// Works until `stop` is over; then lets the records in flight finish for up to `revoke_wait`,
    /// and leaves the group (C8).
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let worker = self.worker;
        let work: Work = Arc::new(move |lane| Box::pin(Arc::clone(&worker).work(lane)));
        let joining = Joining {
            group: H::GROUP,
            member: self.bus.member(),
            topics: H::TOPICS.iter().map(|topic| topic.name()).collect(),
            timing: Arc::clone(&self.bus.timing),
            health: self.bus.health.clone(),
            metrics: self.bus.metrics.clone(),
        };
        self.bus.broker.work(joining, work, stop).await;
    }
}

/// The members that one process runs; they stop together.
#[derive(Debug)]
pub struct Consumers {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Consumers {
    /// None yet.
    pub fn new() -> Self {
        Self { stop: watch::Sender::new(false), running: JoinSet::new() }
    }

    /// Lets one more work, until [`Self::stop`].
    pub fn start<H: Handler>(&mut self, consumer: Consumer<H>) {
        let mut stop = self.stop.subscribe();
        self.running.spawn(consumer.run_until(async move {
            // Whoever could tell is gone: that is to stop, too.
            drop(stop.wait_for(|is_told| *is_told).await);
        }));
    }

    /// Tells all of them to stop, and waits until they have left their groups (C8).
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

impl Default for Consumers {
    fn default() -> Self {
        Self::new()
    }
}
