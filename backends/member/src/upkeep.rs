//! What happens without a request: members that stay away become dormant, and the gateway is told.
//!
//! Both begin at the start. Members are looked through once a day; a revocation the gateway did not
//! take is told again every 30 seconds, also by the next process.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use service::clock::Clock;
use service::peer::PeerError;
use tokio::time::interval;

use crate::sessions::Sessions;
use crate::store::{Revocation, Store};

const DAY: Duration = Duration::from_hours(24);
const AGAIN: Duration = Duration::from_secs(30);

/// The work of the background.
#[derive(Debug)]
pub(crate) struct Upkeep {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// How long a member may stay away.
    pub(crate) dormant_after: SignedDuration,
    /// Whom to tell of sessions that have to end.
    pub(crate) sessions: Option<Sessions>,
}

impl Upkeep {
    /// Works until it is dropped.
    pub(crate) async fn run(self) {
        let mut daily = interval(DAY);
        let mut often = interval(AGAIN);
        loop {
            tokio::select! {
                biased;
                _ = daily.tick() => if let Err(error) = self.sweep().await {
                    tracing::error!(%error, "members were not looked through; once more soon");
                    daily.reset_after(AGAIN);
                },
                _ = often.tick() => {}
            }
            if let Err(error) = self.deliver().await {
                tracing::error!(%error, "revocations were not read; once more soon");
            }
        }
    }

    /// Makes members dormant that have stayed away.
    async fn sweep(&self) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let cutoff = now.checked_sub(self.dormant_after).unwrap_or(Timestamp::MIN);
        let (mut after, mut count) = (0, 0);
        loop {
            let is_told = self.sessions.is_some();
            let ids = self.store.make_dormant(after, cutoff, now, is_told).await?;
            let Some(last) = ids.iter().max() else { break };
            after = *last;
            count += ids.len();
        }
        if count > 0 {
            let sessions = if self.sessions.is_some() {
                "the gateway ends their sessions"
            } else {
                "their sessions end with the gateway's cache, within 5 minutes"
            };
            tracing::info!(count, sessions, "members became dormant");
        }
        Ok(())
    }

    /// Tells the gateway what it has not been told yet.
    async fn deliver(&self) -> Result<(), sqlx::Error> {
        let Some(sessions) = &self.sessions else { return Ok(()) };
        let mut after = 0;
        loop {
            let revocations = self.store.revocations(after).await?;
            let Some(last) = revocations.last() else { return Ok(()) };
            after = last.member_id;
            for revocation in &revocations {
                if !self.tell(sessions, revocation).await? {
                    return Ok(());
                }
            }
        }
    }

    /// Tells one; whether the gateway is there at all.
    async fn tell(
        &self,
        sessions: &Sessions,
        revocation: &Revocation,
    ) -> Result<bool, sqlx::Error> {
        match sessions.revoke(revocation.member_id).await {
            Ok(()) => self.store.delivered(revocation).await.map(|()| true),
            // The next one may go well.
            Err(error @ PeerError::Refused { status, .. }) if status.is_client_error() => {
                let member = revocation.member_id;
                tracing::error!(member, %error, "the gateway refuses a revocation; compare the keys");
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(%error, "the gateway ends no sessions now; once more soon");
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests;
