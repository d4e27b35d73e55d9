//! One partition at work: reads, handles, retries, gives up, commits (7.5, 7.6).

use std::any::Any;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use service::causes::with_causes;
use service::code::Code;
use service::correlation::{trace_id_of, traced};
use service::timing::delay;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::lanes::Lane;
use super::{Cause, Duplicate, Handler, Received, Trouble};
use crate::broker::{BrokerError, Placed};
use crate::bus::Bus;
use crate::dead_letter::{self, Reason};
use crate::envelope::{Envelope, header};
use crate::health::OutOfOrder;
use crate::topic::Topic;
use crate::validation::{Reading, SchemaError, Schemas, Unreadable};
use crate::{pause, spread};

/// For how many records an offset is committed at once while others wait.
const MOST: usize = 32;
/// How long a record waits for its commit while others are handled, and the one in flight.
const LATEST: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Worker<H> {
    bus: Bus,
    handler: H,
    schemas: Schemas,
}

/// The partition is not this member's any more: the record comes again, here or elsewhere.
struct Left;

/// What became of a record.
enum Outcome {
    Handled,
    Duplicate,
    HandedOver,
    Skipped,
    Dead,
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Duplicate => "duplicate",
            Self::HandedOver => "handed over",
            Self::Skipped => "skipped",
            Self::Dead => "dead letter",
        }
    }
}

/// A record on its way.
struct Job {
    placed: Placed,
    topic: Topic,
    began: Instant,
    first_seen: Timestamp,
    attempts: usize,
    /// Attempts since the last outage, or since it was first seen.
    in_place: usize,
    outages: usize,
}

/// A record that was dealt with, whose offset is not committed yet.
struct Done {
    job: Job,
    took: Duration,
    outcome: Outcome,
    envelope: Option<Envelope>,
}

/// How far a partition's task has come.
struct Progress {
    lane: Lane,
    done: Vec<Done>,
}

impl Progress {
    /// Whether a commit may wait for the records behind.
    fn may_go_on(&self) -> bool {
        let is_late = self.done.first().is_some_and(|first| first.job.began.elapsed() >= LATEST);
        // Nobody should have to wait to be told of a dead letter, nor see it twice.
        let is_dead = self.done.last().is_some_and(|last| matches!(last.outcome, Outcome::Dead));
        self.lane.has_more() && self.done.len() < MOST && !is_late && !is_dead
    }
}

impl<H: Handler> Worker<H> {
    pub(super) fn new(bus: Bus, handler: H) -> Result<Self, SchemaError> {
        Ok(Self { bus, handler, schemas: Schemas::new()? })
    }

    /// Takes one record after the other until none is to be begun any more.
    ///
    /// While records wait, an offset is committed for several of them: whoever has the partition next
    /// may see them once more, as after every crash, and the inbox tells.
    pub(super) async fn work(self: Arc<Self>, lane: Lane) {
        let Some(topic) = Topic::by_code(&lane.slot.topic) else { return };
        let mut progress = Progress { lane, done: Vec::new() };
        while let Some(placed) = progress.lane.next().await {
            let job = Job {
                placed,
                topic,
                began: Instant::now(),
                first_seen: self.bus.clock.now(),
                attempts: 0,
                in_place: 0,
                outages: 0,
            };
            let Ok(done) = self.take(&mut progress, job).await else { break };
            progress.done.push(done);
            if !progress.may_go_on() && self.commit(&mut progress).await.is_err() {
                return;
            }
        }
        // Whoever takes the partition over goes on behind what was handled.
        drop(self.commit(&mut progress).await);
    }

    async fn take(&self, progress: &mut Progress, mut job: Job) -> Result<Done, Left> {
        let (outcome, envelope) = match self.schemas.read(job.topic, &job.placed.record.body) {
            Ok(Reading::Message(envelope)) => {
                let received = Received {
                    envelope: *envelope,
                    topic: job.topic,
                    partition: job.placed.partition,
                    offset: job.placed.offset,
                    is_redriven: has_header(&job.placed, header::REDRIVEN_AT),
                    duplicate: Duplicate::default(),
                };
                (self.handle(progress, &mut job, &received).await?, Some(received.envelope))
            }
            Ok(Reading::UnknownKind) => (Outcome::Skipped, None),
            Err(unreadable) => {
                let code = code_of(&unreadable);
                self.bury(progress, &mut job, code, told(&unreadable)).await?;
                (Outcome::Dead, None)
            }
        };
        let took = job.began.elapsed();
        Ok(Done { job, took, outcome, envelope })
    }

