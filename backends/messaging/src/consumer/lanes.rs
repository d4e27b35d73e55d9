//! Partitions at work: each has a task of its own, which takes one record after the other (C4).

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::broker::{Committer, Placed, Slot};

/// Records that wait for a partition's task.
const WAITING: usize = 64;

/// What a partition's task does until it is told to stop.
pub(crate) type Work = Arc<dyn Fn(Lane) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a partition's task works with.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) slot: Slot,
    pub(crate) committer: Committer,
    records: mpsc::Receiver<Placed>,
    stop: watch::Receiver<bool>,
    moved: Arc<Notify>,
}

impl Lane {
    /// The next record; nothing when no more are to be begun.
    pub(crate) async fn next(&mut self) -> Option<Placed> {
        self.moved.notify_one();
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            record = self.records.recv() => record,
        }
    }

    /// Whether a record waits that is to be begun.
    pub(crate) fn has_more(&self) -> bool {
        !self.records.is_empty() && !*self.stop.borrow()
    }

    /// Waits until no more records are to be begun.
    pub(crate) async fn stopped(&mut self) {
        stopped(&mut self.stop).await;
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Who could have told it is gone: that is a stop, too.
    drop(stop.wait_for(|is_told| *is_told).await);
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.moved.notify_one();
    }
}

/// The partitions of a member.
pub(crate) struct Lanes {
    work: Work,
    open: HashMap<Slot, Open>,
    tasks: JoinSet<()>,
    moved: Arc<Notify>,
}

struct Open {
    records: mpsc::Sender<Placed>,
    stop: watch::Sender<bool>,
    task: AbortHandle,
    next: i64,
}

impl Lanes {
    pub(crate) fn new(work: Work) -> Self {
        Self { work, open: HashMap::new(), tasks: JoinSet::new(), moved: Arc::default() }
    }

    /// Is notified when a task has taken a record or ended.
    pub(crate) fn moved(&self) -> Arc<Notify> {
        Arc::clone(&self.moved)
    }

    /// Begins to work on a partition, with the record at `position`.
    pub(crate) fn open(&mut self, slot: Slot, position: i64, committer: Committer) {
        while self.tasks.try_join_next().is_some() {}
        let (sender, records) = mpsc::channel(WAITING);
        let (stop, told) = watch::channel(false);
        let lane = Lane {
            slot: slot.clone(),
            committer,
            records,
            stop: told,
            moved: Arc::clone(&self.moved),
        };
        let task = self.tasks.spawn((self.work)(lane));
        self.open.insert(slot, Open { records: sender, stop, task, next: position });
    }

    /// Whether a task works on the partition.
    pub(crate) fn is_open(&self, slot: &Slot) -> bool {
        self.open.get(slot).is_some_and(|open| !open.task.is_finished())
    }

    /// The partitions that have been opened and not yet closed.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.open.keys().cloned().collect()
    }

    /// Which record comes next, and how many may come; nothing when none may.
    pub(crate) fn room(&self, slot: &Slot) -> Option<(i64, usize)> {
        let open = self.open.get(slot).filter(|open| !*open.stop.borrow())?;
        let room = open.records.capacity();
        (room > 0 && !open.task.is_finished()).then_some((open.next, room))
    }

    /// The offset behind the last record that was handed to the partition's task; nothing when it is
    /// not open.
    pub(crate) fn position(&self, slot: &Slot) -> Option<i64> {
        self.open.get(slot).map(|open| open.next)
    }

    /// Hands a record to the partition's task; whether it was taken.
    pub(crate) fn push(&mut self, slot: &Slot, record: Placed) -> bool {
        let Some(open) = self.open.get_mut(slot) else { return false };
        let next = record.offset + 1;
        let is_taken = open.records.try_send(record).is_ok();
        if is_taken {
            open.next = next;
        }
        is_taken
    }

    /// Lets the record in flight be the partition's last.
    pub(crate) fn stop(&self, slot: &Slot) {
        if let Some(open) = self.open.get(slot) {
            open.stop.send_replace(true);
        }
    }

    /// Leaves the record in flight where it is.
    pub(crate) fn close(&mut self, slot: &Slot) {
        if let Some(open) = self.open.remove(slot) {
            open.task.abort();
        }
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.open.keys()).finish()
    }
}
