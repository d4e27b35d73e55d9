//! A map whose entries end by themselves.

use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

/// So many that requests of different clients seldom meet.
const SHARDS: usize = 64;

/// How often ended entries are swept out, in milliseconds.
const SWEEP_EVERY: i64 = 60_000;

/// A map in shards, each behind a lock of its own.
///
/// An entry that has ended is not found; it is dropped by one of the insertions that follow. The
/// caller tells the time, in milliseconds.
pub(super) struct Expiring<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: std::hash::RandomState,
}

/// The entries of one shard, locked.
pub(super) struct Shard<K, V> {
    entries: FxHashMap<K, Entry<V>>,
    next_sweep: i64,
}

struct Entry<V> {
    value: V,
    ends_at: i64,
}

impl<K: Hash + Eq, V> Expiring<K, V> {
    pub(super) fn new() -> Self {
        let shard = || Mutex::new(Shard { entries: FxHashMap::default(), next_sweep: 0 });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: std::hash::RandomState::new(),
        }
    }

    /// Locks the shard that holds `key`.
    pub(super) fn shard(&self, key: &K) -> Option<MutexGuard<'_, Shard<K, V>>> {
        let shards = u64::try_from(self.shards.len()).unwrap_or(1);
        let at = usize::try_from(self.hasher.hash_one(key) % shards).unwrap_or_default();
        self.shards.get(at).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a value that ends at `ends_at`.
    pub(super) fn put(&self, key: K, value: V, ends_at: i64, now: i64) {
        if let Some(mut shard) = self.shard(&key) {
            shard.put(key, value, ends_at, now);
        }
    }

    pub(super) fn remove(&self, key: &K) {
        if let Some(mut shard) = self.shard(key) {
            drop(shard.entries.remove(key));
        }
    }

    /// Looks at, or edits, a value that has not ended.
    pub(super) fn with<T>(&self, key: &K, now: i64, look: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.shard(key)?.get(key, now).map(look)
    }
}

impl<K: Hash + Eq, V> Shard<K, V> {
    pub(super) fn get(&mut self, key: &K, now: i64) -> Option<&mut V> {
        self.entries.get_mut(key).filter(|entry| now < entry.ends_at).map(|entry| &mut entry.value)
    }

    pub(super) fn put(&mut self, key: K, value: V, ends_at: i64, now: i64) {
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_EVERY;
            self.entries.retain(|_, entry| now < entry.ends_at);
        }
        self.entries.insert(key, Entry { value, ends_at });
    }

    /// Takes a value out, ended or not.
    pub(super) fn take(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|entry| entry.value)
    }
}

/// How much it holds, not what.
impl<K, V> Debug for Expiring<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |shard: &Mutex<Shard<K, V>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).entries.len()
        };
        let entries: usize = self.shards.iter().map(count).sum();
        formatter.debug_struct("Expiring").field("entries", &entries).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_entry_is_not_found_and_swept_out() {
        let map = Expiring::new();
        for key in 0..1000 {
            map.put(key, (), 10, 0);
        }
        assert_eq!(map.with(&1, 9, |()| ()), Some(()));
        assert_eq!(map.with(&1, 10, |()| ()), None);
        for key in 1000..2000 {
            map.put(key, (), SWEEP_EVERY * 2, SWEEP_EVERY);
        }
        assert_eq!(format!("{map:?}"), "Expiring { entries: 1000, .. }");
    }
}
