//! Records held against the schemas: what is read, what is passed over, what nobody can read.

use std::collections::HashMap;

use jsonschema::{Draft, ValidationError, Validator};
use serde::Deserialize;
use serde_json::Value;
use service::code::Code;

use crate::envelope::Envelope;
use crate::topic::Topic;

const ENVELOPE: &str = include_str!("../schemas/envelope.v1.json");
/// Faults of one record beyond these are not told.
const FAULTS_TOLD: usize = 5;

/// The schemas, compiled.
#[derive(Debug)]
pub struct Schemas {
    envelope: Validator,
    payloads: HashMap<(Topic, u32), Validator>,
}

/// A schema that cannot be compiled: a defect of this crate.
#[derive(Debug, thiserror::Error)]
#[error("a schema of messages cannot be used")]
pub struct SchemaError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// What a record holds.
#[derive(Debug)]
pub enum Reading {
    /// A message.
    Message(Box<Envelope>),
    /// A message of a type that this version does not know: it is for others.
    UnknownKind,
}

/// Why nobody can read a record.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The body is no JSON.
    #[error("the body is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The body, or what it says, breaks its schema.
    #[error("the message breaks its schema: {0}")]
    Schema(String),
    /// The schema has a version that this one does not know.
    #[error("{kind} has no version {version} here")]
    Version {
        /// The message's type.
        kind: String,
        /// The version it claims to have.
        version: u32,
    },
}

impl Schemas {
    /// Compiles every schema.
    pub fn new() -> Result<Self, SchemaError> {
        let payloads = Topic::ALL.iter().map(|topic| Ok(((*topic, 1), compile(payload(*topic))?)));
        Ok(Self { envelope: compile(ENVELOPE)?, payloads: payloads.collect::<Result<_, _>>()? })
    }

    /// Reads a record's body.
    pub fn read(&self, topic: Topic, body: &[u8]) -> Result<Reading, Unreadable> {
        let value: Value = serde_json::from_slice(body).map_err(Unreadable::NotJson)?;
        check(&self.envelope, &value)?;
        let envelope =
            Envelope::deserialize(value).map_err(|error| Unreadable::Schema(error.to_string()))?;
        if !topic.kinds().contains(&envelope.kind.as_str()) {
            return Ok(Reading::UnknownKind);
        }
        let Some(payload) = self.payloads.get(&(topic, envelope.version)) else {
            return Err(Unreadable::Version { kind: envelope.kind, version: envelope.version });
        };
        check(payload, &envelope.payload)?;
        Ok(Reading::Message(Box::new(envelope)))
    }
}

const fn payload(topic: Topic) -> &'static str {
    match topic {
        Topic::PaymentConfirmRequest => include_str!("../schemas/PaymentConfirmRequested.v1.json"),
        Topic::PaymentConfirmResponse => include_str!("../schemas/PaymentConfirmResult.v1.json"),
        Topic::PaymentCancelRequest => include_str!("../schemas/PaymentCancelRequested.v1.json"),
        Topic::PaymentCancelResponse => include_str!("../schemas/PaymentCancelResult.v1.json"),
        Topic::ReservationEvent => include_str!("../schemas/ReservationEvent.v1.json"),
        Topic::PaymentEvent => include_str!("../schemas/PaymentEvent.v1.json"),
        Topic::TravelEvent => include_str!("../schemas/TravelEvent.v1.json"),
        Topic::NotificationEvent => include_str!("../schemas/NotificationEvent.v1.json"),
    }
}

fn compile(text: &str) -> Result<Validator, SchemaError> {
    let mut schema: Value =
        serde_json::from_str(text).map_err(|error| SchemaError(error.into()))?;
    // Schemas name themselves by what is no URL.
    if let Some(members) = schema.as_object_mut() {
        members.remove("$id");
    }
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .map_err(|error| SchemaError(error.to_string().into()))
}

/// The values are left out of the text: they may be somebody's.
fn check(validator: &Validator, value: &Value) -> Result<(), Unreadable> {
    let faults: Vec<_> =
        validator.iter_errors(value).take(FAULTS_TOLD).map(|fault| told(&fault)).collect();
    if faults.is_empty() { Ok(()) } else { Err(Unreadable::Schema(faults.join("; "))) }
}

fn told(fault: &ValidationError<'_>) -> String {
    let place = fault.instance_path().to_string();
    let place = if place.is_empty() { "/".to_owned() } else { place };
    format!("{place}: {}", fault.masked())
}

#[cfg(test)]
mod tests;
