//! A member of a group at work on Kafka.
//!
//! A thread polls; what it gets goes to a task for each partition. A partition whose task is behind
//! is paused. When partitions are taken away, the thread waits within the client's callback until
//! the records in flight have finished (7.7.2).

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::{ASK_LIMIT, Kafka, blocking, millis};
use crate::broker::{BrokerError, Committer, Joining, Slot};
use crate::consumer::lanes::{Lanes, Work};
use crate::pause;

/// How long a poll waits for a record; then it is looked which partitions have room.
const POLL: Duration = Duration::from_millis(50);
/// How often the client tells about itself.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A partition that was paused goes on when it has room for so many.
const ROOM: usize = 32;
/// Between attempts at a commit while partitions are shared out.
const COMMIT_PAUSE: Duration = Duration::from_millis(50);

type Client = BaseConsumer<Member>;

/// What the client's callbacks work on.
struct Member {
    kafka: Kafka,
    joining: Arc<Joining>,
    state: Mutex<State>,
    runtime: Handle,
}

struct State {
    lanes: Lanes,
    paused: Vec<Slot>,
    client: Weak<Client>,
}

/// Works on partitions until it is told to stop.
pub(crate) async fn run(
    kafka: &Kafka,
    joining: Joining,
    work: Work,
    stop: impl Future<Output = ()>,
) {
    let joining = Arc::new(joining);
    let is_over = Over::default();
    let flag = Arc::clone(&is_over.0);
    let mut stop = pin!(stop);
    loop {
        let (kafka, joining) = (kafka.clone(), Arc::clone(&joining));
        let (work, flag, waits) = (Arc::clone(&work), Arc::clone(&flag), kafka.0.timing.log_lease);
        let runtime = Handle::current();
        let group = joining.group;
        let mut session = pin!(blocking(move || serve(&kafka, &joining, &work, runtime, &flag)));
        let outcome = tokio::select! {
            outcome = &mut session => outcome,
            () = &mut stop => {
                is_over.0.store(true, Ordering::SeqCst);
                session.await
            }
        };
        if let Err(error) = outcome {
            tracing::error!(group, %error, "a member has to join anew");
        }
        if is_over.0.load(Ordering::SeqCst) {
            return;
        }
        pause(waits).await;
    }
}

/// Ends the thread when whoever waits for it is gone.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn serve(
    kafka: &Kafka,
    joining: &Arc<Joining>,
    work: &Work,
    runtime: Handle,
    is_over: &AtomicBool,
) -> Result<(), KafkaError> {
    let timing = &joining.timing;
    let mut config = kafka.consuming(joining.group);
    config
        .set("group.instance.id", kafka.name(&joining.member))
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", millis(timing.log_lease))
        .set("heartbeat.interval.ms", millis(timing.log_heartbeat))
        .set("max.poll.interval.ms", millis(timing.max_poll_interval))
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("statistics.interval.ms", millis(TELL_EVERY));
    let state =
        State { lanes: Lanes::new(Arc::clone(work)), paused: Vec::new(), client: Weak::new() };
    let member = Member {
        kafka: kafka.clone(),
        joining: Arc::clone(joining),
        state: Mutex::new(state),
        runtime,
    };
    let client: Arc<Client> = Arc::new(config.create_with_context(member)?);
    let member = Arc::clone(client.context());
    member.state().client = Arc::downgrade(&client);
    let topics: Vec<_> = joining.topics.iter().map(|topic| kafka.name(topic)).collect();
    client.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
    let outcome = poll(&client, &member, is_over);
    let slots = member.state().lanes.slots();
    member.let_go(&slots, timing.revoke_wait);
    outcome
}

fn poll(client: &Client, member: &Member, is_over: &AtomicBool) -> Result<(), KafkaError> {
    while !is_over.load(Ordering::SeqCst) {
        match client.poll(POLL) {
            Some(Ok(message)) => member.dispatch(client, &message)?,
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => tracing::debug!(%error, "the client tells of an error"),
            None => {}
        }
        if let Some((error, reason)) = client.client().fatal_error() {
            tracing::error!(group = member.joining.group, reason, "the client cannot go on");
            return Err(KafkaError::Global(error));
        }
        member.look_after(client)?;
    }
    Ok(())
}

