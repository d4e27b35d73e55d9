//! How often a login may fail.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::session::{Failures, LoginKey};

/// `auth.throttle`: how often a login may fail before more are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// With one e-mail address. Default 5.
    pub per_email: u32,
    /// From one address. Default 50.
    pub per_address: u32,
    /// How long a failure counts, from the first one on. Default 15 minutes.
    pub window: Duration,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self { per_email: 5, per_address: 50, window: Duration::from_mins(15) }
    }
}

/// Logins that have no answer yet, by e-mail address and by client.
///
/// Failures are counted when the member service has answered. Without this, many guesses at the
/// same time would all find the count low.
#[derive(Debug, Default)]
pub(super) struct Attempts(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    by_email: HashMap<[u8; 32], u32>,
    by_address: HashMap<IpAddr, u32>,
}

/// One login without an answer yet; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    all: Arc<Mutex<Open>>,
    key: LoginKey,
    /// How many were open when it began, itself among them.
    of_email: u32,
    of_address: u32,
}

impl Attempts {
    /// Begins a login. To be called before the failures are read: one that ends meanwhile is then
    /// counted on one side at least.
    pub(super) fn begin(&self, key: LoginKey) -> Attempt {
        let mut all = lock(&self.0);
        let of_email = one_more(&mut all.by_email, key.email_hash);
        let of_address = key.address.map_or(0, |address| one_more(&mut all.by_address, address));
        Attempt { all: Arc::clone(&self.0), key, of_email, of_address }
    }
}

impl Attempt {
    /// Whether a limit is kept even if this login, and all that were open when it began, fail.
    pub(super) fn is_within(&self, failures: Failures, settings: &ThrottleSettings) -> bool {
        failures.of_address.saturating_add(self.of_address) <= settings.per_address
            && failures.of_email.saturating_add(self.of_email) <= settings.per_email
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        one_less(&mut all.by_email, &self.key.email_hash);
        if let Some(address) = self.key.address {
            one_less(&mut all.by_address, &address);
        }
    }
}

fn one_more<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: K) -> u32 {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
    *count
}

fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// What stands for a client: its address, or the network of 64 bits that an IPv6 client has to
/// itself.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(email: u8, address: &str) -> LoginKey {
        let address = Some(network_of(address.parse().unwrap()));
        LoginKey { email_hash: [email; 32], address }
    }

    #[test]
    fn open_logins_count_until_they_end() {
        let settings =
            ThrottleSettings { per_email: 2, per_address: 3, ..ThrottleSettings::default() };
        let attempts = Attempts::default();
        let begin = |failures, email, address| {
            let attempt = attempts.begin(key(email, address));
            attempt.is_within(failures, &settings).then_some(attempt)
        };
        let none = Failures::default();
        let first = begin(none, 1, "192.0.2.1");
        let _second = begin(none, 1, "192.0.2.1").unwrap();
        assert!(begin(none, 1, "192.0.2.2").is_none());
        let third = begin(none, 2, "192.0.2.1");
        assert!(begin(none, 3, "192.0.2.1").is_none());
        drop((first, third));
        assert!(begin(none, 1, "192.0.2.1").is_some());
        assert!(begin(Failures { of_email: 1, of_address: 0 }, 1, "192.0.2.1").is_none());
        assert!(begin(Failures { of_email: 0, of_address: 3 }, 2, "192.0.2.2").is_none());
    }

    #[test]
    fn nothing_is_kept_of_what_ended() {
        let attempts = Attempts::default();
        drop(attempts.begin(key(1, "192.0.2.1")));
        let all = lock(&attempts.0);
        assert!(all.by_email.is_empty() && all.by_address.is_empty());
    }

    #[test]
    fn a_client_has_a_whole_network_in_version_6() {
        assert_eq!(key(1, "2001:db8::1"), key(1, "2001:db8::ffff:2"));
        assert_ne!(key(1, "2001:db8::1"), key(1, "2001:db8:0:1::1"));
        assert_ne!(key(1, "192.0.2.1"), key(1, "192.0.2.2"));
    }
}
