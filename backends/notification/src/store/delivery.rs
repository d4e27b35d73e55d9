//! Deliveries on their way.

use jiff::Timestamp;
use messaging::outbox::{Batch, Draft};
use messaging::payload::{NotificationEvent, NotificationEventKind};
use service::code::Code;
use service::stored::{instant, read, rows};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::code::{Channel, Kind};
use crate::template::Values;

/// A delivery that is to be made.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub(crate) source_event_id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) template: &'a str,
    pub(crate) channel: Channel,
    pub(crate) member_id: i64,
    /// Where it goes to, if that is known already.
    pub(crate) destination: Option<String>,
    /// What the template speaks of.
    pub(crate) values: &'a Values,
    pub(crate) stale_after: Option<Timestamp>,
    /// Title and body of what is delivered by being written down.
    pub(crate) delivered: Option<(String, String)>,
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
    /// After how many of them nobody knows whether it has arrived.
    pub(crate) unknowns: i64,
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

/// Writes deliveries down unless they are there, the first attempt to be made at `first`, and tells of
/// those that are made by that.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    new: &[New<'_>],
    (now, first): (Timestamp, Timestamp),
) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    // Only numbers are composed.
    let text = AssertSqlSafe(format!(
        "INSERT INTO notifications (notification_id, source_event_id, kind, template_code, \
         channel, member_id, destination, payload, status, attempts, next_attempt_at, \
         stale_after, rendered_title, rendered_body, sent_at, provider_message_id, created_at, \
         updated_at, version) VALUES {} \
         ON CONFLICT (source_event_id, template_code, channel) DO NOTHING RETURNING notification_id",
        rows(1, 19, new.len())
    ));
    let at = instant(now);
    let ids: Vec<_> = new.iter().map(|_| Uuid::now_v7()).collect();
    let mut query = sqlx::query_scalar(text);
    for (new, id) in new.iter().zip(&ids) {
        let values = serde_json::to_string(new.values);
        let values = values.map_err(|error| sqlx::Error::Encode(error.into()))?;
        let is_delivered = new.delivered.is_some();
        let (title, body) = new.delivered.clone().unzip();
        query = query
            .bind(id.to_string())
            .bind(new.source_event_id.to_string())
            .bind(new.kind.code())
            .bind(new.template.to_owned())
            .bind(new.channel.code())
            .bind(new.member_id)
            .bind(new.destination.clone())
            .bind(values)
            .bind(if is_delivered { "SENT" } else { "PENDING" })
            .bind(i64::from(is_delivered))
            .bind((!is_delivered).then(|| instant(first)))
            .bind(new.stale_after.map(instant))
            .bind(title)
            .bind(body)
            .bind(is_delivered.then(|| at.clone()))
            .bind(is_delivered.then(|| id.to_string()))
            .bind(at.clone())
            .bind(at.clone())
            .bind(1_i64);
    }
    let written: Vec<String> = query.fetch_all(&mut *connection).await?;
    let mut batch = Batch::new(now);
    for (new, id) in new.iter().zip(ids) {
        if new.delivered.is_none() || !written.contains(&id.to_string()) {
            continue;
        }
        tell(&mut batch, &new.sent(id))?;
    }
    batch.append(connection).await.map(drop)
}

impl New<'_> {
    /// What is told of one that is delivered by being written down.
    fn sent(&self, notification_id: Uuid) -> NotificationEvent {
        NotificationEvent {
            event: NotificationEventKind::Sent,
            notification_id,
            source_event_id: self.source_event_id,
            member_id: self.member_id,
            kind: self.kind.code().to_owned(),
            channel: self.channel.code().to_owned(),
            template_code: self.template.to_owned(),
            status: "SENT".to_owned(),
            attempts: 1,
            error: None,
        }
    }
}

fn tell(batch: &mut Batch, payload: &NotificationEvent) -> Result<(), sqlx::Error> {
    let draft = Draft {
        key: &payload.member_id.to_string(),
        correlation_id: &payload.source_event_id.to_string(),
        causation_id: Some(payload.source_event_id),
        member_id: Some(payload.member_id),
        payload,
    };
    batch.add(&draft).map(drop)
}

/// What is due of the open deliveries: also those whose process has died.
const DUE: &str = "status IN ('PENDING', 'SENDING') AND next_attempt_at <= $1 \
    AND (status = 'PENDING' OR leased_until <= $1)";

/// Takes deliveries that are due: at most `limit`. What a process left behind that has died may have
/// arrived.
pub(crate) async fn take_due(
    pool: &AnyPool,
    owner: &str,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    // Another process may take some of them meanwhile; only statements of our own are composed.
    let text = AssertSqlSafe(format!(
        "UPDATE notifications SET status = 'SENDING', lease_owner = $2, leased_until = $3, \
         attempts = attempts + 1, \
         unknowns = unknowns + CASE status WHEN 'SENDING' THEN 1 ELSE 0 END, \
         version = version + 1 WHERE notification_id IN \
         (SELECT notification_id FROM notifications WHERE {DUE} ORDER BY next_attempt_at LIMIT $4) \
         AND {DUE} \
         RETURNING notification_id, source_event_id, kind, template_code, channel, member_id, \
         destination, payload, attempts - 1 AS attempts, unknowns, stale_after, lease_owner, \
         (SELECT choice FROM preferences WHERE preferences.member_id = notifications.member_id \
         AND preferences.kind = notifications.kind \
         AND preferences.channel = notifications.channel) AS choice"
    ));
    let taken = sqlx::query_as(text).bind(instant(now)).bind(owner.to_owned());
    taken.bind(instant(until)).bind(limit).fetch_all(pool).await
}

/// Leaves a delivery for later, `is_unknown` when it may have arrived; whether it was still its owner's.
pub(crate) async fn put_off(
    pool: &AnyPool,
    row: &DeliveryRow,
    (next, is_unknown): (Timestamp, bool),
    error: &str,
) -> Result<bool, sqlx::Error> {
    let left = sqlx::query(
        "UPDATE notifications SET status = 'PENDING', lease_owner = NULL, leased_until = NULL, \
         next_attempt_at = $3, last_error = $4, unknowns = unknowns + $5, version = version + 1 \
         WHERE notification_id = $1 AND lease_owner = $2 AND status = 'SENDING'",
    )
    .bind(row.notification_id.clone())
    .bind(row.lease_owner.clone())
    .bind(instant(next))
    .bind(error.to_owned())
    .bind(i64::from(is_unknown))
    .execute(pool)
    .await?;
    Ok(left.rows_affected() == 1)
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
    let mut batch = Batch::new(now);
    tell(&mut batch, &payload)?;
    batch.append(connection).await?;
    Ok(true)
}

/// Makes a delivery that has failed due once more, as if it had never been tried; whether there is one.
pub(crate) async fn retry(pool: &AnyPool, id: &str, now: Timestamp) -> Result<bool, sqlx::Error> {
    let retried = sqlx::query(
        "UPDATE notifications SET status = 'PENDING', attempts = 0, unknowns = 0, next_attempt_at = $2, \
         version = version + 1 WHERE notification_id = $1 AND status = 'FAILED'",
    )
    .bind(id.to_owned())
    .bind(instant(now))
    .execute(pool)
    .await?;
    Ok(retried.rows_affected() == 1)
}
