//! Publishes what stands in the outbox (P2–P6).
//!
//! One relay works for each store, by a lease. What a batch holds is in the order of its keys; it is
//! published as a whole, and marked only while the lease is still this relay's.

mod lease;
mod marks;
mod store;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use service::database::Database;
use service::timing::delay;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use self::lease::Lease;
use self::marks::Marks;
use crate::broker::{BrokerError, Producer, Record};
use crate::bus::Bus;
use crate::consumer::{Received, Trouble};
use crate::outbox::{self, Pending};
use crate::{pause, spread};

/// Where a process dies when a test wants it to: published, not marked.
pub const CRASH_POINT: &str = "relay.after_publish";

/// How many messages are published at once.
const BATCH: i64 = 200;
/// How long what is appended is gathered while batches follow each other: each is a transaction of
/// the broker. The first one after a rest leaves at once.
const GATHER: Duration = Duration::from_millis(20);
/// How often it is counted what waits.
const COUNT_EVERY: Duration = Duration::from_secs(1);
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// Published messages are kept as long as a dead letter that they answer can be sent again.
const PUBLISHED_KEPT: SignedDuration = SignedDuration::from_hours(31 * 24);
/// What was handled is remembered longer than any record of it, or dead letter, is kept.
const HANDLED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The part of the health of a process that is the relay's.
const PART: &str = "outbox";

/// Publishes one store's messages.
#[derive(Debug)]
pub struct Relay {
    bus: Bus,
    store: Store,
    lease: Lease,
    wake: Arc<Notify>,
    marks: Arc<Marks>,
}

/// A connection of its own: a pool tests each one that comes back.
#[derive(Debug)]
struct Store {
    database: Database,
    connection: Option<PoolConnection<Any>>,
}

/// Tells a relay that there is something to publish, and waits for it; cheap to clone.
#[derive(Clone)]
pub struct RelayHandle {
    database: Database,
    wake: Arc<Notify>,
    marks: Arc<Marks>,
    poll: Duration,
    limit: Duration,
}

/// Why a message is not known to be published.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// It has not been published in time; the relay goes on trying.
    #[error("messages were not published within {0:?}")]
    Late(Duration),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// Neither is the message's fault.
impl From<RelayError> for Trouble {
    fn from(error: RelayError) -> Self {
        Self::Infrastructure(error.into())
    }
}

