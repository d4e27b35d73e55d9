//! A member of a group at work on the embedded log (L2–L4).

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use service::timing::Timing;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use super::group::{Membership, Owned};
use super::writer::{Beat, Commit, Job, Outcome};
use super::{Log, Slot};
use crate::broker::{BrokerError, Committer, Joining};
use crate::consumer::lanes::Lanes;
use crate::health::{Health, OutOfOrder};
use crate::metrics::Metrics;

/// A member of a group.
#[derive(Debug)]
pub(crate) struct Session {
    identity: Identity,
    lanes: Lanes,
    timing: Arc<Timing>,
    health: Health,
    metrics: Metrics,
    changes: watch::Receiver<()>,
    generation: Arc<AtomicI64>,
    mine: HashMap<Slot, Mine>,
    /// Until when the records in flight of partitions that move may finish.
    leaving: HashMap<Slot, Instant>,
    released: Vec<Slot>,
    is_first: bool,
    /// When the last sign of life that arrived was sent.
    seen: Instant,
    next_beat: Instant,
    trouble: Option<OutOfOrder>,
}

/// A partition of this member.
#[derive(Debug, Clone)]
struct Mine {
    /// The generation with which it got it.
    since: i64,
    /// The first record that was not handled.
    committed: Arc<AtomicI64>,
}

/// Who this member is.
#[derive(Debug, Clone)]
struct Identity {
    log: Log,
    group: Arc<str>,
    member: Arc<str>,
    session: Uuid,
    topics: Arc<[&'static str]>,
    lease_ms: i64,
}

impl Session {
    pub(crate) fn new(log: &Log, joining: Joining, lanes: Lanes) -> Self {
        let now = Instant::now();
        let identity = Identity {
            log: log.clone(),
            group: joining.group.into(),
            member: joining.member.into(),
            session: Uuid::new_v4(),
            topics: joining.topics.into(),
            lease_ms: i64::try_from(joining.timing.log_lease.as_millis()).unwrap_or(i64::MAX),
        };
        Self {
            identity,
            lanes,
            timing: joining.timing,
            health: joining.health,
            metrics: joining.metrics,
            changes: log.0.changes.subscribe(),
            generation: Arc::default(),
            mine: HashMap::new(),
            leaving: HashMap::new(),
            released: Vec::new(),
            is_first: true,
            seen: now,
            next_beat: now,
            trouble: None,
        }
    }

    /// Works until it is told to stop; then lets the records in flight finish, and leaves (C8).
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let moved = self.lanes.moved();
        loop {
            self.changes.mark_unchanged();
            if self.next_beat <= Instant::now() {
                self.beat().await;
            }
            let is_more = self.fetch().await;
            let wake = self.wake();
            tokio::select! {
                () = &mut stop => break,
                () = async {}, if is_more => {}
                () = sleep_until(wake) => {}
                () = moved.notified() => {}
                Ok(()) = self.changes.changed() => {}
            }
            self.let_go();
        }
        self.finish().await;
    }

    /// The next time at which something has to be done.
    fn wake(&self) -> Instant {
        let leaving = self.leaving.values().copied();
        leaving.fold(self.next_beat.min(self.lease_end()), Instant::min)
    }

    /// From then on others may have this member's partitions.
    fn lease_end(&self) -> Instant {
        if self.mine.is_empty() {
            return Instant::now() + self.timing.log_lease;
        }
        self.seen + self.timing.log_lease
    }

    /// Tells that this member lives, and takes what it is to work on.
    async fn beat(&mut self) {
        let sent = Instant::now();
        let beat = Beat {
            is_first: self.is_first,
            released: self.released.clone(),
            ..self.identity.beat()
        };
        let answer = timeout_at(self.lease_end(), self.identity.join(beat)).await;
        self.next_beat = sent + self.timing.log_heartbeat;
        match answer {
            Ok(Ok(membership)) => {
                (self.seen, self.is_first) = (sent, false);
                self.released.clear();
                self.trouble = None;
                self.take(membership);
            }
            Ok(Err(BrokerError::Replaced)) => {
                tracing::error!(
                    group = &*self.identity.group,
                    member = &*self.identity.member,
                    "another process is this instance now; give each its own INSTANCE"
                );
                self.drop_all();
            }
            Ok(Err(error)) => self.failed(&error),
            Err(_) => self.drop_all(),
        }
    }

