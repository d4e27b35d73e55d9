//! The gateway's sessions, as this service ends them.

use std::time::Duration;

use serde::Serialize;
use service::clock::Clock;
use service::keys::KeySet;
use service::peer::{Limits, Peer, PeerError, Retry};

/// Calls are repeated from the store, not at once.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(1), call: Duration::from_secs(5), retries: 0 };

/// The gateway's admin side; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sessions(Peer);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Revoke {
    member_id: i64,
}

impl Sessions {
    pub(crate) fn new(base: &str, keys: KeySet, clock: Clock) -> Result<Self, PeerError> {
        let peer = Peer::new("gateway", base, LIMITS)?;
        Ok(Self(peer.with_proof(crate::NAME, keys, clock)))
    }

    /// Ends all sessions of a member.
    pub(crate) async fn revoke(&self, member_id: i64) -> Result<(), PeerError> {
        let body = Revoke { member_id };
        let answer = self.0.post::<_, Option<serde_json::Value>>(
            "/internal/sessions/revoke",
            &body,
            Retry::Never,
        );
        answer.await.map(drop)
    }
}
