//! Passwords: what they must be, how they are kept and checked.
//!
//! Argon2id takes a core and 19 MiB for a while, so only so many run at a time and the others wait;
//! a request that waits longer than the service gives it is answered with 503 by what surrounds it.

#[cfg(target_os = "linux")]
use std::cell::Cell;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
#[cfg(target_os = "linux")]
use rustix::{process::setpriority_process, thread::gettid};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use service::check::Check;
use service::problem::Problem;
use tokio::sync::{AcquireError, Semaphore};
use tokio::task::{JoinError, spawn_blocking};
use uuid::Uuid;

/// In characters.
const LENGTH: RangeInclusive<usize> = 10..=128;
/// At login a password is compared with what is stored, whatever rule held when it was set.
const LENGTH_AT_LOGIN: RangeInclusive<usize> = 1..=128;

/// The nice value of threads that only use what others leave.
#[cfg(target_os = "linux")]
const LOWEST_PRIORITY: i32 = 19;

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

/// What new hashes cost.
pub(crate) const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2 };

/// A password as a member typed it. It appears in no log and no answer.
#[derive(Clone)]
pub(crate) struct Password(String);

/// Makes and checks hashes; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    workers: Arc<Semaphore>,
    /// What is compared with where there is no hash, so that it takes as long.
    stand_in: Arc<str>,
}

/// Whether a password is the one that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    /// It is; `is_outdated` when a hash made now would be stronger, or cheaper.
    Right {
        is_outdated: bool,
    },
}

/// Why nothing can be said about a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashError {
    #[error("the hash cannot be made or read")]
    Hash(#[from] password_hash::Error),
    #[error("the cost of a hash is out of range")]
    Cost(#[from] argon2::Error),
    #[error("no worker took the password")]
    Worker(#[from] JoinError),
    #[error("the workers are gone")]
    Closed(#[from] AcquireError),
}

impl Password {
    /// A password for a new hash.
    pub(crate) fn new(check: &mut Check, field: &str, given: Option<Self>) -> Option<Self> {
        Self::within(LENGTH, check, field, given)
    }

    /// A password to compare.
    pub(crate) fn at_login(check: &mut Check, field: &str, given: Option<Self>) -> Option<Self> {
        Self::within(LENGTH_AT_LOGIN, check, field, given)
    }

    /// A password from the environment, if it may be used.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        LENGTH.contains(&text.chars().count()).then(|| Self(text.to_owned()))
    }

    fn within(
        length: RangeInclusive<usize>,
        check: &mut Check,
        field: &str,
        given: Option<Self>,
    ) -> Option<Self> {
        let password = check.required(field, given)?;
        if length.contains(&password.0.chars().count()) {
            return Some(password);
        }
        let reason = format!("must have {} to {} characters", length.start(), length.end());
        check.reject(field, reason, None);
        None
    }
}

impl Passwords {
    /// Checks at most `workers` passwords at a time.
    pub(crate) fn new(cost: Cost, workers: usize) -> Result<Self, HashError> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys = Password(Uuid::new_v4().to_string());
        let stand_in = hash(&argon2, &nobodys)?.into();
        Ok(Self { argon2, workers: Arc::new(Semaphore::new(workers)), stand_in })
    }

    /// A hash of `password` with a salt of its own, as a PHC string.
    pub(crate) async fn hash(&self, password: &Password) -> Result<String, HashError> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        Ok(self.work(move || hash(&argon2, &password)).await??)
    }

    /// Whether `stored` is a hash of `password`; without one the same work is done for nothing.
    pub(crate) async fn verify(
        &self,
        password: &Password,
        stored: Option<&str>,
    ) -> Result<Verdict, HashError> {
        let is_known = stored.is_some();
        let stored = stored.unwrap_or(&self.stand_in).to_owned();
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let verdict = self.work(move || verify(&argon2, &password, &stored)).await??;
        Ok(if is_known { verdict } else { Verdict::Wrong })
    }

    /// The permit goes with the work: it is given back when the work ends, not when nobody waits
    /// for it any longer.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let permit = Arc::clone(&self.workers).acquire_owned().await?;
        let done = spawn_blocking(move || {
            let_others_go_first();
            let done = work();
            drop(permit);
            done
        });
        Ok(done.await?)
    }
}

