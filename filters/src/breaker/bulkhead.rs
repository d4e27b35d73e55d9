//! How many calls may be under way at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// `resilience4j.bulkhead`: how many calls may be under way at a time.
///
/// A call for which there is no room is refused at once: `maxWaitDuration` is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// `maxConcurrentCalls`, from 0. Default 25. Of a `thread-pool-bulkhead` it is
    /// `maxThreadPoolSize` + `queueCapacity`.
    pub max_concurrent_calls: usize,
}

/// Lets so many calls be under way at a time.
#[derive(Debug)]
pub struct Bulkhead {
    name: Arc<str>,
    most: AtomicUsize,
    under_way: AtomicUsize,
    is_declared: AtomicBool,
    has_been_asked: AtomicBool,
}

/// One call's place; dropping it gives it back.
#[derive(Debug)]
pub struct BulkheadPermit {
    bulkhead: Arc<Bulkhead>,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self { max_concurrent_calls: 25 }
    }
}

impl Bulkhead {
    pub(super) fn new(name: Arc<str>, config: BulkheadConfig) -> Self {
        Self {
            name,
            most: AtomicUsize::new(config.max_concurrent_calls),
            under_way: AtomicUsize::new(0),
            is_declared: AtomicBool::new(false),
            has_been_asked: AtomicBool::new(false),
        }
    }

    pub(super) fn take(&self, config: BulkheadConfig) {
        self.most.store(config.max_concurrent_calls, Ordering::Relaxed);
    }

    pub(super) fn is_seen(&self) -> bool {
        self.is_declared() || self.has_been_asked.load(Ordering::Relaxed)
    }

    pub(super) fn set_declared(&self, is_declared: bool) {
        self.is_declared.store(is_declared, Ordering::Relaxed);
    }

    /// Whether the file declares it (`instances`), not only a route names it.
    pub fn is_declared(&self) -> bool {
        self.is_declared.load(Ordering::Relaxed)
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How many calls may be under way at a time.
    pub fn max_concurrent_calls(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// How many more calls may begin now.
    pub fn available_concurrent_calls(&self) -> usize {
        self.max_concurrent_calls().saturating_sub(self.under_way.load(Ordering::Relaxed))
    }

    /// A place for one call, if there is one.
    pub fn try_acquire(self: &Arc<Self>) -> Option<BulkheadPermit> {
        if !self.has_been_asked.load(Ordering::Relaxed) {
            self.has_been_asked.store(true, Ordering::Relaxed);
        }
        let most = self.max_concurrent_calls();
        let one_more = |under_way: usize| (under_way < most).then(|| under_way + 1);
        let taken = self.under_way.fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more);
        taken.ok().map(|_| BulkheadPermit { bulkhead: Arc::clone(self) })
    }
}

impl Drop for BulkheadPermit {
    fn drop(&mut self) {
        self.bulkhead.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
