//! Messages to be sent, stored in the transaction that decides on them (P1).

use jiff::Timestamp;
use serde_json::Value;
use service::correlation;
use service::stored::{instant, placeholders, rows};
use sqlx::{AnyConnection, AssertSqlSafe};
use uuid::Uuid;

use crate::envelope::Envelope;
use crate::payload::Payload;

/// A message to be.
#[derive(Debug)]
pub struct Draft<'a, P> {
    /// The aggregate: messages of one key are published in the order they were appended in.
    pub key: &'a str,
    /// What it belongs to: the reservation, or the trip.
    pub correlation_id: &'a str,
    /// The message that caused it.
    pub causation_id: Option<Uuid>,
    /// The member it is about.
    pub member_id: Option<i64>,
    /// What it says.
    pub payload: &'a P,
}

/// Messages that one transaction sends, in this order.
#[derive(Debug)]
pub struct Batch {
    now: Timestamp,
    rows: Vec<Row>,
}

/// A message as it is stored.
#[derive(Debug)]
struct Row {
    id: Uuid,
    topic: &'static str,
    key: String,
    headers: String,
    body: String,
}

impl Batch {
    /// Nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self { now, rows: Vec::new() }
    }

    /// Adds a message, which belongs to the trace at hand; its id.
    pub fn add<P: Payload>(&mut self, draft: &Draft<'_, P>) -> Result<Uuid, sqlx::Error> {
        let envelope = envelope(draft, self.now)?;
        self.rows.push(Row {
            id: envelope.id,
            topic: P::TOPIC.name(),
            key: draft.key.to_owned(),
            headers: serde_json::to_string(&envelope.headers()).map_err(unwritable)?,
            body: serde_json::to_string(&envelope).map_err(unwritable)?,
        });
        Ok(envelope.id)
    }

    /// Appends them within the caller's transaction; their ids. The relay publishes them once the
    /// transaction is committed.
    pub async fn append(self, connection: &mut AnyConnection) -> Result<Vec<Uuid>, sqlx::Error> {
        let now = instant(self.now);
        let ids = self.rows.iter().map(|row| row.id).collect();
        for rows in self.rows.chunk_by(|one, next| one.key == next.key) {
            insert(connection, rows, &now).await?;
        }
        Ok(ids)
    }
}

/// Appends one message within the caller's transaction; its id.
pub async fn append<P: Payload>(
    connection: &mut AnyConnection,
    draft: Draft<'_, P>,
    now: Timestamp,
) -> Result<Uuid, sqlx::Error> {
    let mut batch = Batch::new(now);
    let id = batch.add(&draft)?;
    batch.append(connection).await?;
    Ok(id)
}

/// Inserts messages of one key.
async fn insert(
    connection: &mut AnyConnection,
    messages: &[Row],
    now: &str,
) -> Result<(), sqlx::Error> {
    let Some(first) = messages.first() else { return Ok(()) };
    let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
    let last = take_sequences(connection, &first.key, count, now).await?;
    let statement = format!(
        "INSERT INTO outbox (id, topic, record_key, sequence, headers, body, created_at, attempts) \
         VALUES {}",
        rows(1, 8, messages.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (sequence, message) in (last - count + 1..).zip(messages) {
        query = query
            .bind(message.id.to_string())
            .bind(message.topic)
            .bind(message.key.as_str())
            .bind(sequence)
            .bind(message.headers.as_str())
            .bind(message.body.as_str())
            .bind(now)
            .bind(0_i64);
    }
    query.execute(connection).await.map(drop)
}

/// Lets the relay publish messages once more, under their ids: an operator has sent the message
/// again that they answer (7.6).
pub async fn publish_again(
    connection: &mut AnyConnection,
    ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let list = placeholders(1, ids.len());
    let statement = format!("UPDATE outbox SET published_at = NULL WHERE id IN {list}");
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.to_string());
    }
    query.execute(connection).await.map(drop)
}

fn envelope<P: Payload>(draft: &Draft<'_, P>, now: Timestamp) -> Result<Envelope, sqlx::Error> {
    Ok(Envelope {
        id: Uuid::now_v7(),
        kind: draft.payload.kind().to_owned(),
        version: P::VERSION,
        occurred_at: now,
        producer: P::TOPIC.producer().to_owned(),
        correlation_id: draft.correlation_id.to_owned(),
        causation_id: draft.causation_id.map(|id| id.to_string()),
        traceparent: Some(correlation::trace_parent()),
        member_id: draft.member_id,
        payload: serde_json::to_value(draft.payload).map_err(unwritable)?,
    })
}

/// Takes the next sequences of a key; the last of them. Its row stays locked to the end of the
/// transaction.
async fn take_sequences(
    connection: &mut AnyConnection,
    key: &str,
    count: i64,
    now: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO outbox_keys (record_key, sequence, used_at) VALUES ($1, $2, $3)
         ON CONFLICT (record_key)
         DO UPDATE SET sequence = outbox_keys.sequence + excluded.sequence,
             used_at = excluded.used_at
         RETURNING sequence",
    )
    .bind(key)
    .bind(count)
    .bind(now)
    .fetch_one(connection)
    .await
}

fn unwritable(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

/// A message that waits for the relay.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) kind: String,
    pub(crate) body: String,
}

/// What waits, at most `limit` of it: of each key its oldest, in their order.
pub(crate) async fn pending(
    connection: &mut AnyConnection,
    limit: i64,
) -> Result<Vec<Pending>, sqlx::Error> {
    let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT id, topic, record_key, headers, body FROM outbox WHERE published_at IS NULL
         ORDER BY sequence, created_at, id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(read).collect()
}

fn read(row: (String, String, String, String, String)) -> Result<Pending, sqlx::Error> {
    let (id, topic, key, headers, body) = row;
    let headers: Vec<(String, String)> =
        serde_json::from_str(&headers).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let body_read: Value =
        serde_json::from_str(&body).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let kind = body_read.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Pending { id, topic, key, headers, kind, body })
}

#[cfg(test)]
mod tests;