    /// Tries until it is done, given up or left.
    async fn handle(
        &self,
        progress: &mut Progress,
        job: &mut Job,
        received: &Received,
    ) -> Result<Outcome, Left> {
        loop {
            job.attempts += 1;
            match self.attempt(received, self.handler.handle(received)).await {
                Ok(()) if received.is_duplicate() => return Ok(Outcome::Duplicate),
                Ok(()) => return Ok(Outcome::Handled),
                Err(Trouble::Permanent(reason)) => {
                    self.bury(progress, job, "PERMANENT", reason).await?;
                    return Ok(Outcome::Dead);
                }
                Err(Trouble::Infrastructure(cause)) => self.outage(progress, job, &cause).await?,
                Err(Trouble::Transient(cause)) => {
                    if let Some(wait) = self.next_attempt(job) {
                        job.in_place += 1;
                        tracing::info!(topic = job.topic.name(), id = %received.envelope.id,
                            attempt = job.attempts, cause = told(&*cause), "a message is tried again");
                        self.commit(progress).await?;
                        wait_or_leave(&mut progress.lane, wait).await?;
                    } else if self.hand_over(progress, job, received, &cause).await? {
                        return Ok(Outcome::HandedOver);
                    }
                }
            }
        }
    }

    /// How long to wait before another attempt in place; nothing when there is none.
    fn next_attempt(&self, job: &Job) -> Option<Duration> {
        let timing = &self.bus.timing;
        let wait = spread(*timing.step_retry.get(job.in_place)?);
        let is_in_budget = job.began.elapsed() + wait < timing.inplace_budget;
        (is_in_budget || job.outages > 0).then_some(wait)
    }

    /// Leaves the message to a worker; whether that worked.
    async fn hand_over(
        &self,
        progress: &mut Progress,
        job: &mut Job,
        received: &Received,
        cause: &Cause,
    ) -> Result<bool, Left> {
        match self.attempt(received, self.handler.hand_over(received, cause)).await {
            Ok(()) => Ok(true),
            // Whatever stands in the way, the message must not be lost, nor be a dead letter.
            Err(trouble) => {
                self.outage(progress, job, &Cause::from(trouble)).await?;
                Ok(false)
            }
        }
    }