/// Why a batch was not published.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error("the store does not answer")]
    Store(#[from] sqlx::Error),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// What a look into the outbox led to.
enum Round {
    /// As much was published as fits into a batch, and there may be more.
    Filled,
    /// Everything that waited was published.
    Published,
    /// There was nothing, or another relay sees to it.
    Idle,
}

impl Relay {
    /// A relay for the messages in a service's store.
    pub fn new(bus: &Bus, database: &Database) -> Self {
        Self {
            bus: bus.clone(),
            store: Store { database: database.clone(), connection: None },
            lease: Lease::new(bus.member(), bus.timing.relay_lease),
            wake: Arc::default(),
            marks: Arc::new(Marks::new()),
        }
    }

    /// Tells this relay what there is to do.
    pub fn handle(&self) -> RelayHandle {
        RelayHandle {
            database: self.store.database.clone(),
            wake: Arc::clone(&self.wake),
            marks: Arc::clone(&self.marks),
            poll: self.bus.timing.relay_poll,
            limit: self.bus.timing.inplace_budget,
        }
    }

    /// Works until it is dropped.
    pub async fn run(mut self) {
        let mut producer = self.bus.broker.producer(&self.bus.member());
        let (mut failures, mut counted, mut purged) = (0, None, Instant::now());
        loop {
            if counted.is_none_or(|at: Instant| at.elapsed() >= COUNT_EVERY) {
                counted = Some(Instant::now());
                self.count().await;
            }
            if purged.elapsed() >= PURGE_EVERY {
                purged = Instant::now();
                self.purge().await;
            }
            let began = Instant::now();
            match self.round(&mut producer).await {
                Ok(Round::Filled) => failures = 0,
                Ok(round @ (Round::Published | Round::Idle)) => {
                    failures = 0;
                    if matches!(round, Round::Published) {
                        pause(GATHER.saturating_sub(began.elapsed())).await;
                    }
                    // Time is up, or there is something: both mean to look.
                    drop(timeout(self.bus.timing.relay_poll, self.wake.notified()).await);
                }
                Err(error) => {
                    // It may be the connection's fault.
                    self.store.connection = None;
                    if failures == 0 {
                        tracing::warn!(cause = error.source().map(ToString::to_string), %error,
                            "messages cannot be published");
                    }
                    pause(spread(delay(&self.bus.timing.pause_backoff, failures))).await;
                    failures += 1;
                }
            }
        }
    }

    /// Publishes one batch.
    async fn round(&mut self, producer: &mut Producer) -> Result<Round, BatchError> {
        if !self.lease.is_fresh(self.bus.clock.now()) || !producer.is_ready() {
            if !store::is_anything_pending(self.store.connection().await?).await? {
                return Ok(Round::Idle);
            }
            // Not while the lease runs.
            producer.prepare().await?;
        }
        let batch = self.take().await?;
        if batch.is_empty() {
            return Ok(Round::Idle);
        }
        let records = batch.iter().map(record).collect();
        if let Err(error) = producer.publish(records).await {
            self.failed(&batch).await?;
            return Err(error.into());
        }
        self.bus.crash.pass(CRASH_POINT);
        if self.mark(&batch).await? {
            for message in &batch {
                self.bus.metrics.published(&message.topic, &message.kind);
            }
            self.marks.add(&batch);
        } else {
            self.lease.lose();
            tracing::warn!(messages = batch.len(), "another relay publishes these messages, too");
        }
        let is_full = i64::try_from(batch.len()).is_ok_and(|length| length >= BATCH);
        Ok(if is_full { Round::Filled } else { Round::Published })
    }

    /// Renews the lease if it is time to, and takes what is to be published; nothing when another
    /// relay has the lease.
    async fn take(&mut self) -> Result<Vec<Pending>, sqlx::Error> {
        let now = self.bus.clock.now();
        let connection = self.store.connection().await?;
        if !self.lease.is_fresh(now) && !self.lease.take(connection, now).await? {
            return Ok(Vec::new());
        }
        outbox::pending(connection, BATCH).await
    }

    /// Marks a batch as published; whether the lease was still this relay's.
    async fn mark(&mut self, batch: &[Pending]) -> Result<bool, sqlx::Error> {
        let now = self.bus.clock.now();
        store::mark(self.store.connection().await?, batch, (now, self.lease.epoch())).await
    }

    async fn failed(&mut self, batch: &[Pending]) -> Result<(), sqlx::Error> {
        store::count_attempt(self.store.connection().await?, batch).await
    }

    /// Tells how much waits, and whether it waits for too long (P6).
    async fn count(&mut self) {
        let (pending, oldest) = match store::waiting(self.store.database.pool()).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::debug!(%error, "the outbox cannot be counted");
                return;
            }
        };
        let age = oldest.map_or(Duration::ZERO, |since| age(since, self.bus.clock.now()));
        self.bus.metrics.outbox(self.bus.service, pending, age);
        if age > self.bus.timing.outbox_age {
            self.bus.health.trouble(PART, "messages wait to be published");
        } else {
            self.bus.health.works(PART);
        }
    }

    async fn purge(&mut self) {
        let now = self.bus.clock.now();
        let purged =
            store::purge(self.store.database.pool(), now - PUBLISHED_KEPT, now - HANDLED_KEPT)
                .await;
        if let Err(error) = purged {
            tracing::warn!(%error, "old messages could not be deleted");
        }
    }
}

impl Store {
    async fn connection(&mut self) -> Result<&mut AnyConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.pool().acquire().await?,
        };
        Ok(self.connection.insert(connection))
    }
}

impl RelayHandle {
    /// There is something to publish.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until these messages are marked as published (KF-04, C3), for up to `inplace_budget`.
    pub async fn published(&self, ids: &[Uuid]) -> Result<(), RelayError> {
        let deadline = Instant::now() + self.limit;
        let mut marked = self.marks.subscribe();
        let mut waiting = ids.to_vec();
        let mut is_told = false;
        loop {
            marked.mark_unchanged();
            self.marks.settle(&mut waiting);
            if waiting.is_empty() {
                return Ok(());
            }
            if !is_told {
                self.wake();
            }
            is_told = timeout(self.poll, marked.changed()).await.is_ok();
            // Another process may be the relay, and nobody tells of its marks.
            if !is_told && !store::is_any_pending(self.database.pool(), &waiting).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(RelayError::Late(self.limit));
            }
        }
    }

    /// What a message with an effect asks for when it comes again: its answers are published, once
    /// more if an operator has sent it again, and it counts as a duplicate (C3, 7.6).
    pub async fn settle(&self, record: &Received, produced: &[Uuid]) -> Result<(), RelayError> {
        record.mark_duplicate();
        if record.is_redriven {
            let mut transaction = self.database.write().await?;
            outbox::publish_again(&mut transaction, produced).await?;
            transaction.commit().await?;
            self.marks.settle(&mut produced.to_vec());
        }
        if !store::is_any_pending(self.database.pool(), produced).await? {
            return Ok(());
        }
        self.published(produced).await
    }
}

impl fmt::Debug for RelayHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RelayHandle").finish_non_exhaustive()
    }
}

fn record(message: &Pending) -> Record {
    Record {
        topic: message.topic.clone(),
        key: Some(message.key.clone().into_bytes()),
        headers: message.headers.clone(),
        body: message.body.clone().into_bytes(),
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since).max(SignedDuration::ZERO)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
