//! What every message says beside its payload.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A message as it stands in a record's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<T = Value> {
    /// The message: the same however often it is sent.
    pub id: Uuid,
    /// What kind of message it is, such as `PaymentConfirmRequested`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the payload's schema.
    pub version: u32,
    /// When what it tells of happened.
    pub occurred_at: Timestamp,
    /// The service that wrote it.
    pub producer: String,
    /// What it belongs to: the reservation, or the trip.
    pub correlation_id: String,
    /// The message or request that caused it.
    #[serde(default)]
    pub causation_id: Option<String>,
    /// The trace it belongs to (W3C Trace Context).
    #[serde(default)]
    pub traceparent: Option<String>,
    /// The member it is about.
    #[serde(default)]
    pub member_id: Option<i64>,
    /// What it says.
    pub payload: T,
}

/// Names of the headers that repeat the envelope, so that tools need not read the body.
pub mod header {
    /// The message's id.
    pub const EVENT_ID: &str = "event-id";
    /// Its type.
    pub const EVENT_TYPE: &str = "event-type";
    /// The version of its schema.
    pub const EVENT_VERSION: &str = "event-version";
    /// What it belongs to.
    pub const CORRELATION_ID: &str = "correlation-id";
    /// Its trace.
    pub const TRACEPARENT: &str = "traceparent";
    /// `application/json`
    pub const CONTENT_TYPE: &str = "content-type";
    /// When an operator sent a dead letter again.
    pub const REDRIVEN_AT: &str = "redriven-at";
}

impl<T> Envelope<T> {
    /// The headers of a record with this message.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            (header::EVENT_ID, self.id.to_string()),
            (header::EVENT_TYPE, self.kind.clone()),
            (header::EVENT_VERSION, self.version.to_string()),
            (header::CORRELATION_ID, self.correlation_id.clone()),
        ];
        headers.extend(self.traceparent.clone().map(|parent| (header::TRACEPARENT, parent)));
        headers.push((header::CONTENT_TYPE, "application/json".to_owned()));
        headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
