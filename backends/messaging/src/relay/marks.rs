//! What was marked as published lately: whoever waits for it need not ask the store.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::outbox::Pending;

/// More than are waited for at once; of what is older the store tells.
const KEPT: usize = 4096;

#[derive(Debug)]
pub(super) struct Marks {
    recent: Mutex<Recent>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Recent {
    ids: HashSet<String>,
    /// The oldest first; what was told stays until its turn comes.
    order: VecDeque<String>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self { recent: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// Tells whoever waits.
    pub(super) fn add(&self, batch: &[Pending]) {
        self.with(|recent| {
            for message in batch {
                recent.ids.insert(message.id.clone());
                recent.order.push_back(message.id.clone());
            }
            while recent.order.len() > KEPT {
                if let Some(oldest) = recent.order.pop_front() {
                    recent.ids.remove(&oldest);
                }
            }
        });
        self.changed.send_replace(());
    }

    /// Leaves those that were not marked lately. A mark is told once: a message can be published
    /// again.
    pub(super) fn settle(&self, ids: &mut Vec<Uuid>) {
        self.with(|recent| ids.retain(|id| !recent.ids.remove(&id.to_string())));
    }

    /// Tells of every mark from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recent) -> T) -> T {
        work(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: Uuid) -> Pending {
        Pending {
            id: id.to_string(),
            topic: String::new(),
            key: String::new(),
            headers: Vec::new(),
            kind: String::new(),
            body: String::new(),
        }
    }

    #[test]
    fn a_mark_is_told_once() {
        let marks = Marks::new();
        let [marked, other] = [Uuid::now_v7(), Uuid::now_v7()];
        marks.add(&[message(marked)]);
        let mut ids = vec![marked, other];
        marks.settle(&mut ids);
        assert_eq!(ids, [other]);
        let mut again = vec![marked];
        marks.settle(&mut again);
        assert_eq!(again, [marked]);
    }

    #[test]
    fn old_marks_are_forgotten() {
        let marks = Marks::new();
        let first = Uuid::now_v7();
        marks.add(&[message(first)]);
        let batch: Vec<_> = (0..KEPT).map(|_| message(Uuid::now_v7())).collect();
        marks.add(&batch);
        let mut ids = vec![first];
        marks.settle(&mut ids);
        assert_eq!(ids, [first]);
        assert_eq!(marks.with(|recent| (recent.ids.len(), recent.order.len())), (KEPT, KEPT));
    }
}
