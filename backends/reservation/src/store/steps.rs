//! The steps of the saga (4.9.2), and who works on which.

use service::code::Code;
use service::stored::read_code;
use sqlx::{AnyConnection, AnyPool, FromRow};
use uuid::Uuid;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The CMS books what it holds.
    CmsApprove,
    /// It notes that the booking is paid.
    CmsPaymentComplete,
    /// It gives the nights back.
    ReleaseRoom,
    /// A result that came before the end of the create is looked at (T30).
    ApplyResult,
}

impl Code for Kind {
    const ALL: &'static [Self] =
        &[Self::CmsApprove, Self::CmsPaymentComplete, Self::ReleaseRoom, Self::ApplyResult];

    fn code(self) -> &'static str {
        match self {
            Self::CmsApprove => "cms_approve",
            Self::CmsPaymentComplete => "cms_payment_complete",
            Self::ReleaseRoom => "release_room",
            Self::ApplyResult => "apply_result",
        }
    }
}

/// A step.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct StepRow {
    pub(crate) id: String,
    pub(crate) reservation_id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) content: String,
    pub(crate) leased_until: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) next_attempt_at: String,
    pub(crate) last_error: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A step, and who works on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) id: &'a str,
    pub(crate) owner: &'a str,
}

impl StepRow {
    pub(crate) fn kind(&self) -> Result<Kind, sqlx::Error> {
        read_code(&self.kind)
    }
}

/// Opens a step that is due at once.
pub(crate) async fn open(
    connection: &mut AnyConnection,
    reservation_id: &str,
    (kind, content): (Kind, &str),
    now: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO saga_step (id, reservation_id, kind, position, state, content, attempts, \
         next_attempt_at, created_at, updated_at) \
         SELECT $1, $2, $3, COALESCE(MAX(position), 0) + 1, 'OPEN', $4, 0, $5, $5, $5 \
         FROM saga_step WHERE reservation_id = $2",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(reservation_id.to_owned())
    .bind(kind.code())
    .bind(content.to_owned())
    .bind(now.to_owned())
    .execute(connection)
    .await
    .map(drop)
}

/// Closes the open steps that would book the room.
pub(crate) async fn close_booking(
    connection: &mut AnyConnection,
    reservation_id: &str,
    now: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE saga_step SET state = 'CLOSED', updated_at = $2 WHERE reservation_id = $1 \
         AND state = 'OPEN' AND kind IN ('cms_approve', 'cms_payment_complete')",
    )
    .bind(reservation_id.to_owned())
    .bind(now.to_owned())
    .execute(connection)
    .await
    .map(drop)
}

/// Marks a step as done while it still belongs to its owner; whether it did.
pub(crate) async fn finish(
    connection: &mut AnyConnection,
    claim: Claim<'_>,
    now: &str,
) -> Result<bool, sqlx::Error> {
    // A step that the same transaction has closed was carried out all the same.
    let done = sqlx::query(
        "UPDATE saga_step SET state = CASE state WHEN 'OPEN' THEN 'DONE' ELSE state END, \
         lease_owner = NULL, leased_until = NULL, last_error = NULL, updated_at = $3 \
         WHERE id = $1 AND lease_owner = $2",
    )
    .bind(claim.id.to_owned())
    .bind(claim.owner.to_owned())
    .bind(now.to_owned())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether a step is open and still its owner's.
pub(crate) async fn is_held(
    connection: &mut AnyConnection,
    claim: Claim<'_>,
) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM saga_step WHERE id = $1 AND lease_owner = $2 AND state = 'OPEN'",
    )
    .bind(claim.id.to_owned())
    .bind(claim.owner.to_owned())
    .fetch_one(connection)
    .await?;
    Ok(found == 1)
}

/// Takes a step that nobody works on, or keeps one; whether that went well.
pub(crate) async fn take(
    pool: &AnyPool,
    claim: Claim<'_>,
    (now, until): (&str, &str),
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query(
        "UPDATE saga_step SET lease_owner = $2, leased_until = $3, attempts = attempts + 1 \
         WHERE id = $1 AND state = 'OPEN' \
         AND (leased_until IS NULL OR leased_until <= $4 OR lease_owner = $2)",
    )
    .bind(claim.id.to_owned())
    .bind(claim.owner.to_owned())
    .bind(until.to_owned())
    .bind(now.to_owned())
    .execute(pool)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Leaves a step for later.
pub(crate) async fn put_off(
    pool: &AnyPool,
    claim: Claim<'_>,
    next: &str,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE saga_step SET lease_owner = NULL, leased_until = NULL, next_attempt_at = $3, \
         last_error = $4 WHERE id = $1 AND lease_owner = $2",
    )
    .bind(claim.id.to_owned())
    .bind(claim.owner.to_owned())
    .bind(next.to_owned())
    .bind(error.to_owned())
    .execute(pool)
    .await
    .map(drop)
}

/// Makes the open steps of a reservation due, those of one kind or all; how many there are.
pub(crate) async fn hurry(
    connection: &mut AnyConnection,
    reservation_id: &str,
    kind: Option<&str>,
    now: &str,
) -> Result<u64, sqlx::Error> {
    let hurried = sqlx::query(
        "UPDATE saga_step SET next_attempt_at = $3 WHERE reservation_id = $1 AND state = 'OPEN' \
         AND kind = COALESCE($2, kind)",
    )
    .bind(reservation_id.to_owned())
    .bind(kind.map(str::to_owned))
    .bind(now.to_owned())
    .execute(connection)
    .await?;
    Ok(hurried.rows_affected())
}

/// The first open step of a reservation that is not being made any more.
pub(crate) async fn first_open(
    pool: &AnyPool,
    reservation_id: &str,
) -> Result<Option<StepRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT s.id, s.reservation_id, s.kind, s.state, s.content, s.leased_until, s.attempts, \
         s.next_attempt_at, s.last_error, s.created_at, s.updated_at FROM saga_step s \
         JOIN reservations r ON r.reservation_id = s.reservation_id \
         WHERE s.reservation_id = $1 AND s.state = 'OPEN' AND r.status <> 'REQUESTED' \
         ORDER BY s.position LIMIT 1",
    )
    .bind(reservation_id.to_owned())
    .fetch_optional(pool)
    .await
}

/// Every step of a reservation, the first one first.
pub(crate) async fn list(
    pool: &AnyPool,
    reservation_id: &str,
) -> Result<Vec<StepRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, reservation_id, kind, state, content, leased_until, attempts, \
         next_attempt_at, last_error, created_at, updated_at FROM saga_step \
         WHERE reservation_id = $1 ORDER BY position",
    )
    .bind(reservation_id.to_owned())
    .fetch_all(pool)
    .await
}

/// Reservations with a step that is due and that nobody works on.
pub(crate) async fn due(pool: &AnyPool, now: &str, limit: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT s.reservation_id FROM saga_step s \
         JOIN reservations r ON r.reservation_id = s.reservation_id \
         WHERE s.state = 'OPEN' AND s.next_attempt_at <= $1 AND r.status <> 'REQUESTED' \
         AND (s.leased_until IS NULL OR s.leased_until <= $1) \
         GROUP BY s.reservation_id ORDER BY MIN(s.next_attempt_at) LIMIT $2",
    )
    .bind(now.to_owned())
    .bind(limit)
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(Kind::by_code(kind.code()), Some(*kind));
        }
    }
}