    /// Runs a handler within the message's trace and a time limit; a panic is trouble like others.
    async fn attempt(
        &self,
        received: &Received,
        future: impl Future<Output = Result<(), Trouble>>,
    ) -> Result<(), Trouble> {
        let envelope = &received.envelope;
        let trace_id = trace_id_of(envelope.traceparent.as_deref());
        let span = tracing::info_span!("message", trace_id, topic = received.topic.name(),
            id = %envelope.id, correlation_id = envelope.correlation_id);
        let limit = self.bus.timing.attempt_limit();
        match timeout(limit, traced(trace_id, caught(future))).instrument(span).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Trouble::Transient(panic)),
            Err(elapsed) => Err(Trouble::Transient(elapsed.into())),
        }
    }

    /// Waits out a part of an outage, behind what was handled before.
    async fn outage(
        &self,
        progress: &mut Progress,
        job: &mut Job,
        cause: &Cause,
    ) -> Result<(), Left> {
        self.commit(progress).await?;
        self.pause(&mut progress.lane, job, cause).await
    }

    /// The partition pauses, the process is not ready.
    async fn pause(&self, lane: &mut Lane, job: &mut Job, cause: &Cause) -> Result<(), Left> {
        let part = format!("group {}, {}/{}", H::GROUP, job.topic.name(), job.placed.partition);
        if job.outages == 0 {
            tracing::warn!(
                group = H::GROUP,
                topic = job.topic.name(),
                partition = job.placed.partition,
                offset = job.placed.offset,
                cause = told(&**cause),
                "a partition waits for an outage to end"
            );
        }
        let _waits = OutOfOrder::new(&self.bus.health, part, "waits for an outage to end");
        let wait = spread(delay(&self.bus.timing.pause_backoff, job.outages));
        job.outages += 1;
        job.in_place = 0;
        wait_or_leave(lane, wait).await
    }

    /// Publishes a dead letter.
    async fn bury(
        &self,
        progress: &mut Progress,
        job: &mut Job,
        code: &'static str,
        text: String,
    ) -> Result<(), Left> {
        loop {
            let reason = Reason {
                code,
                text: text.clone(),
                attempts: job.attempts.max(1),
                first_seen: job.first_seen,
                group: H::GROUP,
            };
            let letter = dead_letter::letter(&job.placed, job.topic, &reason);
            match self.bus.broker.publish(vec![letter]).await {
                Ok(()) => {
                    tracing::error!(
                        group = H::GROUP,
                        topic = job.topic.name(),
                        partition = job.placed.partition,
                        offset = job.placed.offset,
                        code,
                        reason = text,
                        "a message is a dead letter"
                    );
                    return Ok(());
                }
                Err(error) => self.outage(progress, job, &error.into()).await?,
            }
        }
    }

    /// Commits the offset behind what was handled, or finds out that the partition is somebody
    /// else's.
    async fn commit(&self, progress: &mut Progress) -> Result<(), Left> {
        let Progress { lane, done } = progress;
        let Some(Done { job, .. }) = done.last_mut() else { return Ok(()) };
        let offset = job.placed.offset + 1;
        loop {
            match lane.committer.commit(offset).await {
                Ok(()) => break,
                Err(error @ (BrokerError::StaleGeneration | BrokerError::Replaced)) => {
                    tracing::info!(group = H::GROUP, topic = job.topic.name(),
                        partition = job.placed.partition, offset = job.placed.offset, %error,
                        "a record is left to whoever has its partition now");
                    return Err(Left);
                }
                Err(error) => self.pause(lane, job, &error.into()).await?,
            }
        }
        self.bus.metrics.committed(&lane.slot, H::GROUP, offset);
        for each in done.drain(..) {
            self.count(&each);
        }
        Ok(())
    }

    fn count(&self, Done { job, took, outcome, envelope }: &Done) {
        let (metrics, envelope) = (&self.bus.metrics, envelope.as_ref());
        let kind = envelope.map_or("unknown", |envelope| envelope.kind.as_str());
        match outcome {
            Outcome::Skipped => metrics.skipped(job.topic, H::GROUP),
            Outcome::Dead => metrics.dead(job.topic, kind, H::GROUP),
            Outcome::Duplicate => metrics.duplicate(job.topic, kind, H::GROUP),
            Outcome::Handled | Outcome::HandedOver => {}
        }
        metrics.consumed(job.topic, kind, H::GROUP);
        if let Some(envelope) = envelope {
            let all = self.bus.clock.now().duration_since(envelope.occurred_at);
            let all = Duration::try_from(all.max(SignedDuration::ZERO)).unwrap_or_default();
            metrics.took(job.topic, kind, *took, all);
        }
        tracing::info!(
            group = H::GROUP,
            topic = job.topic.name(),
            partition = job.placed.partition,
            offset = job.placed.offset,
            kind,
            id = envelope.map(|envelope| envelope.id.to_string()),
            correlation_id = envelope.map(|envelope| envelope.correlation_id.as_str()),
            attempts = job.attempts,
            outcome = outcome.name(),
            "message"
        );
    }
}

async fn wait_or_leave(lane: &mut Lane, wait: Duration) -> Result<(), Left> {
    tokio::select! {
        biased;
        () = lane.stopped() => Err(Left),
        () = pause(wait) => Ok(()),
    }
}

fn has_header(placed: &Placed, name: &str) -> bool {
    placed.record.headers.iter().any(|(known, _)| known == name)
}

fn code_of(unreadable: &Unreadable) -> &'static str {
    match unreadable {
        Unreadable::NotJson(_) => "NOT_JSON",
        Unreadable::Schema(_) => "SCHEMA_VIOLATION",
        Unreadable::Version { .. } => "UNKNOWN_VERSION",
    }
}

/// An error with its causes.
fn told(error: &(dyn Error + 'static)) -> String {
    with_causes(error.to_string(), error)
}

/// A handler has panicked.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked: {0}")]
struct Panicked(String);

async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Cause> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // The future is not polled again after it has panicked.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(Panicked(text_of(&*panic)).into())),
        }
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text").to_owned()
}
