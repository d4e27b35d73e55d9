//! The tables of a service that sends or receives messages.

/// Outbox, inbox and the relay's lease: one step in the life of a service's schema.
pub const SQL: &str = include_str!("../migrations/messages.sql");
