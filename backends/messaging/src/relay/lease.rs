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
}

impl Lease {
    pub(super) fn new(owner: String, length: Duration) -> Self {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        Self { owner, epoch: Uuid::new_v4().to_string(), length, is_new: true }
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
        let taken = sqlx::query(
            "UPDATE relay_lease SET owner = $1, epoch = $2, leased_until = $3
             WHERE id = 1 AND (epoch = $2 OR leased_until < $4 OR owner = $5)",
        )
        .bind(&self.owner)
        .bind(&self.epoch)
        .bind(instant(now + self.length))
        .bind(instant(now))
        .bind(predecessor)
        .execute(connection)
        .await?;
        let is_taken = taken.rows_affected() > 0;
        self.is_new &= !is_taken;
        Ok(is_taken)
    }

    /// Renews it if no other relay has taken it.
    pub(super) async fn renew(
        &self,
        connection: &mut AnyConnection,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let renewed =
            sqlx::query("UPDATE relay_lease SET leased_until = $2 WHERE id = 1 AND epoch = $1")
                .bind(&self.epoch)
                .bind(instant(now + self.length))
                .execute(connection)
                .await?;
        Ok(renewed.rows_affected() > 0)
    }
}
