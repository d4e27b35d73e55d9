use std::collections::BTreeSet;

use jiff::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use super::group::Membership;
use super::writer::{Beat, Commit};
use super::*;
use crate::testing::settable_clock;

const GROUP: &str = "notification";

struct Member {
    log: Log,
    name: &'static str,
    session: Uuid,
    is_first: bool,
}

impl Member {
    fn new(log: &Log, name: &'static str) -> Self {
        Self { log: log.clone(), name, session: Uuid::new_v4(), is_first: true }
    }

    async fn beat(&mut self, released: &[Slot]) -> Result<Membership, BrokerError> {
        let beat = Beat {
            group: GROUP.into(),
            member: self.name.into(),
            session: self.session,
            is_first: self.is_first,
            topics: [Topic::TravelEvent.name()].into(),
            released: released.to_vec(),
            lease_ms: 6000,
        };
        self.is_first = false;
        match self.log.ask(Job::Beat(beat)).await? {
            Outcome::Joined(membership) => Ok(membership),
            Outcome::Done => panic!("no membership"),
        }
    }

    async fn commit(&self, generation: i64, slot: &Slot, offset: i64) -> Result<(), BrokerError> {
        let commit = Commit {
            group: GROUP.into(),
            member: self.name.into(),
            session: self.session,
            generation,
            slot: slot.clone(),
            offset,
        };
        self.log.ask(Job::Commit(commit)).await.map(drop)
    }
}

async fn open(folder: &TempDir, clock: Clock) -> Log {
    Log::open(&folder.path().join("broker.db"), &Timing::default(), clock).await.unwrap()
}

fn record(key: &str, size: usize) -> Record {
    let key = Some(key.as_bytes().to_vec());
    Record {
        topic: Topic::TravelEvent.name().to_owned(),
        key,
        headers: vec![("n".to_owned(), "v".to_owned())],
        body: vec![b'x'; size],
    }
}

fn slots(membership: &Membership) -> BTreeSet<i32> {
    membership.owned.iter().map(|owned| owned.slot.partition).collect()
}

fn start() -> Timestamp {
    "2025-05-01T00:00:00Z".parse().unwrap()
}

/// L3, X-33: a commit with an old generation is refused, and changes nothing.
#[tokio::test]
async fn l3_x_33_a_commit_with_an_old_generation_is_refused() {
    let folder = TempDir::new().unwrap();
    let log = open(&folder, Clock::system()).await;
    let (mut one, mut two) = (Member::new(&log, "one"), Member::new(&log, "two"));
    let first = one.beat(&[]).await.unwrap();
    assert_eq!(slots(&first), BTreeSet::from([0, 1, 2]));
    let slot = first.owned[0].slot.clone();
    one.commit(first.generation, &slot, 3).await.unwrap();
    assert!(two.beat(&[]).await.unwrap().owned.is_empty(), "not before somebody lets go");
    let stale = one.commit(first.generation, &slot, 4).await;
    assert!(matches!(stale, Err(BrokerError::StaleGeneration)));
    let second = one.beat(&[]).await.unwrap();
    assert!(second.generation > first.generation);
    assert_eq!(second.owned[0].position, 3);
    assert_eq!(second.owned[0].since, first.owned[0].since);
    one.commit(second.generation, &slot, 4).await.unwrap();
    // A partition that moves can be committed until it is let go, and not any more then.
    let moving = second.owned.iter().find(|owned| owned.is_revoking).unwrap().slot.clone();
    one.commit(second.generation, &moving, 7).await.unwrap();
    let third = one.beat(std::slice::from_ref(&moving)).await.unwrap();
    let others = two.beat(&[]).await.unwrap();
    assert_eq!((others.owned.len(), others.owned[0].slot == moving), (1, true));
    assert_eq!(others.owned[0].position, 7);
    let late = one.commit(third.generation, &moving, 8).await;
    assert!(matches!(late, Err(BrokerError::StaleGeneration)));
}

/// L2: a member that is silent for the lease loses its partitions; one that comes back shares again.
#[tokio::test]
async fn l2_a_silent_member_loses_its_partitions() {
    let folder = TempDir::new().unwrap();
    let (clock, set) = settable_clock(start());
    let log = open(&folder, clock).await;
    let (mut one, mut two) = (Member::new(&log, "one"), Member::new(&log, "two"));
    let first = one.beat(&[]).await.unwrap();
    set(start() + Duration::from_millis(5999));
    assert!(two.beat(&[]).await.unwrap().owned.is_empty());
    set(start() + Duration::from_millis(6001));
    assert_eq!(slots(&two.beat(&[]).await.unwrap()), BTreeSet::from([0, 1, 2]));
    let late = one.commit(first.generation, &first.owned[0].slot, 1).await;
    assert!(matches!(late, Err(BrokerError::StaleGeneration)));
    assert!(one.beat(&[]).await.unwrap().owned.is_empty());
}

