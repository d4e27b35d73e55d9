//! Which relay publishes: a row that belongs to one of them for a while.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use service::stored::instant;
use sqlx::AnyConnection;
use uuid::Uuid;

#[derive(Debug)]
pub(super) struct Lease {
    owner: String,
    epoch: String,
    length: SignedDuration,
    /// Whether it was ever this relay's.
    is_new: bool,
    /// Until when it is this relay's, as far as it knows.
    until: Timestamp,
}

impl Lease {
    pub(super) fn new(owner: String, length: Duration) -> Self {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        let epoch = Uuid::new_v4().to_string();
        Self { owner, epoch, length, is_new: true, until: Timestamp::MIN }
    }

    /// Whether it is this relay's for half its length at least.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.until.duration_since(now) > self.length / 2
    }

    /// What tells this relay's lease from every other.
    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Takes or renews it; whether it is this relay's now.
    ///
    /// A relay that starts takes it at once from an earlier process of the same instance, which is
    /// gone, or is to stop.
    pub(super) async fn take(
        &mut self,
        connection: &mut AnyConnection,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let predecessor = if self.is_new { self.owner.as_str() } else { "" };
        let until = now + self.length;
        let taken = sqlx::query(
            "UPDATE relay_lease SET owner = $1, epoch = $2, leased_until = $3
             WHERE id = 1 AND (epoch = $2 OR leased_until < $4 OR owner = $5)",
        )
        .bind(&self.owner)
        .bind(&self.epoch)
        .bind(instant(until))
        .bind(instant(now))
        .bind(predecessor)
        .execute(connection)
        .await?;
        let is_taken = taken.rows_affected() > 0;
        self.is_new &= !is_taken;
        self.until = if is_taken { until } else { Timestamp::MIN };
        Ok(is_taken)
    }

    /// Another relay has it.
    pub(super) fn lose(&mut self) {
        self.until = Timestamp::MIN;
    }
}