    fn failed(&mut self, error: &BrokerError) {
        if self.trouble.is_none() {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(group = &*self.identity.group, %error, cause, "the log is out of order");
            let part = format!("group {}", self.identity.group);
            self.trouble = Some(OutOfOrder::new(&self.health, part, "the log is out of order"));
        }
        if Instant::now() >= self.lease_end() {
            self.drop_all();
        }
    }

    /// Stops at once: others may work on what was this member's (L4).
    fn drop_all(&mut self) {
        for slot in self.lanes.slots() {
            self.forget(&slot);
        }
        self.leaving.clear();
        self.released.clear();
    }

    fn forget(&mut self, slot: &Slot) {
        self.lanes.close(slot);
        self.mine.remove(slot);
        self.metrics.forget(slot, &self.identity.group);
    }

    fn take(&mut self, membership: Membership) {
        self.generation.store(membership.generation, Ordering::SeqCst);
        let now: HashMap<_, _> =
            membership.owned.iter().map(|owned| (&owned.slot, owned.since)).collect();
        for slot in self.lanes.slots() {
            if now.get(&slot).copied() != self.mine.get(&slot).map(|mine| mine.since) {
                self.leaving.remove(&slot);
                self.forget(&slot);
            }
        }
        for owned in membership.owned {
            self.take_one(owned);
        }
    }

    fn take_one(&mut self, owned: Owned) {
        let Owned { slot, since, is_revoking, position } = owned;
        let is_open = self.lanes.is_open(&slot);
        if is_revoking && is_open {
            self.lanes.stop(&slot);
            let deadline = Instant::now() + self.timing.revoke_wait;
            self.leaving.entry(slot).or_insert(deadline);
        } else if is_revoking {
            self.forget(&slot);
            self.released.push(slot);
            self.next_beat = Instant::now();
        } else if !is_open {
            self.leaving.remove(&slot);
            let mine = Mine { since, committed: Arc::new(AtomicI64::new(position)) };
            let committer = Committer::Log(LogCommitter {
                identity: self.identity.clone(),
                generation: Arc::clone(&self.generation),
                slot: slot.clone(),
                mine: mine.clone(),
            });
            self.metrics.committed(&slot, &self.identity.group, position);
            self.mine.insert(slot.clone(), mine);
            self.lanes.open(slot, position, committer);
        }
    }

    /// Lets partitions go whose records in flight have finished, or had their time (7.7.2); stops
    /// everything when the lease is over.
    fn let_go(&mut self) {
        let now = Instant::now();
        let over: Vec<_> = self
            .leaving
            .iter()
            .filter(|(slot, deadline)| !self.lanes.is_open(slot) || **deadline <= now)
            .map(|(slot, _)| slot.clone())
            .collect();
        for slot in over {
            self.leaving.remove(&slot);
            self.forget(&slot);
            self.released.push(slot);
            self.next_beat = now;
        }
        if self.lease_end() <= now {
            self.drop_all();
        }
    }

