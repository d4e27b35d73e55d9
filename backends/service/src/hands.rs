//! Hands for what a worker finds in its store: a few things at once, and none twice at the same time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::{Future, pending};
use std::hash::Hash;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::timeout;

/// Jobs under way, each by its key.
///
/// What is looked up while it is being done is found again; its key tells. A job that takes too long
/// is dropped like one whose process has died: what it was at is still in the store. Dropping the
/// hands ends their jobs.
pub struct Hands<K> {
    most: usize,
    limit: Duration,
    busy: HashSet<K>,
    keys: HashMap<Id, K>,
    jobs: JoinSet<()>,
}

impl<K: Clone + fmt::Debug + Eq + Hash + Send + 'static> Hands<K> {
    /// At most `most` jobs at once, each for `limit` at the longest.
    pub fn new(most: usize, limit: Duration) -> Self {
        Self { most, limit, busy: HashSet::new(), keys: HashMap::new(), jobs: JoinSet::new() }
    }

    /// Begins a job unless it is under way; whether it is now. It is not when no hand is free.
    pub fn take_up(&mut self, key: K, job: impl Future<Output = ()> + Send + 'static) -> bool {
        if self.busy.contains(&key) {
            return true;
        }
        if self.jobs.len() >= self.most {
            return false;
        }
        let (limit, name) = (self.limit, key.clone());
        let job = async move {
            if timeout(limit, job).await.is_err() {
                tracing::error!(job = ?name, ?limit, "a job took too long and was dropped");
            }
        };
        let id = self.jobs.spawn(job).id();
        self.busy.insert(key.clone());
        self.keys.insert(id, key);
        true
    }

    /// Waits until a job has ended: for ever when none is under way. May be dropped and called again.
    pub async fn is_free(&mut self) {
        let id = match self.jobs.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "a job has ended before its time");
                error.id()
            }
            None => pending().await,
        };
        if let Some(key) = self.keys.remove(&id) {
            self.busy.remove(&key);
        }
    }
}

impl<K: fmt::Debug> fmt::Debug for Hands<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hands").field("busy", &self.busy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_job_that_never_ends_is_dropped() {
        let mut hands = Hands::new(1, LONG);
        assert!(hands.take_up("a", pending()));
        assert!(!hands.take_up("b", async { panic!("no hand is free") }));
        hands.is_free().await;
        assert!(hands.take_up("b", async {}), "the first was dropped");
    }

    #[tokio::test]
    async fn nothing_is_done_twice_at_once_and_nothing_beyond_the_limit() {
        let mut hands = Hands::new(2, LONG);
        let end = Arc::new(Notify::new());
        let job = |end: &Arc<Notify>| {
            let end = Arc::clone(end);
            async move { end.notified().await }
        };
        assert!(hands.take_up("a", job(&end)));
        assert!(hands.take_up("a", async { panic!("it is under way") }));
        assert!(hands.take_up("b", job(&end)));
        assert!(!hands.take_up("c", async { panic!("no hand is free") }));
        end.notify_one();
        hands.is_free().await;
        assert!(hands.take_up("c", job(&end)), "one has ended");
    }

    #[tokio::test]
    async fn a_job_that_panics_frees_its_hand_and_its_key() {
        let mut hands = Hands::new(1, LONG);
        assert!(hands.take_up("a", async { panic!("on purpose") }));
        hands.is_free().await;
        let again = Arc::new(Notify::new());
        let told = Arc::clone(&again);
        assert!(hands.take_up("a", async move { told.notify_one() }));
        again.notified().await;
    }
}
