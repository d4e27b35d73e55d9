//! How often a login may fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::session::Failures;

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

/// Logins that have no answer yet, by the hash of their e-mail address.
///
/// Failures are counted when the member service has answered. Without this, many guesses at the
/// same time would all find the count low.
#[derive(Debug, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<[u8; 32], u32>>>);

/// One login without an answer yet; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    all: Arc<Mutex<HashMap<[u8; 32], u32>>>,
    email_hash: [u8; 32],
    /// How many were open when it began, itself among them.
    open: u32,
}

impl Attempts {
    /// Begins a login. To be called before the failures are read: one that ends meanwhile is then
    /// counted on one side at least.
    pub(super) fn begin(&self, email_hash: [u8; 32]) -> Attempt {
        let mut all = lock(&self.0);
        let open = all.entry(email_hash).or_default();
        *open = open.saturating_add(1);
        Attempt { all: Arc::clone(&self.0), email_hash, open: *open }
    }
}

impl Attempt {
    /// Whether a limit is kept even if this login, and all that were open when it began, fail.
    pub(super) fn is_within(&self, failures: Failures, settings: &ThrottleSettings) -> bool {
        failures.of_address < settings.per_address
            && failures.of_email.saturating_add(self.open) <= settings.per_email
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if let Some(open) = all.get_mut(&self.email_hash) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                all.remove(&self.email_hash);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_logins_count_until_they_end() {
        let settings = ThrottleSettings { per_email: 2, ..ThrottleSettings::default() };
        let attempts = Attempts::default();
        let begin = |failures, email| {
            let attempt = attempts.begin([email; 32]);
            attempt.is_within(failures, &settings).then_some(attempt)
        };
        let none = Failures::default();
        let first = begin(none, 1);
        let _second = begin(none, 1).unwrap();
        assert!(begin(none, 1).is_none());
        assert!(begin(none, 2).is_some());
        drop(first);
        assert!(begin(none, 1).is_some());
        assert!(begin(Failures { of_email: 1, of_address: 0 }, 1).is_none());
        assert!(begin(Failures { of_email: 0, of_address: 50 }, 2).is_none());
    }

    #[test]
    fn nothing_is_kept_of_what_ended() {
        let attempts = Attempts::default();
        drop(attempts.begin([1; 32]));
        assert!(lock(&attempts.0).is_empty());
    }
}
