//! Deliveries on their way.

use jiff::Timestamp;
use messaging::outbox::{self, Draft};
use messaging::payload::{NotificationEvent, NotificationEventKind};
use service::code::Code;
use service::stored::{instant, placeholders, read};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::code::{Channel, Kind};

/// A delivery that is to be made.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub(crate) source_event_id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) template: &'a str,
    pub(crate) channel: Channel,
    pub(crate) member_id: i64,
    /// Where it goes to, if that is known already.
    pub(crate) destination: Option<&'a str>,
    /// What the template speaks of, as a JSON object.
    pub(crate) values: &'a str,
    pub(crate) stale_after: Option<Timestamp>,
}

/// A delivery that was taken, as it was before.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct DeliveryRow {
    pub(crate) notification_id: String,
    pub(crate) source_event_id: String,
    pub(crate) kind: String,
    pub(crate) template_code: String,
    pub(crate) channel: String,
    pub(crate) member_id: i64,
    pub(crate) destination: Option<String>,
    pub(crate) payload: String,
    pub(crate) attempts: i64,
    pub(crate) stale_after: Option<String>,
    /// Whoever has taken it.
    pub(crate) lease_owner: String,
    /// What the member has chosen, if it has.
    pub(crate) choice: Option<String>,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    /// `SENT`, `FAILED` or `SKIPPED`.
    pub(crate) status: &'a str,
    pub(crate) destination: Option<&'a str>,
    pub(crate) rendered: Option<(&'a str, &'a str)>,
    pub(crate) error: Option<&'a str>,
}

/// Writes a delivery down unless it is there.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    new: &New<'_>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO notifications (notification_id, source_event_id, kind, template_code, \
         channel, member_id, destination, payload, status, attempts, next_attempt_at, \
         stale_after, version, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'PENDING', 0, $9, $10, 1, $9, $9) \
         ON CONFLICT (source_event_id, template_code, channel) DO NOTHING",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(new.source_event_id.to_string())
    .bind(new.kind.code())
    .bind(new.template.to_owned())
    .bind(new.channel.code())
    .bind(new.member_id)
    .bind(new.destination.map(str::to_owned))
    .bind(new.values.to_owned())
    .bind(instant(now))
    .bind(new.stale_after.map(instant))
    .execute(connection)
    .await
    .map(drop)
}

/// What is due of the open deliveries: also those whose process has died.
const DUE: &str = "status IN ('PENDING', 'SENDING') AND next_attempt_at <= $1 \
    AND (status = 'PENDING' OR leased_until <= $1)";

/// Takes deliveries that are due: at most `limit`.
pub(crate) async fn take_due(
    pool: &AnyPool,
    owner: &str,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    // Only statements of our own are composed.
    let due = AssertSqlSafe(format!(
        "SELECT notification_id FROM notifications WHERE {DUE} ORDER BY next_attempt_at LIMIT $2"
    ));
    let due = sqlx::query_scalar(due).bind(instant(now)).bind(limit);
    let due: Vec<String> = due.fetch_all(pool).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    // Another process may have taken some of them meanwhile.
    let taken = AssertSqlSafe(format!(
        "UPDATE notifications SET status = 'SENDING', lease_owner = $2, leased_until = $3, \
         attempts = attempts + 1, version = version + 1 WHERE notification_id IN {} AND {DUE} \
         RETURNING notification_id, source_event_id, kind, template_code, channel, member_id, \
         destination, payload, attempts - 1 AS attempts, stale_after, lease_owner, \
         (SELECT choice FROM preferences WHERE preferences.member_id = notifications.member_id \
         AND preferences.kind = notifications.kind \
         AND preferences.channel = notifications.channel) AS choice",
        placeholders(4, due.len())
    ));
    let mut taken = sqlx::query_as(taken).bind(instant(now)).bind(owner.to_owned());
    taken = taken.bind(instant(until));
    for id in due {
        taken = taken.bind(id);
    }
    taken.fetch_all(pool).await
}

/// Leaves a delivery for later.
pub(crate) async fn put_off(
    pool: &AnyPool,
    id: &str,
    owner: &str,
    (next, error): (Timestamp, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifications SET status = 'PENDING', lease_owner = NULL, leased_until = NULL, \
         next_attempt_at = $3, last_error = $4, version = version + 1 \
         WHERE notification_id = $1 AND lease_owner = $2 AND status = 'SENDING'",
    )
    .bind(id.to_owned())
    .bind(owner.to_owned())
    .bind(instant(next))
    .bind(error.to_owned())
    .execute(pool)
    .await
    .map(drop)
}

/// Brings a delivery to an end and tells of it; whether it was still its owner's.
pub(crate) async fn end(
    connection: &mut AnyConnection,
    row: &DeliveryRow,
    end: End<'_>,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query(
        "UPDATE notifications SET status = $3, destination = COALESCE($4, destination), \
         rendered_title = $5, rendered_body = $6, last_error = $7, sent_at = $8, \
         lease_owner = NULL, leased_until = NULL, next_attempt_at = NULL, updated_at = $9, \
         provider_message_id = $10, version = version + 1 \
         WHERE notification_id = $1 AND lease_owner = $2 AND status = 'SENDING'",
    )
    .bind(row.notification_id.clone())
    .bind(row.lease_owner.clone())
    .bind(end.status.to_owned())
    .bind(end.destination.map(str::to_owned))
    .bind(end.rendered.map(|(title, _)| title.to_owned()))
    .bind(end.rendered.map(|(_, body)| body.to_owned()))
    .bind(end.error.map(str::to_owned))
    .bind((end.status == "SENT").then(|| instant(now)))
    .bind(instant(now))
    .bind((end.status == "SENT").then(|| row.notification_id.clone()))
    .execute(&mut *connection)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    let event = match end.status {
        "SENT" => NotificationEventKind::Sent,
        "FAILED" => NotificationEventKind::Failed,
        _ => return Ok(true),
    };
    let payload = NotificationEvent {
        event,
        notification_id: read(&row.notification_id)?,
        source_event_id: read(&row.source_event_id)?,
        member_id: row.member_id,
        kind: row.kind.clone(),
        channel: row.channel.clone(),
        template_code: row.template_code.clone(),
        status: end.status.to_owned(),
        attempts: row.attempts + 1,
        error: end.error.map(str::to_owned),
    };
    let draft = Draft {
        key: &row.member_id.to_string(),
        correlation_id: &row.source_event_id,
        causation_id: Some(payload.source_event_id),
        member_id: Some(row.member_id),
        payload: &payload,
    };
    outbox::append(connection, draft, now).await?;
    Ok(true)
}

/// Makes a delivery that has failed due once more; whether there is one.
pub(crate) async fn retry(pool: &AnyPool, id: &str, now: Timestamp) -> Result<bool, sqlx::Error> {
    let retried = sqlx::query(
        "UPDATE notifications SET status = 'PENDING', attempts = 0, next_attempt_at = $2, \
         version = version + 1 WHERE notification_id = $1 AND status = 'FAILED'",
    )
    .bind(id.to_owned())
    .bind(instant(now))
    .execute(pool)
    .await?;
    Ok(retried.rows_affected() == 1)
}
