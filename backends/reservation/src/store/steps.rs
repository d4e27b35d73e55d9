//! The steps of the saga (4.9.2), and who works on which.

use service::code::Code;
use service::stored::read_code;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, FromRow};
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

/// Opens steps that are due at once, to be taken in this order.
pub(crate) async fn open(
    connection: &mut AnyConnection,
    reservation_id: &str,
    steps: &[(Kind, &str)],
    now: &str,
) -> Result<(), sqlx::Error> {
    let row = |number: usize| {
        format!(
            "SELECT ${}, $1, ${}, COALESCE(MAX(position), 0) + {}, 'OPEN', ${}, 0, $2, $2, $2 \
             FROM saga_step WHERE reservation_id = $1",
            3 * number + 3,
            3 * number + 4,
            number + 1,
            3 * number + 5,
        )
    };
    let rows: Vec<_> = (0..steps.len()).map(row).collect();
    // Only numbers are composed.
    let text = AssertSqlSafe(format!(
        "INSERT INTO saga_step (id, reservation_id, kind, position, state, content, attempts, \
         next_attempt_at, created_at, updated_at) {}",
        rows.join(" UNION ALL ")
    ));
    let mut query = sqlx::query(text).bind(reservation_id.to_owned()).bind(now.to_owned());
    for (kind, content) in steps {
        query =
            query.bind(Uuid::now_v7().to_string()).bind(kind.code()).bind((*content).to_owned());
    }
    query.execute(connection).await.map(drop)
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

/// Brings a step to its end while it is open and still its owner's; whether it was.
///
/// What gives the room back closes the steps that would book it.
pub(crate) async fn finish(
    connection: &mut AnyConnection,
    claim: Claim<'_>,
    gives_back: bool,
    now: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE saga_step SET state = CASE WHEN $3 = 1 \
         AND kind IN ('cms_approve', 'cms_payment_complete') THEN 'CLOSED' ELSE 'DONE' END, \
         lease_owner = NULL, leased_until = NULL, last_error = NULL, updated_at = $4 \
         WHERE id = $1 AND lease_owner = $2 AND state = 'OPEN'",
    )
    .bind(claim.id.to_owned())
    .bind(claim.owner.to_owned())
    .bind(i64::from(gives_back))
    .bind(now.to_owned())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the first open step of a reservation that is not being made any more, unless somebody works
/// on it; the step, with the attempts before this one.
pub(crate) async fn take_first(
    connection: &mut AnyConnection,
    reservation_id: &str,
    owner: &str,
    (now, until): (&str, &str),
) -> Result<Option<StepRow>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE saga_step SET lease_owner = $2, leased_until = $3, attempts = attempts + 1 \
         WHERE id = (SELECT s.id FROM saga_step s \
         JOIN reservations r ON r.reservation_id = s.reservation_id \
         WHERE s.reservation_id = $1 AND s.state = 'OPEN' AND r.status <> 'REQUESTED' \
         ORDER BY s.position LIMIT 1) \
         AND state = 'OPEN' AND (leased_until IS NULL OR leased_until <= $4) \
         RETURNING id, kind, state, content, leased_until, \
         attempts - 1 AS attempts, next_attempt_at, last_error, created_at, updated_at",
    )
    .bind(reservation_id.to_owned())
    .bind(owner.to_owned())
    .bind(until.to_owned())
    .bind(now.to_owned())
    .fetch_optional(connection)
    .await
}

/// Keeps a step for its owner, who tries it once more; whether it still is its owner.
pub(crate) async fn keep(
    connection: &mut AnyConnection,
    claim: Claim<'_>,
    until: &str,
) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query(
        "UPDATE saga_step SET leased_until = $3, attempts = attempts + 1 \
         WHERE id = $1 AND state = 'OPEN' AND lease_owner = $2",
    )
    .bind(claim.id.to_owned())
    .bind(claim.owner.to_owned())
    .bind(until.to_owned())
    .execute(connection)
    .await?;
    Ok(kept.rows_affected() == 1)
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

/// Every step of a reservation, the first one first.
pub(crate) async fn list(
    pool: &AnyPool,
    reservation_id: &str,
) -> Result<Vec<StepRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, kind, state, content, leased_until, attempts, \
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