/// 7.7.2: a process that starts under a member's name takes its place at once; the one before is
/// told, and can commit nothing.
#[tokio::test]
async fn an_instance_that_starts_anew_takes_its_place() {
    let folder = TempDir::new().unwrap();
    let log = open(&folder, Clock::system()).await;
    let (mut old, mut new) = (Member::new(&log, "one"), Member::new(&log, "one"));
    let before = old.beat(&[]).await.unwrap();
    let after = new.beat(&[]).await.unwrap();
    assert_eq!(slots(&after), slots(&before));
    assert!(after.generation > before.generation);
    assert!(matches!(old.beat(&[]).await, Err(BrokerError::Replaced)));
    let slot = &before.owned[0].slot;
    for generation in [before.generation, after.generation] {
        let late = old.commit(generation, slot, 1).await;
        assert!(matches!(late, Err(BrokerError::StaleGeneration)));
    }
    new.commit(after.generation, slot, 1).await.unwrap();
}

/// 7.1: records are kept as long as their topic says; a group that is behind goes on with the first
/// that is left.
#[tokio::test]
async fn records_are_deleted_when_their_time_is_over() {
    let folder = TempDir::new().unwrap();
    let (clock, set) = settable_clock(start());
    let log = open(&folder, clock).await;
    log.publish(vec![record("a", 1), record("a", 1)]).await.unwrap();
    let day = Duration::from_hours(24);
    set(start() + day * 29);
    log.publish(vec![record("a", 2)]).await.unwrap();
    let slot = Slot {
        topic: Topic::TravelEvent.name().into(),
        partition: partitioner::partition_of(Some(b"a"), 3),
    };
    log.ask(Job::Purge).await.unwrap();
    assert_eq!(log.read(&slot, 0, 10).await.unwrap().len(), 3);
    set(start() + day * 31);
    log.ask(Job::Purge).await.unwrap();
    let left = log.read(&slot, 0, 10).await.unwrap();
    assert_eq!((left.len(), left[0].offset), (1, 2));
    let membership = Member::new(&log, "one").beat(&[]).await.unwrap();
    let owned = membership.owned.iter().find(|owned| owned.slot == slot).unwrap();
    assert_eq!(owned.position, 2);
    set(start() + day * 90);
    log.ask(Job::Purge).await.unwrap();
    log.publish(vec![record("a", 3)]).await.unwrap();
    assert_eq!(log.read(&slot, 0, 10).await.unwrap()[0].offset, 3);
}

/// L1: a batch is there as a whole or not at all.
#[tokio::test]
async fn l1_a_batch_with_a_topic_that_is_not_there_is_refused_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let log = open(&folder, Clock::system()).await;
    let elsewhere = Record { topic: "NOWHERE".to_owned(), ..record("a", 1) };
    let refused = log.publish(vec![record("a", 1), elsewhere]).await;
    assert!(matches!(refused, Err(BrokerError::UnknownTopic(_))));
    for partition in 0..3 {
        let slot = Slot { topic: Topic::TravelEvent.name().into(), partition };
        assert!(log.read(&slot, 0, 10).await.unwrap().is_empty());
    }
}

/// L5, X-16: a full disk is an outage: the batch is not there, and can be published again once there
/// is room.
#[tokio::test]
async fn l5_a_full_disk_is_an_outage() {
    let folder = TempDir::new().unwrap();
    let log = open(&folder, Clock::system()).await;
    log.ask(Job::LimitPages(60)).await.unwrap();
    log.publish(vec![record("a", 1000)]).await.unwrap();
    let batch = || (0..500).map(|_| record("a", 1000)).collect::<Vec<_>>();
    let full = log.publish(batch()).await;
    assert!(matches!(full, Err(BrokerError::Outage(_))), "{full:?}");
    let slot = Slot {
        topic: Topic::TravelEvent.name().into(),
        partition: partitioner::partition_of(Some(b"a"), 3),
    };
    assert_eq!(log.read(&slot, 0, 1000).await.unwrap().len(), 1);
    log.ask(Job::LimitPages(1_000_000)).await.unwrap();
    log.publish(batch()).await.unwrap();
    let all = log.read(&slot, 0, 1000).await.unwrap();
    assert_eq!((all.len(), all[500].offset), (501, 500));
}

/// Several processes may make the file at once.
#[tokio::test(flavor = "multi_thread")]
async fn processes_may_make_the_file_at_once() {
    let folder = TempDir::new().unwrap();
    let mut opening = JoinSet::new();
    for _ in 0..6 {
        let path = folder.path().join("broker.db");
        opening.spawn(async move {
            let log = Log::open(&path, &Timing::default(), Clock::system()).await.unwrap();
            log.publish(vec![record("a", 1)]).await.unwrap();
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap();
    }
}
