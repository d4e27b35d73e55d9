//! The reservation service, as this one asks it.

use std::time::Duration;

use serde::Deserialize;
use service::clock::Clock;
use service::envelope::Payload;
use service::keys::KeySet;
use service::peer::{Limits, Peer, PeerError};
use service::problem::Problem;

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(1), call: Duration::from_secs(2), retries: 1 };

/// The reservation service; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reservations(Peer);

#[derive(Deserialize)]
struct OpenReservations {
    count: u64,
}

impl Reservations {
    pub(crate) fn new(base: &str, keys: KeySet, clock: Clock) -> Result<Self, PeerError> {
        let peer = Peer::new("reservation", base, LIMITS)?;
        Ok(Self(peer.with_proof(crate::NAME, keys, clock)))
    }

    /// Refuses with 409 `MEMBER_HAS_OPEN_RESERVATIONS` while money or rooms of a member are in
    /// flight.
    pub(crate) async fn refuse_open(&self, member_id: i64) -> Result<(), Problem> {
        let target = format!("/internal/v1/members/{member_id}/open-reservations");
        let found: Result<Payload<OpenReservations>, _> = self.0.get(&target).await;
        let open = found.map_err(|error| error.into_problem("RESERVATION_UNAVAILABLE"))?;
        if open.payload.count == 0 {
            return Ok(());
        }
        let detail = "the member has reservations that are not finished; cancel or keep them first";
        Err(Problem::conflict("MEMBER_HAS_OPEN_RESERVATIONS", detail))
    }
}
