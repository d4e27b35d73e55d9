//! The session store of a gateway without Redis: the same answers, gone when the process ends.

use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::expiring::Expiring;
use super::session::{
    Beginning, Failures, LoginKey, Member, MemberStatus, Rotated, Rotation, Seen, SessionState,
    SessionStore, Stored, TokenKey,
};

/// Tells the time in milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Sessions in the memory of the process.
pub struct InProcessSessions {
    clock: Clock,
    sessions: Expiring<Uuid, Session>,
    members: Expiring<i64, Member>,
    /// Locked before `sessions`, so that a session is always found through its member.
    by_member: Expiring<i64, HashSet<Uuid>>,
    denied: Expiring<Uuid, ()>,
    failures_of_email: Expiring<[u8; 32], u32>,
    failures_of_address: Expiring<IpAddr, u32>,
}

/// The refresh secret's hash is not kept: its entry lives exactly as long as the session here.
#[derive(Debug)]
struct Session {
    member_id: i64,
    generation: u64,
    /// The generation before, and until when it is taken.
    previous: Option<(u64, i64)>,
    is_revoked: bool,
}

impl InProcessSessions {
    /// An empty store that lives by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            sessions: Expiring::new(),
            members: Expiring::new(),
            by_member: Expiring::new(),
            denied: Expiring::new(),
            failures_of_email: Expiring::new(),
            failures_of_address: Expiring::new(),
        }
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }

    fn remove(&self, token: TokenKey) {
        let now = self.now();
        let Some(mut members) = self.by_member.shard(&token.member_id) else { return };
        self.sessions.remove(&token.session);
        if let Some(sessions) = members.get(&token.member_id, now) {
            sessions.remove(&token.session);
        }
    }
}

impl SessionStore for InProcessSessions {
    fn look_up(&self, token: TokenKey) -> Stored<'_, Seen> {
        let now = self.now();
        let seen = Seen {
            session: self.sessions.with(&token.session, now, |session| SessionState {
                member_id: session.member_id,
                is_revoked: session.is_revoked,
            }),
            member: self.members.with(&token.member_id, now, |member| *member),
            is_denied: self.denied.with(&token.id, now, |()| ()).is_some(),
        };
        Box::pin(ready(Ok(seen)))
    }

    fn rotate(&self, rotation: Rotation) -> Stored<'_, Rotated> {
        let now = self.now();
        let rotated =
            self.sessions.with(&rotation.session, now, |session| session.rotate(&rotation, now));
        Box::pin(ready(Ok(rotated.unwrap_or(Rotated::NoSession))))
    }

    fn begin(&self, beginning: Beginning) -> Stored<'_, ()> {
        let now = self.now();
        if let Some(replaced) = beginning.replaces {
            self.remove(replaced);
        }
        let identity = beginning.identity;
        let ends_at = end(now, beginning.life);
        if let Some(mut members) = self.by_member.shard(&identity.member_id) {
            let mut sessions = members.take(&identity.member_id).unwrap_or_default();
            sessions.retain(|session| self.sessions.with(session, now, |_| ()).is_some());
            sessions.insert(beginning.session);
            members.put(identity.member_id, sessions, ends_at, now);
            let session = Session {
                member_id: identity.member_id,
                generation: 1,
                previous: None,
                is_revoked: false,
            };
            self.sessions.put(beginning.session, session, ends_at, now);
        }
        let member = Member { identity, status: MemberStatus::Active };
        self.members.put(identity.member_id, member, end(now, beginning.member_life), now);
        self.failures_of_email.remove(&beginning.email_hash);
        Box::pin(ready(Ok(())))
    }

    fn end(&self, token: TokenKey, deny_for: Duration) -> Stored<'_, ()> {
        let now = self.now();
        self.denied.put(token.id, (), end(now, deny_for), now);
        self.remove(token);
        Box::pin(ready(Ok(())))
    }

    fn end_all(&self, member_id: i64) -> Stored<'_, ()> {
        if let Some(mut members) = self.by_member.shard(&member_id) {
            for session in members.take(&member_id).unwrap_or_default() {
                self.sessions.remove(&session);
            }
        }
        self.members.remove(&member_id);
        Box::pin(ready(Ok(())))
    }

    fn remember(&self, member: Member, life: Duration) -> Stored<'_, ()> {
        let now = self.now();
        self.members.put(member.identity.member_id, member, end(now, life), now);
        Box::pin(ready(Ok(())))
    }

    fn failures(&self, login: LoginKey) -> Stored<'_, Failures> {
        let now = self.now();
        let of_email = self.failures_of_email.with(&login.email_hash, now, |count| *count);
        let of_address = login
            .address
            .and_then(|address| self.failures_of_address.with(&address, now, |count| *count));
        let failures = Failures {
            of_email: of_email.unwrap_or_default(),
            of_address: of_address.unwrap_or_default(),
        };
        Box::pin(ready(Ok(failures)))
    }

    fn failed(&self, login: LoginKey, window: Duration) -> Stored<'_, ()> {
        let now = self.now();
        count(&self.failures_of_email, login.email_hash, end(now, window), now);
        if let Some(address) = login.address {
            count(&self.failures_of_address, address, end(now, window), now);
        }
        Box::pin(ready(Ok(())))
    }
}

impl Session {
    fn rotate(&mut self, rotation: &Rotation, now: i64) -> Rotated {
        if self.is_revoked {
            return Rotated::Revoked;
        }
        if rotation.generation >= self.generation {
            self.generation = rotation.generation + 1;
            self.previous = Some((rotation.generation, end(now, rotation.grace)));
            return Rotated::To(self.generation);
        }
        let is_parallel = self
            .previous
            .is_some_and(|(generation, until)| generation == rotation.generation && now < until);
        if is_parallel {
            return Rotated::To(self.generation);
        }
        self.is_revoked = true;
        Rotated::Reused
    }
}

/// The window begins with the first failure and does not move.
fn count<K: std::hash::Hash + Eq>(map: &Expiring<K, u32>, key: K, ends_at: i64, now: i64) {
    let Some(mut shard) = map.shard(&key) else { return };
    if let Some(count) = shard.get(&key, now) {
        *count = count.saturating_add(1);
    } else {
        shard.put(key, 1, ends_at, now);
    }
}

fn end(now: i64, life: Duration) -> i64 {
    now.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX))
}

/// How much it holds, not what.
impl Debug for InProcessSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InProcessSessions")
            .field("sessions", &self.sessions)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}