/// A hash takes a core for tens of milliseconds. Whoever else wants the core, such as the gateway on
/// the same machine, gets it at once; a storm of logins then slows only logins.
#[cfg(target_os = "linux")]
fn let_others_go_first() {
    thread_local! {
        static IS_DONE: Cell<bool> = const { Cell::new(false) };
    }
    if !IS_DONE.replace(true)
        && let Err(error) = setpriority_process(Some(gettid()), LOWEST_PRIORITY)
    {
        tracing::debug!(%error, "passwords are checked at the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn let_others_go_first() {}

fn hash(argon2: &Argon2<'_>, password: &Password) -> Result<String, password_hash::Error> {
    let hash: PasswordHash = argon2.hash_password(password.0.as_bytes())?;
    Ok(hash.to_string())
}

fn verify(
    argon2: &Argon2<'_>,
    password: &Password,
    stored: &str,
) -> Result<Verdict, password_hash::Error> {
    let stored = PasswordHash::new(stored)?;
    match argon2.verify_password(password.0.as_bytes(), &stored) {
        Ok(()) => Ok(Verdict::Right { is_outdated: is_outdated(argon2, &stored) }),
        Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(error),
    }
}

fn is_outdated(argon2: &Argon2<'_>, stored: &PasswordHash) -> bool {
    let is_same = stored.algorithm == Algorithm::Argon2id.ident()
        && stored.version == Some(Version::V0x13.into())
        && Params::try_from(stored).is_ok_and(|params| {
            let now = argon2.params();
            let cost = |of: &Params| (of.m_cost(), of.t_cost(), of.p_cost());
            cost(&params) == cost(now)
        });
    !is_same
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// By hand, because the usual error repeats what it found.
impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value::String(text) = Value::deserialize(deserializer)? else {
            return Err(D::Error::custom("a password is a text"));
        };
        Ok(Self(text))
    }
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;
    use tokio::task::JoinSet;

    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    fn password(text: &str) -> Password {
        Password(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::new(CHEAP, 1).unwrap();
        let hash = passwords.hash(&password("correct horse")).await.unwrap();
        let verdict = passwords.verify(&password("correct horse"), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Right { is_outdated: false });
        for wrong in ["", "correct hors", "Correct horse", "correct horse "] {
            let verdict = passwords.verify(&password(wrong), Some(&hash)).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{wrong}");
        }
        assert_eq!(passwords.verify(&password("x"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn hashes_have_the_cost_that_is_asked_for() {
        let passwords = Passwords::new(COST, 1).unwrap();
        let hash = passwords.hash(&password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let salt = hash.split('$').nth(4).unwrap();
        assert_eq!(salt.len(), 22, "16 bytes in base64");
        let again = passwords.hash(&password("correct horse")).await.unwrap();
        assert_ne!(hash, again, "the salt is the same");
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_right_and_outdated() {
        let old = Passwords::new(CHEAP, 1).unwrap();
        let hash = old.hash(&password("correct horse")).await.unwrap();
        let new = Passwords::new(Cost { passes: 2, ..CHEAP }, 1).unwrap();
        let verdict = new.verify(&password("correct horse"), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Right { is_outdated: true });
    }

    #[tokio::test]
    async fn a_worker_is_taken_until_its_work_ends() {
        let passwords = Passwords::new(CHEAP, 1).unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (began, has_begun) = oneshot::channel();
        let mut tasks = JoinSet::new();
        let busy = passwords.clone();
        tasks.spawn(async move {
            let wait = move || {
                began.send(()).unwrap();
                released.recv().unwrap();
            };
            busy.work(wait).await.unwrap();
        });
        has_begun.await.unwrap();
        // Nobody waits for the first any longer, but it still runs.
        tasks.shutdown().await;
        assert_eq!(passwords.workers.available_permits(), 0);
        release.send(()).unwrap();
        passwords.verify(&password("x"), None).await.unwrap();
    }

    #[test]
    fn lengths_are_counted_in_characters_and_nothing_is_repeated() {
        let mut check = Check::new();
        let given = |count| Some(password(&"가".repeat(count)));
        assert!(Password::new(&mut check, "password", given(10)).is_some());
        assert!(Password::new(&mut check, "password", given(128)).is_some());
        assert!(Password::at_login(&mut check, "password", given(1)).is_some());
        check.finish().unwrap();
        for (count, at_login) in [(9, false), (129, false), (0, true), (129, true)] {
            let mut check = Check::new();
            let take = if at_login { Password::at_login } else { Password::new };
            assert!(take(&mut check, "password", given(count)).is_none());
            let problem = check.finish().unwrap_err();
            assert!(!format!("{problem:?}").contains('가'), "{problem:?}");
        }
    }

    #[test]
    fn errors_and_debug_output_do_not_tell_it() {
        let error = serde_json::from_str::<Password>("1234567890").unwrap_err();
        assert_eq!(error.to_string(), "a password is a text");
        assert_eq!(format!("{:?}", password("secret")), "Password(…)");
    }
}
