//! What keeps a process from being ready: outages that consumers wait out, and an outbox that grows
//! old (7.6, P6).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is out of order in this process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, &'static str>>>);

impl Health {
    /// Nothing when messages flow, or a text that says why they do not.
    ///
    /// It fits `App::ready_when` of the service crate.
    pub fn check(&self) -> Result<(), String> {
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match troubles.iter().next() {
            None => Ok(()),
            Some((part, trouble)) => Err(format!("{part}: {trouble}")),
        }
    }

    /// Notes that a part is out of order.
    pub(crate) fn trouble(&self, part: &str, trouble: &'static str) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.insert(part.to_owned(), trouble);
    }

    /// Notes that it works.
    pub(crate) fn works(&self, part: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }
}

/// A part that is out of order until this is dropped.
#[derive(Debug)]
pub(crate) struct OutOfOrder {
    health: Health,
    part: String,
}

impl OutOfOrder {
    pub(crate) fn new(health: &Health, part: String, trouble: &'static str) -> Self {
        health.trouble(&part, trouble);
        Self { health: health.clone(), part }
    }
}

impl Drop for OutOfOrder {
    fn drop(&mut self) {
        self.health.works(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_out_of_order_until_its_note_is_dropped() {
        let health = Health::default();
        assert_eq!(health.check(), Ok(()));
        let note = OutOfOrder::new(&health, "group g".to_owned(), "waits");
        health.trouble("outbox", "is old");
        assert_eq!(health.check(), Err("group g: waits".to_owned()));
        drop(note);
        assert_eq!(health.check(), Err("outbox: is old".to_owned()));
        health.works("outbox");
        assert_eq!(health.check(), Ok(()));
    }
}