impl Member {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, topic: &str, partition: i32) -> Slot {
        let name = topic.strip_prefix(self.kafka.0.prefix.as_str()).unwrap_or(topic);
        Slot { topic: name.into(), partition }
    }

    fn slots(&self, list: &TopicPartitionList) -> Vec<Slot> {
        let elements = list.elements();
        elements.iter().map(|each| self.slot(each.topic(), each.partition())).collect()
    }

    fn list(&self, slot: &Slot) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.kafka.name(&slot.topic), slot.partition);
        list
    }

    /// Hands a record to its partition's task.
    fn dispatch(&self, client: &Client, message: &BorrowedMessage<'_>) -> Result<(), KafkaError> {
        let placed = self.kafka.placed(message);
        let slot = Slot { topic: placed.record.topic.as_str().into(), partition: placed.partition };
        let mut state = self.state();
        let offset = placed.offset;
        if !state.lanes.push(&slot, placed) {
            // The task has ended, or a record came although the partition is paused.
            drop(state);
            let name = self.kafka.name(&slot.topic);
            return client.seek(&name, slot.partition, Offset::Offset(offset), ASK_LIMIT);
        }
        if state.lanes.room(&slot).is_none() {
            client.pause(&self.list(&slot))?;
            state.paused.push(slot);
        }
        Ok(())
    }

    /// Lets partitions go on that have room, and begins anew where a task has ended by itself.
    fn look_after(&self, client: &Client) -> Result<(), KafkaError> {
        let mut state = self.state();
        let paused = std::mem::take(&mut state.paused);
        for slot in paused {
            if state.lanes.room(&slot).is_some_and(|(_, room)| room >= ROOM) {
                client.resume(&self.list(&slot))?;
            } else {
                state.paused.push(slot);
            }
        }
        let ended: Vec<_> =
            state.lanes.slots().into_iter().filter(|slot| !state.lanes.is_open(slot)).collect();
        for slot in ended {
            state.lanes.close(&slot);
            state.paused.retain(|paused| *paused != slot);
            let list = client.committed_offsets(self.list(&slot), ASK_LIMIT)?;
            let committed = list.elements().first().map(TopicPartitionListElem::offset);
            let from = match committed {
                Some(offset @ Offset::Offset(_)) => offset,
                _ => Offset::Beginning,
            };
            client.resume(&self.list(&slot))?;
            client.seek(&self.kafka.name(&slot.topic), slot.partition, from, ASK_LIMIT)?;
            self.open(&mut state, slot);
        }
        Ok(())
    }

    fn open(&self, state: &mut State, slot: Slot) {
        let committer = Committer::Kafka(KafkaCommitter {
            kafka: self.kafka.clone(),
            client: Weak::clone(&state.client),
            slot: slot.clone(),
            limit: self.joining.timing.revoke_wait,
        });
        let _runtime = self.runtime.enter();
        state.lanes.open(slot, 0, committer);
    }

    /// Lets records in flight finish for a while, and closes their partitions.
    fn let_go(&self, slots: &[Slot], wait: Duration) {
        let deadline = Instant::now() + wait;
        let moved = self.state().lanes.moved();
        for slot in slots {
            self.state().lanes.stop(slot);
        }
        let is_any_open = || slots.iter().any(|slot| self.state().lanes.is_open(slot));
        while is_any_open() {
            let waited = async { timeout_at(deadline, moved.notified()).await };
            if self.runtime.block_on(waited).is_err() {
                break;
            }
        }
        let mut state = self.state();
        for slot in slots {
            state.lanes.close(slot);
            state.paused.retain(|paused| paused != slot);
            self.joining.metrics.forget(slot, self.joining.group);
        }
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, client: &Client, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            // What is lost already belongs to others.
            let is_lost = client.assignment_lost();
            let wait = if is_lost { Duration::ZERO } else { self.joining.timing.revoke_wait };
            self.let_go(&self.slots(list), wait);
        }
    }

    fn post_rebalance(&self, _client: &Client, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            let mut state = self.state();
            for slot in self.slots(list) {
                self.open(&mut state, slot);
            }
        }
    }
}

impl ClientContext for Member {
    fn stats(&self, statistics: Statistics) {
        let (metrics, group) = (&self.joining.metrics, self.joining.group);
        let part = format!("group {group}");
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.joining.health.works(&part);
        } else {
            self.joining.health.trouble(&part, "the log is out of order");
        }
        for (topic, told) in statistics.topics {
            for (partition, told) in told.partitions {
                let slot = self.slot(&topic, partition);
                let Some(position) = self.state().lanes.position(&slot) else { continue };
                // Behind the last record stands the mark of its transaction, which nobody handles.
                let is_handled = told.committed_offset >= position;
                let is_all_read = told.ls_offset >= 0 && told.next_offset >= told.ls_offset;
                if is_handled && is_all_read {
                    metrics.lag(&slot, group, 0);
                } else if told.consumer_lag >= 0 {
                    metrics.lag(&slot, group, told.consumer_lag);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(group = self.joining.group, %error, reason, "the client tells of an error");
    }
}

/// Commits for one partition, as long as it is this member's.
#[derive(Clone)]
pub(crate) struct KafkaCommitter {
    kafka: Kafka,
    client: Weak<Client>,
    slot: Slot,
    limit: Duration,
}

impl std::fmt::Debug for KafkaCommitter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("KafkaCommitter").field(&self.slot).finish()
    }
}

impl KafkaCommitter {
    /// Notes that everything before `offset` has been handled.
    pub(crate) async fn commit(&self, offset: i64) -> Result<(), BrokerError> {
        let deadline = Instant::now() + self.limit;
        loop {
            let Some(client) = self.client.upgrade() else {
                return Err(BrokerError::StaleGeneration);
            };
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(
                &self.kafka.name(&self.slot.topic),
                self.slot.partition,
                Offset::Offset(offset),
            )
            .map_err(BrokerError::outage)?;
            match blocking(move || client.commit(&list, CommitMode::Sync)).await {
                Ok(()) => return Ok(()),
                Err(error) if is_while_sharing(&error) && Instant::now() < deadline => {
                    pause(COMMIT_PAUSE).await;
                }
                Err(error) if is_while_sharing(&error) || is_stale(&error) => {
                    return Err(BrokerError::StaleGeneration);
                }
                Err(error) => return Err(BrokerError::outage(error)),
            }
        }
    }
}

fn is_while_sharing(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::RebalanceInProgress)
}

fn is_stale(error: &KafkaError) -> bool {
    let stale = [
        RDKafkaErrorCode::IllegalGeneration,
        RDKafkaErrorCode::UnknownMemberId,
        RDKafkaErrorCode::FencedInstanceId,
        RDKafkaErrorCode::AssignmentLost,
    ];
    error.rdkafka_error_code().is_some_and(|code| stale.contains(&code))
}