    /// Hands records to the partitions that have room; whether there is more.
    async fn fetch(&mut self) -> bool {
        if self.mine.is_empty() && self.generation.load(Ordering::SeqCst) == 0 {
            return false;
        }
        match self.fetch_each().await {
            Ok(is_more) => is_more,
            Err(BrokerError::StaleGeneration) => {
                self.next_beat = Instant::now();
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    async fn fetch_each(&mut self) -> Result<bool, BrokerError> {
        let mut is_more = false;
        for (slot, end) in self.identity.ends(self.generation.load(Ordering::SeqCst)).await? {
            if let Some(mine) = self.mine.get(&slot) {
                let lag = end - mine.committed.load(Ordering::Relaxed);
                self.metrics.lag(&slot, &self.identity.group, lag);
            }
            let Some((next, room)) = self.lanes.room(&slot) else { continue };
            if next >= end {
                continue;
            }
            for record in self.identity.log.read(&slot, next, room).await? {
                self.lanes.push(&slot, record);
            }
            is_more |= self.lanes.room(&slot).is_some_and(|(next, _)| next < end);
        }
        Ok(is_more)
    }

    async fn finish(&mut self) {
        let deadline = Instant::now() + self.timing.revoke_wait;
        let moved = self.lanes.moved();
        for slot in self.lanes.slots() {
            self.lanes.stop(&slot);
        }
        while self.lanes.slots().iter().any(|slot| self.lanes.is_open(slot)) {
            if timeout_at(deadline, moved.notified()).await.is_err() {
                break;
            }
        }
        self.drop_all();
    }
}

/// Leaves the group, so that others need not wait for the lease to end.
impl Drop for Session {
    fn drop(&mut self) {
        self.drop_all();
        let Identity { log, group, member, session, .. } = self.identity.clone();
        log.ask_without_waiting(Job::Leave { group, member, session });
    }
}

impl Identity {
    fn beat(&self) -> Beat {
        Beat {
            group: Arc::clone(&self.group),
            member: Arc::clone(&self.member),
            session: self.session,
            is_first: false,
            topics: Arc::clone(&self.topics),
            released: Vec::new(),
            lease_ms: self.lease_ms,
        }
    }

    async fn join(&self, beat: Beat) -> Result<Membership, BrokerError> {
        match self.log.ask(Job::Beat(beat)).await? {
            Outcome::Joined(membership) => Ok(membership),
            Outcome::Done => Err(BrokerError::Replaced),
        }
    }

    /// Where this member's partitions end, if nothing was shared out anew since `generation`.
    async fn ends(&self, generation: i64) -> Result<Vec<(Slot, i64)>, BrokerError> {
        let rows: Vec<End> = sqlx::query_as(
            "SELECT g.generation, p.topic, p.partition, p.next_offset FROM consumer_groups g
             LEFT JOIN assignments a ON a.consumer_group = g.name AND a.member = $2
             LEFT JOIN partitions p ON p.topic = a.topic AND p.partition = a.partition
             WHERE g.name = $1",
        )
        .bind(&*self.group)
        .bind(&*self.member)
        .fetch_all(&self.log.0.readers)
        .await
        .map_err(BrokerError::outage)?;
        let mut ends = Vec::with_capacity(rows.len());
        for (current, topic, partition, end) in rows {
            if current != generation {
                return Err(BrokerError::StaleGeneration);
            }
            if let (Some(topic), Some(partition), Some(end)) = (topic, partition, end) {
                ends.push((Slot { topic: topic.into(), partition }, end));
            }
        }
        Ok(ends)
    }
}

/// The generation; topic, partition and end of what the member works on, if anything.
type End = (i64, Option<String>, Option<i32>, Option<i64>);

/// Commits for one partition, as long as it is this member's.
#[derive(Debug, Clone)]
pub(crate) struct LogCommitter {
    identity: Identity,
    generation: Arc<AtomicI64>,
    slot: Slot,
    mine: Mine,
}

impl LogCommitter {
    /// Notes that everything before `offset` has been handled.
    ///
    /// A commit with an old generation is refused; the member then joins again, and only what is
    /// still its own from before is committed with the new one.
    pub(crate) async fn commit(&self, offset: i64) -> Result<(), BrokerError> {
        let mut generation = self.generation.load(Ordering::SeqCst);
        loop {
            match self.commit_with(generation, offset).await {
                Err(BrokerError::StaleGeneration) => {}
                outcome => {
                    if outcome.is_ok() {
                        self.mine.committed.store(offset, Ordering::Relaxed);
                    }
                    return outcome;
                }
            }
            let membership = self.identity.join(self.identity.beat()).await?;
            let is_own = |owned: &Owned| owned.slot == self.slot && owned.since == self.mine.since;
            if !membership.owned.iter().any(is_own) || membership.generation == generation {
                return Err(BrokerError::StaleGeneration);
            }
            generation = membership.generation;
        }
    }

    async fn commit_with(&self, generation: i64, offset: i64) -> Result<(), BrokerError> {
        let Identity { log, group, member, session, .. } = &self.identity;
        let commit = Commit {
            group: Arc::clone(group),
            member: Arc::clone(member),
            session: *session,
            generation,
            slot: self.slot.clone(),
            offset,
        };
        log.ask(Job::Commit(commit)).await.map(drop)
    }
}
