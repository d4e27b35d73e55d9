//! The member service, as this one asks it where a member can be reached.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use service::clock::Clock;
use service::envelope::Payload;
use service::keys::KeySet;
use service::peer::{Limits, Peer, PeerError};

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(1), call: Duration::from_secs(2), retries: 1 };
/// An address that was changed is used at most so long.
const KEPT: Duration = Duration::from_secs(30);
/// More members than this are not remembered.
const MOST_KEPT: usize = 10_000;

/// The member service; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Contacts {
    peer: Peer,
    clock: Clock,
    known: Arc<Mutex<HashMap<i64, Known>>>,
}

/// An address, and when it was told.
#[derive(Debug, Clone)]
struct Known {
    at: Timestamp,
    email: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    email: Option<String>,
}

impl Contacts {
    /// The member service at `base`.
    pub(crate) fn new(base: &str, keys: KeySet, clock: &Clock) -> Result<Self, PeerError> {
        let peer = Peer::new("member", base, LIMITS)?;
        let peer = peer.with_proof(crate::NAME, keys, clock.clone());
        Ok(Self { peer, clock: clock.clone(), known: Arc::default() })
    }

    /// A member's e-mail address; nothing when it has none, or is no member.
    pub(crate) async fn email(&self, member_id: i64) -> Result<Option<String>, PeerError> {
        let now = self.clock.now();
        if let Some(known) = self.remembered(member_id, now) {
            return Ok(known.email);
        }
        let target = format!("/internal/v1/members/{member_id}/contact");
        let email = match self.peer.get::<Payload<Contact>>(&target).await {
            Ok(contact) => contact.payload.email,
            Err(PeerError::Refused { code, .. }) if code == "MEMBER_NOT_FOUND" => None,
            Err(error) => return Err(error),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(member_id, Known { at: now, email: email.clone() });
        Ok(email)
    }

    fn remembered(&self, member_id: i64, now: Timestamp) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&member_id)?;
        let age = Duration::try_from(now.duration_since(found.at)).ok()?;
        (age < KEPT).then(|| found.clone())
    }
}
