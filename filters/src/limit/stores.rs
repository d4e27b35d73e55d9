//! Where buckets are kept.

use std::fmt::{self, Debug};
use std::sync::Arc;

use super::{Policy, Taken};
use crate::Hook;

/// Keeps the buckets of all routes and keys.
///
/// There are two: in the process, and in Redis. Both count in whole seconds.
pub trait Buckets: Debug + Send + Sync {
    /// Takes the tokens of one request of `key` on the route `route`.
    ///
    /// It fails with [`crate::Failure::LimiterUnavailable`] if the store does not answer.
    fn take(&self, route: &str, key: &[u8], policy: &Policy) -> Hook<'_, Taken>;
}

type Find = dyn Fn(&str) -> Arc<dyn Buckets> + Send + Sync;

/// Finds the buckets of a store by its name. They outlive tables.
#[derive(Clone)]
pub struct BucketStores {
    find: Arc<Find>,
    local: Arc<dyn Buckets>,
}

impl BucketStores {
    /// Stores that `find` knows; `local` counts while one of them does not answer
    /// (`on-store-loss: local`).
    pub fn new(
        find: impl Fn(&str) -> Arc<dyn Buckets> + Send + Sync + 'static,
        local: Arc<dyn Buckets>,
    ) -> Self {
        Self { find: Arc::new(find), local }
    }

    /// The same buckets under every name.
    pub fn only(buckets: Arc<dyn Buckets>) -> Self {
        let local = Arc::clone(&buckets);
        Self::new(move |_| Arc::clone(&buckets), local)
    }

    /// The buckets of a store.
    pub fn of(&self, store: &str) -> Arc<dyn Buckets> {
        (self.find)(store)
    }

    /// Those that count while a store does not answer.
    pub fn local(&self) -> Arc<dyn Buckets> {
        Arc::clone(&self.local)
    }
}

impl Debug for BucketStores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BucketStores").field("local", &self.local).finish_non_exhaustive()
    }
}
