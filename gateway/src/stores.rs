//! Stores that several gateways share (`stores` of the file): opened when somebody first needs
//! them, and kept over reloads by their names.

mod redis_buckets;
mod redis_link;

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::pipe;
use tollgate_filters::limit::{BucketStores, Buckets, InProcessBuckets};
use tollgate_filters::{MonotonicClock, Parts};

pub use redis_buckets::RedisBuckets;
pub(crate) use redis_link::RedisLink;

use crate::auth::RedisSessions;
use crate::config::Store;

/// Everything that is kept in stores, by the names of the stores.
#[derive(Debug)]
pub struct Stores {
    clock: Clock,
    known: Mutex<Known>,
}

/// A clock has no text form.
struct Clock(MonotonicClock);

impl Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

#[derive(Debug, Default)]
struct Known {
    /// As the file first wrote them: what a store is, only a restart changes.
    declared: HashMap<String, Store>,
    links: HashMap<String, Arc<RedisLink>>,
    buckets: HashMap<String, Arc<dyn Buckets>>,
    /// The first store that a filter could not have.
    failed: Option<UnusableStore>,
}

/// A store whose address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store `{name}` cannot be used: {reason}\ncorrect `stores.{name}.url`")]
pub struct UnusableStore {
    /// Its name.
    name: String,
    /// What is wrong.
    reason: String,
}

impl Stores {
    /// No stores yet; what counts in the process goes by `clock`.
    pub fn new(clock: MonotonicClock) -> Self {
        Self { clock: Clock(clock), known: Mutex::default() }
    }

    /// Remembers what a file says of stores that are not known yet.
    pub fn declare(&self, stores: &[Store]) {
        let mut known = self.lock();
        for store in stores {
            known.declared.entry(store.name.clone()).or_insert_with(|| store.clone());
        }
    }

    /// The connection to the Redis of a store; `None` if the store is in the process.
    ///
    /// # Errors
    ///
    /// An address that is none.
    pub(crate) fn link(&self, name: &str) -> Result<Option<Arc<RedisLink>>, UnusableStore> {
        self.lock().link(name)
    }

    /// The buckets of a store.
    ///
    /// # Errors
    ///
    /// An address that is none.
    pub fn buckets(&self, name: &str) -> Result<Arc<dyn Buckets>, UnusableStore> {
        let mut known = self.lock();
        if let Some(buckets) = known.buckets.get(name) {
            return Ok(Arc::clone(buckets));
        }
        let buckets: Arc<dyn Buckets> = match known.link(name)? {
            Some(link) => Arc::new(RedisBuckets::on(link)),
            None => self.in_process(),
        };
        known.buckets.insert(name.to_owned(), Arc::clone(&buckets));
        Ok(buckets)
    }

    /// What filters share, with these stores.
    pub fn parts(self: &Arc<Self>, random: fn() -> f64) -> Parts {
        let local = self.in_process();
        let stores = Arc::clone(self);
        let instead = Arc::clone(&local);
        let find = move |name: &str| {
            stores.buckets(name).unwrap_or_else(|problem| {
                stores.lock().failed.get_or_insert(problem);
                Arc::clone(&instead)
            })
        };
        let clock = Arc::clone(&self.clock.0);
        Parts { buckets: BucketStores::new(find, local), ..Parts::in_process(clock, random) }
    }

    fn in_process(&self) -> Arc<dyn Buckets> {
        Arc::new(InProcessBuckets::new(Arc::clone(&self.clock.0)))
    }

    /// Whether filters have had every store they asked for since this was asked last.
    ///
    /// # Errors
    ///
    /// The first one they have not had.
    pub fn check(&self) -> Result<(), UnusableStore> {
        self.lock().failed.take().map_or(Ok(()), Err)
    }

    /// Asks every server for a sign of life, so that the first request need not connect and an
    /// operator is told at once. Must run where requests are served.
    pub async fn connect(&self) {
        let links = self.lock().links.clone();
        for (name, link) in links {
            let mut commands = pipe();
            commands.cmd("PING").ignore();
            if let Err(error) = link.ask::<()>(&commands).await {
                tracing::warn!("the store `{name}` does not answer: {error}");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn link(&mut self, name: &str) -> Result<Option<Arc<RedisLink>>, UnusableStore> {
        if let Some(link) = self.links.get(name) {
            return Ok(Some(Arc::clone(link)));
        }
        let Some(store) = self.declared.get(name) else { return Ok(None) };
        let unusable = |reason: String| UnusableStore { name: name.to_owned(), reason };
        let url = match &store.url {
            None => return Ok(None),
            Some(url) => match url.strip_prefix("file:") {
                None => url.clone(),
                Some(path) => fs::read_to_string(path)
                    .map_err(|error| unusable(format!("`{path}`: {error}")))?,
            },
        };
        // One connection serves whoever keeps something there.
        let scripts = RedisSessions::scripts().into_iter().chain(RedisBuckets::scripts()).collect();
        let (connect, command) = (store.connect_timeout, store.command_timeout);
        let link = RedisLink::new(url.trim(), scripts, connect, command)
            .map_err(|error| unusable(error.to_string()))?;
        let link = Arc::new(link);
        self.links.insert(name.to_owned(), Arc::clone(&link));
        Ok(Some(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn store(name: &str, url: &str) -> Store {
        Store { url: Some(url.to_owned()), ..Store::in_process(name) }
    }

    fn stores() -> Arc<Stores> {
        Arc::new(Stores::new(Arc::new(clock::now)))
    }

    #[test]
    fn a_store_stays_what_it_was_first() {
        let stores = stores();
        stores.declare(&[store("a", "redis://127.0.0.1:1"), Store::in_process("b")]);
        let first = stores.link("a").unwrap().unwrap();
        assert!(stores.link("b").unwrap().is_none());
        stores.declare(&[store("a", "not an address"), store("b", "redis://127.0.0.1:1")]);
        assert!(Arc::ptr_eq(&first, &stores.link("a").unwrap().unwrap()));
        assert!(stores.link("b").unwrap().is_none());
        assert!(stores.link("never heard of").unwrap().is_none());
    }

    #[test]
    fn buckets_outlive_the_table_that_asked_for_them() {
        let stores = stores();
        let parts = stores.parts(|| 0.0);
        assert!(Arc::ptr_eq(&parts.buckets.of("a"), &parts.buckets.of("a")));
        assert!(!Arc::ptr_eq(&parts.buckets.of("a"), &parts.buckets.of("b")));
        assert_eq!(stores.check(), Ok(()));
    }

    #[test]
    fn a_store_that_cannot_be_is_told() {
        let stores = stores();
        stores.declare(&[store("a", "file:/nowhere/at/all")]);
        stores.parts(|| 0.0).buckets.of("a");
        let problem = stores.check().unwrap_err().to_string();
        assert!(problem.contains("`a` cannot be used: `/nowhere/at/all`"), "{problem}");
        assert_eq!(stores.check(), Ok(()));
    }
}
